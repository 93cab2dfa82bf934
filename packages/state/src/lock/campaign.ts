/**
 * A candidate for leadership: a lock that is asked for again and again, and work that is done while
 * it is held.
 *
 * What it owns: one loop, and the lock and the work of its term.
 * What may interrupt it: its signal and `stop`, at any time; the loss of the lock, in a term.
 *
 *   campaigning ⇄ unavailable
 *        │ ▲           │ ▲
 *        ▼ │           ▼ │
 *       leading ──────────▶ stopped (from any)
 *
 * I1. Work runs only in a term, whose signal aborts when the lock is lost or the candidate stops.
 * I2. A term ends when its work has: it campaigns again, or stops, only then. So one candidate
 *     never does its work twice at once, whatever its work thinks of the signal.
 * I3. `stopped` never rejects, and comes with the engine's end as well. A failure of the work is
 *     logged, and the campaign goes on after a pause that grows with each failure in a row.
 */

import { backoffMs, isBanyanError } from "@banyan/kernel";
import type {
  AcquireOptions,
  Candidate,
  CandidateState,
  Clock,
  Lock,
  LockOutcome,
  Log,
  Random,
  Term,
} from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import { LOCK_WAIT_MS_MAX } from "./lock-options.ts";

export interface CampaignParts {
  readonly acquire: (options: AcquireOptions) => Promise<LockOutcome>;
  readonly work: (term: Term) => Promise<void> | void;
  readonly ttlMs: number;
  readonly onState: ((state: CandidateState) => void) | undefined;
  readonly signal: AbortSignal | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const pauseBackoff = { initialMs: 100, maxMs: 30_000 };

export class Campaign implements Candidate {
  readonly stopped: Promise<void>;
  readonly #parts: CampaignParts;
  readonly #stopping = new AbortController();
  #state: CandidateState = { kind: "campaigning" };

  constructor(parts: CampaignParts) {
    this.#parts = parts;
    const { signal } = parts;
    const stop = (): void => this.#stopping.abort();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    this.stopped = this.#run().finally(() => {
      signal?.removeEventListener("abort", stop);
      this.#enter({ kind: "stopped" });
    });
  }

  get state(): CandidateState {
    return this.#state;
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    return this.stopped;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #run(): Promise<void> {
    const { ttlMs } = this.#parts;
    const waitMs = Math.min(ttlMs, LOCK_WAIT_MS_MAX);
    const { signal } = this.#stopping;
    let failures = 0;
    while (!signal.aborted) {
      const outcome = await this.#ask({ ttlMs, waitMs, signal });
      if (outcome?.kind === "held") {
        failures = (await this.#lead(outcome.lock)) ? 0 : failures + 1;
        await this.#pause(failures + 1);
      } else if (outcome?.kind === "unavailable") {
        this.#enter({ kind: "unavailable", error: outcome.error });
        await this.#pause(1);
      } else this.#enter({ kind: "campaigning" });
    }
  }

  /** `undefined` when it was stopped meanwhile. */
  async #ask(options: AcquireOptions): Promise<LockOutcome | undefined> {
    try {
      return await this.#parts.acquire(options);
    } catch (error) {
      // A closed engine is opened by nobody again: the candidate has ended with it.
      if (isBanyanError(error, "CLOSED")) this.#stopping.abort();
      if (this.#stopping.signal.aborted) return undefined;
      return { kind: "unavailable", error: toBanyanError(error) };
    }
  }

  /** One term; false when its work failed. */
  async #lead(lock: Lock): Promise<boolean> {
    const { work, log } = this.#parts;
    const signal = AbortSignal.any([lock.signal, this.#stopping.signal]);
    this.#enter({ kind: "leading", fence: lock.fence });
    try {
      await work(Object.freeze({ fence: lock.fence, signal, lock }));
      return true;
    } catch (error) {
      if (isEndOfTerm(error, signal)) return true;
      log.error("the work of the leader failed; it resigns and campaigns again", { error });
      return false;
    } finally {
      await lock.release();
      this.#enter({ kind: "campaigning" });
    }
  }

  async #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#parts;
    const { signal } = this.#stopping;
    const delayMs = backoffMs(attempt, random, pauseBackoff);
    // Woken by the stop, which its loop looks at next.
    await clock.sleep(delayMs, { signal }).catch(ignore);
  }

  #enter(state: CandidateState): void {
    const { kind } = this.#state;
    if (kind === state.kind && kind !== "leading" && kind !== "unavailable") return;
    this.#state = Object.freeze(state);
    try {
      this.#parts.onState?.(state);
    } catch (error) {
      // Who watches must not end what he watches.
      this.#parts.log.error("the listener of a candidate's state failed", { error });
    }
  }
}

/** Work that was told to end may say so by throwing. */
function isEndOfTerm(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason) return true;
  return isBanyanError(error, "STATE_LOCK_LOST") || isBanyanError(error, "CALL_CANCELLED");
}

function ignore(): void {}
