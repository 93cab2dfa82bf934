/**
 * `banyan call <service> <operation> …`: one call, its answer on standard output.
 *
 * The node is asked for the operation first: its schema converts `key=value`, and an unknown name
 * is answered with the nearest one. Where the caller may not ask (no token), the call is made as it
 * stands.
 */

import { isBanyanError } from "@banyan/kernel";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { operationRows } from "../node-answers.ts";
import type { OperationRow } from "../node-answers.ts";
import { askNode, callNode } from "../node-client.ts";
import { callTimeMax, parseDuration } from "../duration.ts";
import { readInput } from "../input-words.ts";
import { requestFromPairs } from "../schema-fields.ts";
import { curlText } from "../try-it.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [service = "", operation = "", ...rest] = command.args;
  const timeout = flags.text("timeout");
  const timeoutMs =
    timeout === undefined ? undefined : parseDuration(timeout, "--timeout", callTimeMax);
  const input = await readInput(rest);
  const node = await findNode(command);
  const described = await describeOperation(node, service, operation);
  if (described?.kind === "raw") throw rawOperation(node, `${service}.${operation}`, described);
  const idempotencyKey = flags.text("idempotency-key");
  const answer = await callNode(node, {
    path: described?.path ?? `/${[service, ...operation.split(".")].join("/")}`,
    body: input.kind === "pairs" ? requestFromPairs(input.pairs, described?.request) : input.value,
    timeoutMs,
    idempotencyKey,
    repeatAdvice:
      idempotencyKey === undefined
        ? "A call with --idempotency-key is safe to repeat; look before you repeat this one."
        : "It is safe to repeat it with the same --idempotency-key.",
  });
  if (answer.kind === "value") {
    terminal.print(JSON.stringify(answer.value, undefined, terminal.json ? 0 : 2));
  } else if (answer.kind === "frames") {
    for await (const frame of answer.frames) terminal.print(JSON.stringify(frame));
  } else if (terminal.json) terminal.print("null");
}

/** `undefined` where the node does not tell this caller. */
async function describeOperation(
  node: NodeAddress,
  service: string,
  operation: string,
): Promise<OperationRow | undefined> {
  try {
    const [row] = operationRows(await askNode(node, "/node/describe", { service, operation }));
    return row;
  } catch (error) {
    if (isBanyanError(error, "CALL_UNAUTHENTICATED")) return undefined;
    if (isBanyanError(error, "CALL_PERMISSION_DENIED")) return undefined;
    throw error;
  }
}

function rawOperation(node: NodeAddress, name: string, operation: OperationRow): Error {
  return cliErrors.CLI_USAGE(`${name} is a raw HTTP exchange; there is no JSON call of it.`, {
    details: { fix: `Use: ${curlText(node.url, operation)}` },
  });
}
