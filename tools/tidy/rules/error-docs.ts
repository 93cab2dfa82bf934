/** Error codes and their reference page are one truth: the page is written from the catalogues. */

import { isHouseSource } from "../repo.ts";
import type { Finding, Repo, Rule } from "../repo.ts";
import { packageFolderOf } from "../rooms.ts";
import type { ErrorTableFact } from "../error-tables.ts";

export const errorPage = "docs/reference/errors.md";

export const errorDocs: Rule = {
  name: "error-docs",
  about: "Every error code stands once in one catalogue and in docs/reference/errors.md.",
  check(repo) {
    const entries = errorEntries(repo);
    const findings = [
      ...incomplete(entries),
      ...repeated(entries),
      ...pastCatalogues(repo, entries),
    ];
    if (entries.length === 0) return findings;
    const page = repo.has(errorPage) ? repo.text(errorPage) : "";
    if (page === renderErrorPage(entries)) return findings;
    const documented = new Set(
      [...page.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code]) => code),
    );
    const codes = new Set(entries.map(({ code }) => code));
    const missing = [...codes].filter((code) => !documented.has(code));
    const gone = [...documented].filter((code) => code !== undefined && !codes.has(code));
    const detail = [
      missing.length > 0 ? `lacks ${missing.join(", ")}` : "",
      gone.length > 0 ? `still has ${gone.join(", ")}` : "",
    ].filter((part) => part !== "");
    const what = detail.length > 0 ? detail.join("; ") : "differs from the catalogues";
    findings.push({ path: errorPage, line: 1, message: `${what}. Run \`npm run reference\`.` });
    return findings;
  },
};

export interface ErrorEntry extends ErrorTableFact {
  readonly path: string;
  readonly folder: string;
}

/** Every row of every `defineErrors(…)` in the house, in page order. */
export function errorEntries(repo: Repo): ErrorEntry[] {
  return repo.paths
    .filter((path) => isHouseSource(path) && !path.startsWith("examples/"))
    .flatMap((path) =>
      repo
        .facts(path)
        .errorTables.map((row) => ({ ...row, path, folder: packageFolderOf(path) ?? "" })),
    );
}

/** The whole page, as `npm run reference` writes it. */
export function renderErrorPage(entries: readonly ErrorEntry[]): string {
  const folders = [...new Set(entries.map(({ folder }) => folder))];
  const sections = folders.map((folder) => {
    const rows = entries
      .filter((entry) => entry.folder === folder)
      .sort((a, b) => (a.code < b.code ? -1 : 1))
      .map(({ code, kind, http, summary }) => {
        const status = http === undefined ? "" : ` (HTTP ${http})`;
        return `| \`${code}\` | ${kind ?? ""}${status} | ${(summary ?? "").replaceAll("|", "\\|")} |`;
      });
    return [
      `## ${folder}`,
      "",
      "| code | kind | when, and what to do |",
      "|---|---|---|",
      ...rows,
      "",
    ];
  });
  return [
    "# Error codes",
    "",
    "Written by `npm run reference` from the catalogues (`defineErrors` in each package); do not edit.",
    "A code is stable: it is never reused for something else. The kind decides the HTTP status, the",
    "exit code and whether a repeated call can help, unless a row says otherwise.",
    "",
    ...sections.flat(),
  ].join("\n");
}

function incomplete(entries: readonly ErrorEntry[]): Finding[] {
  return entries
    .filter(({ kind, summary }) => kind === undefined || summary === undefined)
    .map(({ code, path, line }) => {
      const message = `${code}: kind and summary must be plain literals, so that tools can read them.`;
      return { path, line, message };
    });
}

function repeated(entries: readonly ErrorEntry[]): Finding[] {
  const seen = new Map<string, string>();
  return entries.flatMap(({ code, path, line }) => {
    const first = seen.get(code);
    seen.set(code, first ?? path);
    if (first === undefined) return [];
    return [{ path, line, message: `${code} is already defined in ${first}.` }];
  });
}

function pastCatalogues(repo: Repo, entries: readonly ErrorEntry[]): Finding[] {
  const codes = new Set(entries.map(({ code }) => code));
  return repo.paths
    .filter((path) => isHouseSource(path) && !path.startsWith("examples/"))
    .flatMap((path) =>
      repo
        .facts(path)
        .errorCodes.filter(({ name }) => !codes.has(name))
        .map(({ name, line }) => ({ path, line, message: `${name} is in no catalogue.` })),
    );
}
