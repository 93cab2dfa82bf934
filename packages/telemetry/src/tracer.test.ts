import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError, createSeededRandom } from "@banyan/kernel";
import { CallContext, CallRuntime, anonymous } from "@banyan/kernel/internal";
import type { CallInit } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { createCallObserver } from "./call-observer.ts";
import { createOperationObserver } from "./operation-observer.ts";
import type { SpanRecord } from "./span.ts";
import { OperationSpan } from "./kept-part.ts";
import { Tracer } from "./tracer.ts";
import type { TracerOptions } from "./tracer.ts";

const broken = new BanyanError({ kind: "internal", code: "BROKEN", message: "It broke." });
const absent = new BanyanError({ kind: "not_found", code: "ABSENT", message: "Not there." });

function openWorld(options: Partial<TracerOptions> = {}) {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const random = createSeededRandom(7);
  const spans: SpanRecord[] = [];
  const tracer = new Tracer({
    clock,
    random,
    recent: { add: () => undefined },
    sinks: [{ add: (added) => void spans.push(...added) }],
    ratio: 0,
    perSecondMax: Infinity,
    slowMs: 100,
    failuresPerSecondMax: 1000,
    remotePerSecondMax: 1000,
    spansMax: 100,
    notedMax: 10_000,
    callSites: true,
    ...options,
  });
  const observer = createCallObserver(undefined, { tracer });
  const runtime = new CallRuntime({ clock, random, observer });
  const begin = (name: string, init: Partial<CallInit> = {}) => {
    const [service = ""] = name.split(".");
    const call = new CallContext({ service, name, timeoutMs: 30_000 }, runtime, {
      mode: "tolerant",
      principal: anonymous,
      ...init,
    });
    if (init.parent !== undefined && call.sampled) observer.began?.(call);
    // Told at once, so that a test need not wait for a turn.
    call.open((error) => observer.ended(call, error, clock.monotonicMs() - call.startedMs));
    return call;
  };
  const stores = createOperationObserver({
    clock,
    tracer,
    durationOf: undefined,
    spanOf: (name) => ({ name, kind: "client", service: "nobody", attributes: {} }),
  });
  return { clock, tracer, spans, begin, stores };
}

const names = (spans: readonly SpanRecord[]): string[] => spans.map(({ name }) => name);

test("a sampled trace is kept with everything below it, and the places that asked for it", () => {
  const { clock, spans, begin, tracer } = openWorld({ ratio: 1 });
  const root = begin("shop.buy");
  clock.advanceSync(5);
  const child = begin("stock.take", { parent: root, caller: "shop" });
  clock.advanceSync(3);
  child.end(undefined, undefined);
  const kind = { name: "set shop.sales", kind: "client", service: "shop", attributes: {} } as const;
  const open = new OperationSpan(kind, tracer.start(root));
  clock.advanceSync(1);
  tracer.end(open, undefined, 1);
  root.end(undefined, undefined);
  assert.deepEqual(names(spans), ["shop.buy", "stock.take", "set shop.sales"]);
  const [buy, take, set] = spans;
  assert.equal(take?.parentSpanId, buy?.spanId);
  assert.equal(set?.parentSpanId, buy?.spanId);
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  assert.equal(take?.startMs, (buy?.startMs ?? 0) + 5);
  assert.deepEqual([buy?.durationMs, take?.durationMs, set?.durationMs], [9, 3, 1]);
  assert.equal(take?.site?.file, import.meta.filename);
  assert.equal(set?.site?.file, import.meta.filename);
  assert.equal(buy?.site, undefined);
  assert.ok(spans.every(({ kept }) => kept === "sampled"));
});

test("one that is not sampled leaves nothing when it goes well, whatever was below it", () => {
  const { clock, spans, begin, tracer } = openWorld();
  const root = begin("shop.buy");
  const child = begin("stock.take", { parent: root });
  clock.advanceSync(99);
  child.end(absent, undefined);
  root.end(undefined, undefined);
  assert.deepEqual(spans, []);
  assert.deepEqual(tracer.counts.kept, { sampled: 0, error: 0, slow: 0 });
});

