/** The sender with a transport that answers what the test says, when it says so. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "@banyan/kernel";
import { createRecordingLog, FakeClock, seedOf } from "@banyan/testbed";
import type { RecordingLog } from "@banyan/testbed";
import fc from "fast-check";
import { DeliveryRecord } from "./delivery-record.ts";
import type { ExportAnswer } from "./export-answer.ts";
import { acceptedWhole } from "./export-answer.ts";
import { BatchSender } from "./batch-sender.ts";
import type { BatchSource, ExportBatch } from "./batch-sender.ts";
import type { Transport } from "./transport.ts";
import { brokenOff } from "./transport.ts";

/** What was sent and not answered yet. */
interface Sent {
  readonly text: string;
  readonly answer: (answer: ExportAnswer) => void;
}

interface Opened {
  readonly sender: BatchSender;
  readonly clock: FakeClock;
  readonly log: RecordingLog;
  readonly record: DeliveryRecord;
  readonly sent: Sent[];
  /** Batches of one item each, which are due at once. */
  readonly waiting: string[];
  readonly outdated: Set<string>;
  /** Requests in flight, at most, so far. */
  readonly inFlightMax: () => number;
}

function open(): Opened {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const record = new DeliveryRecord({ endpoint: "http://localhost", secrets: [], clock, log });
  const sent: Sent[] = [];
  const waiting: string[] = [];
  const outdated = new Set<string>();
  let underWay = 0;
  const source: BatchSource = {
    next(): ExportBatch | undefined {
      const text = waiting.shift();
      underWay = text === undefined ? 0 : 1;
      if (text === undefined) return undefined;
      return { body: Buffer.from(text), items: 1, isOutdated: () => outdated.has(text) };
    },
    clear: () => waiting.splice(0).length + underWay,
  };
  let inFlight = 0;
  let inFlightMax = 0;
  const transport: Transport = {
    send({ body }, abort) {
      inFlight += 1;
      inFlightMax = Math.max(inFlightMax, inFlight);
      const { promise, resolve } = Promise.withResolvers<ExportAnswer>();
      abort.addEventListener("abort", () => resolve(brokenOff(abort.reason)));
      sent.push({ text: String(body), answer: resolve });
      return promise.finally(() => (inFlight -= 1));
    },
    close: () => undefined,
  };
  const sender = new BatchSender({
    signal: "traces",
    source,
    transport,
    record,
    isGzip: false,
    timeoutMs: 10_000,
    clock,
    random: createSeededRandom(seedOf()),
  });
  return { sender, clock, log, record, sent, waiting, outdated, inFlightMax: () => inFlightMax };
}

const busy: ExportAnswer = { kind: "again", reason: "busy", afterMs: undefined };

test("batches are sent one by one (I1), and not in the turn that starts it (I4)", async () => {
  const { sender, clock, sent, waiting, inFlightMax } = open();
  waiting.push("a", "b");
  sender.start();
  sender.start();
  assert.deepEqual([sent.length, waiting.length], [0, 2]);
  await clock.settle();
  assert.deepEqual(
    sent.map(({ text }) => text),
    ["a"],
  );
  sent[0]?.answer(acceptedWhole);
  await clock.settle();
  assert.deepEqual(
    sent.map(({ text }) => text),
    ["a", "b"],
  );
  sent[1]?.answer(acceptedWhole);
  await clock.settle();
  assert.equal(inFlightMax(), 1);
  waiting.push("c");
  sender.start();
  await clock.settle();
  assert.equal(sent.at(-1)?.text, "c");
});

test("what is tried again waits ever longer, up to half a minute (I2)", async () => {
  const { sender, clock, sent, waiting, record } = open();
  waiting.push("a");
  sender.start();
  await clock.settle();
  for (let attempt = 1; attempt <= 8; attempt += 1) {
    assert.equal(sent.length, attempt);
    sent.at(-1)?.answer(busy);
    await clock.settle();
    assert.equal(clock.pending.length, 1);
    const waitMs = await clock.advanceToNext();
    assert.ok(waitMs <= Math.min(30_000, 1000 * 2 ** (attempt - 1)), `${attempt}: ${waitMs}`);
  }
  sent.at(-1)?.answer(acceptedWhole);
  await clock.settle();
  assert.equal(record.counts.sent, 1);
});

test("a batch that never gets through is given up, and the next one is tried (I2)", async () => {
  const { sender, clock, sent, waiting, record } = open();
  waiting.push("a", "b");
  sender.start();
  await clock.settle();
  while (sent.at(-1)?.text === "a") {
    sent.at(-1)?.answer(busy);
    await clock.settle();
    await clock.advanceToNext();
  }
  assert.ok(clock.monotonicMs() >= 300_000 && clock.monotonicMs() < 330_000);
  assert.equal(record.counts.failed, 1);
  sent.at(-1)?.answer(acceptedWhole);
  await clock.settle();
  assert.equal(record.counts.sent, 1);
});

test("a wait that the receiver asked for is kept, within reason (I3)", async () => {
  for (const [afterMs, waitedMs] of [
    [20_000, 20_000],
    [86_400_000, 300_000],
  ] as const) {
    const { sender, clock, sent, waiting } = open();
    waiting.push("a");
    sender.start();
    await clock.settle();
    sent[0]?.answer({ kind: "again", reason: "busy", afterMs });
    await clock.settle();
    await sender.flush();
    assert.equal(await clock.advanceToNext(), waitedMs);
  }
});

