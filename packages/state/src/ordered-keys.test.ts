import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { compareKeys } from "./keys.ts";
import { OrderedKeys } from "./ordered-keys.ts";

test("whatever is added and removed, the keys come in order from any place", () => {
  const names = fc.nat(3000).map((n) => `k${n}`);
  const change = fc.tuple(fc.boolean(), fc.array(names, { maxLength: 300 }));
  const changes = fc.array(change, { maxLength: 10 });
  const property = fc.property(fc.uniqueArray(names, { maxLength: 800 }), changes, names, run);
  function run(initial: string[], steps: [boolean, string[]][], from: string): void {
    const ordered = new OrderedKeys(initial);
    const model = new Set(initial);
    for (const [isAdd, keys] of steps) {
      for (const key of keys) {
        if (!isAdd) {
          ordered.delete(key);
          model.delete(key);
        } else if (!model.has(key)) {
          ordered.add(key);
          model.add(key);
        }
      }
    }
    const sorted = [...model].sort(compareKeys);
    assert.deepEqual([...ordered.from("")], sorted);
    assert.deepEqual(
      [...ordered.from(from)],
      sorted.filter((key) => compareKeys(key, from) >= 0),
    );
  }
  fc.assert(property, { seed: seedOf(), numRuns: 100 });
});
