/** A schema in a few words, for tables and fixes: `integer (1 to 65535)`, `"sqlite" | "memory"`. */

import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { asRecord, followRef } from "./schema-view.ts";

/** Schemas within each other described before the text says "value". */
const depthMax = 6;

/** Describes a schema that stands alone. */
export function typeText(schema: JsonSchemaObject): string {
  return describe(schema, schema, 0);
}

function describe(schema: JsonSchemaObject, root: JsonSchemaObject, depth: number): string {
  if (depth > depthMax) return "value";
  const node = followRef(schema, root);
  if ("const" in node) return JSON.stringify(node["const"]);
  const members = node["enum"];
  if (Array.isArray(members)) return members.map((m) => JSON.stringify(m)).join(" | ");
  const below = (value: unknown): string => describe(asRecord(value) ?? {}, root, depth + 1);
  for (const keyword of ["anyOf", "oneOf"]) {
    const branches = node[keyword];
    if (Array.isArray(branches)) return [...new Set(branches.map(below))].join(" | ");
  }
  const type = node["type"];
  if (Array.isArray(type)) {
    return type.map((name) => describe({ ...node, type: name }, root, depth + 1)).join(" | ");
  }
  if (type === "array") return `list of ${below(node["items"])}${limits(node, listLimits)}`;
  if (type === "object") return objectText(node, below);
  if (type === "string") return `string${stringLimits(node)}`;
  if (type === "integer" || type === "number") return `${type}${numberLimits(node)}`;
  return typeof type === "string" ? type : "value";
}

function objectText(node: JsonSchemaObject, below: (value: unknown) => string): string {
  const patterns = Object.values(asRecord(node["patternProperties"]) ?? {});
  const value = asRecord(node["additionalProperties"]) ?? patterns[0];
  return value === undefined ? "object" : `map of ${below(value)}`;
}

interface LimitWords {
  readonly min: string;
  readonly max: string;
  readonly unit: string;
}

const listLimits: LimitWords = { min: "minItems", max: "maxItems", unit: "entries" };
const textLimits: LimitWords = { min: "minLength", max: "maxLength", unit: "characters" };
const valueLimits: LimitWords = { min: "minimum", max: "maximum", unit: "" };

function limits(node: JsonSchemaObject, words: LimitWords): string {
  const text = rangeText(node, words);
  return text === "" ? "" : ` (${text})`;
}

function stringLimits(node: JsonSchemaObject): string {
  const format = node["format"];
  const pattern = node["pattern"];
  const parts = [
    rangeText(node, textLimits),
    typeof format === "string" ? `format ${format}` : "",
    typeof pattern === "string" ? `pattern ${pattern}` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function numberLimits(node: JsonSchemaObject): string {
  const { exclusiveMinimum, exclusiveMaximum, multipleOf } = node;
  const parts = [
    rangeText(node, valueLimits),
    typeof exclusiveMinimum === "number" ? `above ${exclusiveMinimum}` : "",
    typeof exclusiveMaximum === "number" ? `below ${exclusiveMaximum}` : "",
    typeof multipleOf === "number" ? `multiple of ${multipleOf}` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function rangeText(node: JsonSchemaObject, words: LimitWords): string {
  const min = node[words.min];
  const max = node[words.max];
  const unit = words.unit === "" ? "" : ` ${words.unit}`;
  if (typeof min === "number" && typeof max === "number") return `${min} to ${max}${unit}`;
  if (typeof min === "number") return `at least ${min}${unit}`;
  return typeof max === "number" ? `at most ${max}${unit}` : "";
}
