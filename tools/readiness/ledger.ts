/**
 * The readiness ledger: one promise per line, kept in `readiness/*.yaml` by hand, each with the
 * proof that holds it. This file reads and validates it; nothing here touches the disk.
 *
 *     - id: trunk.two-commands            unique, never reused
 *       area: workshop                    the service or room that makes the promise
 *       promise: A fresh clone needs …    one sentence for a user
 *       target: "< 5 min on two cores"    how much, or `yes`
 *       today: "1 min 40 s"               the same, as it is now
 *       status: kept                      kept | partly | not-yet
 *       proof: { test: "tools/x.test.ts#part of the title" }
 *
 * A proof is `{ test: "<file>#<part of a title>" }`, `{ bench: "<area>#<case>" }`,
 * `{ check: "<tidy rule, check step or npm script>" }`, or a list of these. Only `not-yet` may
 * stand without.
 */

import { parseDocument } from "yaml";

export type Status = "kept" | "partly" | "not-yet";

export type Proof =
  | { readonly kind: "test"; readonly file: string; readonly title: string }
  | { readonly kind: "bench"; readonly area: string; readonly case: string }
  | { readonly kind: "check"; readonly name: string };

export interface Entry {
  readonly id: string;
  readonly area: string;
  readonly promise: string;
  readonly target: string;
  readonly today: string;
  readonly status: Status;
  readonly proof: readonly Proof[];
  /** Where it stands: `readiness/trunk.yaml`. */
  readonly file: string;
}

export interface LedgerProblem {
  readonly file: string;
  readonly message: string;
}

export interface Ledger {
  readonly entries: readonly Entry[];
  readonly problems: readonly LedgerProblem[];
}

const statuses: readonly Status[] = ["kept", "partly", "not-yet"];
const textFields = ["id", "area", "promise", "target", "today"] as const;
const fieldsKnown = new Set<string>([...textFields, "status", "proof"]);

/** Reads every file of the ledger; answers what is well-formed and what is wrong with the rest. */
export function parseLedger(files: ReadonlyMap<string, string>): Ledger {
  const entries: Entry[] = [];
  const problems: LedgerProblem[] = [];
  const ids = new Map<string, string>();
  for (const [file, text] of files) {
    const document = parseDocument(text);
    for (const error of document.errors) problems.push({ file, message: error.message });
    if (document.errors.length > 0) continue;
    const list: unknown = document.toJS();
    if (!Array.isArray(list)) {
      problems.push({ file, message: "must be a list of promises." });
      continue;
    }
    for (const [index, item] of list.entries()) {
      const { entry, wrong } = parseEntry(item, file);
      const name = entry?.id ?? `entry ${index + 1}`;
      problems.push(...wrong.map((message) => ({ file, message: `${name}: ${message}` })));
      if (entry === undefined) continue;
      const first = ids.get(entry.id);
      if (first !== undefined) problems.push({ file, message: `${name}: already in ${first}.` });
      ids.set(entry.id, file);
      entries.push(entry);
    }
  }
  return { entries, problems };
}

interface ParsedEntry {
  readonly entry: Entry | undefined;
  readonly wrong: readonly string[];
}

function parseEntry(item: unknown, file: string): ParsedEntry {
  if (!isRecord(item)) return { entry: undefined, wrong: ["must be an object."] };
  const wrong: string[] = [];
  for (const key of Object.keys(item)) {
    if (!fieldsKnown.has(key))
      wrong.push(`has no field "${key}" (${[...fieldsKnown].join(", ")}).`);
  }
  const text = (field: (typeof textFields)[number]): string => {
    const value = item[field];
    if (typeof value === "string" && value.trim() !== "") return value.trim();
    if (typeof value === "number") return String(value);
    wrong.push(`"${field}" must be a text.`);
    return "";
  };
  const [id, area, promise, target, today] = [
    text("id"),
    text("area"),
    text("promise"),
    text("target"),
    text("today"),
  ];
  if (!/^[a-z0-9]+(?:[-.][a-z0-9]+)*$/.test(id))
    wrong.push(`"id" is words in kebab-case and dots.`);
  const status = statuses.find((each) => each === item["status"]);
  if (status === undefined) wrong.push(`"status" must be one of ${statuses.join(", ")}.`);
  const proof = parseProofs(item["proof"], wrong);
  if (proof.length === 0 && status !== "not-yet") wrong.push("needs a proof.");
  if (wrong.length > 0 || status === undefined)
    return { entry: undefined, wrong: named(id, wrong) };
  return { entry: { id, area, promise, target, today, status, proof, file }, wrong };
}

