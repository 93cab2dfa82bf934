import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import type { SpanRecord } from "./span.ts";
import { TraceStore } from "./trace-store.ts";

let made = 0;

function spanOf(traceId: string, fields: Partial<SpanRecord> = {}): SpanRecord {
  made += 1;
  return {
    traceId: traceId.padStart(32, "0"),
    spanId: made.toString(16).padStart(16, "0"),
    parentSpanId: undefined,
    isRemote: false,
    service: "shop",
    name: "shop.buy",
    kind: "internal",
    startMs: made,
    durationMs: 1,
    error: undefined,
    attributes: {},
    site: undefined,
    kept: "sampled",
    dropped: 0,
    ...fields,
  };
}

/** As a tracer hands a part over. */
function add(store: TraceStore, spans: readonly SpanRecord[]): void {
  const isNotable = spans.some(
    ({ kept, error }) => kept !== "sampled" || error?.isFailure === true,
  );
  store.add({ count: spans.length, isNotable, spans });
}

const failed = { kind: "internal", code: "BROKEN", message: "It broke.", isFailure: true };

test("parts of a trace that come at different times are one, in the order of their start", () => {
  const store = new TraceStore({ partsMax: 10, spansMax: 100 });
  const root = spanOf("a", { startMs: 100, durationMs: 10 });
  add(store, [
    spanOf("a", {
      parentSpanId: root.spanId,
      startMs: 105,
      durationMs: 20,
      name: "late",
      service: "mail",
    }),
  ]);
  add(store, [root]);
  const [summary] = store.list();
  assert.equal(summary?.name, "shop.buy");
  assert.equal(summary.durationMs, 25);
  assert.deepEqual(summary.services, ["mail", "shop"]);
  assert.deepEqual(
    store.get(root.traceId)?.map(({ name }) => name),
    ["shop.buy", "late"],
  );
});

test("a beginning of an id will do, if only one begins so", () => {
  const store = new TraceStore({ partsMax: 10, spansMax: 100 });
  const [one, two] = ["ab".padEnd(32, "1"), "ab".padEnd(32, "2")];
  add(store, [spanOf(one), spanOf(two)]);
  assert.equal(store.get("ab"), undefined);
  assert.deepEqual(store.idsFrom("ab").toSorted(), [one, two]);
  assert.equal(store.get("ab1")?.length, 1);
  assert.equal(store.get(""), undefined);
});

test("a query narrows by service, name, failure and duration, newest or slowest first", () => {
  const store = new TraceStore({ partsMax: 10, spansMax: 100 });
  add(store, [spanOf("1", { durationMs: 5 })]);
  add(store, [spanOf("2", { durationMs: 50, name: "shop.sell", error: failed })]);
  add(store, [spanOf("3", { durationMs: 20, service: "mail" })]);
  const ids = (query: Parameters<TraceStore["list"]>[0]): string[] =>
    store.list(query).map(({ traceId }) => traceId.slice(-1));
  assert.deepEqual(ids({}), ["3", "2", "1"]);
  assert.deepEqual(ids({ slowestFirst: true }), ["2", "3", "1"]);
  assert.deepEqual(ids({ service: "mail" }), ["3"]);
  assert.deepEqual(ids({ name: "shop.sell" }), ["2"]);
  assert.deepEqual(ids({ failed: true }), ["2"]);
  assert.deepEqual(ids({ minMs: 20 }), ["3", "2"]);
  assert.deepEqual(ids({ limit: 1 }), ["3"]);
  assert.equal(store.list({ failed: true })[0]?.errorCode, "BROKEN");
});

test("a flood of ordinary traces does not push out the few that failed", () => {
  const store = new TraceStore({ partsMax: 10, spansMax: 1000 });
  add(store, [spanOf("f", { kept: "error", error: failed })]);
  for (let n = 1; n <= 100; n += 1) add(store, [spanOf(`${n}`)]);
  assert.equal(store.size, 10);
  assert.equal(store.list({ failed: true }).length, 1);
  for (let n = 1; n <= 100; n += 1) add(store, [spanOf(`f${n}`, { kept: "slow" })]);
  assert.equal(store.size, 10);
  assert.ok(store.list({ limit: 100 }).some(({ kept }) => kept === "sampled"));
});

test("whatever comes, there is never more than there is room for, and counts are right", () => {
  const arrivals = fc.array(
    fc.record({ trace: fc.nat(20), notable: fc.boolean(), count: fc.integer({ min: 1, max: 30 }) }),
    { maxLength: 60 },
  );
  const property = fc.property(arrivals, (list) => {
    const store = new TraceStore({ partsMax: 8, spansMax: 25 });
    for (const { trace, notable, count } of list) {
      const fields = notable ? { kept: "error" as const } : {};
      add(
        store,
        Array.from({ length: count }, () => spanOf(`${trace}`, fields)),
      );
      const held = store.list({ limit: 1000 });
      assert.ok(store.size <= 8 && held.length <= store.size);
      assert.ok(store.spanCount <= 25 || store.size === 1, `${store.spanCount} spans`);
      assert.equal(
        held.reduce((sum, { spans }) => sum + spans, 0),
        store.spanCount,
      );
    }
  });
  fc.assert(property, { seed: seedOf(), numRuns: 200 });
});

test("the newest part is never the one to go, however large it is", () => {
  const store = new TraceStore({ partsMax: 10, spansMax: 20 });
  for (let n = 0; n < 4; n += 1) add(store, [spanOf(`e${n}`, { kept: "error" })]);
  add(
    store,
    Array.from({ length: 100 }, () => spanOf("big", { kept: "error", error: failed })),
  );
  assert.equal(store.get("big".padStart(32, "0"))?.length, 100);
  add(
    store,
    Array.from({ length: 30 }, () => spanOf("plain")),
  );
  assert.equal(store.get("plain".padStart(32, "0"))?.length, 30);
});
