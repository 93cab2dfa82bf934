/** A schema as lines of `name  type  meaning`, and requests written on a command line. */

import { convertText, typeText } from "@banyan/kernel/internal";
import { cliErrors } from "./errors.ts";
import { nearest } from "@banyan/kernel/internal";
import { recordOf, listOf, textOf } from "./node-answers.ts";
import { oneLine } from "./text-table.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Nested objects are shown this deep; below it the type says "object". */
const depthMax = 4;

/** One row per field: name, type, what it means. */
export function fieldRows(schema: Schema, above = "", depth = 0): string[][] {
  const properties = recordOf(schema["properties"]);
  if (properties === undefined)
    return above === "" ? [["(value)", typeText(schema), about(schema)]] : [];
  const required = new Set(listOf(schema["required"]));
  return Object.entries(properties).flatMap(([key, value]) => {
    const field = recordOf(value) ?? {};
    const name = `${above}${key}${required.has(key) ? "" : "?"}`;
    const nested = depth < depthMax ? fieldRows(field, `${above}${key}.`, depth + 1) : [];
    return [[name, typeText(field), about(field)], ...nested];
  });
}

function about(schema: Schema): string {
  const fallback = "default" in schema ? `Default ${JSON.stringify(schema["default"])}.` : "";
  return oneLine([textOf(schema["description"]), fallback].filter((part) => part !== "").join(" "));
}

/**
 * `name=Ada count=3` to an object, each value converted by the schema of its field; `a.b=1` sets a
 * nested field. Without a schema a value that reads as JSON is taken for that. `what` is what has
 * the fields, for messages.
 * @throws CLI_USAGE naming the field and the nearest known one.
 */
export function requestFromPairs(
  pairs: readonly string[],
  schema: Schema | undefined,
  what = "The operation",
): unknown {
  const request: Record<string, unknown> = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at <= 0) {
      throw cliErrors.CLI_USAGE(`"${pair}" is neither JSON nor key=value.`, {
        details: {
          fix: `Write name=value pairs, one JSON object in quotes, or - for standard input.`,
        },
      });
    }
    const path = pair.slice(0, at).split(".");
    setField(request, path, fieldValue(path, pair.slice(at + 1), { schema, what }));
  }
  return request;
}

interface Target {
  readonly schema: Schema | undefined;
  readonly what: string;
}

function fieldValue(path: readonly string[], text: string, { schema, what }: Target): unknown {
  if (schema === undefined) return looseValue(text);
  const field = fieldSchema(path, schema, what);
  const conversion = convertText(text, field);
  if (conversion.kind === "value") return conversion.value;
  throw cliErrors.CLI_USAGE(
    `${path.join(".")}=${text} does not fit: expected ${conversion.expected}.`,
    {
      details: { where: path.join("."), fix: `Give ${typeText(field)}.` },
    },
  );
}

/** The schema of a field; an unknown one is refused with the nearest name. */
function fieldSchema(path: readonly string[], schema: Schema, what: string): Schema {
  let node = schema;
  for (const [index, key] of path.entries()) {
    const properties = recordOf(node["properties"]);
    if (properties === undefined) return recordOf(node["additionalProperties"]) ?? {};
    const next = Object.hasOwn(properties, key) ? recordOf(properties[key]) : undefined;
    const known = Object.keys(properties);
    if (next === undefined) throw unknownField(path.slice(0, index + 1), known, what);
    node = { $defs: schema["$defs"] ?? {}, ...next };
  }
  return node;
}

function unknownField(path: readonly string[], known: readonly string[], what: string): Error {
  const key = path.at(-1) ?? "";
  const near = nearest(key, known);
  const list = known.length === 0 ? "It takes no fields." : `Fields: ${known.join(", ")}.`;
  return cliErrors.CLI_USAGE(`${what} has no field "${path.join(".")}".`, {
    details: { where: path.join("."), fix: near === undefined ? list : `Did you mean ${near}?` },
  });
}

function looseValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: a string, as most values on a command line are.
    return text;
  }
}

function setField(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key = "", ...rest] = path;
  const below = Object.hasOwn(target, key) ? recordOf(target[key]) : undefined;
  const inner = rest.length === 0 ? value : (below ?? {});
  // Defines rather than assigns, so a field named __proto__ is a field like any other.
  Object.defineProperty(target, key, {
    value: inner,
    enumerable: true,
    writable: true,
    configurable: true,
  });
  const nested = recordOf(inner);
  if (rest.length > 0 && nested !== undefined) setField(nested, rest, value);
}
