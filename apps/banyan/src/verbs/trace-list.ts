/** `banyan trace list`: what was called of late, how long it took and how it ended. */

import { systemClock } from "@banyan/kernel";
import { nearest } from "@banyan/kernel/internal";
import type { Command, Flags } from "../command.ts";
import { countFlag } from "../count-flag.ts";
import { futureTimeMax, parseDuration } from "../duration.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { numberOf, recordOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { whatText } from "../span-text.ts";
import type { Paint, Terminal } from "../terminal.ts";
import { cutTo, escaped, textTable, widthOf } from "../text-table.ts";
import { agoText, durationText, whenText } from "../time-text.ts";
import { shortIds, traceRows } from "../trace-answer.ts";
import type { TraceRow } from "../trace-answer.ts";
import { askTraces } from "../trace-question.ts";
import { commandName } from "../try-it.ts";

const limitDefault = 20;
const limitMax = 1000; // what the node answers at most
const nameCharsMax = 60;
const servicesShownMax = 4;

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const body = queryOf(flags);
  const node = await findNode(command);
  const answer = await askTraces(command, { node, operation: "list", body });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const rows = traceRows(answer);
  const note = (words: string): void => terminal.note(terminal.styleNote("faint", words));
  if (rows.length === 0) {
    note(await nothingText(command, node));
    return;
  }
  terminal.print(traceTable(rows, terminal, systemClock.nowMs()));
  const more = Math.min(limitMax, 5 * body.limit);
  if (rows.length === body.limit && more > body.limit) {
    note(`There may be more: --limit ${more} shows them.`);
  }
}

function queryOf(flags: Flags) {
  const service = flags.text("service");
  const name = flags.text("name");
  const min = flags.text("min");
  return {
    ...(service === undefined ? {} : { service }),
    ...(name === undefined ? {} : { name }),
    ...(min === undefined ? {} : { minMs: parseDuration(min, "--min", futureTimeMax) }),
    ...(flags.has("failed") ? { failed: true } : {}),
    ...(flags.has("slowest") ? { slowestFirst: true } : {}),
    limit: countFlag(flags, "limit") ?? limitDefault,
  };
}

interface Column {
  readonly title: string;
  readonly cells: readonly string[];
}

/** Where a line would be broken, these go, in this order. */
const dispensable = ["SERVICES", "WHEN"];

function traceTable(rows: readonly TraceRow[], terminal: Terminal, nowMs: number): string {
  const { style, interactive, columns } = terminal;
  let shown = traceColumns(rows, style, nowMs);
  for (const title of dispensable) {
    if (!interactive || tableWidth(shown) <= columns) break;
    shown = shown.filter((column) => column.title !== title);
  }
  const lines = rows.map((_, index) => shown.map(({ cells }) => cells[index] ?? ""));
  return textTable([shown.map(({ title }) => style("faint", title)), ...lines]);
}

function traceColumns(rows: readonly TraceRow[], style: Paint, nowMs: number): Column[] {
  const ids = shortIds(rows.map(({ traceId }) => traceId));
  const column = (title: string, cell: (row: TraceRow) => string): Column => ({
    title,
    cells: rows.map(cell),
  });
  return [
    { title: "ID", cells: ids.map((id) => style("name", escaped(id))) },
    column("WHEN", (row) => whenText(row.startedAt, nowMs)),
    column("", (row) => style("faint", agoText(row.startedAt, nowMs))),
    toTheRight(column("TOOK", (row) => durationText(row.durationMs))),
    toTheRight(column("SPANS", (row) => String(row.spans))),
    column("WHAT", (row) => cutTo(whatText(row), nameCharsMax)),
    column("SERVICES", (row) => servicesText(row.services)),
    column("KEPT", (row) => keptText(row.kept, style)),
    column("ERROR", (row) => (row.error === "" ? "" : style("bad", escaped(row.error)))),
  ];
}

function toTheRight({ title, cells }: Column): Column {
  const width = cellsWidth({ title, cells });
  return { title: title.padStart(width), cells: cells.map((cell) => cell.padStart(width)) };
}

function cellsWidth({ title, cells }: Column): number {
  return Math.max(...[title, ...cells].map(widthOf));
}

function tableWidth(columns: readonly Column[]): number {
  return columns.reduce((sum, column) => sum + cellsWidth(column) + 2, -2);
}

/** One service is told by the name of what was called. */
function servicesText(services: readonly string[]): string {
  if (services.length < 2) return "";
  const shown = escaped(services.slice(0, servicesShownMax).join(", "));
  const rest = services.length - servicesShownMax;
  return rest > 0 ? `${shown} +${rest}` : shown;
}

function keptText(kept: string, style: Paint): string {
  if (kept === "error") return style("bad", kept);
  return style(kept === "slow" ? "warning" : "faint", escaped(kept));
}

/** Why there may be nothing, and what to do about it. @throws what the node says of the service */
async function nothingText({ flags, env }: Command, node: NodeAddress): Promise<string> {
  const service = flags.text("service");
  // A service that is not there is answered with the nearest one.
  if (service !== undefined) await askNode(node, "/node/describe", { service });
  const name = flags.text("name");
  if (name !== undefined) {
    const rows = traceRows(await askNode(node, "/node/traces/list", { limit: limitMax }));
    const near = nearest(name, new Set(rows.map((row) => row.name)));
    const advice = near === undefined || near === name ? "" : ` Did you mean ${escaped(near)}?`;
    if (advice !== "") return `No trace in memory has a span called ${escaped(name)}.${advice}`;
  }
  const filters = ["service", "name", "min", "failed"].filter((flag) => flags.has(flag));
  if (filters.length > 0) {
    const words = filters.map((flag) => [`--${flag}`, flags.text(flag) ?? ""].join(" ").trim());
    return `No trace in memory fits ${escaped(words.join(" "))}. Leave something out to see more.`;
  }
  const { traces } = await askNode(node, "/node/telemetry/status");
  const { ratio, perSecondMax, slowMs } = recordOf(traces) ?? {};
  if (ratio === 0 || perSecondMax === 0) {
    const slow = durationText(numberOf(slowMs));
    const setting = `telemetry.traces.${ratio === 0 ? "ratio" : "perSecondMax"}`;
    return `No trace was kept: ${setting} is 0, and nothing has failed or taken ${slow} yet.`;
  }
  return `There are no traces yet: call something, as with \`${commandName(env)} call\`, and look again.`;
}
