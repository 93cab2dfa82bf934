/** Services by layer with their health: what `up` and `services` print. */

import type { ServiceRow } from "./node-answers.ts";
import type { Style, Terminal } from "./terminal.ts";
import { oneLine, textTable } from "./text-table.ts";

const stateStyles: Readonly<Record<string, Style>> = {
  running: "good",
  starting: "warning",
  degraded: "warning",
  stopping: "warning",
  unhealthy: "bad",
  disabled: "faint",
  stopped: "faint",
};

/** Lowest layer first, then by name. The node says a layer with its name: `L4 game-features`. */
export function serviceTable(rows: readonly ServiceRow[], { style }: Terminal): string {
  const sorted = rows.toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
  const head = ["LAYER", "SERVICE", "VERSION", "STATE", "SUMMARY"];
  const body = sorted.map((row) => [
    row.layer,
    style("strong", row.name),
    row.version === "" ? "-" : row.version,
    style(stateStyles[row.state] ?? "warning", row.state),
    oneLine(row.because === "" ? row.summary : row.because),
  ]);
  return textTable([head.map((cell) => style("faint", cell)), ...body]);
}

function order({ layer, name }: ServiceRow): string {
  return `${layer} ${name}`;
}
