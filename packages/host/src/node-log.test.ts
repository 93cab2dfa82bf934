import assert from "node:assert/strict";
import { test } from "node:test";
import { openNodeLog } from "./node-log.ts";
import { resolveNodeOptions } from "./options.ts";

test("nodes that come and go in one process leave one listener on standard error", async () => {
  const before = process.stderr.listenerCount("error");
  for (let count = 0; count < 20; count += 1) {
    await using disposables = new AsyncDisposableStack();
    openNodeLog(
      resolveNodeOptions({ services: [] }),
      { level: "info", format: "json" },
      disposables,
    );
  }
  assert.ok(process.stderr.listenerCount("error") <= before + 1);
});
