/** `banyan readiness`: what the platform promises, as a scorecard. */

import { nearest } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { listOf, recordsOf, textOf } from "../node-answers.ts";
import type { Style, Terminal } from "../terminal.ts";
import { oneLine, textTable } from "../text-table.ts";

interface Pledge {
  readonly id: string;
  readonly area: string;
  readonly promise: string;
  readonly target: string;
  readonly today: string;
  readonly status: string;
  readonly proof: readonly string[];
}

const statusStyles: Readonly<Record<string, Style>> = { kept: "good", partly: "warning" };

export async function run({ args, terminal }: Command): Promise<void> {
  // Written by `npm run readiness` from readiness/*.yaml, and shipped with the command.
  const { default: data } = await import("../readiness.generated.json", { with: { type: "json" } });
  const all = recordsOf(data.entries).map(pledgeOf);
  const areas = [...new Set(all.map(({ area }) => area))];
  const [area] = args;
  if (area !== undefined && !areas.includes(area)) throw unknownArea(area, areas);
  const shown = all.filter((each) => area === undefined || each.area === area);
  if (terminal.json) terminal.print(JSON.stringify({ promises: shown }));
  else
    terminal.print(area === undefined ? scorecard(shown, terminal) : promiseList(shown, terminal));
}

/** One line for each area: how many of its promises are kept. */
function scorecard(promises: readonly Pledge[], { style }: Terminal): string {
  const head = ["AREA", "KEPT", "PARTLY", "NOT YET", ""].map((cell) => style("faint", cell));
  const areas = [...Map.groupBy(promises, ({ area }) => area)].map(([area, list]) => {
    const count = (status: string): number => list.filter((each) => each.status === status).length;
    const kept = count("kept");
    const bar = "#".repeat(Math.round((10 * kept) / list.length)).padEnd(10, ".");
    return [
      style("strong", area),
      String(kept),
      String(count("partly")),
      String(count("not-yet")),
      kept === list.length ? style("good", bar) : style("warning", bar),
    ];
  });
  return textTable([head, ...areas]);
}

function promiseList(promises: readonly Pledge[], { style }: Terminal): string {
  return promises
    .map(({ status, promise, target, today, proof }) =>
      [
        `${style(statusStyles[status] ?? "faint", status.padEnd(7))}  ${oneLine(promise)}`,
        `         target: ${oneLine(target)}; today: ${oneLine(today)}`,
        ...proof.map((each) => style("faint", `         ${oneLine(each)}`)),
      ].join("\n"),
    )
    .join("\n");
}

function pledgeOf(entry: Readonly<Record<string, unknown>>): Pledge {
  return {
    id: textOf(entry["id"]),
    area: textOf(entry["area"]),
    promise: textOf(entry["promise"]),
    target: textOf(entry["target"]),
    today: textOf(entry["today"]),
    status: textOf(entry["status"]),
    proof: listOf(entry["proof"]).map(textOf),
  };
}

function unknownArea(area: string, areas: readonly string[]): Error {
  const near = nearest(area, areas);
  return cliErrors.CLI_USAGE(`There is no area "${area}".`, {
    details: { fix: near === undefined ? `Areas: ${areas.join(", ")}.` : `Did you mean ${near}?` },
  });
}
