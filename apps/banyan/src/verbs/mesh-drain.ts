/** `banyan mesh drain`: a node finishes what it has and leaves the fleet. */

import { systemClock } from "@banyan/kernel";
import type { Command } from "../command.ts";
import { callTimeMax, parseDuration } from "../duration.ts";
import { cliErrors } from "../errors.ts";
import { endpointRows } from "../mesh-answers.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { numberOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { oneLine } from "../text-table.ts";

const waitDefault = "30s";
const lookMs = 200;

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [wanted] = command.args;
  const waitMs = parseDuration(flags.text("timeout") ?? waitDefault, "--timeout", callTimeMax);
  const address = await findNode(command);
  const answer = await askNode(
    address,
    "/node/mesh/drain",
    wanted === undefined ? {} : { node: wanted },
  );
  const node = oneLine(textOf(answer["node"]));
  terminal.note(terminal.styleNote("faint", `${node} ${drainingText(answer["running"])}`));
  const isGone = flags.has("no-wait")
    ? undefined
    : await waitUntilGone(address, textOf(answer["instance"]), waitMs);
  if (isGone === false) {
    throw cliErrors.CLI_WAIT_OVER(`${node} had not left the fleet after ${waitMs} ms.`, {
      details: { fix: "It goes on finishing; look with banyan mesh endpoints." },
    });
  }
  if (terminal.json) terminal.print(JSON.stringify({ ...answer, left: isGone === true }));
  else if (isGone === true) terminal.print(`${node} has left the fleet`);
}

function drainingText(running: unknown): string {
  if (running === undefined) return "drains already";
  const count = numberOf(running);
  return `takes no new calls; it finishes ${count === 1 ? "1 call" : `${count} calls`}`;
}

async function waitUntilGone(
  address: NodeAddress,
  instance: string,
  waitMs: number,
): Promise<boolean> {
  const endsMs = systemClock.monotonicMs() + waitMs;
  for (;;) {
    const rows = endpointRows(await askNode(address, "/node/mesh/endpoints"));
    if (!rows.some((row) => row.instance === instance)) return true;
    if (systemClock.monotonicMs() >= endsMs) return false;
    await systemClock.sleep(lookMs);
  }
}
