/** What the area asks of whoever calls, told once for all of them. Run in a subject's process. */

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { numberOf, steadyRate } from "../rates.ts";
import { median } from "../statistics.ts";
import { serveMeasures } from "../subject.ts";
import type { Figures, Question } from "../subject.ts";
import { bodies, entryAt } from "./ledger.contract.ts";
import type { BodySize, Entry, Page } from "./ledger.contract.ts";

const patienceMs = 20_000;

/** A client in this process of a service in another one. */
export interface Caller {
  say(entry: Entry): Promise<unknown>;
  list(page: Page): Promise<unknown>;
  /** So many entries, one after the other, each seen once; for who has streams. */
  readonly follow?: (frames: number, see: (entry: unknown) => void) => Promise<unknown>;
}

/** Tells the runner that the client is ready, when each operation has been answered once. */
export async function serveCaller(caller: Caller): Promise<void> {
  for (const size of ["120 B", "1 KB", "10 KB"] as const) {
    assert.deepEqual(await callOf(caller, size)(), bodies[size].body);
  }
  serveMeasures({
    calls: (question) => callRate(question, caller),
    crowd: (question) => crowd(question, caller),
    stream: (question) => streamRate(question, caller),
  });
}

function callOf(caller: Caller, size: BodySize): () => Promise<unknown> {
  const { operation, body } = bodies[size];
  return operation === "say" ? () => caller.say(body) : () => caller.list(body);
}

/** Calls a second, and how long one takes. */
async function callRate(question: Question, caller: Caller): Promise<Figures> {
  const { size } = question;
  if (size !== "120 B" && size !== "1 KB" && size !== "10 KB") throw new Error(`What is ${size}?`);
  const call = callOf(caller, size);
  const latencies: number[] = [];
  const { rate = NaN } = await steadyRate(question, async () => {
    const startedMs = performance.now();
    await call();
    latencies.push(performance.now() - startedMs);
    return 1;
  });
  return { rate, p50Ms: median(latencies) };
}

/** All at once: how many had their own answer, and how long that took. */
async function crowd(question: Question, caller: Caller): Promise<Figures> {
  const count = numberOf(question, "count");
  let answered = 0;
  const startedMs = performance.now();
  const calls = Array.from({ length: count }, async (_, at) => {
    const answer = await caller.say(entryAt(at)).catch(() => undefined);
    if (countOf(answer) === at) answered += 1;
  });
  // One that is lost is counted as such, and does not hang the bench.
  await Promise.race([Promise.all(calls), setTimeout(patienceMs, undefined, { ref: false })]);
  return { answered, tookMs: performance.now() - startedMs };
}

/** Frames a second; every one must come, in its order. */
async function streamRate(question: Question, { follow }: Caller): Promise<Figures> {
  const frames = numberOf(question, "frames");
  if (follow === undefined) throw new Error("It has no streams.");
  let seen = 0;
  const startedMs = performance.now();
  await follow(frames, (entry) => {
    const count = countOf(entry);
    if (count !== seen) throw new Error(`After ${seen} frames came ${String(count)}.`);
    seen += 1;
  });
  const elapsedMs = performance.now() - startedMs;
  if (seen !== frames) throw new Error(`${seen} of ${frames} frames came.`);
  return { rate: (seen / elapsedMs) * 1000 };
}

function countOf(entry: unknown): unknown {
  return typeof entry === "object" && entry !== null && "count" in entry ? entry.count : undefined;
}
