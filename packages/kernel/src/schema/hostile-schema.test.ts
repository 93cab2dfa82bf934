// Names, patterns and values chosen to break out of generated code or into prototypes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type CompiledSchema, compileSchema } from "./compile.ts";
import { generateSource } from "./generate.ts";
import { readSchema } from "./read-schema.ts";

const HOSTILE = [
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  '"]; globalThis.broken = true; //',
  "`${globalThis.broken = true}`",
  "\\",
  "\n",
  "\u2028",
  "*/ globalThis.broken = true /*",
  "</script>",
  "x\0y",
  "v1",
  "FAIL",
  "OBJECT",
  "$&",
] as const;

function generated(schema: object): CompiledSchema {
  return compileSchema(schema, { engine: "generate" });
}

/** An object with own properties of any name, as JSON.parse makes it. */
function objectOf(entries: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  return Object.fromEntries(entries);
}

test("hostile property names are data in every position", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.constantFrom(...HOSTILE), { minLength: 1 }), (names) => {
      const half = names.filter((_, index) => index % 2 === 0);
      const schema = {
        type: "object",
        properties: objectOf(names.map((name) => [name, { type: "string", enum: [...names] }])),
        required: half,
        dependentRequired: objectOf(names.map((name) => [name, half])),
      };
      const value = objectOf(names.map((name) => [name, name]));
      for (const mode of ["strict", "tolerant"] as const) {
        const copy: unknown = generated(schema).parse(value, mode, []);
        assert.equal(JSON.stringify(copy), JSON.stringify(objectOf(reordered(names, half, value))));
        assert.equal(Object.getPrototypeOf(copy), Object.prototype);
      }
      assert.equal(generated(schema).parse({}, "strict", []), undefined, "nothing inherited");
      assert.equal("broken" in globalThis, false);
    }),
  );
});

/** Generated copies list required properties first. */
function reordered(
  names: readonly string[],
  required: readonly string[],
  value: Record<string, unknown>,
): [string, unknown][] {
  const optional = names.filter((name) => !required.includes(name));
  const own = new Map(Object.entries(value));
  return [...required, ...optional].map((name) => [name, own.get(name)]);
}

test("hostile tags, patterns and constants are data as well", () => {
  const branches = HOSTILE.map((name) => ({
    type: "object",
    properties: objectOf([
      [name, { const: 1 }],
      ["tag", { const: name }],
    ]),
    required: ["tag"],
  }));
  const union = generated({ anyOf: branches });
  for (const name of HOSTILE) {
    assert.deepEqual(union.parse(objectOf([["tag", name]]), "strict", []), { tag: name });
  }
  const escaped = HOSTILE.map((name) => name.replaceAll(/[\\^$.*+?()[\]{}|/]/gu, String.raw`\$&`));
  for (const source of escaped) {
    const schema = generated({ patternProperties: { [source]: { const: source } } });
    schema.parse({ a: 1 }, "strict", []);
  }
  assert.equal("broken" in globalThis, false);
});

test("a __proto__ in the value is kept as data where a map allows it, and pollutes nothing", () => {
  const value: unknown = JSON.parse('{"__proto__":{"admin":true},"constructor":{"prototype":1}}');
  for (const schema of [{}, { additionalProperties: {} }, { patternProperties: { ".": {} } }]) {
    const copy = generated(schema).parse(value, "strict", []);
    assert.equal(JSON.stringify(copy), JSON.stringify(value));
    assert.equal(Object.getPrototypeOf(copy), Object.prototype);
    assert.equal("admin" in {}, false);
  }
  const named = generated({ properties: { a: {} } });
  assert.equal(named.parse(value, "strict", []), undefined);
  assert.deepEqual(Object.keys(named.parse(value, "tolerant", []) ?? { none: 1 }), []);
});

test("the text of generated code never repeats a pattern or an object of the schema", () => {
  const { root } = readSchema({
    patternProperties: { "^mark-1": { const: { "mark-2": 1 } } },
    pattern: "mark-3",
    properties: { a: { default: ["mark-4"] } },
  });
  assert.doesNotMatch(generateSource(root, "strict").source, /mark-/u);
});

test("a class instance is read by its fields and comes out as data", () => {
  class Point {
    x = 1;
    get y(): number {
      return 2;
    }
  }
  const schema = generated({ properties: { x: {}, y: {} }, type: "object" });
  const copy = schema.parse(new Point(), "strict", []);
  assert.deepEqual(copy, { x: 1, y: 2 });
  assert.equal(Object.getPrototypeOf(copy), Object.prototype);
});
