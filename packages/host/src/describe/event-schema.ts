/** An event's schema as it travels: the payload's own fields, with the platform's beside them. */

import type { JsonSchema, Schema } from "@banyan/kernel";
import { toJsonSchema } from "@banyan/kernel/internal";

/**
 * The fields are put into the payload's own list where it has one: a payload that takes no other
 * fields would refuse them from the other side of an `allOf`.
 */
export function deliveredSchema(payload: Schema): JsonSchema {
  const schema = toJsonSchema(payload, "input");
  const properties = {
    eventId: { type: "string", format: "uuid" },
    timestamp: { type: "string", format: "date-time" },
  };
  const required = Object.keys(properties);
  if (typeof schema !== "object" || !("properties" in schema)) {
    return { allOf: [schema, { type: "object", required, properties }] };
  }
  const own: readonly unknown[] = Array.isArray(schema["required"]) ? schema["required"] : [];
  return {
    ...schema,
    // A compiled schema's `properties` is an object of schemas.
    properties: { ...(schema["properties"] as object), ...properties },
    required: [...own, ...required],
  };
}