test("a receiver that asks to be asked at once does not get a storm", async () => {
  const { sender, clock, sent, waiting } = open();
  waiting.push("a");
  sender.start();
  await clock.settle();
  for (let attempt = 0; attempt < 12; attempt += 1) {
    sent.at(-1)?.answer({ kind: "again", reason: "busy", afterMs: 0 });
    await clock.settle();
    await clock.advanceToNext();
  }
  assert.ok(clock.monotonicMs() > 5000, `${clock.monotonicMs()}`);
});

test("flush cuts a wait that nobody asked for, and ends with the next failure", async () => {
  const { sender, clock, sent, waiting } = open();
  waiting.push("a");
  sender.start();
  await clock.settle();
  sent[0]?.answer(busy);
  await clock.settle();
  let isFlushed = false;
  const flushed = sender.flush().then(() => (isFlushed = true));
  await clock.settle();
  assert.deepEqual([sent.length, isFlushed], [2, false]);
  assert.ok(
    clock.pending.some(({ keepAlive }) => keepAlive),
    "it keeps the process alive",
  );
  sent[1]?.answer(busy);
  await flushed;
  assert.ok(!clock.pending.some(({ keepAlive }) => keepAlive));
});

test("a batch that newer data have replaced is not tried again", async () => {
  const { sender, clock, sent, waiting, outdated, record } = open();
  waiting.push("old", "new");
  sender.start();
  await clock.settle();
  sent[0]?.answer(busy);
  await clock.settle();
  outdated.add("old");
  await clock.advanceToNext();
  assert.deepEqual(
    sent.map(({ text }) => text),
    ["old", "new"],
  );
  assert.equal(record.counts.failed, 1);
});

test("the end sends what is left, then says so", async () => {
  const { sender, clock, sent, waiting, record, log } = open();
  waiting.push("a", "b");
  const closed = sender.close(clock.monotonicMs() + 5000);
  for (let index = 0; index < 2; index += 1) {
    await clock.settle();
    sent[index]?.answer(acceptedWhole);
  }
  await closed;
  assert.equal(record.counts.sent, 2);
  assert.deepEqual(log.lines, []);
  assert.deepEqual(clock.pending, []);
  waiting.push("c");
  sender.start();
  await sender.flush();
  await clock.settle();
  assert.equal(sent.length, 2);
});

test("the end tries again what failed for the first time, as long as there is time", async () => {
  const { sender, clock, sent, waiting, record } = open();
  waiting.push("a");
  const closed = sender.close(clock.monotonicMs() + 5000);
  await clock.settle();
  sent[0]?.answer(busy);
  await clock.settle();
  await clock.advanceToNext();
  assert.equal(sent.length, 2);
  sent[1]?.answer(acceptedWhole);
  await closed;
  assert.equal(record.counts.sent, 1);
});

test("the end of one that was failing anyway is not drawn out", async () => {
  const { sender, clock, sent, waiting, record, log } = open();
  waiting.push("a", "b", "c");
  sender.start();
  await clock.settle();
  sent[0]?.answer(busy);
  await clock.settle();
  const closed = sender.close(clock.monotonicMs() + 5000);
  await clock.settle();
  assert.equal(sent.length, 2, "one last try");
  sent[1]?.answer(busy);
  await closed;
  assert.equal(clock.monotonicMs(), 0);
  assert.equal(record.counts.failed, 3);
  assert.deepEqual(log.lines.at(-1)?.fields, { endpoint: "http://localhost", count: 3 });
});

test("the end does not wait for a receiver that wants more time than there is", async () => {
  const { sender, clock, sent, waiting, record } = open();
  waiting.push("a");
  sender.start();
  await clock.settle();
  sent[0]?.answer({ kind: "again", reason: "busy", afterMs: 60_000 });
  await clock.settle();
  await sender.close(clock.monotonicMs() + 5000);
  assert.deepEqual([sent.length, record.counts.failed], [1, 1]);
  assert.deepEqual(clock.pending, []);
});

test("every item is counted once, whatever the receiver answers (I5)", async () => {
  const answer: fc.Arbitrary<ExportAnswer> = fc.oneof(
    fc.constant(acceptedWhole),
    fc.constant(busy),
    fc.constant({ kind: "refused", reason: "no" } as const),
    fc.constant({ kind: "accepted", rejected: 1, message: "no" } as const),
    fc.record({
      kind: fc.constant("again" as const),
      reason: fc.constant("busy"),
      afterMs: fc.nat(400_000),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(answer, { maxLength: 20 }), fc.nat(10), async (answers, batches) => {
      const { sender, clock, sent, waiting, record, inFlightMax } = open();
      for (let index = 0; index < batches; index += 1) waiting.push(`${index}`);
      sender.start();
      for (const each of answers) {
        await clock.settle();
        sent.at(-1)?.answer(each);
        await clock.settle();
        if (clock.pending.length > 0) await clock.advanceToNext();
      }
      const closed = sender.close(clock.monotonicMs() + 1000);
      await clock.advance(1000);
      await closed;
      const { counts } = record;
      assert.equal(counts.sent + counts.failed + counts.rejected, batches);
      assert.ok(inFlightMax() <= 1);
      assert.deepEqual(clock.pending, []);
    }),
    { seed: seedOf(), numRuns: 100 },
  );
});
