/** What an operator sees while an engine's server is not there. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { createOpeningLog } from "./opening-log.ts";

const place = "db:5432";

function openingOf() {
  const clock = new FakeClock();
  const lines = createRecordingLog();
  const opening = createOpeningLog({ log: lines, clock, boundedBy: "sql.connectTimeoutMs" });
  return { clock, lines: lines.lines, opening };
}

test("what keeps an engine is said without a stack, at once and in growing pauses", async () => {
  const { clock, lines, opening } = openingOf();
  opening.log.child({ part: "pool" }).warn("not there yet", { at: place, error: new Error("no") });
  assert.deepEqual(lines, [
    {
      level: "warn",
      message: "waiting for the engine's server",
      fields: { at: place, reason: "no", waitedMs: 0, boundedBy: "sql.connectTimeoutMs" },
    },
  ]);
  await clock.advance(100_000);
  const said = lines.map(({ fields }) => fields["waitedMs"]);
  assert.deepEqual(said, [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000]);
});

test("another reason is said at once, the same one is not said twice", () => {
  const { lines, opening } = openingOf();
  for (const reason of ["refused", "refused", "starting up"]) {
    opening.log.warn("not there yet", { place, error: new Error(reason) });
  }
  assert.deepEqual(
    lines.map(({ fields }) => fields["reason"]),
    ["refused", "starting up"],
  );
});

test("once the engine is open, lines pass as they are and nothing is repeated", async () => {
  const { clock, lines, opening } = openingOf();
  opening.log.warn("a hint", { at: place });
  opening.log.warn("not there yet", { at: place, error: new Error("no") });
  opening.end();
  const error = new Error("gone");
  opening.log.warn("it is gone", { error });
  await clock.advance(100_000);
  assert.deepEqual(
    lines.map(({ message }) => message),
    ["a hint", "waiting for the engine's server", "it is gone"],
  );
  assert.equal(lines[2]?.fields["error"], error);
});
