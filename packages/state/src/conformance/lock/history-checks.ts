/** Random histories of owners that take, renew, pause, wake, write and release, against a model. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { isBanyanError } from "@banyan/kernel";
import type { Lock } from "@banyan/kernel";
import type { Guarded, LockCheck, LockSubject, Owner } from "./lock-subject.ts";

/** One acquisition, as the model remembers it. */
interface Tenure {
  readonly lock: Lock;
  readonly owner: Owner;
  readonly ttlMs: number;
  /** By the engine's time. */
  expiresAt: number;
  /** By its owner's. */
  deadlineMs: number;
  isOver: boolean;
}

interface World {
  readonly subject: LockSubject;
  readonly owners: readonly Owner[];
  readonly key: string;
  readonly guarded: Guarded;
  readonly tenures: Tenure[];
  holder: Tenure | undefined;
  now: number;
  /** How much time each owner has slept through. */
  readonly missed: Map<Owner, number>;
  written: number | undefined;
}

type Command = (world: World) => Promise<void>;

function liveHolder({ holder, now }: World): Tenure | undefined {
  return holder !== undefined && now < holder.expiresAt ? holder : undefined;
}

/** Whether its owner can believe that it holds it. */
function believes({ owner, isOver, deadlineMs }: Tenure): boolean {
  return !isOver && owner.clock.monotonicMs() < deadlineMs;
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list[index % Math.max(1, list.length)];
}

const acquisitions = fc
  .record({ who: fc.nat(2), ttlMs: fc.constantFrom(100, 1000, 5000) })
  .map(({ who, ttlMs }): Command => async (world) => {
    const owner = pick(world.owners, who);
    assert(owner !== undefined);
    const outcome = await owner.locks.acquire(world.key, { ttlMs, renew: false });
    const holder = liveHolder(world);
    if (holder !== undefined) {
      assert(outcome.kind === "taken", `${outcome.kind}, but it is taken`);
      assert(outcome.retryAfterMs >= 1 && outcome.retryAfterMs <= holder.ttlMs);
      return;
    }
    assert(outcome.kind === "held", `${outcome.kind}, but it is free`);
    const last = world.tenures.at(-1)?.lock.fence ?? 0;
    assert(outcome.lock.fence > last, `${outcome.lock.fence} after ${last}`);
    const deadlineMs = owner.clock.monotonicMs() + ttlMs * 0.9;
    const { lock } = outcome;
    const expiresAt = world.now + ttlMs;
    world.holder = { lock, owner, ttlMs, expiresAt, deadlineMs, isOver: false };
    world.tenures.push(world.holder);
  });

const renewals = fc.nat(20).map((which): Command => async (world) => {
  const tenure = pick(world.tenures, which);
  if (tenure === undefined) return;
  const { ttlMs, owner, lock } = tenure;
  const isOwn = believes(tenure) && liveHolder(world) === tenure;
  assert.equal(await lock.renew(), isOwn);
  if (isOwn) {
    tenure.expiresAt = world.now + ttlMs;
    tenure.deadlineMs = owner.clock.monotonicMs() + ttlMs * 0.9;
  } else tenure.isOver = true;
});

const releases = fc.nat(20).map((which): Command => async (world) => {
  const tenure = pick(world.tenures, which);
  // A second release answers what the first did, which a check of its own looks at.
  if (tenure === undefined || world.holder === undefined) return;
  const isOwn = liveHolder(world) === tenure;
  const answer = await tenure.lock.release();
  tenure.isOver = true;
  if (!isOwn) return;
  assert.equal(answer, "released");
  world.holder = undefined;
});

const writes = fc.nat(20).map((which): Command => async (world) => {
  const tenure = pick(world.tenures, which);
  if (tenure === undefined) return;
  const { store, transact } = world.guarded;
  const { fence } = tenure.lock;
  const isOwn = believes(tenure) && liveHolder(world) === tenure;
  const write = transact(({ stores }) => stores.store.set(world.key, fence), {
    under: tenure.lock,
  });
  try {
    await write;
    assert(isOwn, "a holder wrote that held the lock no more");
    world.written = fence;
  } catch (error) {
    if (isOwn || !isBanyanError(error, "STATE_LOCK_LOST")) throw error;
    tenure.isOver = true;
  }
  assert.equal(await store.get(world.key), world.written);
});

const waits = fc.constantFrom(1, 50, 99, 100, 901, 1000).map((ms): Command => async (world) => {
  await world.subject.advance(ms);
  world.now += ms;
  for (const owner of world.owners) {
    if (owner.isPaused) world.missed.set(owner, (world.missed.get(owner) ?? 0) + ms);
  }
});

const pauses = fc.nat(2).map((who): Command => (world) => {
  const owner = pick(world.owners, who);
  if (owner !== undefined) owner.isPaused = true;
  return Promise.resolve();
});

const wakes = fc.nat(2).map((who): Command => async (world) => {
  const owner = pick(world.owners, who);
  if (owner === undefined) return;
  owner.isPaused = false;
  owner.clock.sleepThrough(world.missed.get(owner) ?? 0);
  world.missed.delete(owner);
  await world.subject.advance(0);
});

const commands = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: acquisitions },
    { weight: 2, arbitrary: renewals },
    { weight: 2, arbitrary: releases },
    { weight: 3, arbitrary: writes },
    { weight: 4, arbitrary: waits },
    { weight: 1, arbitrary: pauses },
    { weight: 1, arbitrary: wakes },
  ),
  // The library would keep lists short, and what matters takes four steps by one owner in order.
  { minLength: 10, maxLength: 40, size: "max" },
);

/** What holds after every command. */
function assertSafe(world: World): void {
  for (const tenure of world.tenures) assert.equal(tenure.lock.isHeld, believes(tenure));
  const awake = world.tenures.filter(({ lock, owner }) => lock.isHeld && !owner.isPaused);
  assert(awake.length <= 1, "two that are awake hold one lock");
}

export const historyChecks: readonly LockCheck[] = [
  {
    name: "any history of owners that take, pause and write is answered as the model answers it",
    async run(subject) {
      const guarded = await subject.guarded();
      const owners = [await subject.owner(), await subject.owner(), await subject.owner()];
      let run = 0;
      const property = fc.asyncProperty(commands, async (history) => {
        run += 1;
        for (const owner of owners) owner.isPaused = false;
        const world: World = {
          subject,
          owners,
          key: `history-${run}`,
          guarded,
          tenures: [],
          holder: undefined,
          now: 0,
          missed: new Map(),
          written: undefined,
        };
        for (const command of history) {
          await command(world);
          assertSafe(world);
        }
      });
      await fc.assert(property, { seed: subject.seed, numRuns: subject.runs });
    },
  },
];
