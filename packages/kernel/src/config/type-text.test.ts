import assert from "node:assert/strict";
import { test } from "node:test";
import { typeText } from "./type-text.ts";

const cases: readonly (readonly [object, string])[] = [
  [{ type: "string", minLength: 1, maxLength: 64 }, "string (1 to 64 characters)"],
  [{ type: "string", format: "uri", maxLength: 9 }, "string (at most 9 characters, format uri)"],
  [{ type: "number", exclusiveMinimum: 0, multipleOf: 0.5 }, "number (above 0, multiple of 0.5)"],
  [{ type: ["integer", "null"], minimum: 1 }, "integer (at least 1) | null"],
  [{ anyOf: [{ type: "integer" }, { const: "auto" }] }, 'integer | "auto"'],
  [
    { type: "array", items: { type: "string" }, minItems: 1 },
    "list of string (at least 1 entries)",
  ],
  [{ type: "object", additionalProperties: { type: "integer" } }, "map of integer"],
  [{ type: "object", patternProperties: { "^a": { type: "boolean" } } }, "map of boolean"],
  [{ type: "object", properties: {} }, "object"],
  [{ $ref: "#/$defs/x", $defs: { x: { type: "boolean" } } }, "boolean"],
  [{}, "value"],
];

for (const [schema, text] of cases) {
  test(`${JSON.stringify(schema)} reads as ${text}`, () => {
    assert.equal(typeText({ ...schema }), text);
  });
}

test("a schema within itself comes to an end", () => {
  const schema = { type: "array", items: { $ref: "#" } };
  assert.equal(typeText(schema).endsWith("list of value"), true);
});
