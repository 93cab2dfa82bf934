/** Questions about traces, and what to do where there are none. */

import { BanyanError, isBanyanError } from "@banyan/kernel";
import type { Command } from "./command.ts";
import type { NodeAddress } from "./node-address.ts";
import { askNode } from "./node-client.ts";
import { commandName } from "./try-it.ts";

export interface TraceQuestion {
  readonly node: NodeAddress;
  readonly operation: "list" | "show";
  readonly body: Readonly<Record<string, unknown>>;
}

/** @throws what the node answers; TELEMETRY_OFF with the way to switch it on */
export async function askTraces(
  { env }: Pick<Command, "env">,
  { node, operation, body }: TraceQuestion,
): Promise<Record<string, unknown>> {
  try {
    return await askNode(node, `/node/traces/${operation}`, body);
  } catch (error) {
    if (!isBanyanError(error, "TELEMETRY_OFF")) throw error;
    const start = `\`${commandName(env)} up --set telemetry.traces.enabled=true\``;
    throw withFix(error, `Remove that line, or start the node with ${start}.`);
  }
}

/** The same error with its way out. */
export function withFix(error: BanyanError, fix: string): BanyanError {
  const { kind, code, message, http, details, retryable, retryAfterMs } = error;
  return new BanyanError({
    kind,
    code,
    message,
    http,
    retryable,
    retryAfterMs,
    details: { ...details, fix },
    cause: error,
  });
}
