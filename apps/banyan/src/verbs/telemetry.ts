/** `banyan telemetry`: what a node measures and traces, and how its exporter does. */

import { systemClock } from "@banyan/kernel";
import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { askNode } from "../node-client.ts";
import { statusText } from "../telemetry-status.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const answer = await askNode(await findNode(command), "/node/telemetry/status");
  if (terminal.json) terminal.print(JSON.stringify(answer));
  else terminal.print(statusText(answer, terminal.style, systemClock.nowMs()));
}
