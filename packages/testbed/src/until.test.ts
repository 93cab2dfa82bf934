import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./until.ts";

test("it looks until there is something to see, and hands that over", async () => {
  let looks = 0;
  const third = async (): Promise<number | false> => (++looks > 2 ? looks : false);
  assert.equal(await until(third, { what: "The third look", everyMs: 1 }), 3);
  assert.equal(await until(() => "", { what: "Any text" }), "");
});

test("a look that throws saw nothing; what it threw is told when the time is over", async () => {
  let looks = 0;
  const recovers = (): boolean => {
    looks += 1;
    if (looks < 3) throw new Error("not yet");
    return true;
  };
  assert.equal(await until(recovers, { what: "It", everyMs: 1 }), true);
  const never = (): boolean => {
    throw new Error("no such table");
  };
  await assert.rejects(
    until(never, { what: "The answer", timeoutMs: 5, everyMs: 1 }),
    /The answer did not happen within 5 ms\. The last look: no such table/,
  );
  await assert.rejects(
    until(() => false, { what: "It", timeoutMs: 5 }),
    /within 5 ms\.$/,
  );
});
