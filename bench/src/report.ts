/**
 * A result as people read it: a table for the terminal, a section of BENCHMARKS.md between markers.
 * The page is never written by hand there; a test compares it with the stored results.
 */

import { formatFigure } from "./figure.ts";
import type { BenchCase, BenchResult, CallGuarantee, Guarantee } from "./result.ts";

/** The section of one area, without its markers. */
function renderSection(result: BenchResult): string {
  const { cases, commit, cpu, date, node } = result;
  return [
    `Measured on ${date.slice(0, 10)} at commit \`${commit}\`, Node ${node}, ${cpu}.`,
    "",
    ...summaryOf(cases),
    "",
    "| case | unit | ours | middle half | baseline | peers | ratio | target | met |",
    "|---|---|--:|--:|--:|---|--:|---|---|",
    ...cases.map((each) => `| ${cellsOf(each).map(escapeCell).join(" | ")} |`),
    ...guaranteeLines(result),
    ...callGuaranteeLines(result),
  ].join("\n");
}

/** What missed its target comes before everything else. */
function summaryOf(cases: readonly BenchCase[]): string[] {
  const promised = cases.filter(({ met }) => met !== null);
  const missed = promised.filter(({ met }) => met === false);
  const kept = `${promised.length - missed.length} of ${promised.length} targets are met`;
  if (missed.length === 0) return [`${kept}.`];
  const list = missed.map((each) => {
    const figure = `${formatFigure(each.ours)} ${each.unit}, ratio ${each.ratio}`;
    return `- **missed**: ${each.name}: ${figure}; target ${each.target ?? ""}`;
  });
  return [`${kept}; missed:`, "", ...list];
}

function cellsOf(each: BenchCase): string[] {
  const { spread, baseline, peers } = each;
  const peerText = ({ name, version, value }: BenchCase["peers"][number]): string =>
    `${name} ${version}: ${formatFigure(value)}`;
  return [
    each.name,
    each.unit,
    formatFigure(each.ours),
    `${formatFigure(spread.q1)} … ${formatFigure(spread.q3)}`,
    `${baseline.name}: ${formatFigure(baseline.value)}`,
    peers.map(peerText).join("; ") || "–",
    `${each.ratio}`,
    each.target ?? "–",
    each.met === null ? "–" : each.met ? "yes" : "**no**",
  ];
}

/** What stands behind the figures of each. */
function guaranteeLines({ guarantees }: BenchResult): string[] {
  if (guarantees === undefined) return [];
  return [
    "",
    "| who | a publish is confirmed | survives the broker | a crash of the consumer redelivers | retries | dead letters | beside ours |",
    "|---|---|---|---|---|---|---|",
    ...guarantees.map((each) => {
      const { name, confirmed, durable, redelivered, retries, deadLetters } = each;
      return row([name, confirmed, durable, redelivered, retries, deadLetters, besideOurs(each)]);
    }),
  ];
}

/** What is told of a call, in its order. */
const ofCall = [
  ["checked", "what is checked"],
  ["deadline", "a deadline"],
  ["cancel", "a caller that gives up"],
  ["lost", "a connection that ends"],
  ["peer", "who may call"],
] as const satisfies readonly (readonly [keyof CallGuarantee, string])[];

function callGuaranteeLines({ callGuarantees }: BenchResult): string[] {
  if (callGuarantees === undefined) return [];
  return [
    "",
    row(["who", ...ofCall.map(([, title]) => title)]),
    `|${"---|".repeat(ofCall.length + 1)}`,
    ...callGuarantees.map((each) => row([each.name, ...ofCall.map(([key]) => each[key])])),
  ];
}

function row(cells: readonly string[]): string {
  return `| ${cells.map(escapeCell).join(" | ")} |`;
}

function besideOurs({ publishing, handling }: Guarantee): string {
  if (publishing === "less") return "promises less";
  return handling === "less" ? "publishing the same, handling less" : "the same";
}

/** For the terminal, below the table: who promises what. Empty where all promise the same. */
export function renderGuarantees({ guarantees = [], callGuarantees = [] }: BenchResult): string {
  const calls = callGuarantees.map((each) => {
    return `\n\n${each.name}${ofCall.map(([key, title]) => `\n  ${title}: ${each[key]}`).join("")}`;
  });
  const events = guarantees.map((each) => {
    const { name, confirmed, durable, redelivered, retries, deadLetters } = each;
    return `\n\n${name}: ${besideOurs(each)}
  confirmed: ${confirmed}
  durable: ${durable}
  redelivered: ${redelivered}
  retries: ${retries}
  dead letters: ${deadLetters}`;
  });
  return [...events, ...calls].join("");
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}

const markers = (area: string): { start: string; end: string } => ({
  start: `<!-- results of ${area}: written by \`npm run bench -- ${area}\` -->`,
  end: `<!-- end of ${area} -->`,
});

/** The page with the section of this result. @throws Error when the page lacks the markers. */
export function replaceSection(page: string, result: BenchResult): string {
  const { start, end } = markers(result.area);
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from === -1 || to < from) {
    throw new Error(
      `BENCHMARKS.md has no section of ${result.area}; write the two lines\n${start}\n${end}`,
    );
  }
  return `${page.slice(0, from + start.length)}\n\n${renderSection(result)}\n\n${page.slice(to)}`;
}

/** For the terminal: one line per case, peers below. */
export function renderTable(cases: readonly BenchCase[]): string {
  const width = Math.max(...cases.map(({ name }) => name.length));
  const row = (name: string, value: string, rest: string): string =>
    `${name.padEnd(width)}  ${value.padStart(10)}  ${rest}`;
  return cases
    .flatMap((each) => {
      const verdict = each.met === null ? "" : each.met ? "  ✔" : "  ✖ missed";
      const target = each.target === null ? "" : `  target ${each.target}`;
      const { q1, q3 } = each.spread;
      const middle = `${formatFigure(q1)} … ${formatFigure(q3)}`;
      const about = `${each.unit} (${middle})  ratio ${each.ratio}${target}${verdict}`;
      return [
        row(each.name, formatFigure(each.ours), about),
        row("", formatFigure(each.baseline.value), each.baseline.name),
        ...each.peers.map((peer) =>
          row("", formatFigure(peer.value), `${peer.name} ${peer.version}`),
        ),
      ];
    })
    .join("\n");
}