test("one that is slow, or fails, is kept with all it did although nobody knew before", () => {
  const { clock, spans, begin, tracer } = openWorld();
  const slow = begin("shop.buy");
  begin("stock.take", { parent: slow }).end(undefined, undefined);
  clock.advanceSync(100);
  slow.end(undefined, undefined);
  assert.deepEqual(names(spans), ["shop.buy", "stock.take"]);
  assert.equal(spans[0]?.kept, "slow");
  // Ids were made in the end only, and they fit together all the same.
  assert.equal(spans[1]?.parentSpanId, spans[0]?.spanId);
  spans.length = 0;
  const failing = begin("shop.buy");
  begin("stock.take", { parent: failing }).end(broken, undefined);
  failing.end(undefined, undefined);
  assert.deepEqual(names(spans), ["shop.buy", "stock.take"]);
  assert.equal(spans[0]?.kept, "error");
  assert.deepEqual(spans[1]?.error, {
    kind: "internal",
    code: "BROKEN",
    message: "It broke.",
    isFailure: true,
  });
  assert.deepEqual(tracer.counts.kept, { sampled: 0, error: 1, slow: 1 });
});

test("a caller's mistake keeps no trace: a scanner must not fill the memory", () => {
  const { spans, begin } = openWorld();
  begin("shop.buy").end(absent, undefined);
  assert.deepEqual(spans, []);
});

test("a stream that lasts is not slow", () => {
  const { clock, spans, tracer } = openWorld();
  const runtime = new CallRuntime({ clock });
  const target = {
    service: "shop",
    name: "shop.watch",
    timeoutMs: Infinity,
    kind: "stream",
  } as const;
  const call = new CallContext(target, runtime, { mode: "tolerant", principal: anonymous });
  clock.advanceSync(60_000);
  tracer.ended(call, undefined, 60_000);
  assert.deepEqual(spans, []);
});

test("a trace that comes in is kept as its caller says, from its span on", () => {
  const { spans, begin } = openWorld({ ratio: 0 });
  const trace = { traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true };
  begin("shop.buy", { trace }).end(undefined, undefined);
  begin("shop.buy", { trace: { ...trace, sampled: false } }).end(undefined, undefined);
  assert.equal(spans.length, 1);
  assert.equal(spans[0]?.traceId, trace.traceId);
  assert.equal(spans[0]?.parentSpanId, trace.spanId);
  assert.equal(spans[0]?.isRemote, true);
  const all = openWorld({ ratio: 1 });
  all.begin("shop.buy", { trace: { ...trace, sampled: false } }).end(undefined, undefined);
  assert.deepEqual(all.spans, []);
});

test("what ends after its root is kept if the root was, or for its own sake", () => {
  for (const ratio of [0, 1]) {
    const { clock, spans, begin } = openWorld({ ratio });
    const root = begin("shop.buy");
    const late = begin("mail.send", { parent: root });
    const failing = begin("mail.bounce", { parent: root });
    root.end(undefined, undefined);
    clock.advanceSync(10);
    late.end(undefined, undefined);
    failing.end(broken, undefined);
    const expected = ratio === 1 ? ["shop.buy", "mail.send", "mail.bounce"] : ["mail.bounce"];
    assert.deepEqual(names(spans), expected);
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  }
});

test("a root notes so many spans and no more, and tells how many there were", () => {
  const { spans, begin, tracer } = openWorld({ ratio: 1, spansMax: 3 });
  const root = begin("shop.buy");
  for (let n = 0; n < 10; n += 1) begin("stock.take", { parent: root }).end(undefined, undefined);
  root.end(undefined, undefined);
  assert.equal(spans.length, 4);
  assert.equal(spans[0]?.dropped, 7);
  assert.equal(tracer.counts.spansDropped, 7);
});

test("a flood of failures keeps so many in a second, and counts the others", () => {
  const { clock, spans, begin, tracer } = openWorld({ failuresPerSecondMax: 5 });
  for (let n = 0; n < 20; n += 1) begin("shop.buy").end(broken, undefined);
  assert.equal(spans.length, 5);
  assert.equal(tracer.counts.overBudget, 15);
  clock.advanceSync(1000);
  begin("shop.buy").end(broken, undefined);
  assert.equal(spans.length, 6);
});

test("work below no call begins a trace of its own: sampled, slow, or failed", () => {
  const { clock, spans, stores, tracer } = openWorld();
  stores.begin("get").ended();
  assert.equal(spans.length, 0);
  const slow = stores.begin("scan");
  clock.advanceSync(200);
  slow.ended();
  stores.begin("set").ended(broken);
  stores.begin("set").ended(absent);
  assert.deepEqual(names(spans), ["scan", "set"]);
  assert.deepEqual(tracer.counts.kept, { sampled: 0, error: 1, slow: 1 });
  assert.equal(spans[0]?.service, "nobody");
  assert.equal(spans[0]?.parentSpanId, undefined);
});

