import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import type { SpanRecord } from "../span.ts";
import { DeliveryRecord } from "./delivery-record.ts";
import { sampleSpan } from "./otlp-spans.test.ts";
import { SpanQueue } from "./span-queue.ts";
import type { SpanQueueOptions } from "./span-queue.ts";

interface Opened {
  readonly queue: SpanQueue;
  readonly clock: FakeClock;
  readonly record: DeliveryRecord;
  /** How often it said that something is due. */
  readonly due: () => number;
}

/** The body of a batch is the names of its spans. */
function open(changes: Partial<SpanQueueOptions> = {}): Opened {
  const clock = new FakeClock();
  const record = new DeliveryRecord({
    endpoint: "http://localhost",
    secrets: [],
    clock,
    log: createRecordingLog(),
  });
  let due = 0;
  const queue = new SpanQueue({
    queueMax: 10,
    batchMax: 4,
    intervalMs: 100,
    bytesMax: 1000,
    clock,
    record,
    encode: (spans) => Buffer.from(spans.map(({ name }) => name).join(" ")),
    onDue: () => (due += 1),
    ...changes,
  });
  return { queue, clock, record, due: () => due };
}

function named(...names: string[]): SpanRecord[] {
  return names.map((name) => sampleSpan({ name }));
}

function take(queue: SpanQueue): string | undefined {
  const batch = queue.next();
  return batch === undefined ? undefined : Buffer.from(batch.body).toString();
}

test("a batch is due when it is full (I2)", () => {
  const { queue, due } = open();
  queue.add(named("a", "b", "c"));
  assert.equal(due(), 0);
  assert.equal(take(queue), undefined);
  queue.add(named("d", "e"));
  assert.equal(due(), 1);
  assert.equal(take(queue), "a b c d");
  assert.equal(take(queue), undefined, "the fifth waits for others");
});

test("a batch is due when its oldest span has waited long enough (I2)", async () => {
  const { queue, clock, due } = open();
  queue.add(named("a"));
  await clock.advance(60);
  queue.add(named("b"));
  await clock.advance(39);
  assert.equal(due(), 0);
  await clock.advance(1);
  assert.equal(due(), 1);
  queue.add(named("c"));
  assert.equal(take(queue), "a b", "what came after that is not due yet");
  assert.equal(take(queue), undefined);
  await clock.advance(100);
  assert.equal(take(queue), "c");
  assert.deepEqual(clock.pending, [], "nothing waits, no timer");
});

test("what a batch leaves behind gets a timer of its own", async () => {
  const { queue, clock, due } = open();
  queue.add(named("a", "b", "c", "d", "e"));
  assert.equal(take(queue), "a b c d");
  assert.equal(take(queue), undefined);
  await clock.advance(100);
  assert.equal(due(), 2);
  assert.equal(take(queue), "e");
});

test("spans being sent take room (I1)", () => {
  const { queue, record } = open({ queueMax: 6 });
  queue.add(named("a", "b", "c", "d"));
  assert.equal(take(queue), "a b c d");
  queue.add(named("e", "f", "g"));
  assert.equal(queue.size, 6);
  assert.equal(record.counts.dropped, 1);
  assert.equal(take(queue), undefined, "the batch before is done with");
  assert.equal(queue.size, 2);
  queue.flush();
  assert.equal(take(queue), "e f");
});

test("a batch that is too large is halved, a span that is too large is given up", () => {
  const { queue, record } = open({ bytesMax: 5 });
  queue.add(named("aa", "bb", "cc", "longer than that"));
  assert.equal(take(queue), "aa bb");
  queue.flush();
  assert.equal(take(queue), "cc");
  assert.equal(take(queue), undefined);
  assert.equal(record.counts.failed, 1);
  assert.match(record.counts.lastError ?? "", /A span of 16 bytes is too large/);
});

test("spans that cannot be said are counted and hold nobody up", () => {
  const encode = (spans: readonly SpanRecord[]): Uint8Array => {
    if (spans.some(({ name }) => name === "bad")) throw new TypeError("no such kind");
    return Buffer.from("good");
  };
  const { queue, record } = open({ batchMax: 1, encode });
  queue.add(named("bad"));
  queue.add(named("good"));
  queue.flush();
  assert.equal(take(queue), "good");
  assert.equal(record.counts.failed, 1);
  assert.match(record.counts.lastError ?? "", /could not be encoded: no such kind/);
});

test("a closed queue takes nothing more, and gives what it has", () => {
  const { queue, clock, record } = open();
  queue.add(named("a"));
  queue.close();
  queue.add(named("b"));
  assert.equal(record.counts.dropped, 1);
  assert.equal(take(queue), "a");
  assert.equal(queue.clear(), 1, "the batch under way is not done with");
  assert.equal(queue.clear(), 0);
  assert.deepEqual(clock.pending, []);
});

test("every span is in one batch, in order, or counted (I1, I2)", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("add" as const), count: fc.nat(7) }),
    fc.record({ kind: fc.constant("take" as const) }),
    fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(150) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { queue, clock, record } = open();
      const added: string[] = [];
      const taken: string[] = [];
      const takeOne = (): boolean => {
        const text = take(queue);
        if (text === undefined) return false;
        const names = text.split(" ");
        assert.ok(names.length <= 4);
        taken.push(...names);
        return true;
      };
      let next = 0;
      for (const each of steps) {
        if (each.kind === "wait") clock.advanceSync(each.ms);
        else if (each.kind === "take") takeOne();
        else {
          const names = Array.from({ length: each.count }, () => `${next++}`);
          const room = 10 - queue.size;
          queue.add(named(...names));
          added.push(...names.slice(0, room));
        }
        assert.ok(queue.size <= 10);
      }
      queue.flush();
      while (takeOne()) continue;
      assert.deepEqual(taken, added);
      assert.equal(record.counts.dropped, next - added.length);
    }),
    { seed: seedOf(), numRuns: 300 },
  );
});
