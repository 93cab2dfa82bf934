/** Waiting, in real time, for something that only looking can tell. */

import { setTimeout as sleep } from "node:timers/promises";

export interface UntilOptions {
  /** What is waited for; the start of the error's sentence. */
  readonly what: string;
  /** Default 10 000 ms: far beyond what any step of a test needs on a busy machine. */
  readonly timeoutMs?: number;
  /** Between two looks. Default 10 ms. */
  readonly everyMs?: number;
}

/**
 * Looks again and again, until what it sees is neither `false` nor `undefined`; resolves with that.
 * A look that throws is one that saw nothing. What it threw last is the cause of the error that
 * says the time is over. `await until(async () => (await db.ask("…")) === "1", { what: "…" })`
 */
export async function until<T>(
  look: () => T | Promise<T>,
  { what, timeoutMs = 10_000, everyMs = 10 }: UntilOptions,
): Promise<Exclude<T, false | undefined>> {
  const endsAt = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const seen = await look();
      // The two that are excluded are excluded here.
      if (seen !== false && seen !== undefined) return seen as Exclude<T, false | undefined>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > endsAt) {
      const last = cause instanceof Error ? ` The last look: ${cause.message}` : "";
      throw new Error(`${what} did not happen within ${timeoutMs} ms.${last}`, { cause });
    }
    await sleep(everyMs);
  }
}
