// Schemas and values in words, for messages. Never called while values are valid.
import { Kind, KIND_ANY, KIND_NUMBER, type SchemaNode } from "./schema-node.ts";
import { isPlainObject, kindOfValue } from "./json-value.ts";

const VALUES_SHOWN_MAX = 8; // Of an enum; a longer list helps nobody in a sentence.
const TEXT_SHOWN_MAX = 40; // Characters of a wrong string that a message repeats.

/** What a schema wants, as the end of "must be …": "a string of 1 to 64 characters". */
export function describeNode(node: SchemaNode): string {
  if (node.never) return "absent";
  if (node.values !== undefined) return describeValues(node.values);
  const union = node.any ?? node.one;
  if (node.kinds === KIND_ANY && union !== undefined) return describeUnion(union.nodes);
  const [first] = node.all;
  if (node.kinds === KIND_ANY && first !== undefined) return describeNode(first);
  return describeKinds(node);
}

function describeUnion(nodes: readonly SchemaNode[]): string {
  const all = [...new Set(nodes.map(describeNode))];
  const shown = all.slice(0, VALUES_SHOWN_MAX);
  return orList(all.length > shown.length ? [...shown, "…"] : shown);
}

function describeValues(values: readonly unknown[]): string {
  const shown = values.slice(0, VALUES_SHOWN_MAX).map((value) => showConstant(value));
  if (values.length > shown.length) shown.push(`${values.length - shown.length} more`);
  if (values.length === 0) return "absent";
  return values.length === 1 ? (shown[0] ?? "") : `one of ${shown.join(", ")}`;
}

function showConstant(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > TEXT_SHOWN_MAX ? `${text.slice(0, TEXT_SHOWN_MAX)}…` : text;
}

function describeKinds(node: SchemaNode): string {
  const { kinds } = node;
  if (kinds === KIND_ANY) return "a JSON value";
  const words: string[] = [];
  if ((kinds & Kind.string) !== 0) words.push(describeString(node));
  if ((kinds & KIND_NUMBER) === Kind.integer) words.push(describeNumber(node, "an integer"));
  else if ((kinds & KIND_NUMBER) !== 0) words.push(describeNumber(node, "a number"));
  if ((kinds & Kind.boolean) !== 0) words.push("true or false");
  if ((kinds & Kind.object) !== 0) words.push("an object");
  if ((kinds & Kind.array) !== 0) words.push(describeArray(node));
  if ((kinds & Kind.null) !== 0) words.push("null");
  return orList(words);
}

function describeString(node: SchemaNode): string {
  const rules = node.string;
  if (rules === undefined) return "a string";
  const { minLength, maxLength, pattern, format } = rules;
  const length = describeRange(minLength, maxLength, "character");
  let words = format?.expected ?? "a string";
  if (length !== undefined) words += ` of ${length}`;
  return pattern === undefined || format !== undefined
    ? words
    : `${words} matching ${pattern.source}`;
}

function describeNumber(node: SchemaNode, word: string): string {
  const rules = node.number;
  if (rules === undefined) return word;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = rules;
  const bounds: string[] = [];
  if (minimum !== undefined && maximum !== undefined) bounds.push(`from ${minimum} to ${maximum}`);
  else if (minimum !== undefined) bounds.push(`of at least ${minimum}`);
  else if (maximum !== undefined) bounds.push(`of at most ${maximum}`);
  if (exclusiveMinimum !== undefined) bounds.push(`greater than ${exclusiveMinimum}`);
  if (exclusiveMaximum !== undefined) bounds.push(`less than ${exclusiveMaximum}`);
  if (multipleOf !== undefined) bounds.push(`in steps of ${multipleOf}`);
  return [word, ...bounds].join(" ");
}

function describeArray(node: SchemaNode): string {
  const length = describeRange(node.array?.minItems ?? 0, node.array?.maxItems ?? Infinity, "item");
  const unique = node.array?.unique === true ? " without duplicates" : "";
  return length === undefined ? `an array${unique}` : `an array of ${length}${unique}`;
}

/** "1 to 64 characters", "at least 2 items", or nothing when there is no bound. */
export function describeRange(min: number, max: number, unit: string): string | undefined {
  const plural = (count: number): string => (count === 1 ? unit : pluralOf(unit));
  if (min === max) return `exactly ${min} ${plural(min)}`;
  if (min > 0 && max < Infinity) return `${min} to ${max} ${plural(max)}`;
  if (min > 0) return `at least ${min} ${plural(min)}`;
  if (max < Infinity) return `at most ${max} ${plural(max)}`;
  return undefined;
}

function pluralOf(unit: string): string {
  return unit.endsWith("y") ? `${unit.slice(0, -1)}ies` : `${unit}s`;
}

function orList(words: readonly string[]): string {
  if (words.length < 2) return words[0] ?? "absent";
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`;
}

/** A value in a few words: short scalars as they are, everything else by its kind and size. */
export function describeValue(value: unknown): string {
  switch (kindOfValue(value)) {
    case Kind.null:
      return "null";
    case Kind.boolean:
    case Kind.integer:
    case Kind.fraction:
      return String(value);
    case Kind.string:
      return describeText(String(value));
    case Kind.array: {
      const size = Array.isArray(value) ? value.length : 0;
      return size === 0 ? "an empty array" : `an array of ${size} ${size === 1 ? "item" : "items"}`;
    }
    case Kind.object:
      return typeof value === "object" && value !== null && isPlainObject(value)
        ? "an object"
        : describeForeign(value);
    default:
      return describeForeign(value);
  }
}

function describeText(text: string): string {
  if (text === "") return "an empty string";
  return text.length > TEXT_SHOWN_MAX
    ? `a string of ${text.length} characters`
    : JSON.stringify(text);
}

/** What a JavaScript caller can pass and JSON cannot carry. */
function describeForeign(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  if (typeof value === "object" && value !== null) {
    // A class may name itself anything, or hide its constructor.
    const name: unknown = typeof value.constructor === "function" ? value.constructor.name : "";
    return typeof name === "string" && name !== "" ? `a ${name}` : "an object that is no data";
  }
  return `a ${typeof value}`;
}
