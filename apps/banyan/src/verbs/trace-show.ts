/** `banyan trace show <id>`: one trace as a waterfall. */

import { isBanyanError, systemClock } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { askNode } from "../node-client.ts";
import { shortIds, shownTrace, traceRows } from "../trace-answer.ts";
import { askTraces, withFix } from "../trace-question.ts";
import { commandName } from "../try-it.ts";
import { renderTrace } from "../waterfall.ts";

/** As the header `traceparent` writes it; people paste it whole. */
const traceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/i;
const tracesMax = 1000; // what the node answers at most
const namedMax = 5;

export async function run(command: Command): Promise<void> {
  const { terminal, flags, cwd } = command;
  const traceId = idOf(command);
  const node = await findNode(command);
  const answer = await askTrace(command, node, traceId);
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const text = renderTrace(shownTrace(answer), {
    columns: terminal.columns,
    paint: terminal.style,
    cwd,
    nowMs: systemClock.nowMs(),
    all: flags.has("all"),
    verbose: flags.has("verbose"),
  });
  terminal.print(text);
}

function idOf({ args, env }: Command): string {
  const [word = ""] = args;
  const id = traceparent.exec(word)?.[1] ?? word;
  if (/^[0-9a-f]{4,32}$/i.test(id)) return id;
  const list = `${commandName(env)} trace list`;
  const fix = /^[\w-]+\.[\w.-]+$/.test(word)
    ? `\`${list} --name ${word}\` lists the traces of ${word}.`
    : `\`${list}\` shows the ids.`;
  throw cliErrors.CLI_USAGE(`"${word}" is no id of a trace: 4 to 32 hexadecimal digits.`, {
    details: { fix },
  });
}

async function askTrace(
  command: Command,
  node: NodeAddress,
  traceId: string,
): Promise<Record<string, unknown>> {
  try {
    return await askTraces(command, { node, operation: "show", body: { traceId } });
  } catch (error) {
    if (!isBanyanError(error, "TRACE_UNKNOWN")) throw error;
    throw await withNames(error, node, traceId);
  }
}

/** With the traces that may have been meant, where there are several. */
async function withNames(
  error: BanyanError,
  node: NodeAddress,
  traceId: string,
): Promise<BanyanError> {
  const rows = traceRows(await askNode(node, "/node/traces/list", { limit: tracesMax }));
  const meant = rows.filter((row) => row.traceId.startsWith(traceId.toLowerCase()));
  if (meant.length < 2) return error;
  const ids = shortIds(meant.map((row) => row.traceId));
  const named = meant.slice(0, namedMax).map(({ name }, index) => `${ids[index] ?? ""} (${name})`);
  return withFix(
    error,
    `Newest first: ${named.join(", ")}${meant.length > namedMax ? ", …" : "."}`,
  );
}
