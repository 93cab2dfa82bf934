/** Does each proof of the ledger exist, and did its test run and pass? */

import { steps } from "../check/steps.ts";
import type { Repo } from "../tidy/repo.ts";
import { rules } from "../tidy/tidy.ts";
import { parseLedger, renderData, renderPage } from "./ledger.ts";
import type { Entry, Ledger, LedgerProblem, Proof } from "./ledger.ts";

const pagePath = "docs/READINESS.md";
/** Shipped with the `banyan` command, which prints it as a scorecard. */
const dataPath = "apps/banyan/src/readiness.generated.json";

export function readLedger(repo: Repo): Ledger {
  const files = repo.paths.filter((path) => /^readiness\/[^/]+\.ya?ml$/.test(path));
  return parseLedger(new Map(files.map((path) => [path, repo.text(path)])));
}

/** Everything that is wrong with the ledger, its proofs and the pages made from it. */
export function checkLedger(repo: Repo): LedgerProblem[] {
  const { entries, problems } = readLedger(repo);
  const missing = entries.flatMap((entry) =>
    entry.proof.flatMap((proof) => {
      const problem = missingProof(repo, entry, proof);
      return problem === undefined
        ? []
        : [{ file: entry.file, message: `${entry.id}: ${problem}` }];
    }),
  );
  const stale = outputs(repo, entries)
    .filter(({ path, text }) => !repo.has(path) || repo.text(path) !== text)
    .map(({ path }) => ({ file: path, message: "is stale; run `npm run readiness`." }));
  return [...problems, ...missing, ...stale];
}

/** The files that are written from the ledger. */
export function outputs(repo: Repo, entries: readonly Entry[]): { path: string; text: string }[] {
  const page = { path: pagePath, text: renderPage(entries) };
  if (!repo.has("apps/banyan/package.json")) return [page];
  return [page, { path: dataPath, text: renderData(entries) }];
}

function missingProof(repo: Repo, entry: Entry, proof: Proof): string | undefined {
  switch (proof.kind) {
    case "test":
      return missingTest(repo, proof.file, proof.title);
    case "bench":
      return missingBench(repo, entry, proof);
    default:
      return missingCheck(repo, proof.name);
  }
}

function missingTest(repo: Repo, file: string, title: string): string | undefined {
  if (!repo.has(file)) return `there is no file ${file}.`;
  const titles = repo.facts(file).testTitles.filter((each) => each.title.includes(title));
  if (titles.length === 0) return `no test in ${file} has "${title}" in its title.`;
  return titles.every(({ skipped }) => skipped) ? `the test "${title}" is skipped.` : undefined;
}

function missingBench(
  repo: Repo,
  entry: Entry,
  proof: Extract<Proof, { kind: "bench" }>,
): string | undefined {
  const path = `bench/results/${proof.area}.json`;
  if (!repo.has(path)) return `there is no ${path}; run \`npm run bench -- ${proof.area}\`.`;
  const found = casesOf(JSON.parse(repo.text(path))).find(({ name }) => name === proof.case);
  if (found === undefined) return `${path} has no case "${proof.case}".`;
  if (entry.status === "kept" && found.met !== true) {
    return `says kept, but ${path} says that "${proof.case}" missed its target.`;
  }
  return undefined;
}

function casesOf(result: unknown): { name?: unknown; met?: unknown }[] {
  const cases: unknown =
    typeof result === "object" && result !== null && "cases" in result ? result.cases : [];
  if (!Array.isArray(cases)) return [];
  return cases.filter((each: unknown) => typeof each === "object" && each !== null);
}

function missingCheck(repo: Repo, name: string): string | undefined {
  const manifest: unknown = repo.has("package.json") ? JSON.parse(repo.text("package.json")) : {};
  const scripts: unknown =
    typeof manifest === "object" && manifest !== null && "scripts" in manifest
      ? manifest.scripts
      : {};
  const known = [
    ...rules.map((rule) => rule.name),
    ...steps.map((step) => step.name),
    ...Object.keys(typeof scripts === "object" && scripts !== null ? scripts : {}),
  ];
  return known.includes(name)
    ? undefined
    : `no tidy rule, check step or script is called "${name}".`;
}

export interface PassedTest {
  /** Relative to the root. */
  readonly file: string;
  readonly title: string;
}

/**
 * The promises whose test did not run and pass in a full test run. A law's test (in
 * `conformance.ts`) counts when any suite ran it.
 */
export function unprovenEntries(ledger: Ledger, passed: readonly PassedTest[]): LedgerProblem[] {
  return ledger.entries.flatMap((entry) =>
    entry.proof.flatMap((proof) => {
      if (proof.kind !== "test") return [];
      const isTestFile = proof.file.endsWith(".test.ts");
      const ran = passed.some(
        ({ file, title }) => title.includes(proof.title) && (!isTestFile || file === proof.file),
      );
      if (ran) return [];
      const message = `${entry.id}: no test that passed has "${proof.title}" in its title.`;
      return [{ file: proof.file, message }];
    }),
  );
}
