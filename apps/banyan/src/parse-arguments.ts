/**
 * Words to a verb with its arguments and flags. Flags may stand anywhere; every mistake names the
 * nearest thing that would be right.
 */

import { parseArgs } from "node:util";
import { nearest } from "@banyan/kernel/internal";
import { Flags } from "./command.ts";
import { cliErrors } from "./errors.ts";
import { commonFlags, shownVerbs, verbs } from "./verb-table.ts";
import type { FlagSpec, VerbSpec } from "./verb-table.ts";

export interface ParsedArguments {
  /** Undefined: no verb was given, as in `banyan --help`. */
  readonly verb: VerbSpec | undefined;
  /** The first words of several verbs, whose help is asked for: `events dead-letters`. */
  readonly group?: string | undefined;
  readonly args: readonly string[];
  readonly flags: Flags;
}

type Token = ReturnType<typeof tokenize>[number];
type OptionToken = Extract<Token, { kind: "option" }>;

/** @throws CLI_USAGE with the fix. */
export function parseArguments(words: readonly string[]): ParsedArguments {
  const tokens = tokenize(words);
  const positionals = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const asksForHelp = tokens.some((token) => token.kind === "option" && token.name === "help");
  const { verb, group, args } = takeVerb(positionals, asksForHelp);
  const flags = readFlags(tokens, verb);
  if (verb !== undefined && !flags.has("help")) checkArgs(verb, args);
  return { verb, group, args, flags };
}

/** `--port <port>` and `--watch` of all verbs together: a name means one thing everywhere. */
function allFlags(): FlagSpec[] {
  return [...commonFlags, ...verbs.flatMap((verb) => verb.flags)];
}

function tokenize(words: readonly string[]) {
  const options = Object.fromEntries(
    allFlags().map(({ name, short, value }) => [
      name,
      {
        type: value === undefined ? ("boolean" as const) : ("string" as const),
        ...(short === undefined ? {} : { short }),
      },
    ]),
  );
  const config = { args: [...words], options, strict: false, allowPositionals: true } as const;
  return parseArgs({ ...config, tokens: true }).tokens;
}

interface TakenVerb {
  readonly verb: VerbSpec | undefined;
  readonly group?: string;
  readonly args: readonly string[];
}

/** Verbs have at most so many words. */
const verbWordsMax = 3;

/** The longest verb that the first words name. */
function takeVerb(words: readonly string[], asksForHelp: boolean): TakenVerb {
  const [first] = words;
  if (first === undefined) return { verb: undefined, args: [] };
  for (let length = verbWordsMax; length > 0; length -= 1) {
    const name = words.slice(0, length).join(" ");
    const verb = verbs.find((each) => each.name === name);
    if (verb !== undefined) return { verb, args: words.slice(length) };
  }
  for (let length = Math.min(verbWordsMax - 1, words.length); length > 0; length -= 1) {
    const name = words.slice(0, length).join(" ");
    const group = shownVerbs.filter((each) => each.name.startsWith(`${name} `));
    if (group.length === 0) continue;
    if (asksForHelp && words.length === length) return { verb: undefined, group: name, args: [] };
    throw unknownInGroup(name, words[length], group);
  }
  if (asksForHelp && first === "") return { verb: undefined, args: [] };
  const heads = new Set(shownVerbs.flatMap(({ name }) => [name, ...name.split(" ").slice(0, 1)]));
  const near = nearest(first, [...heads]);
  throw cliErrors.CLI_USAGE(`There is no verb "${first}".`, {
    details: {
      fix:
        near === undefined
          ? "`banyan help` lists the verbs."
          : `Did you mean \`banyan ${near}\`? \`banyan help\` lists the verbs.`,
    },
  });
}