test("the wall clock may be set in the middle: starts still fit durations", () => {
  const { clock, spans, begin } = openWorld({ ratio: 1 });
  const root = begin("shop.buy");
  clock.advanceSync(10);
  clock.jumpWallClock(3_600_000);
  const child = begin("stock.take", { parent: root });
  clock.advanceSync(10);
  child.end(undefined, undefined);
  root.end(undefined, undefined);
  assert.equal((spans[1]?.startMs ?? 0) - (spans[0]?.startMs ?? 0), 10);
});

test("work that goes on for ever under an ended call is kept so far and no further", () => {
  const { spans, begin, stores, tracer } = openWorld({ ratio: 1 });
  const root = begin("shop.buy");
  root.end(undefined, undefined);
  const late = begin("shop.loop", { parent: root });
  for (let n = 0; n < 500; n += 1) begin("stock.take", { parent: late }).end(undefined, undefined);
  assert.equal(spans.length, 101);
  assert.equal(tracer.counts.spansDropped, 400);
  stores.begin("get").ended();
  assert.equal(spans.length, 101, "work below no call is not drawn");
});

test("all running calls together note so many spans, and get the room back when they end", () => {
  const { spans, begin, tracer } = openWorld({ ratio: 0, notedMax: 10 });
  const roots = Array.from({ length: 4 }, () => begin("shop.watch"));
  for (const root of roots) {
    for (let n = 0; n < 5; n += 1) begin("stock.take", { parent: root }).end(undefined, undefined);
  }
  assert.equal(tracer.counts.spansDropped, 10);
  for (const root of roots) root.end(undefined, undefined);
  const next = begin("shop.buy");
  for (let n = 0; n < 9; n += 1) begin("stock.take", { parent: next }).end(undefined, undefined);
  begin("stock.break", { parent: next }).end(broken, undefined);
  begin("stock.break", { parent: next }).end(broken, undefined);
  next.end(undefined, undefined);
  assert.equal(spans.length, 11);
  assert.equal(spans.at(-1)?.name, "stock.break", "a failure takes the place of what went well");
});

test("callers that sample everything are followed up to a bound in a second", () => {
  const { clock, spans, begin } = openWorld({ remotePerSecondMax: 3 });
  const trace = { traceId: "a".repeat(32), spanId: "b".repeat(16), sampled: true };
  for (let n = 0; n < 10; n += 1) begin("shop.buy", { trace }).end(undefined, undefined);
  assert.equal(spans.length, 3);
  clock.advanceSync(1000);
  begin("shop.buy", { trace }).end(undefined, undefined);
  assert.equal(spans.length, 4);
});

test("a taker of spans that throws is counted, and nobody else notices", () => {
  const { begin, tracer } = openWorld({
    ratio: 1,
    sinks: [
      {
        add() {
          throw new Error("full");
        },
      },
    ],
  });
  const root = begin("shop.buy");
  begin("stock.take", { parent: root }).end(undefined, undefined);
  root.end(undefined, undefined);
  assert.equal(tracer.counts.failures, 1);
});

test("a span quotes nothing of what a caller sent: mistakes have a code alone", () => {
  const { spans, begin } = openWorld({ ratio: 1 });
  begin("shop.buy").end(absent, undefined);
  begin("shop.buy").end(broken, undefined);
  assert.deepEqual(
    spans.map(({ error }) => [error?.code, error?.message]),
    [
      ["ABSENT", ""],
      ["BROKEN", "It broke."],
    ],
  );
});

test("places in the code are found for so many spans at once, and for more a moment later", () => {
  const { clock, spans, begin } = openWorld({ ratio: 1, spansMax: 1000 });
  const placed = (): number => {
    spans.length = 0;
    const root = begin("shop.buy");
    for (let n = 0; n < 300; n += 1)
      begin("stock.take", { parent: root }).end(undefined, undefined);
    root.end(undefined, undefined);
    assert.equal(spans.length, 301, "the spans are all there");
    return spans.filter(({ site }) => site !== undefined).length;
  };
  assert.equal(placed(), 100);
  assert.equal(placed(), 0);
  clock.advanceSync(100);
  assert.equal(placed(), 100);
});

test("an operation that is told to have ended twice is one span, and its trace has an end", () => {
  const { spans, begin, tracer } = openWorld({ ratio: 1 });
  const root = begin("shop.buy");
  const kind = { name: "set shop.sales", kind: "client", service: "shop", attributes: {} } as const;
  const span = new OperationSpan(kind, tracer.start(root));
  tracer.end(span, undefined, 1);
  tracer.end(span, broken, 2);
  root.end(undefined, undefined);
  assert.deepEqual(names(spans), ["shop.buy", "set shop.sales"]);
  assert.equal(spans[1]?.error, undefined);
});
