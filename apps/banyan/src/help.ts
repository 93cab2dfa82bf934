/** Help for people, and the reference page, both from the verb table. */

import { errorKinds } from "@banyan/kernel";
import { usageOf } from "./parse-arguments.ts";
import { textTable } from "./text-table.ts";
import type { Paint } from "./terminal.ts";
import { commonFlags, shownVerbs } from "./verb-table.ts";
import type { FlagSpec, VerbSpec } from "./verb-table.ts";

/** What `banyan help` prints. */
export function renderOverview(paint: Paint): string {
  const rows = shownVerbs.map((verb) => [paint("name", usageOf(verb)), verb.summary]);
  return [
    "banyan: start a node, call its services, look after its state, its events and its configuration.",
    "",
    paint("strong", "Verbs"),
    textTable(rows, "  "),
    "",
    paint("strong", "Flags of every verb"),
    textTable([...commonFlags.map(flagRow), ["-v, --version", "Show the version."]], "  "),
    "",
    paint("strong", "Try"),
    textTable(
      [
        ["banyan up", "start a node here"],
        ["banyan call greeter greet name=Ada", "call an operation"],
        ["banyan help call", "help for one verb"],
      ],
      "  ",
    ),
  ].join("\n");
}

/** What `banyan <verb> --help` prints. */
export function renderVerbHelp(verb: VerbSpec, paint: Paint): string {
  return `${verbHelp(verb, paint)}\n\n${commonHelp(paint)}`;
}

/** Help for the words after `help`, `undefined` where they name nothing: `config` is a group. */
export function renderHelpFor(words: string, paint: Paint): string | undefined {
  const exact = shownVerbs.find(({ name }) => name === words);
  if (exact !== undefined) return renderVerbHelp(exact, paint);
  const group = shownVerbs.filter(({ name }) => name.startsWith(`${words} `));
  if (group.length === 0) return undefined;
  return [...group.map((verb) => verbHelp(verb, paint)), commonHelp(paint)].join("\n\n");
}

function verbHelp(verb: VerbSpec, paint: Paint): string {
  const parts = [paint("strong", `banyan ${usageOf(verb)}`), "", verb.summary];
  if (verb.flags.length > 0) {
    parts.push("", paint("strong", "Flags"), textTable(verb.flags.map(flagRow), "  "));
  }
  const examples = verb.examples.map(({ line, says }) => [line, paint("faint", says)]);
  parts.push("", paint("strong", "Examples"), textTable(examples, "  "));
  if (verb.notes !== undefined) parts.push("", ...verb.notes);
  return parts.join("\n");
}

function commonHelp(paint: Paint): string {
  return `${paint("strong", "Flags of every verb")}\n${textTable(commonFlags.map(flagRow), "  ")}`;
}

/** The page `docs/reference/cli.md`. */
export function renderReference(): string {
  const flagTable = (flags: readonly FlagSpec[]): string[] => [
    "| flag | meaning |",
    "|---|---|",
    ...flags.map((flag) => `| \`${flagText(flag)}\` | ${cell(flag.summary)} |`),
  ];
  const sections = shownVerbs.flatMap((verb) => [
    `## banyan ${verb.name}`,
    "",
    verb.summary,
    "",
    "```sh",
    `banyan ${usageOf(verb)}`,
    "```",
    "",
    ...(verb.flags.length === 0 ? [] : [...flagTable(verb.flags), ""]),
    "```sh",
    ...verb.examples.map(({ line, says }) => `${line}   # ${says}`),
    "```",
    "",
    ...(verb.notes ?? []).flatMap((note) => [note, ""]),
  ]);
  return [
    "# The banyan command",
    "",
    "Written from the verb table in `apps/banyan/src/verb-table.ts`; a test holds it true.",
    "",
    "## Flags of every verb",
    "",
    ...flagTable(commonFlags),
    "| `-v, --version` | Show the version. |",
    "",
    "Results go to standard output, everything about them to standard error. With `--json` a result is one",
    "JSON value (a stream: one per line) and an error is one object on standard error.",
    "",
    ...sections,
    "## Exit codes",
    "",
    "| code | meaning |",
    "|---|---|",
    "| 0 | done |",
    ...exitRows(),
    "",
  ].join("\n");
}

function exitRows(): string[] {
  const byCode = Map.groupBy(Object.entries(errorKinds), ([, names]) => names.exit);
  return [...byCode]
    .toSorted(([a], [b]) => a - b)
    .map(([code, kinds]) => `| ${code} | ${kinds.map(([kind]) => `\`${kind}\``).join(", ")} |`);
}

function flagRow(flag: FlagSpec): string[] {
  return [flagText(flag), flag.summary];
}

function flagText({ name, short, value, multiple }: FlagSpec): string {
  const long = value === undefined ? `--${name}` : `--${name} <${value}>`;
  return `${short === undefined ? "" : `-${short}, `}${long}${multiple === true ? " …" : ""}`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
