/**
 * What telemetry costs on the hot path, in nanoseconds per operation.
 *
 *     node --conditions=source packages/telemetry/bench/telemetry.bench.ts
 *
 * Each case runs in batches; printed are median, 5 % and 95 % of the batches. The empty loop is the
 * baseline and is not taken off. Exits with 1 when a target is missed by the median.
 */

import { BanyanError, systemClock, systemRandom } from "@banyan/kernel";
import { CallContext, CallRuntime, anonymous } from "@banyan/kernel/internal";
import type { CallObserver } from "@banyan/kernel/internal";
import { createLog, createMetrics } from "@banyan/telemetry";
import { Tracer, TraceStore, createCallObserver } from "@banyan/telemetry/internal";

const batches = 41;
const metrics = createMetrics();
const counter = metrics.counter("bench_total", { help: "C.", labels: ["a"] }).with({ a: "x" });
const durations = metrics.histogram("bench_seconds", { help: "H.", labels: ["a"] });
const histogram = durations.with({ a: "x" });
const values = Array.from({ length: 1024 }, (_, index) => ((index * 7919) % 1024) / 256);
const observer = createCallObserver(metrics);
const call = new CallContext(
  { service: "greeter", name: "greeter.greet", timeoutMs: 1_000 },
  new CallRuntime(),
  { mode: "strict", principal: anonymous },
);
const failure = new BanyanError({ kind: "not_found", code: "GONE", message: "Gone." });
let written = 0;
const log = createLog({ write: (line) => void (written += line.length), level: "info" });
const child = log.child({ service: "greeter", operation: "greeter.greet" });
const error = new Error("outer", { cause: new Error("inner") });
let sink = 0;

interface Case {
  readonly name: string;
  readonly rounds: number;
  readonly targetNs?: number;
  /** Its own loop, so that no case pays for another one's types. */
  readonly run: (rounds: number) => void;
}

const cases: readonly Case[] = [
  {
    name: "empty loop (baseline)",
    rounds: 2e5,
    run: (rounds) => {
      let sum = 0;
      for (let round = 0; round < rounds; round += 1) sum += values[round & 1023] ?? 0;
      sink += sum;
    },
  },
  {
    name: "counter.add(1)",
    rounds: 2e5,
    targetNs: 10,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) counter.add(1);
    },
  },
  {
    name: "histogram, fast calls",
    rounds: 2e5,
    targetNs: 30,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) {
        histogram.record((values[round & 1023] ?? 0) / 1e3);
      }
    },
  },
  {
    name: "histogram, any bucket",
    rounds: 2e5,
    targetNs: 30,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) histogram.record(values[round & 1023] ?? 0);
    },
  },
  {
    name: "family.with(labels)",
    rounds: 2e4,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) durations.with({ a: "x" });
    },
  },
  {
    name: "observer.ended",
    rounds: 1e5,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) {
        observer.ended(call, undefined, values[round & 1023] ?? 0);
      }
    },
  },
  {
    name: "observer.ended, error",
    rounds: 1e5,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) observer.ended(call, failure, 0.4);
    },
  },
  {
    name: "clock, one reading",
    rounds: 1e5,
    run: (rounds) => {
      let sum = 0;
      for (let round = 0; round < rounds; round += 1) sum += systemClock.monotonicMs();
      sink += sum;
    },
  },
  { name: "call, not watched", rounds: 1e5, run: watchedCalls(undefined) },
  {
    name: "call, metrics",
    rounds: 1e5,
    run: watchedCalls(createCallObserver(createMetrics())),
  },
  { name: "call, and few traces", rounds: 1e5, run: watchedCalls(tracing(100)) },
  { name: "call, and 1 % of traces", rounds: 1e5, run: watchedCalls(tracing(1e7)) },
  {
    name: "log, level off",
    rounds: 2e5,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) child.debug("unseen", { round });
    },
  },
  {
    name: "log, line of 5 fields",
    rounds: 5e3,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) {
        child.info("call ended", { round, tookMs: 1.5, key: "a-b-c" });
      }
    },
  },
  {
    name: "log, line with an error",
    rounds: 1e3,
    run: (rounds) => {
      for (let round = 0; round < rounds; round += 1) child.info("failed", { error });
    },
  },
];

/** A call is made and told to an observer: what watching adds to it, but for reading the clock. */
function watchedCalls(each: CallObserver | undefined): Case["run"] {
  const runtime = new CallRuntime({ observer: each });
  const target = { service: "greeter", name: "greeter.greet", timeoutMs: 1_000 };
  const init = { mode: "strict", principal: anonymous } as const;
  return (rounds) => {
    for (let round = 0; round < rounds; round += 1) {
      const made = new CallContext(target, runtime, init);
      each?.ended(made, undefined, values[round & 1023] ?? 0);
      sink += made.startedMs;
    }
  };
}

/** With 1 % of the traces, and at most so many in a second. */
function tracing(perSecondMax: number): CallObserver {
  const tracer = new Tracer({
    clock: systemClock,
    random: systemRandom,
    recent: new TraceStore({ partsMax: 1_000, spansMax: 20_000 }),
    sinks: [],
    ratio: 0.01,
    perSecondMax,
    slowMs: 1_000,
    failuresPerSecondMax: 100,
    remotePerSecondMax: 100,
    spansMax: 1_000,
    notedMax: 100_000,
    callSites: true,
  });
  return createCallObserver(createMetrics(), { tracer });
}

let missed = 0;
for (const { name, rounds, targetNs, run } of cases) {
  const perRound = Array.from({ length: batches }, () => {
    const started = process.hrtime.bigint();
    run(rounds);
    return Number(process.hrtime.bigint() - started) / rounds;
  })
    .slice(5) // warm-up
    .sort((a, b) => a - b);
  const at = (share: number): number => perRound[Math.floor(perRound.length * share)] ?? 0;
  const [low, median, high] = [at(0.05), at(0.5), at(0.95)];
  const met = targetNs === undefined ? "" : median < targetNs ? "met" : "MISSED";
  if (met === "MISSED") missed += 1;
  const numbers = [median, low, high].map((each) => each.toFixed(1).padStart(9)).join("");
  const target = targetNs === undefined ? "" : `< ${targetNs}`;
  console.log(`${name.padEnd(26)}${numbers}  ${target.padEnd(6)}${met}`);
}
if (missed > 0 || written === 0 || sink === 0) process.exitCode = 1;
