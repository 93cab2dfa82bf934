/** Answers whether a request or payload schema has a field at a JSON pointer. */

import type { JsonSchema } from "../schema/json-schema.ts";
import { isSchemaObject } from "../schema/json-schema.ts";
import { parsePointer } from "../schema/pointer.ts";

/** True when every value of the schema may have something at the pointer. */
export function hasField(schema: JsonSchema, pointer: string): boolean {
  const path = parsePointer(pointer);
  if (path === undefined || path.length === 0) return false;
  return hasPath(schema, path);
}

function hasPath(schema: unknown, path: readonly string[]): boolean {
  const [head, ...rest] = path;
  if (head === undefined) return true;
  if (!isSchemaObject(schema)) return false;
  const { properties, allOf, anyOf, oneOf } = schema;
  if (isSchemaObject(properties) && Object.hasOwn(properties, head)) {
    return hasPath(properties[head], rest);
  }
  if (Array.isArray(allOf)) return allOf.some((part) => hasPath(part, path));
  const branches = anyOf ?? oneOf;
  return Array.isArray(branches) && branches.every((branch) => hasPath(branch, path));
}

/** True when every value of the schema is an object. */
export function describesObject(schema: unknown): boolean {
  if (!isSchemaObject(schema)) return false;
  const { type, properties, allOf, anyOf, oneOf, $ref } = schema;
  if (type !== undefined) return type === "object";
  // Where a reference leads is the compiler's business; it is not refused on suspicion.
  if (isSchemaObject(properties) || typeof $ref === "string") return true;
  if (Array.isArray(allOf)) return allOf.some(describesObject);
  const branches = anyOf ?? oneOf;
  return Array.isArray(branches) && branches.length > 0 && branches.every(describesObject);
}
