import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { createMetrics } from "./metrics.ts";

const refusedWith = (code: string) => (error: unknown) => isBanyanError(error, code);

test("a series is made once and keeps its number", () => {
  const metrics = createMetrics();
  const jobs = metrics.counter("jobs_total", { help: "Jobs.", labels: ["queue", "ok"] });
  const series = jobs.with({ queue: "mail", ok: true });
  assert.equal(jobs.with({ ok: true, queue: "mail" }), series);
  assert.notEqual(jobs.with({ queue: "mail", ok: false }), series);
  series.add();
  series.add(2.5);
  assert.equal(series.value, 3.5);
});

test("label values that look alike when joined are still different series", () => {
  const family = createMetrics().gauge("g", { help: "G.", labels: ["a", "b"] });
  assert.notEqual(family.with({ a: "1:x", b: "" }), family.with({ a: "1", b: "x" }));
  assert.notEqual(family.with({ a: "ab", b: "c" }), family.with({ a: "a", b: "bc" }));
});

test("the same declaration gives the same family, another one is refused (I1)", () => {
  const metrics = createMetrics();
  const one = metrics.histogram("took_seconds", { help: "Time.", labels: ["a"] });
  assert.equal(metrics.histogram("took_seconds", { help: "Time.", labels: ["a"] }), one);
  const conflict = refusedWith("TELEMETRY_METRIC_CONFLICT");
  assert.throws(() => metrics.gauge("took_seconds", { help: "Time.", labels: ["a"] }), conflict);
  assert.throws(() => metrics.histogram("took_seconds", { help: "Time." }), conflict);
  const other = { help: "Time.", labels: ["a"], buckets: [1] } as const;
  assert.throws(() => metrics.histogram("took_seconds", other), conflict);
  const gauge = { help: "Time.", type: "gauge" } as const;
  assert.throws(() => metrics.observe("took_seconds", gauge, () => 1), conflict);
  metrics.observe("age", gauge, () => 1);
  assert.throws(() => metrics.gauge("age", { help: "Age." }), conflict);
});

test("names and labels that would mislead a reader are refused", () => {
  const metrics = createMetrics();
  const invalid = refusedWith("TELEMETRY_METRIC_INVALID");
  for (const name of ["jobs", "1_total", "a-b_total", "é_total", ""]) {
    assert.throws(() => metrics.counter(name, { help: "H." }), invalid, name);
  }
  for (const name of ["x_total", "x_count", "x_sum", "x_bucket"]) {
    assert.throws(() => metrics.gauge(name, { help: "H." }), invalid, name);
  }
  assert.throws(() => metrics.histogram("x_info", { help: "H." }), invalid);
  for (const label of ["le", "__name", "a-b", "otel_metric_overflow"]) {
    assert.throws(() => metrics.histogram("h", { help: "H.", labels: [label] }), invalid, label);
  }
  assert.throws(() => metrics.gauge("g", { help: "H.", labels: ["a", "a"] }), invalid);
  for (const buckets of [[], [1, 1], [2, 1], [Number.NaN], [1, Infinity]]) {
    assert.throws(() => metrics.histogram("h", { help: "H.", buckets }), invalid);
  }
  assert.equal(metrics.render(), "");
});

test("a gauge may be one of information: always 1, and the labels say the rest", () => {
  const metrics = createMetrics();
  metrics
    .gauge("build_info", { help: "H.", labels: ["version"] })
    .with({ version: "1" })
    .set(1);
  assert.match(metrics.render("openmetrics"), /^build_info\{version="1"\} 1$/m);
});

test("a counter never goes down and a histogram takes numbers only", () => {
  const metrics = createMetrics();
  const counter = metrics.counter("c_total", { help: "C." }).with();
  const invalid = refusedWith("TELEMETRY_VALUE_INVALID");
  assert.throws(() => counter.add(-1), invalid);
  assert.throws(() => counter.add(Number.NaN), invalid);
  assert.throws(() => metrics.histogram("h", { help: "H." }).with().record(Number.NaN), invalid);
  assert.equal(counter.value, 0);
});

test("a gauge goes both ways", () => {
  const gauge = createMetrics().gauge("g", { help: "G." }).with();
  gauge.set(5);
  gauge.add(-7);
  assert.equal(gauge.value, -2);
});

test("label combinations beyond the limit count together, and how often is told", () => {
  const metrics = createMetrics({ seriesMax: 2 });
  const calls = metrics.counter("calls_total", { help: "Calls.", labels: ["key"] });
  for (let key = 0; key < 10; key += 1) calls.with({ key }).add();
  calls.with({ key: 1 }).add();
  const text = metrics.render();
  assert.match(text, /^calls_total\{key="0"\} 1$/m);
  assert.match(text, /^calls_total\{key="1"\} 2$/m);
  assert.match(text, /^calls_total\{otel_metric_overflow="true"\} 8$/m);
  assert.match(text, /^telemetry_series_overflows_total\{metric="calls_total"\} 8$/m);
  assert.doesNotMatch(text, /key="2"/);
});

