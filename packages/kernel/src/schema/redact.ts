// Secrets never leave: copies of values in which everything a schema marks as secret is replaced.
import { isFields, kindOfValue, putProperty } from "./json-value.ts";
import { DEPTH_MAX } from "./issue.ts";
import { readSchema } from "./read-schema.ts";
import { childNodes, closure } from "./schema-walk.ts";
import type { SchemaNode } from "./schema-node.ts";
import { type Schema, toJsonSchema } from "./standard.ts";

/** What stands in the place of a secret. */
export const REDACTED = "[secret]";

// Reading a schema costs more than redacting by it, and the same few are used again and again.
const ROOTS = new WeakMap<object, SchemaNode>();

/**
 * A copy of the value in which everything marked `x-secret: true` or `writeOnly: true` is replaced
 * by `"[secret]"`, whichever branch of the schema marks it. What the schema does not describe is
 * copied as it is; what JSON does not know, or is nested deeper than 64 levels, becomes `null`.
 */
export function redact(schema: Schema, value: unknown): unknown {
  return redactBy(closure([rootOf(schema)]), value, 0);
}

function rootOf(schema: Schema): SchemaNode {
  const known = ROOTS.get(schema);
  if (known !== undefined) return known;
  const { root } = readSchema(toJsonSchema(schema, "input"));
  // The schemas `true` and `false` are no objects and cost nothing to read.
  if (typeof schema === "object" || typeof schema === "function") ROOTS.set(schema, root);
  return root;
}

function redactBy(nodes: readonly SchemaNode[], value: unknown, depth: number): unknown {
  if (value === undefined) return undefined;
  if (nodes.some((node) => node.secret)) return REDACTED;
  if (kindOfValue(value) === 0 || depth > DEPTH_MAX) return null;
  const inside = (key: string | number): SchemaNode[] =>
    closure(nodes.flatMap((node) => childNodes(node, key)));
  if (Array.isArray(value)) {
    return value.map((item, index) => redactBy(inside(index), item, depth + 1));
  }
  if (!isFields(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(value)) {
    if (property === undefined) continue;
    putProperty(copy, name, redactBy(inside(name), property, depth + 1));
  }
  return copy;
}