function named(id: string, wrong: readonly string[]): string[] {
  return wrong.map((message) => (id === "" ? message : `(${id}) ${message}`));
}

function parseProofs(value: unknown, wrong: string[]): Proof[] {
  if (value === undefined || value === null) return [];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.flatMap((item) => {
    const proof = parseProof(item);
    if (proof !== undefined) return [proof];
    wrong.push(
      '"proof" must be { test: "<file>#<title>" }, { bench: "<area>#<case>" } or { check: "<name>" }.',
    );
    return [];
  });
}

function parseProof(item: unknown): Proof | undefined {
  if (!isRecord(item)) return undefined;
  const [[kind, value] = ["", undefined], ...more] = Object.entries(item);
  if (more.length > 0 || typeof value !== "string") return undefined;
  if (kind === "check") return { kind, name: value };
  const cut = value.indexOf("#");
  const [left, right] = [value.slice(0, cut), value.slice(cut + 1)];
  if (cut < 1 || right === "") return undefined;
  if (kind === "test") return { kind, file: left, title: right };
  return kind === "bench" ? { kind, area: left, case: right } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// --- The page ---------------------------------------------------------------------------------

/** `docs/READINESS.md`, whole. */
export function renderPage(entries: readonly Entry[]): string {
  const areas = [...new Set(entries.map(({ area }) => area))].sort();
  const inArea = (area: string): Entry[] => entries.filter((entry) => entry.area === area);
  return [
    "# Readiness",
    "",
    "What is promised, how far it is kept today, and what proves it. Written by `npm run readiness`",
    "from `readiness/*.yaml`; `npm run check` fails when a proof is missing or this page is stale.",
    "",
    "| area | kept | partly | not yet |",
    "|---|---|---|---|",
    ...areas.map((area) => totals(area, inArea(area))),
    totals("**all**", entries),
    "",
    ...areas.flatMap((area) => [
      `## ${area}`,
      "",
      "| promise | target | today | status | proof |",
      "|---|---|---|---|---|",
      ...inArea(area).map(row),
      "",
    ]),
  ].join("\n");
}

function totals(label: string, entries: readonly Entry[]): string {
  const counts = statuses.map((status) => entries.filter((e) => e.status === status).length);
  return `| ${label} | ${counts.join(" | ")} |`;
}

function row(entry: Entry): string {
  const cells = [
    `<a id="${entry.id}"></a>${entry.promise}`,
    entry.target,
    entry.today,
    entry.status.replace("-", " "),
    entry.proof.map(describeProof).join("; "),
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}

function describeProof(proof: Proof): string {
  switch (proof.kind) {
    case "test":
      return `test “${proof.title}” in \`${proof.file}\``;
    case "bench":
      return `bench \`${proof.area}\`, case “${proof.case}”`;
    default:
      return `check \`${proof.name}\``;
  }
}

/** What the command line of the platform shows: the entries without their place in the tree. */
export function renderData(entries: readonly Entry[]): string {
  const data = entries.map(({ file: _file, proof, ...entry }) => ({
    ...entry,
    proof: proof.map(describeProof),
  }));
  return `${JSON.stringify({ entries: data }, undefined, 2)}\n`;
}
