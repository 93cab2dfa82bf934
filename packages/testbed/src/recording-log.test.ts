import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog } from "./recording-log.ts";

test("a recording log keeps every line, its children's with their fields", () => {
  const log = createRecordingLog();
  log.info("started", { port: 0 });
  log.child({ service: "greeter" }).child({ part: "store" }).error("failed", { part: "index" });
  assert.deepEqual(log.lines, [
    { level: "info", message: "started", fields: { port: 0 } },
    { level: "error", message: "failed", fields: { service: "greeter", part: "index" } },
  ]);
});
