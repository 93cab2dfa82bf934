/**
 * Locks on whatever engine keeps the stores that they guard.
 *
 * An acquisition reads who holds the lock, and where nobody does, takes it by one transaction of
 * the engine that insists on what was read. Then it reads again: the answer to that says whose the
 * lock is, also where the transaction's own answer was lost.
 *
 * What it owns: nothing between two calls; a lock that was acquired owns itself.
 * What may interrupt it: the caller's signal, until a transaction was handed over. What was taken
 * for a caller that has gone is given back.
 *
 * L1. `held`: the entry was read with the token of this call and no other.
 * L2. `taken`: it was read with another's. A failure of the engine is never told so.
 * L3. All tries of one call have one token and insist on the fence that they read, so of several
 *     whose outcome is unknown at most one can come true.
 */

import { backoffMs, isBanyanError, silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type {
  AcquireOptions,
  BanyanError,
  Candidate,
  Clock,
  Etag,
  LeadOptions,
  LockOutcome,
  Locks,
  Log,
  Random,
  Term,
  Waiting,
} from "@banyan/kernel";
import { abortReasonOf } from "@banyan/kernel/internal";
import type { OperationObserver } from "@banyan/telemetry/internal";
import type { Durability, StateEngine, StoreName } from "../engine.ts";
import { abortError, assertNotAborted } from "../failures.ts";
import type { EngineProfile } from "../open-store.ts";
import { Campaign } from "./campaign.ts";
import { HeldLock } from "./held-lock.ts";
import { LockEntries } from "./lock-entries.ts";
import type { HolderEntry, LockStanding, Tenure } from "./lock-entries.ts";
import { assertLockKey, resolveAcquireOptions, resolveLeadOptions } from "./lock-options.ts";
import type { ResolvedAcquireOptions } from "./lock-options.ts";

export interface OpenLocksOptions extends StoreName {
  /** What its engine has to be. */
  readonly durability: Durability;
  /** For deadlines, renewals and waits. Default: the real clock. */
  readonly clock?: Clock;
  /** For tokens and jitter. Default: the real source. */
  readonly random?: Random;
  /** Told when the work of a leader failed. Default: nobody. */
  readonly log?: Log;
  /** Told of every operation on the entries. */
  readonly observer?: OperationObserver | undefined;
  /** All engines of the node, so that a refusal can name one that would do. */
  readonly engines?: readonly EngineProfile[];
}

/**
 * Opens the locks of one name: one lock for each key, and one without. Opening the same scope and
 * name twice, on one node or several, gives the same locks.
 *
 * @throws STATE_CAPABILITY_MISSING, STATE_STORE_INVALID, STATE_ENGINE_UNAVAILABLE
 * @example
 * const name = { scope: "shop", name: "nightly" };
 * const nightly = await openLocks(engine, { ...name, durability: "durable" });
 * const outcome = await nightly.acquire();
 * if (outcome.kind !== "held") return;
 * await using lock = outcome.lock;
 */
export async function openLocks(engine: StateEngine, options: OpenLocksOptions): Promise<Locks> {
  const { clock = systemClock, random = systemRandom, log = silentLog, ...store } = options;
  const entries = await LockEntries.open(engine, {
    ...store,
    name: lockStoreName(store.name),
    clock,
    random,
  });
  return new OpenLocks({ entries, clock, random, log });
}

/** The store behind a lock. The dot keeps it apart: no contract can declare a store with one. */
function lockStoreName(lock: string): string {
  return `lock.${lock}`;
}

interface LocksParts {
  readonly entries: LockEntries;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** One call of `acquire`, over all its tries. */
interface Bid extends ResolvedAcquireOptions {
  readonly key: string | undefined;
  readonly tenure: Tenure;
  readonly waiting: Waiting;
  /** Before the first write that may have taken the lock was handed over. */
  handedMs: number | undefined;
  /** Why it is not known whether such a write did. */
  doubt: BanyanError | undefined;
  /** Since when another's entry is seen unchanged. */
  seen: { readonly etag: Etag; readonly sinceMs: number } | undefined;
}

const tokenBytes = 18; // 144 random bits: never the same twice
const RACES_MAX = 16; // lost in one try; by then others took it and gave it back each time
const retryBackoff = { initialMs: 10, maxMs: 1000 }; // a lock is held for a while

class OpenLocks implements Locks {
  readonly #parts: LocksParts;

  constructor(parts: LocksParts) {
    this.#parts = parts;
  }

  async acquire(key?: string, options: AcquireOptions = {}): Promise<LockOutcome> {
    const { entries, clock, random } = this.#parts;
    const resolved = resolveAcquireOptions(options, entries.label);
    assertLockKey(key, entries.label);
    assertNotAborted(options);
    const token = Buffer.from(random.bytes(tokenBytes)).toString("base64url");
    const bid: Bid = {
      ...resolved,
      key,
      tenure: { token, ttlMs: resolved.ttlMs },
      waiting: options,
      handedMs: undefined,
      doubt: undefined,
      seen: undefined,
    };
    const untilMs = clock.monotonicMs() + resolved.waitMs;
    for (let tries = 1; ; tries += 1) {
      const outcome = await this.#try(bid);
      if (outcome.kind === "held") return outcome;
      const leftMs = untilMs - clock.monotonicMs();
      if (leftMs <= 0) return outcome;
      const delayMs = Math.min(leftMs, 1 + backoffMs(tries, random, retryBackoff));
      await clock.sleep(delayMs, { signal: options.signal }).catch(throwAbort);
    }
  }

  lead(work: (term: Term) => Promise<void> | void, options: LeadOptions = {}): Candidate {
    const { entries, clock, random, log } = this.#parts;
    const { ttlMs } = resolveLeadOptions(options, entries.label);
    assertLockKey(options.key, entries.label);
    const { key, onState, signal } = options;
    const acquire = (waiting: AcquireOptions): Promise<LockOutcome> => this.acquire(key, waiting);
    return new Campaign({
      acquire,
      work,
      ttlMs,
      onState,
      signal,
      clock,
      random,
      log: log.child({ lock: entries.label, ...(key === undefined ? {} : { key }) }),
    });
  }

  /** Reads, takes what nobody holds, and reads again, until it is clear whose the lock is. */
  async #try(bid: Bid): Promise<LockOutcome> {
    const { entries, clock } = this.#parts;
    for (let races = 0; races < RACES_MAX; races += 1) {
      let standing: LockStanding;
      try {
        // What was handed over is found out about, whether or not the caller still waits.
        standing = await entries.read(bid.key, bid.handedMs === undefined ? bid.waiting : {});
      } catch (error) {
        return unavailable(error, bid);
      }
      const { holder, fence } = standing;
      if (holder?.token === bid.tenure.token && fence?.token === holder.token) {
        return this.#held(bid, { etag: holder.etag, fence: fence.fence });
      }
      if (holder !== undefined) return this.#taken(bid, holder);
      if (bid.doubt !== undefined && races > 0) return { kind: "unavailable", error: bid.doubt };
      assertNotAborted(bid.waiting);
      const handedMs = clock.monotonicMs();
      const wasHandedMs = bid.handedMs;
      bid.handedMs ??= handedMs;
      try {
        const isTaken = await entries.take(bid.key, standing, bid.tenure);
        // It conflicted, so it is as if it had never been handed over.
        if (!isTaken) bid.handedMs = wasHandedMs;
      } catch (error) {
        const outcome = unavailable(error, bid);
        if (!isBanyanError(error, "STATE_OUTCOME_UNKNOWN")) {
          bid.handedMs = wasHandedMs;
          return outcome;
        }
        bid.doubt = error;
      }
    }
    return { kind: "taken", retryAfterMs: 1 };
  }

  async #held(bid: Bid, found: { etag: Etag; fence: number }): Promise<LockOutcome> {
    const { entries, clock, random } = this.#parts;
    const { key, tenure, renew, handedMs = clock.monotonicMs() } = bid;
    const parts = { entries, key, tenure, handedMs, renew, clock, random };
    const lock = new HeldLock({ ...parts, ...found });
    const reason = abortReasonOf(bid.waiting);
    if (reason === undefined) return { kind: "held", lock };
    await lock.release();
    throw abortError(reason);
  }

  #taken(bid: Bid, { etag, ttlMs }: HolderEntry): LockOutcome {
    const nowMs = this.#parts.clock.monotonicMs();
    // Whoever took it moved the fence, so nothing that was handed over before can come true (L3).
    bid.doubt = undefined;
    bid.handedMs = undefined;
    if (bid.seen?.etag !== etag) bid.seen = { etag, sinceMs: nowMs };
    const retryAfterMs = Math.max(1, Math.ceil(ttlMs - (nowMs - bid.seen.sinceMs)));
    return { kind: "taken", retryAfterMs };
  }
}

/** What an engine's failure means for who asked; what is no failure of an engine passes. */
function unavailable(error: unknown, { doubt }: Bid): LockOutcome {
  if (!isBanyanError(error)) throw error;
  if (error.kind !== "unavailable" && error.kind !== "unknown") throw error;
  return { kind: "unavailable", error: doubt ?? error };
}

function throwAbort(reason: unknown): never {
  throw abortError(reason);
}
