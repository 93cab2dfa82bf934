import assert from "node:assert/strict";
import { test } from "node:test";
import { withTimeout } from "./with-timeout.ts";

test("work that is done in time passes its result or its error on", async () => {
  assert.equal(await withTimeout(Promise.resolve(4), { what: "It" }), 4);
  await assert.rejects(withTimeout(Promise.reject(new Error("own")), { what: "It" }), /own/);
});

test("work that takes too long is named in the error", async () => {
  const never = new Promise<never>(() => undefined);
  await assert.rejects(
    withTimeout(never, { what: "The answer", timeoutMs: 5 }),
    /The answer did not happen within 5 ms/,
  );
});
