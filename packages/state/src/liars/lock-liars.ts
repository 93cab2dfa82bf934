/** Broken locks, each with one lie, to prove that the law of locks catches it. */

import type { Clock, Lock, LockOutcome, Locks, Random } from "@banyan/kernel";
import type { LockMaker } from "../conformance/lock/lock-subject.ts";
import type { EngineEntry, EngineWrite, StateEngine } from "../engine.ts";
import { openLocks } from "../lock/open-locks.ts";
import { openMemoryEngine } from "../memory.ts";
import { engineThat, now, transactionLiar } from "./broken-engine.ts";
import type { Lie, TransactionLie } from "./broken-engine.ts";

/** One broken lock: by its engine, or by what stands before honest locks. */
export interface LockLiar {
  readonly name: string;
  readonly lie: string;
  /** The check of the law that must break on it. */
  readonly caughtBy: string;
  open(clock: Clock): StateEngine;
  readonly openLocks: LockMaker;
}

type About = Pick<LockLiar, "name" | "lie" | "caughtBy">;

function byEngine(about: About, lie: Lie): LockLiar {
  return { ...about, open: (clock) => engineThat(clock, lie), openLocks };
}

function byTransaction(about: About, lie: TransactionLie): LockLiar {
  return { ...about, open: transactionLiar(about, lie).open, openLocks };
}

/** Its acquisitions are not what they should be. */
function byLocks(
  about: About,
  lie: (honest: Locks, asked: Parameters<Locks["acquire"]>) => Promise<LockOutcome>,
): LockLiar {
  return {
    ...about,
    open: (clock) => openMemoryEngine({ clock }),
    openLocks: async (engine, options) => {
      const honest = await openLocks(engine, options);
      return {
        acquire: (...asked) => lie(honest, asked),
        lead: (work, leadOptions) => honest.lead(work, leadOptions),
      };
    },
  };
}

/** The same lock, but for what is changed. */
function likeLock(lock: Lock, changed: Partial<Pick<Lock, "fence">> & { isHeld?: () => boolean }) {
  return {
    key: lock.key,
    fence: changed.fence ?? lock.fence,
    get isHeld() {
      return changed.isHeld?.() ?? lock.isHeld;
    },
    signal: lock.signal,
    renew: () => lock.renew(),
    release: () => lock.release(),
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  };
}

const isHolder = (key: string): boolean => key.startsWith("holder");

const oneToken: Random = {
  next: () => 0.5,
  bytes: (length) => new Uint8Array(length),
};

const withoutRevision = (entry: EngineEntry | undefined): EngineEntry | undefined =>
  entry && { ...entry, revision: undefined };

const endless = (write: EngineWrite): EngineWrite => ({ ...write, expiry: "none" });

/** Every liar; the law of locks must break on each. */
export const lockLiars: readonly LockLiar[] = Object.freeze([
  byEngine(
    {
      name: "gives back another's",
      lie: "deletes the holder's entry without looking whose it is",
      caughtBy: "a release leaves alone what somebody else took since",
    },
    (store) => ({ delete: (key) => store.delete(key) }),
  ),
  byEngine(
    {
      name: "renews what is lost",
      lie: "renews a lock whoever has it by now",
      caughtBy: "a lock whose time was over is not renewed, whether or not somebody took it since",
    },
    (store) => ({ set: (write) => store.set(write) }),
  ),
  byTransaction(
    {
      name: "never ends",
      lie: "keeps a lock whose holder died for ever",
      caughtBy: "a lock is free when its time to live is over, and not before",
    },
    ({ checks, changes, riders }, honest) =>
      honest({
        checks,
        riders,
        changes: changes.map((change) =>
          change.kind === "set" ? { ...change, write: endless(change.write) } : change,
        ),
      }),
  ),
  byTransaction(
    {
      name: "lets all in",
      lie: "takes the lock without insisting that it is still free",
      caughtBy: "an acquisition that is done too late changes nothing for who took the lock since",
    },
    ({ changes, riders }, honest) => honest({ checks: [], changes, riders }),
  ),
  byTransaction(
    {
      name: "has no fence",
      lie: "commits a transaction without looking at the lock that it is under",
      caughtBy: "a paused holder's write is fenced off",
    },
    ({ checks, changes, riders }, honest) =>
      honest({
        checks: checks.filter(({ key, etag }) => !isHolder(key) || etag === undefined),
        changes,
        riders,
      }),
  ),
  byEngine(
    {
      name: "counts from one",
      lie: "numbers its holders without a clock, so that they begin again with the data",
      caughtBy: "fencing numbers ascend after the engine lost the lock's entries",
    },
    (store) => ({ getMany: (keys) => now(store.getMany(keys)).map(withoutRevision) }),
  ),
  {
    name: "numbers by its own clock",
    lie: "takes the holder's clock for a fencing number",
    caughtBy: "fencing numbers ascend with each acquisition, whoever makes it",
    open: (clock) => openMemoryEngine({ clock }),
    openLocks: async (engine, options) => {
      const honest = await openLocks(engine, options);
      return {
        acquire: async (key, asked) => {
          const outcome = await honest.acquire(key, asked);
          if (outcome.kind !== "held") return outcome;
          const fence = (options.clock?.nowMs() ?? 0) + 1;
          return { kind: "held", lock: likeLock(outcome.lock, { fence }) };
        },
        lead: (work, leadOptions) => honest.lead(work, leadOptions),
      };
    },
  },
  {
    name: "has one token",
    lie: "knows its locks by its owner's name instead of by the acquisition",
    caughtBy: "an owner does not take a later lock of its own for the one that it lost",
    open: (clock) => openMemoryEngine({ clock }),
    openLocks: (engine, options) => openLocks(engine, { ...options, random: oneToken }),
  },
  byLocks(
    {
      name: "says taken",
      lie: "tells a failed engine as a lock that is taken",
      caughtBy: "an engine that cannot be asked is told apart from a lock that is taken",
    },
    async (honest, asked) => {
      const outcome = await honest.acquire(...asked);
      return outcome.kind === "unavailable" ? { kind: "taken", retryAfterMs: 1000 } : outcome;
    },
  ),
  byLocks(
    {
      name: "waits on",
      lie: "goes on waiting after the wait is over",
      caughtBy: "who waits is told that it is taken when the wait is over, and not later",
    },
    (honest, [key, options = {}]) =>
      honest.acquire(key, { ...options, waitMs: (options.waitMs ?? 0) * 2 }),
  ),
  byLocks(
    {
      name: "trusts its timers",
      lie: "says that it holds the lock until a timer told it otherwise",
      caughtBy: "a holder that slept past its time does not hold the lock when it wakes",
    },
    async (honest, asked) => {
      const outcome = await honest.acquire(...asked);
      if (outcome.kind !== "held") return outcome;
      const { lock } = outcome;
      return { kind: "held", lock: likeLock(lock, { isHeld: () => !lock.signal.aborted }) };
    },
  ),
  {
    name: "lets its owner in again",
    lie: "hands the lock that an owner holds to the same owner once more",
    caughtBy: "a lock that is held is taken for everybody, its owner as well, until it is released",
    open: (clock) => openMemoryEngine({ clock }),
    openLocks: async (engine, options) => {
      const honest = await openLocks(engine, options);
      let own: Lock | undefined;
      return {
        acquire: async (key, asked) => {
          if (own?.isHeld === true && own.key === key) return { kind: "held", lock: own };
          const outcome = await honest.acquire(key, asked);
          if (outcome.kind === "held") own = outcome.lock;
          return outcome;
        },
        lead: (work, leadOptions) => honest.lead(work, leadOptions),
      };
    },
  },
]);
