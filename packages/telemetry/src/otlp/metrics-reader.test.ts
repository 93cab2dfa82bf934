import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { DeliveryRecord } from "./delivery-record.ts";
import { MetricsReader } from "./metrics-reader.ts";
import type { ReadingPart } from "./metrics-reader.ts";

interface Opened {
  readonly reader: MetricsReader;
  readonly clock: FakeClock;
  readonly record: DeliveryRecord;
  readonly due: () => number;
}

/** Each reading has two parts, of 10 and of 5 points. */
function open(fail: () => boolean = () => false, bad = ""): Opened {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const record = new DeliveryRecord({ endpoint: "http://localhost", secrets: [], clock, log });
  let readings = 0;
  let due = 0;
  const read = (): ReadingPart[] => {
    if (fail()) throw new Error("no disk");
    readings += 1;
    const name = String(readings);
    return [10, 5].map((points) => ({
      points,
      encode: () => {
        if (`${name}:${points}` === bad) throw new TypeError("no id");
        return Buffer.from(`${name}:${points}`);
      },
    }));
  };
  const onDue = (): unknown => (due += 1);
  const reader = new MetricsReader({ intervalMs: 1000, clock, record, read, onDue });
  return { reader, clock, record, due: () => due };
}

test("the registry is read at each interval, and a reading is sent in its parts", async () => {
  const { reader, clock, due } = open();
  assert.equal(reader.next(), undefined);
  await clock.advance(1000);
  assert.equal(due(), 1);
  assert.equal(reader.size, 15);
  assert.equal(String(reader.next()?.body), "1:10");
  assert.equal(reader.size, 15, "what is being sent is held");
  assert.equal(String(reader.next()?.body), "1:5");
  assert.equal(reader.size, 5);
  assert.equal(reader.next(), undefined);
  assert.equal(reader.size, 0);
});

test("a new reading takes the place of the one before (I1)", async () => {
  const { reader, clock, record } = open();
  await clock.advance(1000);
  const first = reader.next();
  assert.equal(first?.isOutdated(), false);
  await clock.advance(1000);
  assert.equal(first?.isOutdated(), true);
  assert.equal(record.counts.dropped, 5);
  assert.equal(String(reader.next()?.body), "2:10");
});

test("a reading that fails is told, and the next one is made", async () => {
  let isBroken = true;
  const { reader, clock, record } = open(() => isBroken);
  await clock.advance(1000);
  assert.match(record.counts.lastError ?? "", /Metrics could not be read: no disk/);
  assert.equal(reader.next(), undefined);
  isBroken = false;
  await clock.advance(1000);
  assert.equal(String(reader.next()?.body), "1:10");
});

test("a part that cannot be said is counted, and the others are sent", async () => {
  const { reader, clock, record } = open(() => false, "2:10");
  await clock.advance(2000);
  assert.equal(String(reader.next()?.body), "2:5");
  assert.equal(record.counts.failed, 10);
  assert.match(record.counts.lastError ?? "", /Metrics cannot be encoded: no id/);
});

test("the end reads once more, and then no more", async () => {
  const { reader, clock } = open();
  reader.close();
  assert.deepEqual(clock.pending, []);
  assert.equal(String(reader.next()?.body), "1:10");
  assert.equal(reader.clear(), 15);
  assert.equal(reader.clear(), 0);
});
