import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { copyJson, measureJson } from "./json-value.ts";

/** True when two values have an object in common. */
function isShared(one: unknown, other: unknown): boolean {
  if (typeof one !== "object" || one === null) return false;
  if (one === other) return true;
  if (typeof other !== "object" || other === null) return false;
  const inner = new Map(Object.entries(other));
  return Object.entries(one).some(([key, value]) => isShared(value, inner.get(key)));
}

describe("a JSON value", () => {
  test("is copied whole and shares nothing with its copy", () => {
    const property = fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const copy = copyJson(value);
      assert.equal(JSON.stringify(copy), JSON.stringify(value));
      assert(!isShared(value, copy));
    });
    fc.assert(property, { seed: seedOf(), numRuns: 300 });
  });

  test("is measured as JSON text is, within a factor", () => {
    const property = fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
      const measured = measureJson(value);
      assert(typeof measured === "number");
      const real = JSON.stringify(value).length;
      assert(measured * 8 >= real && measured <= real * 8 + 8, `${measured} for ${real}`);
    });
    fc.assert(property, { seed: seedOf(), numRuns: 300 });
  });

  test("keeps a key named __proto__ as a key", () => {
    const value: unknown = JSON.parse('{"__proto__":{"polluted":true}}');
    const copy = copyJson(value);
    assert.deepEqual(JSON.stringify(copy), JSON.stringify(value));
    assert(typeof copy === "object" && copy !== null && !("polluted" in copy));
  });

  test("ends where JSON does, and says where", () => {
    class Point {
      readonly x = 1;
    }
    const flaws: readonly (readonly [value: unknown, pointer: string, found: RegExp])[] = [
      [undefined, "", /undefined/],
      [{ a: Object.create(Object.create(null)) }, "/a", /an instance of something/],
      [{ a: undefined }, "/a", /undefined/],
      [{ a: [1, { "b/c~": Number.POSITIVE_INFINITY }] }, "/a/1/b~1c~0", /Infinity/],
      [{ p: new Point() }, "/p", /Point/],
      [[10n], "/0", /bigint/],
      [{ s: Symbol("s") }, "/s", /symbol/],
      [Array.from({ length: 3 }), "/0", /undefined/],
    ];
    for (const [value, pointer, found] of flaws) {
      const measured = measureJson(value);
      assert(typeof measured !== "number");
      assert.equal(measured.pointer, pointer);
      assert.match(measured.found, found);
    }
  });

  test("that contains itself is refused, not walked for ever", () => {
    const loop: unknown[] = [];
    loop.push(loop);
    const measured = measureJson(loop);
    assert(typeof measured !== "number");
    assert.match(measured.found, /64 levels/);
  });
});
