/** An example value that fits a schema: for docs, `curl` lines and the command line's help. */

import type { JsonSchema } from "@banyan/kernel";
import { compileSchema, isSchemaObject } from "@banyan/kernel/internal";
import type { JsonSchemaObject } from "@banyan/kernel/internal";

const depthMax = 6;

/**
 * The schema's own example or default where it has one, else the smallest honest value; `undefined`
 * when no fitting one is found.
 */
export function exampleOf(schema: JsonSchema): unknown {
  const value = make(schema, schema, 0);
  const issues: never[] = [];
  compileSchema(schema).parse(value, "strict", issues);
  return issues.length === 0 ? value : undefined;
}

function make(schema: unknown, root: JsonSchema, depth: number): unknown {
  if (!isSchemaObject(schema) || depth > depthMax) return null;
  const { examples, $ref } = schema;
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  for (const keyword of ["default", "const"]) {
    if (Object.hasOwn(schema, keyword)) return schema[keyword];
  }
  if (Array.isArray(schema["enum"])) return schema["enum"][0];
  if (typeof $ref === "string") return make(resolveRef($ref, root), root, depth + 1);
  const branches = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(branches)) return make(branches[0], root, depth + 1);
  if (Array.isArray(schema["allOf"])) return mergeAll(schema["allOf"], root, depth);
  return makeTyped(schema, root, depth);
}

function makeTyped(schema: JsonSchemaObject, root: JsonSchema, depth: number): unknown {
  const { type: types } = schema;
  const type: unknown = Array.isArray(types) ? types[0] : types;
  switch (type) {
    case "object":
      return makeObject(schema, root, depth);
    case "array":
      return Array.from({ length: numberAt(schema, "minItems") ?? 0 }, () =>
        make(schema["items"], root, depth + 1),
      );
    case "integer":
    case "number":
      return makeNumber(schema);
    case "boolean":
      return true;
    case "string":
      return makeString(schema);
    case "null":
      return null;
    default:
      return {};
  }
}

function makeObject(schema: JsonSchemaObject, root: JsonSchema, depth: number): unknown {
  const { required: names, properties } = schema;
  const required: readonly unknown[] = Array.isArray(names) ? names : [];
  const entries = Object.entries(isSchemaObject(properties) ? properties : {})
    .filter(([key]) => required.includes(key))
    // A string field named `name` reads best as a name.
    .map(([key, value]) => [key, named(key, value) ?? make(value, root, depth + 1)]);
  return Object.fromEntries(entries);
}

function named(key: string, schema: unknown): unknown {
  if (!isSchemaObject(schema) || schema["type"] !== "string") return undefined;
  const special = ["pattern", "format", "enum", "const", "examples", "default"];
  if (special.some((keyword) => keyword in schema)) return undefined;
  const word = key === "name" ? "Ada" : undefined;
  const long = (numberAt(schema, "minLength") ?? 0) > 3 || (numberAt(schema, "maxLength") ?? 9) < 3;
  return long ? undefined : word;
}

function makeNumber(schema: JsonSchemaObject): number {
  const exclusive = numberAt(schema, "exclusiveMinimum");
  const least = numberAt(schema, "minimum") ?? (exclusive === undefined ? 1 : exclusive + 1);
  const most = numberAt(schema, "maximum") ?? Infinity;
  return Math.min(Math.max(least, Math.min(1, most)), most);
}

const formatExamples: Readonly<Record<string, string>> = {
  "date-time": "2026-01-02T03:04:05Z",
  date: "2026-01-02",
  time: "03:04:05Z",
  duration: "PT1H",
  email: "ada@example.org",
  hostname: "example.org",
  ipv4: "192.0.2.1",
  ipv6: "2001:db8::1",
  uri: "https://example.org/",
  "uri-reference": "/path",
  uuid: "018f4d9a-6a3c-7c1e-9b1d-2f4c6a8e0b1c",
  "json-pointer": "/name",
};

function makeString(schema: JsonSchemaObject): string {
  const format = schema["format"];
  if (typeof format === "string") return formatExamples[format] ?? "text";
  const least = numberAt(schema, "minLength") ?? 0;
  const most = numberAt(schema, "maxLength") ?? Infinity;
  return "text".padEnd(least, "x").slice(0, Math.max(most, 0));
}

function mergeAll(parts: readonly unknown[], root: JsonSchema, depth: number): unknown {
  const values = parts.map((part) => make(part, root, depth + 1));
  return Object.assign({}, ...values);
}

function resolveRef(ref: string, root: JsonSchema): unknown {
  const name = /^#\/\$defs\/(.+)$/.exec(ref)?.[1];
  if (name === undefined || typeof root !== "object") return ref === "#" ? root : undefined;
  const defs = root["$defs"];
  return isSchemaObject(defs) ? defs[name] : undefined;
}

function numberAt(schema: JsonSchemaObject, keyword: string): number | undefined {
  const value = schema[keyword];
  return typeof value === "number" ? value : undefined;
}
