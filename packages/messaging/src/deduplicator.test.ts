import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { createDeduplicator } from "./deduplicator.ts";

describe("a deduplicator", () => {
  test("runs the work of one id once", async () => {
    const seen = createDeduplicator();
    let runs = 0;
    const work = (): void => {
      runs += 1;
    };
    assert.equal(await seen.once("a", work), "done");
    assert.equal(await seen.once("a", work), "duplicate");
    assert.equal(await seen.once("b", work), "done");
    assert.equal(runs, 2);
  });

  test("runs it again when it failed", async () => {
    const seen = createDeduplicator();
    await assert.rejects(
      seen.once("a", () => {
        throw new Error("broken");
      }),
      /broken/,
    );
    assert.equal(seen.size, 0);
    assert.equal(await seen.once("a", () => undefined), "done");
  });

  test("makes a repeat wait for the first, and run when that failed", async () => {
    const seen = createDeduplicator();
    const gate = Promise.withResolvers<void>();
    const first = seen.once("a", () => gate.promise);
    let runs = 0;
    const second = seen.once("a", () => {
      runs += 1;
    });
    const third = seen.once("a", () => {
      runs += 1;
    });
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(runs, 0, "nothing runs beside the first");
    gate.reject(new Error("broken"));
    await assert.rejects(first, /broken/);
    assert.deepEqual(await Promise.all([second, third]), ["done", "duplicate"]);
    assert.equal(runs, 1);
  });

  test("forgets the oldest past its bound, and everything past its time", async () => {
    const clock = new FakeClock();
    const seen = createDeduplicator({ remember: 2, ttlMs: 1000, clock });
    for (const id of ["a", "b", "c"]) await seen.once(id, () => undefined);
    assert.equal(seen.size, 2);
    assert.equal(await seen.once("c", () => undefined), "duplicate");
    assert.equal(await seen.once("a", () => undefined), "done");
    await clock.advance(1000);
    assert.equal(await seen.once("a", () => undefined), "done");
  });

  test("refuses bounds that remember nothing", () => {
    for (const options of [{ remember: 0 }, { remember: 1.5 }, { ttlMs: 0 }]) {
      assert.throws(() => createDeduplicator(options), { code: "MESSAGING_OPTIONS_INVALID" });
    }
  });
});
