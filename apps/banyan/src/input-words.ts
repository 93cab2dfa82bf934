/** A request or a value as it is written on a command line: JSON, `-`, or `key=value` words. */

import { convertText, typeText } from "@banyan/kernel/internal";
import { cliErrors } from "./errors.ts";
import { recordOf } from "./node-answers.ts";
import { requestFromPairs } from "./schema-fields.ts";

type Schema = Readonly<Record<string, unknown>>;

export type Input =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "pairs"; readonly pairs: readonly string[] };

/** Tells which of the three it is; `-` is read to its end. @throws CLI_USAGE */
export async function readInput(words: readonly string[]): Promise<Input> {
  const [first, ...more] = words;
  if (first === "-" && more.length === 0) {
    const text = await readStandardInput();
    if (text.trim() === "") throw nothingRead();
    return { kind: "value", value: parseRequest(text, "standard input") };
  }
  if (first !== undefined && /^\s*[{[]/.test(first) && more.length === 0) {
    return { kind: "value", value: parseRequest(first, "the request") };
  }
  return { kind: "pairs", pairs: words };
}

/**
 * A value by its schema, which need not be an object's: `42`, `blue`, `count=3`. `what` has the
 * fields, for messages. @throws CLI_USAGE
 */
export function valueFrom(input: Input, schema: Schema | undefined, what: string): unknown {
  if (input.kind === "value") return input.value;
  const [word] = input.pairs;
  if (input.pairs.length !== 1 || word === undefined || isObject(schema)) {
    return requestFromPairs(input.pairs, schema, what);
  }
  const json = tryJson(word);
  // Only a text that is written as JSON text is JSON: 42 may be meant as a text.
  if (typeof json === "string") return json;
  if (schema === undefined) {
    return json === undefined ? requestFromPairs(input.pairs, undefined, what) : json;
  }
  const conversion = convertText(word, schema);
  if (conversion.kind === "value") return conversion.value;
  throw cliErrors.CLI_USAGE(`${word} does not fit: expected ${conversion.expected}.`, {
    details: { fix: `Give ${typeText(schema)}.` },
  });
}

function isObject(schema: Schema | undefined): boolean {
  if (schema === undefined) return false;
  return schema["type"] === "object" || recordOf(schema["properties"]) !== undefined;
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: it is read in another way.
    return undefined;
  }
}

async function readStandardInput(): Promise<string> {
  process.stdin.setEncoding("utf8");
  let text = "";
  for await (const chunk of process.stdin) text += String(chunk);
  return text;
}

/** What wrote it has failed, more likely than that an empty object was meant. */
function nothingRead(): Error {
  return cliErrors.CLI_USAGE("Standard input was empty; JSON was expected.", {
    details: { fix: "Look at what writes it; an empty object is written as {}." },
  });
}

function parseRequest(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw cliErrors.CLI_USAGE(`JSON was expected in ${what}: ${reason}.`, {
      details: { fix: `Write it as '{"name":"Ada"}', or as name=Ada.` },
      cause,
    });
  }
}
