/**
 * A lock that was acquired: renewed while it is held, and known to be lost in time.
 *
 * What it owns: its entry in the engine as long as the etag there is its own, and two timers.
 * What may interrupt it: anything. The process may sleep past its time, the engine be out of reach,
 * an answer get lost. A clock tells the first, the second ends at the deadline, and after the third
 * the entry is read again: it has the token of this acquisition and no other, or it is not ours.
 *
 *   held ──lose──▶ lost ──release──▶ released
 *     └───────── release ─────────────▶
 *
 * I1. It is held only before its deadline: the time to live, less a margin, from before the last
 *     write that the engine has acknowledged was handed over. So it ends here before it ends there,
 *     as long as the two clocks run about equally fast.
 * I2. What was lost stays lost, whatever an answer that comes later says.
 * I3. It writes and deletes nothing but the entry of its own etag.
 * I4. At most one renewal is on its way; a release waits for it.
 */

import { backoffMs, isBanyanError } from "@banyan/kernel";
import type { CancelTimer, Clock, Etag, Lock, LockRelease, Random, Waiting } from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import type { EngineCheck, StateEngine } from "../engine.ts";
import { stateErrors } from "../errors.ts";
import { settledOrAborted } from "../failures.ts";
import { showKey } from "../keys.ts";
import type { LockEntries, Tenure } from "./lock-entries.ts";

/** What an acquisition has got. */
export interface HeldLockParts {
  readonly entries: LockEntries;
  readonly key: string | undefined;
  readonly tenure: Tenure;
  readonly etag: Etag;
  readonly fence: number;
  /** Monotonic time before the write that took it was handed over. */
  readonly handedMs: number;
  readonly renew: boolean;
  readonly clock: Clock;
  readonly random: Random;
}

type State =
  | { readonly kind: "held"; readonly deadlineMs: number }
  | { readonly kind: "lost"; readonly error: Error }
  | { readonly kind: "released" };

const RENEWALS = 3; // in one time to live: two may fail and it is still held
const MARGIN = 10; // a tenth of it is for clocks that differ and for work to notice
const OWN_TRIES = 3; // the last answer, one that was lost, and one that came late
const takenAway = "the engine has it no more, or as somebody else's";

export class HeldLock implements Lock {
  readonly key: string | undefined;
  readonly fence: number;
  readonly #parts: HeldLockParts;
  readonly #controller = new AbortController();
  #state: State;
  /** Of the entry in the engine, as far as its answers came back. */
  #etag: Etag;
  #renewals = 0;
  #cancelDeadline: CancelTimer = ignore;
  #cancelRenewal: CancelTimer = ignore;
  #renewing: Promise<boolean> | undefined = undefined;
  #releasing: Promise<LockRelease> | undefined = undefined;
  #failures = 0;

  constructor(parts: HeldLockParts) {
    this.#parts = parts;
    this.key = parts.key;
    this.fence = parts.fence;
    this.#etag = parts.etag;
    this.#state = { kind: "held", deadlineMs: 0 };
    this.#hold(parts.handedMs);
  }

  /** The lock behind a handle; `undefined` for one that this package did not make. */
  static of(lock: Lock): HeldLock | undefined {
    return lock instanceof HeldLock ? lock : undefined;
  }

