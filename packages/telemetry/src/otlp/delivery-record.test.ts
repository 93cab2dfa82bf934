import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import type { RecordingLog } from "@banyan/testbed";
import { DeliveryRecord, secretsOf } from "./delivery-record.ts";

interface Opened {
  readonly record: DeliveryRecord;
  readonly clock: FakeClock;
  readonly log: RecordingLog;
}

function open(secrets: readonly string[] = []): Opened {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const record = new DeliveryRecord({ endpoint: "http://collector:4318", secrets, clock, log });
  return { record, clock, log };
}

test("a failure is told when it begins and when it is over (I1)", async () => {
  const { record, clock, log } = open();
  assert.equal(record.state, "idle");
  for (let attempt = 0; attempt < 10; attempt += 1) {
    record.attemptFailed("connect ECONNREFUSED");
    assert.equal(record.state, "failing");
    await clock.advance(30_000);
  }
  record.failed(5, "connect ECONNREFUSED");
  record.dropped(2);
  record.accepted(3, 0, "");
  record.accepted(3, 0, "");
  const endpoint = "http://collector:4318";
  assert.deepEqual(log.lines, [
    {
      level: "warn",
      message: "OTLP export fails",
      fields: { endpoint, error: "connect ECONNREFUSED" },
    },
    {
      level: "info",
      message: "OTLP export works again",
      fields: { endpoint, failedForMs: 300_000, dropped: 2, failed: 5 },
    },
  ]);
  assert.deepEqual(record.counts, {
    state: "ok",
    sent: 6,
    dropped: 2,
    failed: 5,
    rejected: 0,
    lastSuccessAtMs: clock.nowMs(),
    lastFailureAtMs: clock.nowMs(),
    lastError: "connect ECONNREFUSED",
  });
});

test("a receiver that fails and works in turns does not fill the log (I1)", async () => {
  const { record, clock, log } = open();
  for (let second = 0; second < 120; second += 1) {
    if (second % 2 === 0) record.failed(1, "HTTP 400");
    else record.accepted(1, 0, "");
    await clock.advance(1000);
  }
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    // For the first failure, and again a minute later.
    [1, 2].flatMap(() => ["OTLP export fails", "OTLP export works again"]),
  );
});

test("rejections are told with their number since the last time (I1)", async () => {
  const { record, clock, log } = open();
  record.accepted(10, 3, "too old");
  record.accepted(10, 4, "too old");
  await clock.advance(60_000);
  record.accepted(10, 20, "too old"); // a receiver that cannot count
  record.accepted(10, 0, "");
  assert.deepEqual(
    log.lines.map(({ fields }) => fields["rejected"]),
    [3, 14],
  );
  assert.equal(record.counts.rejected, 17);
  assert.equal(record.counts.sent, 23);
});

test("a warning of a receiver that took all is told as well", () => {
  const { record, log } = open();
  record.accepted(1, 0, "this path is old");
  assert.equal(log.lines[0]?.message, "OTLP receiver warns");
  assert.equal(log.lines[0]?.fields["says"], "this path is old");
  assert.equal(record.state, "ok");
});

test("a page is no reason, and secrets are in none (I2)", () => {
  const { record } = open(secretsOf({ authorization: "Bearer abcdef123456", flag: "on" }));
  record.attemptFailed("x".repeat(10_000));
  assert.equal(record.counts.lastError?.length, 301);
  record.attemptFailed("on behalf of abcdef123456 (Bearer abcdef123456)");
  assert.equal(record.counts.lastError, "on behalf of [secret] ([secret])");
});
