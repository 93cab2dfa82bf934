/**
 * Locks as a service author sees them. `packages/state` makes them from a contract's declaration
 * and an engine; this is only their shape.
 */

import type { BanyanError } from "../errors/banyan-error.ts";
import type { Repeatable, Waiting } from "./store.ts";

/** How a lock is asked for. With `signal: call.signal` the wait ends with the call's deadline. */
export interface AcquireOptions extends Waiting {
  /**
   * Milliseconds until the lock is free again unless it is renewed, 100 … 86 400 000. Default
   * 30 000: longer than an honest pause, and what a crashed holder blocks is free in half a minute.
   */
  readonly ttlMs?: number | undefined;
  /** How long to wait while it is taken, 0 … 3 600 000. Default 0: ask once. */
  readonly waitMs?: number | undefined;
  /** Renew by itself at a third of the time to live. Default true. */
  readonly renew?: boolean | undefined;
}

/** How an acquisition ended. */
export type LockOutcome =
  | { readonly kind: "held"; readonly lock: Lock }
  | {
      /** Somebody else holds it, for certain. */
      readonly kind: "taken";
      /** It is free after this long at the latest, unless its holder renews it. */
      readonly retryAfterMs: number;
    }
  | {
      /**
       * The engine could not be asked, or did not say how it ended: STATE_ENGINE_UNAVAILABLE, or
       * STATE_OUTCOME_UNKNOWN where this very attempt may block the lock for one time to live.
       */
      readonly kind: "unavailable";
      readonly error: BanyanError;
    };

/**
 * How a release ended. `lost`: it was somebody else's or nobody's already. `unavailable`: the
 * engine did not say; the lock is free when its time to live is over, at the latest.
 */
export type LockRelease = "released" | "lost" | "unavailable";

/** A lock that was acquired. */
export interface Lock extends AsyncDisposable {
  /** What was locked; `undefined` where no key was given. */
  readonly key: string | undefined;
  /**
   * The fencing number: greater than that of every earlier holder of this lock. Hand it to what is
   * guarded outside of the platform, and let that refuse a number lower than one it has seen.
   */
  readonly fence: number;
  /**
   * False as soon as it was released or lost, or might be somebody else's by now. Asked after a
   * pause of the process, it answers by the time that passed, whatever timers have not fired yet.
   */
  readonly isHeld: boolean;
  /** Aborts with STATE_LOCK_LOST when the lock is lost; a release does not abort it. */
  readonly signal: AbortSignal;
  /**
   * Holds it for one more time to live; false when it was lost.
   * @throws STATE_ENGINE_UNAVAILABLE, STATE_OUTCOME_UNKNOWN: it is held until its time is over
   */
  renew(): Promise<boolean>;
  /** Gives it back if it is still its own; never throws. Later calls answer what the first did. */
  release(): Promise<LockRelease>;
}

/** How a transaction is run. */
export interface TransactOptions extends Repeatable {
  /**
   * Commits only while this lock is held, by the engine's word: the write of a holder that was
   * paused past its time is refused with STATE_LOCK_LOST.
   */
  readonly under?: Lock | undefined;
  /**
   * What the `operationId` stands for, as JSON data: asking again with the same id and another
   * request is refused with STATE_OPERATION_MISMATCH instead of being answered with what the first
   * one did. A function cannot be compared, so give the id's request here where one operation of a
   * service runs several transactions. Default: the name of the operation that runs it.
   */
  readonly request?: unknown;
}

/** One leader's time in office. */
export interface Term {
  /** The fencing number of the lock that makes it the leader. */
  readonly fence: number;
  /** Aborts when leadership is lost, or the candidate stops: work ends then. */
  readonly signal: AbortSignal;
  /** The lock itself, for `transaction(…, { under: term.lock })`. */
  readonly lock: Lock;
}

export interface LeadOptions extends Waiting {
  /** Who leads what: one leader for each key. Left out: one for the lock. */
  readonly key?: string | undefined;
  /** As for `acquire`: how long a dead leader's office stays empty at most. */
  readonly ttlMs?: number | undefined;
  /** Told of each change. */
  readonly onState?: ((state: CandidateState) => void) | undefined;
}

/** Where a candidate stands. */
export type CandidateState =
  /** Somebody else leads, or nobody yet. */
  | { readonly kind: "campaigning" }
  /** The engine cannot be asked who leads; it is asked again. */
  | { readonly kind: "unavailable"; readonly error: BanyanError }
  | { readonly kind: "leading"; readonly fence: number }
  | { readonly kind: "stopped" };

/** Somebody who campaigns until stopped, and leads in between. */
export interface Candidate extends AsyncDisposable {
  readonly state: CandidateState;
  /** Resolves when it has stopped, its work has ended and its office is given back. */
  readonly stopped: Promise<void>;
  /** Ends the work, resigns, and resolves as `stopped` does. */
  stop(): Promise<void>;
}

/** What one declared lock offers: a lock for each key, and one without. */
export interface Locks {
  /**
   * Takes the lock, or says why not. There is no re-entrance: who asks twice, waits for himself.
   * @throws STATE_KEY_INVALID, STATE_OPTION_INVALID; CALL_CANCELLED, CALL_DEADLINE_EXCEEDED
   */
  acquire(key?: string, options?: AcquireOptions): Promise<LockOutcome>;
  /**
   * Campaigns until stopped and does `work` while leading; when `work` ends by itself it resigns
   * and campaigns again.
   * @throws STATE_KEY_INVALID, STATE_OPTION_INVALID
   */
  lead(work: (term: Term) => Promise<void> | void, options?: LeadOptions): Candidate;
}