/** `name` begins the verbs of the group, and the word after it is missing or wrong. */
function unknownInGroup(name: string, word: string | undefined, group: readonly VerbSpec[]) {
  const next = new Set<string>(
    group.map((verb) => verb.name.slice(name.length + 1).split(" ")[0] ?? ""),
  );
  const near = word === undefined ? undefined : nearest(word, [...next]);
  const message =
    word === undefined
      ? `\`banyan ${name}\` needs one more word: ${[...next].join(", ")}.`
      : `There is no verb "${name} ${word}".`;
  const fix =
    near === undefined
      ? `Use one of: ${group.map((verb) => `banyan ${verb.name}`).join(", ")}.`
      : `Did you mean \`banyan ${name} ${near}\`?`;
  return cliErrors.CLI_USAGE(message, { details: { fix } });
}

function readFlags(tokens: readonly Token[], verb: VerbSpec | undefined): Flags {
  const allowed = [...commonFlags, ...(verb?.flags ?? [])];
  const values = new Map<string, (string | true)[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const spec = allowed.find(({ name }) => name === token.name);
    if (spec === undefined) throw unknownFlag(token, verb, allowed);
    values.set(spec.name, [...(values.get(spec.name) ?? []), flagValue(token, spec)]);
  }
  for (const { name, multiple } of allowed) {
    if (multiple !== true && (values.get(name)?.length ?? 0) > 1 && name !== "json") {
      throw cliErrors.CLI_USAGE(`--${name} is given more than once.`, {
        details: { fix: "Give it once." },
      });
    }
  }
  return new Flags(values);
}

function flagValue(token: OptionToken, spec: FlagSpec): string | true {
  const { name, value } = spec;
  if (value === undefined) {
    if (token.value === undefined) return true;
    throw cliErrors.CLI_USAGE(`--${name} takes no value.`, {
      details: { fix: `Write --${name} alone, or leave it out.` },
    });
  }
  // A word that looks like a flag is more likely a forgotten value than one.
  const missing = token.value === undefined || (!token.inlineValue && /^-./.test(token.value));
  if (!missing && token.value !== undefined) return token.value;
  throw cliErrors.CLI_USAGE(`--${name} needs a value.`, {
    details: {
      fix: `Write --${name} <${value}>; a value that starts with - as --${name}=<${value}>.`,
    },
  });
}

function unknownFlag(token: OptionToken, verb: VerbSpec | undefined, allowed: readonly FlagSpec[]) {
  const near = nearest(
    token.name,
    allowed.map(({ name }) => name),
  );
  const others = verbs.filter(({ flags }) => flags.some(({ name }) => name === token.name));
  const subject = verb === undefined ? "banyan" : `banyan ${verb.name}`;
  const fix =
    near !== undefined
      ? `Did you mean --${near}?`
      : others.length > 0
        ? `It is a flag of: ${others.map(({ name }) => `banyan ${name}`).join(", ")}.`
        : `\`${subject} --help\` lists its flags.`;
  return cliErrors.CLI_USAGE(`\`${subject}\` has no flag ${token.rawName}.`, { details: { fix } });
}

function checkArgs(verb: VerbSpec, args: readonly string[]): void {
  const needed = verb.args.filter(({ required }) => required);
  const missing = needed[args.length];
  const usage = `Usage: banyan ${usageOf(verb)}`;
  if (missing !== undefined) {
    throw cliErrors.CLI_USAGE(`\`banyan ${verb.name}\` needs <${missing.name}>.`, {
      details: { fix: usage },
    });
  }
  const endless = verb.args.some(({ rest }) => rest === true);
  const extra = endless ? undefined : args[verb.args.length];
  if (extra === undefined) return;
  throw cliErrors.CLI_USAGE(`\`banyan ${verb.name}\` has no use for "${extra}".`, {
    details: { fix: usage },
  });
}

/** `call <service> <operation> [json | - | key=value…]`. */
export function usageOf(verb: VerbSpec): string {
  const args = verb.args.map(({ name, required }) => (required ? `<${name}>` : `[${name}]`));
  return [verb.name, ...args].join(" ");
}
