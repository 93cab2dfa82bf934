/**
 * A request schema as the HTTP edge really applies it: objects take no unknown fields, and a field
 * with a default may be left out.
 */

import type { JsonSchema } from "@banyan/kernel";
import { isSchemaObject } from "@banyan/kernel/internal";
import type { JsonSchemaObject } from "@banyan/kernel/internal";

/** Keywords that hold one schema, a list of them, or some by name. */
const single = ["items", "additionalProperties"];
const lists = ["anyOf", "oneOf", "prefixItems"];
const maps = ["$defs", "definitions", "properties", "patternProperties"];

/** The schema with `additionalProperties: false` where it names properties and says nothing. */
export function closedSchema(schema: JsonSchema): JsonSchema {
  if (typeof schema !== "object") return schema;
  const closed: Record<string, unknown> = { ...schema };
  for (const key of maps) if (key in schema) closed[key] = closedMap(schema[key]);
  // A closed part of an `allOf` would refuse the other parts' fields.
  if ("allOf" in schema) return { ...closed, unevaluatedProperties: false };
  for (const key of single) if (key in schema) closed[key] = closedPart(schema[key]);
  for (const key of lists) {
    const parts = schema[key];
    if (Array.isArray(parts)) closed[key] = parts.map(closedPart);
  }
  const { properties } = schema;
  if (typeof properties !== "object" || properties === null) return closed;
  return {
    ...closed,
    ...requiredOf(schema, properties),
    ...("additionalProperties" in schema ? {} : { additionalProperties: false }),
  };
}

function closedPart(part: unknown): unknown {
  return isSchemaObject(part) ? closedSchema(part) : part;
}

function closedMap(schemas: unknown): unknown {
  if (typeof schemas !== "object" || schemas === null) return schemas;
  return Object.fromEntries(
    Object.entries(schemas).map(([key, part]: [string, unknown]) => [key, closedPart(part)]),
  );
}

function requiredOf(schema: JsonSchemaObject, properties: object): JsonSchemaObject {
  const { required } = schema;
  if (!Array.isArray(required)) return {};
  const needed = required.filter((key: unknown) => {
    const property: unknown = typeof key === "string" ? Reflect.get(properties, key) : undefined;
    return !(typeof property === "object" && property !== null && "default" in property);
  });
  return { required: needed };
}
