/**
 * Text to value: what variables and flags carry is text, what a schema asks for is not.
 *
 * Conversion only finds the type; bounds, patterns and the rest are the schema compiler's to judge.
 * A failure never repeats the text: the caller knows whether it is a secret.
 */

import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { asRecord, followRef } from "./schema-view.ts";

/** A value, or what was expected instead: "an integer", "true or false". */
export type Conversion =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "refused"; readonly expected: string };

/** References, unions and lists within each other followed before conversion gives up. */
const depthMax = 16;

/**
 * Converts text by a schema that stands alone. The first type or union branch that the text fits
 * wins, in the order the schema lists them.
 */
export function convertText(text: string, schema: JsonSchemaObject): Conversion {
  return convert(text, schema, { root: schema, depth: 0 });
}

/** True when the text would convert to something other than a string. */
export function readsAsOther(text: string, schema: JsonSchemaObject): boolean {
  const result = convertText(text, schema);
  return result.kind === "value" && typeof result.value !== "string";
}

interface Place {
  readonly root: JsonSchemaObject;
  readonly depth: number;
}

function convert(text: string, schema: JsonSchemaObject, place: Place): Conversion {
  const node = followRef(schema, place.root);
  const next = { root: place.root, depth: place.depth + 1 };
  if (next.depth > depthMax) return refused("a value that fits the schema");
  if ("const" in node) return convertMember(text, [node["const"]]);
  if (Array.isArray(node["enum"])) return convertMember(text, node["enum"]);
  const union = listOf(node["anyOf"]) ?? listOf(node["oneOf"]);
  if (union !== undefined) return firstFit(union.map((branch) => convert(text, branch, next)));
  const types = typesOf(node);
  if (types.length > 0)
    return firstFit(types.map((type) => convertType(text, type, { node, place: next })));
  const parts = listOf(node["allOf"]);
  if (parts?.[0] !== undefined) return convert(text, parts[0], next);
  return convertUntyped(text);
}

function convertType(
  text: string,
  type: string,
  { node, place }: { readonly node: JsonSchemaObject; readonly place: Place },
): Conversion {
  const trimmed = text.trim();
  switch (type) {
    case "string":
      return converted(text);
    case "integer":
      return convertInteger(trimmed);
    case "number":
      return convertNumber(trimmed);
    case "boolean":
      return convertBoolean(trimmed);
    case "null":
      return trimmed === "null" ? converted(null) : refused("null");
    case "array":
      return trimmed.startsWith("[")
        ? convertJson(trimmed, "a JSON array")
        : convertList(trimmed, node, place);
    case "object":
      return trimmed.startsWith("{")
        ? convertJson(trimmed, "a JSON object")
        : refused('a JSON object, such as {"key":"value"}');
    default:
      return refused("a value that fits the schema");
  }
}

function convertInteger(text: string): Conversion {
  if (!/^[+-]?\d+$/.test(text)) return refused("an integer");
  const value = Number(text);
  if (!Number.isSafeInteger(value)) return refused("an integer within ±9007199254740991");
  // Not -0: nobody who writes it means it, and it would print as 0.
  return converted(value === 0 ? 0 : value);
}

function convertNumber(text: string): Conversion {
  const decimal = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/.test(text);
  const value = Number(text);
  return decimal && Number.isFinite(value) ? converted(value) : refused("a number");
}

const booleanWords: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["yes", true],
  ["on", true],
  ["false", false],
  ["0", false],
  ["no", false],
  ["off", false],
]);

/** Reads true/false, 1/0, yes/no, on/off in any case; `undefined` for anything else. */
export function parseBooleanWord(text: string): boolean | undefined {
  return booleanWords.get(text.trim().toLowerCase());
}

function convertBoolean(text: string): Conversion {
  const value = parseBooleanWord(text);
  return value === undefined
    ? refused("true or false (also yes/no, on/off, 1/0)")
    : converted(value);
}

/** Members compare case-sensitively, by their JSON text when they are not strings. */
function convertMember(text: string, members: readonly unknown[]): Conversion {
  const found = members.find((member) => member === text || isTextOf(text.trim(), member));
  return found === undefined ? refused(membersText(members)) : converted(found);
}

function isTextOf(text: string, member: unknown): boolean {
  return typeof member !== "string" && JSON.stringify(member) === text;
}

/** `one of "a", "b"`, or the single member. */
function membersText(members: readonly unknown[]): string {
  const list = members.map((member) => JSON.stringify(member)).join(", ");
  return members.length === 1 ? list : `one of ${list}`;
}

function convertList(text: string, node: JsonSchemaObject, place: Place): Conversion {
  const items = asRecord(node["items"]) ?? {};
  const leading = listOf(node["prefixItems"]) ?? [];
  const values: unknown[] = [];
  for (const [index, part] of text.split(",").entries()) {
    const entry = part.trim();
    if (entry === "") return refused("a comma list without empty entries, or a JSON array");
    const schema = leading[index] ?? items;
    if (isCompound(schema, place.root)) return refused("a JSON array");
    const item = convert(entry, schema, place);
    if (item.kind === "refused") return refused(`a comma list, each entry ${item.expected}`);
    values.push(item.value);
  }
  return converted(values);
}

function isCompound(schema: JsonSchemaObject, root: JsonSchemaObject): boolean {
  const types = typesOf(followRef(schema, root));
  return types.length > 0 && types.every((type) => type === "object" || type === "array");
}

/** Parses JSON; V8's own message is left out because it quotes the text. */
function convertJson(text: string, expected: string): Conversion {
  try {
    const value: unknown = JSON.parse(text);
    return converted(value);
  } catch {
    // Converted: the refusal says what was expected, and must not show the text.
    return refused(expected);
  }
}

/** A schema without a type takes JSON where the text looks like it, and else the text itself. */
function convertUntyped(text: string): Conversion {
  const trimmed = text.trim();
  if (/^[[{]/.test(trimmed)) return convertJson(trimmed, "JSON");
  if (/^(?:true|false|null)$/.test(trimmed)) return convertJson(trimmed, "JSON");
  const number = convertNumber(trimmed);
  return number.kind === "value" ? number : converted(text);
}

function firstFit(results: readonly Conversion[]): Conversion {
  const fit = results.find((result) => result.kind === "value");
  if (fit !== undefined) return fit;
  const expected = results.flatMap((r) => (r.kind === "refused" ? [r.expected] : []));
  return refused([...new Set(expected)].join(" or "));
}

/** The types a schema names, or the one its keywords imply. */
function typesOf(node: JsonSchemaObject): readonly string[] {
  const type = node["type"];
  if (typeof type === "string") return [type];
  if (Array.isArray(type)) return type.filter((name) => typeof name === "string");
  if (node["properties"] !== undefined || node["additionalProperties"] !== undefined) {
    return ["object"];
  }
  return node["items"] === undefined && node["prefixItems"] === undefined ? [] : ["array"];
}

function listOf(value: unknown): readonly JsonSchemaObject[] | undefined {
  if (!Array.isArray(value)) return undefined;
  return value.map((item) => asRecord(item) ?? {});
}

function converted(value: unknown): Conversion {
  return { kind: "value", value };
}

function refused(expected: string): Conversion {
  return { kind: "refused", expected };
}
