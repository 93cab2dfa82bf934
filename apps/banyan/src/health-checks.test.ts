import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeDisk, partFindings } from "./health-checks.ts";

test("a disk that fills up is noted below 200 MB and bad below 50 MB", () => {
  const verdicts = [80_000_000_000, 200_000_000, 199_999_999, 50_000_000, 49_999_999, 0].map(
    (bytes) => judgeDisk(bytes).verdict,
  );
  assert.deepEqual(verdicts, ["ok", "ok", "note", "note", "bad", "bad"]);
  assert.equal(judgeDisk(1_234_567).found, "1 MB free");
  assert.match(judgeDisk(0).fix ?? "", /Make room/);
});

test("what is not well of a node is named with its reason", () => {
  const engines = {
    "state:sqlite": { state: "unhealthy", reason: "The disk is full." },
    "bus:memory": { state: "running" },
  };
  const services = { greeter: { state: "degraded", reason: "Slow." }, shop: { state: "starting" } };
  assert.deepEqual(
    [...partFindings({ engines }, "engines"), ...partFindings({ services }, "services")].map(
      ({ verdict, what, found }) => `${verdict} ${what} ${found}`,
    ),
    [
      "bad state:sqlite unhealthy: The disk is full.",
      "note greeter degraded: Slow.",
      "note shop starting",
    ],
  );
  assert.deepEqual(partFindings({}, "engines"), []);
});
