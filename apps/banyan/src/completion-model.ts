/** The verb table as a shell's completion wants it: what may follow what. */

import { logLevels } from "./log-level-words.ts";
import { commonFlags, shownVerbs } from "./verb-table.ts";
import type { Completion, FlagSpec } from "./verb-table.ts";

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** Completions that are known without asking a node. */
const fixedWords: Readonly<Partial<Record<Completion, readonly string[]>>> = {
  shell: shells,
  level: logLevels,
  verb: [...new Set(shownVerbs.map(({ name }) => name.split(" ")[0] ?? ""))],
};

/**
 * What may stand at a place. `text`: anything, so nothing is proposed. `ask`: what
 * `banyan complete-values <kind>` answers.
 */
export type Proposal =
  | { readonly kind: "text" | "file" | "folder" }
  | { readonly kind: "words"; readonly words: readonly string[] }
  | { readonly kind: "ask"; readonly what: Completion };

export interface CompletionVerb {
  readonly name: string;
  /** With their dashes. */
  readonly flags: readonly string[];
  /** For each place after the verb. */
  readonly args: readonly Proposal[];
  /** For every place after those. */
  readonly rest: Proposal | undefined;
}

export interface CompletionModel {
  /** Words of verbs, and what may follow them: `events` → `topics`, `dead-letters` … */
  readonly words: ReadonlyMap<string, readonly string[]>;
  readonly verbs: readonly CompletionVerb[];
  /** Flags that take a value, with their dashes; they mean one thing in every verb. */
  readonly flagValues: ReadonlyMap<string, Proposal>;
  /** Flags by which a node is found: they are passed on to the question. */
  readonly addressFlags: readonly string[];
}

export function completionModel(): CompletionModel {
  const words = new Map<string, string[]>();
  for (const { name } of shownVerbs) {
    const parts = name.split(" ");
    for (const [index, part] of parts.entries()) {
      const before = parts.slice(0, index).join(" ");
      const known = words.get(before) ?? [];
      words.set(before, [...new Set([...known, part])]);
    }
  }
  const allFlags = [...commonFlags, ...shownVerbs.flatMap(({ flags }) => flags)];
  const flagValues = new Map<string, Proposal>();
  for (const { name, value, completes } of allFlags) {
    if (value !== undefined) flagValues.set(`--${name}`, proposalOf(completes));
  }
  return {
    words,
    verbs: shownVerbs.map(({ name, flags, args }) => ({
      name,
      flags: [...flags, ...commonFlags].flatMap(flagWords),
      args: args.filter(({ rest }) => rest !== true).map((each) => proposalOf(each.completes)),
      rest: args.filter(({ rest }) => rest === true).map((each) => proposalOf(each.completes))[0],
    })),
    flagValues,
    addressFlags: ["--config", "--data-dir", "--url"],
  };
}

function flagWords({ name, short }: FlagSpec): string[] {
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])];
}

function proposalOf(completes: Completion | undefined): Proposal {
  if (completes === undefined) return { kind: "text" };
  if (completes === "file" || completes === "folder") return { kind: completes };
  const words = fixedWords[completes];
  return words === undefined ? { kind: "ask", what: completes } : { kind: "words", words };
}

/** A proposal as the one word that the scripts pass around: `file`, `ask:store`, `words:a b`. */
export function proposalText(proposal: Proposal): string {
  if (proposal.kind === "words") return `words:${proposal.words.join(" ")}`;
  return proposal.kind === "ask" ? `ask:${proposal.what}` : proposal.kind;
}