  get isHeld(): boolean {
    if (this.#state.kind !== "held") return false;
    // The timer of the deadline may be late: this process may have slept (I1).
    if (this.#parts.clock.monotonicMs() < this.#state.deadlineMs) return true;
    this.#lose("no renewal reached the engine before its time was over");
    return false;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Of the store that keeps it, for who compares. */
  get engine(): StateEngine {
    return this.#parts.entries.engine;
  }

  /** For messages: `shop.nightly "stock"`. */
  get label(): string {
    const { entries, key } = this.#parts;
    return key === undefined ? entries.label : `${entries.label} ${showKey(key)}`;
  }

  async renew(): Promise<boolean> {
    if (!this.isHeld) return false;
    this.#renewing ??= this.#renew().finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  release(): Promise<LockRelease> {
    this.#releasing ??= this.#release();
    return this.#releasing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  /** Before a transaction under it runs: no renewal is on its way. @throws STATE_LOCK_LOST */
  async ready(waiting: Waiting): Promise<void> {
    // A renewal's own failure is no concern of a transaction; whether the lock is held, is.
    if (this.#renewing !== undefined) await settledOrAborted(this.#renewing, waiting);
    this.assertHeld();
  }

  /** What a transaction commits under. @throws STATE_LOCK_LOST */
  check(): EngineCheck {
    this.assertHeld();
    const { entries, key } = this.#parts;
    return entries.checkOf(key, this.#etag);
  }

  /** After a conflict: asks the engine whose it is. @throws STATE_LOCK_LOST, what that throws */
  async confirm(waiting: Waiting): Promise<void> {
    await this.ready(waiting);
    const renewals = this.#renewals;
    const etag = await this.#etagFound(waiting);
    if (etag === undefined) this.#lose(takenAway);
    // A renewal since then knows better than what was read before it.
    else if (this.#renewals === renewals) this.#etag = etag;
    this.assertHeld();
  }

  /** @throws STATE_LOCK_LOST */
  assertHeld(): void {
    if (this.isHeld) return;
    if (this.#state.kind === "lost") throw this.#state.error;
    throw this.#lostError("it was released");
  }

  /** From now on it is held until one time to live after `handedMs`, less the margin. */
  #hold(handedMs: number): void {
    const { tenure, renew, clock } = this.#parts;
    const { ttlMs } = tenure;
    const deadlineMs = handedMs + ttlMs - ttlMs / MARGIN;
    this.#state = { kind: "held", deadlineMs };
    this.#failures = 0;
    this.#cancelDeadline();
    const nowMs = clock.monotonicMs();
    this.#cancelDeadline = clock.setTimer(Math.max(0, deadlineMs - nowMs), this.#look);
    if (renew) this.#renewIn(handedMs + ttlMs / RENEWALS - nowMs);
  }

  readonly #look = (): void => {
    if (this.#state.kind !== "held" || !this.isHeld) return;
    // A timer may fire a little early.
    const leftMs = this.#state.deadlineMs - this.#parts.clock.monotonicMs();
    this.#cancelDeadline = this.#parts.clock.setTimer(Math.ceil(leftMs), this.#look);
  };

  #renewIn(delayMs: number): void {
    this.#cancelRenewal();
    this.#cancelRenewal = this.#parts.clock.setTimer(Math.max(0, delayMs), () => {
      // Its failure leads to the next try, and at last to the deadline, which tells it.
      this.renew().catch((error: unknown) => this.#renewAgain(error));
    });
  }

  #renewAgain(error: unknown): void {
    if (this.#state.kind !== "held" || this.#releasing !== undefined) return;
    if (isBanyanError(error, "CLOSED")) {
      this.#lose("its engine was closed", error);
      return;
    }
    const { tenure, random } = this.#parts;
    this.#failures += 1;
    const maxMs = tenure.ttlMs / MARGIN;
    this.#renewIn(backoffMs(this.#failures, random, { initialMs: maxMs / 4, maxMs }));
  }

  async #renew(): Promise<boolean> {
    const { entries, key, tenure, clock } = this.#parts;
    this.#renewals += 1;
    let handedMs = 0;
    const etag = await this.#onOwn((known) => {
      handedMs = clock.monotonicMs();
      return entries.renew(key, tenure, known);
    });
    if (etag === undefined) {
      this.#lose(takenAway);
      return false;
    }
    this.#etag = etag;
    if (this.#state.kind === "held") {
      this.#hold(handedMs);
      return this.isHeld;
    }
    // Lost while the answer was on its way: nobody shall wait for it (I2). Releases do so.
    if (this.#state.kind === "lost") await entries.remove(key, etag);
    return false;
  }

  async #release(): Promise<LockRelease> {
    const { entries, key } = this.#parts;
    const wasLost = !this.isHeld;
    this.#cancelDeadline();
    this.#cancelRenewal();
    this.#state = { kind: "released" };
    await this.#renewing?.catch(ignore);
    try {
      const removed = await this.#onOwn(async (etag) => {
        return (await entries.remove(key, etag)) ? true : undefined;
      });
      return removed === true ? "released" : "lost";
    } catch {
      // It ends by itself, and a caller that gives it back can do nothing about it.
      return wasLost ? "lost" : "unavailable";
    }
  }

  /**
   * Writes to the entry under its own etag. A conflict may come from an earlier write of ours whose
   * answer was lost: then the entry still has the token, under another etag. `undefined`: not ours.
   */
  async #onOwn<T>(write: (etag: Etag) => Promise<T | undefined>): Promise<T | undefined> {
    let etag: Etag | undefined = this.#etag;
    for (let tries = 0; tries < OWN_TRIES && etag !== undefined; tries += 1) {
      const done = await write(etag);
      if (done !== undefined) return done;
      etag = await this.#etagFound();
    }
    return undefined;
  }

  /** The etag of the entry if it is ours: by its whole token. */
  async #etagFound(waiting?: Waiting): Promise<Etag | undefined> {
    const { entries, key, tenure } = this.#parts;
    const { holder } = await entries.read(key, waiting);
    return holder?.token === tenure.token ? holder.etag : undefined;
  }

  #lose(why: string, cause?: unknown): void {
    if (this.#state.kind !== "held") return;
    this.#cancelDeadline();
    this.#cancelRenewal();
    const error = this.#lostError(why, cause);
    this.#state = { kind: "lost", error };
    this.#controller.abort(error);
  }

  #lostError(why: string, cause?: unknown): Error {
    return stateErrors.STATE_LOCK_LOST(
      `The lock ${this.label} is not held any more: ${why}. What was not committed under it yet ` +
        `is refused; end the work, or acquire it again.`,
      {
        details: { lock: this.#parts.entries.label, fence: this.fence },
        ...(cause === undefined ? {} : { cause: toBanyanError(cause) }),
      },
    );
  }
}

function ignore(): void {}
