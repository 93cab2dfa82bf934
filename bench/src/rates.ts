/** Loops that measure how often something can be done in a second. Run in a subject's process. */

import { setImmediate } from "node:timers/promises";
import type { Figures, Measure, Question } from "./subject.ts";

/** Between two looks at the clock; also how long timers wait for their turn. */
const BATCH = 4096;

/** Calls a second with `inFlight` of them at once, the answers awaited. */
export function callRate(call: () => Promise<unknown>): Measure {
  return async (question) => {
    const inFlight = numberOf(question, "inFlight");
    const several = async (): Promise<void> => {
      for (let done = 0; done < BATCH / inFlight; done += 1) await call();
    };
    return rateOf(numberOf(question, "durationMs"), async () => {
      if (inFlight === 1) await several();
      else await Promise.all(Array.from({ length: inFlight }, several));
    });
  };
}

/** The same for what answers at once. */
export function plainRate(run: () => unknown): Measure {
  return (question) =>
    rateOf(numberOf(question, "durationMs"), () => {
      for (let done = 0; done < BATCH; done += 1) {
        // The answer is used, so that the loop cannot be left out.
        if (run() === never) throw new Error("unreachable");
      }
    });
}

/**
 * The same for what waits for a disk: `inFlight` calls at once, each followed by the next until the
 * time is over. A call answers how many things it did; it must let the event loop turn.
 */
export async function steadyRate(
  question: Question,
  call: () => Promise<number>,
): Promise<Figures> {
  const startedMs = performance.now();
  const endMs = startedMs + numberOf(question, "durationMs");
  let done = 0;
  const several = async (): Promise<void> => {
    while (performance.now() < endMs) {
      const count = await call();
      done += count;
    }
  };
  const { inFlight = 1 } = question;
  await Promise.all(Array.from({ length: Number(inFlight) }, several));
  return { rate: (done / (performance.now() - startedMs)) * 1000 };
}

/** `batch` does the work `BATCH` times. */
export async function rateOf(
  durationMs: number,
  batch: () => void | Promise<void>,
): Promise<Figures> {
  const startedMs = performance.now();
  let done = 0;
  let elapsedMs = 0;
  while (elapsedMs < durationMs) {
    await batch();
    // Deadlines, timers and sockets get their turn, as they would in a node that serves.
    await setImmediate();
    done += BATCH;
    elapsedMs = performance.now() - startedMs;
  }
  return { rate: (done / elapsedMs) * 1000 };
}

export const rateBatch = BATCH;

const never = Symbol("never");

export function numberOf(question: Question, name: string): number {
  const value = question[name];
  if (typeof value !== "number") throw new Error(`The question lacks the number "${name}".`);
  return value;
}
