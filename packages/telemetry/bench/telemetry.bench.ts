/**
 * What telemetry costs on the hot path, in nanoseconds per operation.
 *
 *     node --conditions=source packages/telemetry/bench/telemetry.bench.ts
 *
 * Each case runs in batches; printed are median, 5 % and 95 % of the batches. The empty loop is the
 * baseline and is not taken off. Exits with 1 when a target is missed by the median.
 */

import { BanyanError } from "@banyan/kernel";
import { CallContext, CallRuntime, anonymous } from "@banyan/kernel/internal";
import { createLog, createMetrics } from "@banyan/telemetry";
import { createCallObserver } from "@banyan/telemetry/internal";

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
