// The side of a subject that tells what it weighs: gets of random keys, each with its own time.
//
// Plain JavaScript to the last import: a program that is published has no types to strip, and what
// Node needs to strip them takes 18 MB.

import { setImmediate } from "node:timers/promises";

/** Between two turns of the event loop. */
const BATCH = 1024;

/** Answers the measure `gets` with `count` calls of `get`; the keys are those of `records.ts`. */
export function serveGets(keys, get) {
  const nextKey = uniformKeys(keys);
  const answer = async (count) => {
    try {
      const figures = await getsOf(count, () => get(nextKey()));
      process.send({ kind: "figures", figures });
    } catch (error) {
      process.send({ kind: "failed", error: String(error) });
    }
  };
  process.on("message", ({ question }) => void answer(question.count));
  // The runner is gone: nobody asks any more.
  process.on("disconnect", () => process.exit(0));
  process.send({ kind: "ready", facts: {} });
}

async function getsOf(count, get) {
  const times = new Float32Array(count);
  for (let index = 0; index < count; index += 1) {
    const startedMs = performance.now();
    const value = await get();
    times[index] = performance.now() - startedMs;
    if (value === undefined) throw new Error("A record is not there.");
    if (index % BATCH === BATCH - 1) await setImmediate();
  }
  const megabytes = process.memoryUsage.rss() / 1e6;
  times.sort();
  const at = (share) => times[Math.floor(count * share)];
  return { p50Ms: at(0.5), p99Ms: at(0.99), megabytes };
}

function uniformKeys(count) {
  let state = 0x9e3779b9;
  return () => {
    // Marsaglia's xorshift32, as in `records.ts`.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return `user-${String((state >>> 0) % count).padStart(7, "0")}`;
  };
}
