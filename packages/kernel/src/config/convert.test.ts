import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { convertText, readsAsOther } from "./convert.ts";

const integer = { type: "integer" };
const list = (items: object) => ({ type: "array", items });

describe("text becomes what the schema asks for", () => {
  const cases: readonly (readonly [string, object, unknown])[] = [
    ["42", integer, 42],
    [" 42 ", integer, 42],
    ["-0", integer, 0],
    ["1.5e3", { type: "number" }, 1500],
    [".5", { type: "number" }, 0.5],
    ["true", { type: "boolean" }, true],
    ["Yes", { type: "boolean" }, true],
    ["on", { type: "boolean" }, true],
    ["1", { type: "boolean" }, true],
    ["off", { type: "boolean" }, false],
    ["no", { type: "boolean" }, false],
    ["0", { type: "boolean" }, false],
    [" kept as it is ", { type: "string" }, " kept as it is "],
    ["42", { type: "string" }, "42"],
    ["a, b,c", list({ type: "string" }), ["a", "b", "c"]],
    ["1,2", list(integer), [1, 2]],
    ['["a,b"]', list({ type: "string" }), ["a,b"]],
    ["[]", list({ type: "string" }), []],
    ['{"a":1}', { type: "object" }, { a: 1 }],
    ["sqlite", { enum: ["sqlite", "memory"] }, "sqlite"],
    ["2", { enum: [1, 2] }, 2],
    ["auto", { anyOf: [integer, { const: "auto" }] }, "auto"],
    ["7", { anyOf: [integer, { const: "auto" }] }, 7],
    ["7", { type: ["string", "integer"] }, "7"],
    ["null", { type: ["integer", "null"] }, null],
    ["5", { allOf: [integer, { minimum: 1 }] }, 5],
    ["5", { $ref: "#/$defs/count", $defs: { count: integer } }, 5],
    ["1,x", { type: "array", prefixItems: [integer, { type: "string" }] }, [1, "x"]],
    ["3", {}, 3],
    ["true", {}, true],
    ["plain", {}, "plain"],
    ['{"a":[1]}', {}, { a: [1] }],
  ];
  for (const [text, schema, value] of cases) {
    test(`${JSON.stringify(text)} under ${JSON.stringify(schema)}`, () => {
      assert.deepEqual(convertText(text, { ...schema }), { kind: "value", value });
    });
  }
});

describe("text that does not fit is refused with what was expected", () => {
  const cases: readonly (readonly [string, object, RegExp])[] = [
    ["", integer, /^an integer$/],
    ["4.2", integer, /^an integer$/],
    ["0x10", integer, /^an integer$/],
    ["9007199254740993", integer, /within ±9007199254740991/],
    ["Infinity", { type: "number" }, /^a number$/],
    ["1e999", { type: "number" }, /^a number$/],
    ["maybe", { type: "boolean" }, /true or false/],
    ["Sqlite", { enum: ["sqlite", "memory"] }, /one of "sqlite", "memory"/],
    ["a,,b", list({ type: "string" }), /without empty entries/],
    ["1,x", list(integer), /each entry an integer/],
    ["a", list({ type: "object" }), /a JSON array/],
    ["[1,", list(integer), /a JSON array/],
    ["a=b", { type: "object" }, /a JSON object/],
    ["{a}", { type: "object" }, /a JSON object/],
    ["x", { anyOf: [integer, { const: "auto" }] }, /an integer or "auto"/],
  ];
  for (const [text, schema, expected] of cases) {
    test(`${JSON.stringify(text)} under ${JSON.stringify(schema)}`, () => {
      const result = convertText(text, { ...schema });
      assert.equal(result.kind, "refused");
      assert.match(result.kind === "refused" ? result.expected : "", expected);
    });
  }

  test("a schema that only refers to itself does not hang", () => {
    const schema = { anyOf: [{ $ref: "#" }] };
    assert.equal(convertText("x", schema).kind, "refused");
  });
});

describe("laws of conversion", () => {
  const scalar = fc.oneof(
    fc.record({ value: fc.maxSafeInteger(), schema: fc.constant(integer) }),
    fc.record({ value: fc.boolean(), schema: fc.constant({ type: "boolean" }) }),
    fc.record({ value: fc.string(), schema: fc.constant({ type: "string" }) }),
    fc.record({
      value: fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (n === 0 ? 0 : n)),
      schema: fc.constant({ type: "number" }),
    }),
  );

  test("a scalar written as text comes back as itself", () => {
    fc.assert(
      fc.property(scalar, ({ value, schema }) => {
        assert.deepEqual(convertText(String(value), schema), { kind: "value", value });
      }),
    );
  });

  test("lists and objects written as JSON come back as themselves", () => {
    const numbers = fc.array(fc.maxSafeInteger());
    const object = fc.dictionary(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(numbers, object, (items, record) => {
        const array = convertText(JSON.stringify(items), list(integer));
        assert.deepEqual(array, { kind: "value", value: items });
        const text = JSON.stringify(record);
        const parsed: unknown = JSON.parse(text);
        assert.deepEqual(convertText(text, { type: "object" }), { kind: "value", value: parsed });
      }),
    );
  });

  test("a comma list of words comes back as its words", () => {
    const words = fc.array(fc.stringMatching(/^[a-z0-9-]+$/), { minLength: 1 });
    fc.assert(
      fc.property(words, (entries) => {
        const result = convertText(entries.join(", "), list({ type: "string" }));
        assert.deepEqual(result, { kind: "value", value: entries });
      }),
    );
  });
});

test("text that would be a number is told from text that would not", () => {
  assert.equal(readsAsOther("7600", integer), true);
  assert.equal(readsAsOther("abc", integer), false);
  assert.equal(readsAsOther("7600", { type: "string" }), false);
});
