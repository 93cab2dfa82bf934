/** What a check of locks works with: owners, each with a clock of its own, over one engine. */

import assert from "node:assert/strict";
import { isBanyanError, systemRandom, t } from "@banyan/kernel";
import type { AcquireOptions, Lock, LockOutcome, Locks, Random, Store } from "@banyan/kernel";
import type { Durability, StateEngine } from "../../engine.ts";
import type { OpenLocksOptions } from "../../lock/open-locks.ts";
import { openStore } from "../../open-store.ts";
import { createTransactor } from "../../transaction.ts";
import type { Transactor } from "../../transaction.ts";
import type { StateHarness } from "../harness.ts";
import { ManualClock } from "./manual-clock.ts";
import { RiggedEngine } from "./rigged-engine.ts";

/** How locks are made: `openLocks`, or a liar that is like it but for one thing. */
export type LockMaker = (engine: StateEngine, options: OpenLocksOptions) => Promise<Locks>;

/** An engine presented to the law of locks. */
export interface LockSuite {
  /** Of the engine, for titles. */
  readonly name: string;
  /** As for the law of state: a fresh engine and a way to let its time pass. */
  open(): Promise<StateHarness>;
  /** Default: the locks of this package. */
  readonly openLocks?: LockMaker;
  /** Seed of the random check. Default: a new one; it is printed. */
  readonly seed?: number;
  /** Random histories tried. Default 100. */
  readonly runs?: number;
}

/** One sentence of the law. */
export interface LockCheck {
  readonly name: string;
  /** Applies only to an engine that is durable. */
  readonly needs?: "durable";
  run(subject: LockSubject): Promise<void>;
}

/** A process with locks. */
export interface Owner {
  readonly locks: Locks;
  readonly clock: ManualClock;
  /** While it is paused no time passes for it. */
  isPaused: boolean;
}

export interface SubjectSettings {
  readonly openLocks: LockMaker;
  readonly seed: number;
  readonly runs: number;
}

/** The time to live of most checks. */
export const ttlMs = 1000;
const scope = "law";

export class LockSubject {
  readonly seed: number;
  readonly runs: number;
  readonly harness: StateHarness;
  rig: RiggedEngine;
  readonly #openLocks: LockMaker;
  readonly #owners: Owner[] = [];

  constructor(harness: StateHarness, { openLocks, seed, runs }: SubjectSettings) {
    this.harness = harness;
    this.seed = seed;
    this.runs = runs;
    this.#openLocks = openLocks;
    this.rig = new RiggedEngine(harness.engine);
  }

  get durability(): Durability {
    return this.rig.durability;
  }

  async owner(name = "nightly", random: Random = systemRandom): Promise<Owner> {
    const clock = new ManualClock();
    const { durability, rig } = this;
    const locks = await this.#openLocks(rig, { scope, name, durability, clock, random });
    const owner = { locks, clock, isPaused: false };
    this.#owners.push(owner);
    return owner;
  }

  /** Time passes for the engine, and for every owner that is not paused. */
  async advance(ms: number): Promise<void> {
    await this.rig.settle();
    await this.harness.advance(ms);
    for (const { clock, isPaused } of this.#owners) if (!isPaused) clock.advance(ms);
    await this.rig.settle();
  }

  /** The same in small steps, so that what renews itself can. */
  async live(ms: number, stepMs = ttlMs / 10): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) await this.advance(stepMs);
  }

  /** Time passes for all but this owner, who does not notice. */
  async advancePaused(owner: Owner, ms: number): Promise<void> {
    owner.isPaused = true;
    await this.advance(ms);
    owner.isPaused = false;
  }

  /** A store that the locks guard, and the way to write to it with others. */
  async guarded(): Promise<Guarded> {
    const { durability, rig } = this;
    const spec = { value: t.Unknown(), durability, capabilities: ["transaction"] } as const;
    const store = await openStore(rig, { scope, name: "guarded", spec });
    return { store, transact: createTransactor({ engine: rig, stores: { store } }) };
  }

  /** Closes the engine and opens it again; owners from before are of no use after. */
  async restart(): Promise<void> {
    assert(this.harness.restart !== undefined, "A durable engine's harness must offer restart().");
    this.rig = new RiggedEngine(await this.harness.restart());
  }

  /** Removes what the engine keeps of a lock, as a failover that lost it does. */
  async forget(name = "nightly"): Promise<void> {
    const { durability, rig } = this;
    const spec = { value: t.Unknown(), durability };
    const store = await openStore(rig, { scope, name: `lock.${name}`, spec });
    const { entries } = await store.scan();
    assert(entries.length > 0, "a lock that was taken has entries");
    await store.deleteMany(entries.map(({ key }) => key));
  }
}

export interface Guarded {
  readonly store: Store<unknown>;
  readonly transact: Transactor<{ readonly store: Store<unknown> }>;
}

/** The lock, which must be free. It does not renew itself unless asked to. */
export async function take(
  { locks }: Owner,
  key?: string,
  options: AcquireOptions = {},
): Promise<Lock> {
  return heldOf(await locks.acquire(key, { ttlMs, renew: false, ...options }));
}

export function heldOf(outcome: LockOutcome): Lock {
  assert(outcome.kind === "held", `expected to hold the lock, but it was ${outcome.kind}`);
  return outcome.lock;
}

/** How somebody else finds the lock. */
export async function kindFor({ locks }: Owner, key?: string): Promise<LockOutcome["kind"]> {
  const outcome = await locks.acquire(key, { ttlMs, renew: false });
  // Only looked at: what it found free stays so.
  if (outcome.kind === "held") await outcome.lock.release();
  return outcome.kind;
}

/** That a lock is known to be lost, by everything that tells. */
export function assertLost(lock: Lock): void {
  assert.equal(lock.isHeld, false);
  assert(lock.signal.aborted, "the signal of a lost lock is aborted");
  assert(isBanyanError(lock.signal.reason, "STATE_LOCK_LOST"), String(lock.signal.reason));
}