test("a label value longer than a label should be is cut", () => {
  const metrics = createMetrics();
  metrics
    .gauge("g", { help: "G.", labels: ["l"] })
    .with({ l: "x".repeat(1_000) })
    .set(1);
  assert.match(metrics.render(), /^g\{l="x{256}"\} 1$/m);
});

test("a callback's values are read on render only, until it is taken away (I2)", () => {
  const metrics = createMetrics();
  let reads = 0;
  const stop = metrics.observe("reads", { type: "gauge", help: "R." }, () => (reads += 1));
  metrics.observe("size", { type: "gauge", help: "S.", labels: ["store"] }, () => [
    { labels: { store: "a" }, value: 1 },
    { labels: { store: "b" }, value: 2 },
  ]);
  assert.equal(reads, 0);
  assert.match(metrics.render(), /^reads 1$/m);
  assert.match(metrics.render(), /^size\{store="b"\} 2$/m);
  assert.equal(reads, 2);
  stop();
  assert.doesNotMatch(metrics.render(), /reads/);
  metrics.observe("reads", { type: "gauge", help: "R." }, () => 7);
  stop();
  assert.match(metrics.render(), /^reads 7$/m);
});

test("a callback that throws costs its own metric and is counted in the same text (I2)", () => {
  const metrics = createMetrics();
  const gauge = { type: "gauge", help: "G." } as const;
  metrics.observe("bad", gauge, () => assert.fail("no"));
  metrics.observe("good", gauge, () => 1);
  const text = metrics.render();
  assert.doesNotMatch(text, /^bad/m);
  assert.match(text, /^good 1$/m);
  assert.match(text, /^telemetry_callback_failures_total\{metric="bad"\} 1$/m);
  assert.match(metrics.render(), /^telemetry_callback_failures_total\{metric="bad"\} 2$/m);
});

test("the series a callback answers are bounded too", () => {
  const metrics = createMetrics({ seriesMax: 3 });
  metrics.observe("size", { type: "gauge", help: "S.", labels: ["key"] }, () =>
    Array.from({ length: 6 }, (_, key) => ({ labels: { key }, value: 10 })),
  );
  const text = metrics.render();
  assert.match(text, /^size\{otel_metric_overflow="true"\} 30$/m);
  assert.match(text, /^telemetry_series_overflows_total\{metric="size"\} 3$/m);
});

test("a metric that runs out of series is told of once", () => {
  const told: string[] = [];
  const metrics = createMetrics({ seriesMax: 1, onOverflow: (metric) => told.push(metric) });
  const jobs = metrics.counter("jobs_total", { help: "Jobs.", labels: ["queue"] });
  for (const queue of ["a", "b", "c"]) jobs.with({ queue }).add();
  assert.deepEqual(told, ["jobs_total"]);
});

test("what is prepared is ready for the text, and a failure costs itself alone", async () => {
  const metrics = createMetrics();
  const depth = metrics.gauge("depth", { help: "Depth." }).with();
  const forget = metrics.prepare("depth", async () => {
    await Promise.resolve();
    depth.set(depth.value + 1);
  });
  metrics.prepare("broken", () => Promise.reject(new Error("no")));
  const { body } = await metrics.respond(undefined);
  assert.match(body, /^depth 1$/m);
  assert.match(body, /^telemetry_callback_failures_total\{metric="broken"\} 1$/m);
  forget();
  assert.match((await metrics.respond(undefined)).body, /^depth 1$/m);
});

test("a bucket names the trace of a late value, once a second, to OpenMetrics alone", () => {
  const metrics = createMetrics();
  const took = metrics.histogram("took_seconds", { help: "Took.", buckets: [1, 10] }).with();
  const span = (id: string) => ({
    trace: { traceId: id.repeat(32), spanId: id.repeat(16), sampled: true },
  });
  for (const [id, value, timeMs] of [
    ["a", 0.5, 1000],
    ["b", 0.6, 1999],
    ["c", 5, 1999],
    ["d", 50, 2500],
    ["e", 0.7, 2000],
  ] as const) {
    took.record(value);
    took.exemplify(span(id), value, timeMs);
  }
  const open = metrics.render("openmetrics");
  const lines = open.split("\n").filter((line) => line.includes(" # "));
  assert.deepEqual(
    lines.map((line) => line.replace(/[a-e]{16,32}/g, (id) => id.slice(0, 1))),
    [
      'took_seconds_bucket{le="1.0"} 3 # {trace_id="e",span_id="e"} 0.7 2.000',
      'took_seconds_bucket{le="10.0"} 4 # {trace_id="c",span_id="c"} 5 1.999',
      'took_seconds_bucket{le="+Inf"} 5 # {trace_id="d",span_id="d"} 50 2.500',
    ],
  );
  assert.doesNotMatch(metrics.render(), / # \{/);
});
