/** One holder at a time: taking, waiting, giving back, ending. */

import assert from "node:assert/strict";
import { rejectsWith } from "../harness.ts";
import { heldOf, kindFor, take, ttlMs } from "./lock-subject.ts";
import type { LockCheck } from "./lock-subject.ts";

export const exclusionChecks: readonly LockCheck[] = [
  {
    name: "a lock that is held is taken for everybody, its owner as well, until it is released",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada);
      assert.equal(lock.isHeld, true);
      assert.deepEqual([await kindFor(bob), await kindFor(ada)], ["taken", "taken"]);
      assert.equal(await lock.release(), "released");
      assert.equal(lock.isHeld, false);
      assert.equal(await kindFor(bob), "held");
    },
  },
  {
    name: "keys and names are locked apart, and none is the lock as a whole",
    async run(subject) {
      const [ada, other] = [await subject.owner("a"), await subject.owner("b")];
      const keys = [undefined, "holder", "a", "A", "a:b", "é", "e\u0301", "x".repeat(500)];
      const locks = [];
      for (const owner of [ada, other]) {
        for (const key of keys) locks.push(await take(owner, key));
      }
      for (const key of keys) assert.equal(await kindFor(ada, key), "taken");
      for (const lock of locks) assert.equal(await lock.release(), "released");
    },
  },
  {
    name: "of many that ask at once one gets it",
    async run(subject) {
      const owners = [await subject.owner(), await subject.owner(), await subject.owner()];
      for (let round = 0; round < 5; round += 1) {
        const asking = [...owners, ...owners, ...owners, ...owners];
        const outcomes = await Promise.all(asking.map(({ locks }) => locks.acquire("one")));
        const kinds = outcomes.map(({ kind }) => kind);
        assert.equal(kinds.filter((kind) => kind === "held").length, 1, String(kinds));
        assert.equal(kinds.filter((kind) => kind === "taken").length, 11, String(kinds));
        for (const each of outcomes) if (each.kind === "held") await each.lock.release();
      }
    },
  },
  {
    name: "a lock is free when its time to live is over, and not before",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      await take(ada);
      await subject.advancePaused(ada, ttlMs - 1);
      const outcome = await bob.locks.acquire();
      assert(outcome.kind === "taken", outcome.kind);
      assert(outcome.retryAfterMs >= 1 && outcome.retryAfterMs <= ttlMs, "within its time");
      await subject.advancePaused(ada, 1);
      assert.equal(await kindFor(bob), "held");
    },
  },
  {
    name: "what cannot be meant is refused before the engine is asked",
    async run(subject) {
      const { locks } = await subject.owner();
      const badTtls = [0, 99, 86_400_001, 100.5, NaN, Infinity, -1000];
      for (const bad of badTtls) {
        await rejectsWith("STATE_OPTION_INVALID", locks.acquire("a", { ttlMs: bad }));
      }
      for (const bad of [-1, 3_600_001, 0.5, NaN, Infinity]) {
        await rejectsWith("STATE_OPTION_INVALID", locks.acquire("a", { waitMs: bad }));
      }
      for (const bad of ["", "a\0b", "\uD800", "x".repeat(501), "é".repeat(251)]) {
        await rejectsWith("STATE_KEY_INVALID", locks.acquire(bad));
      }
      const misspelt = { ttlMs, waitms: 1000 };
      await rejectsWith("STATE_OPTION_INVALID", locks.acquire("a", misspelt));
      assert.equal(subject.rig.writes, 0);
    },
  },
  {
    name: "who waits gets the lock after it was given back",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada, "a", { ttlMs: 60_000 });
      const waiting = bob.locks.acquire("a", { ttlMs, waitMs: 10_000, renew: false });
      await subject.advance(3000);
      assert.equal(await lock.release(), "released");
      await subject.advance(2000);
      assert.equal(heldOf(await waiting).isHeld, true);
      assert.equal(await kindFor(ada, "a"), "taken");
    },
  },
  {
    name: "who waits is told that it is taken when the wait is over, and not later",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      await take(ada, "a", { ttlMs: 60_000 });
      let ended: string | undefined;
      void bob.locks.acquire("a", { waitMs: 5000 }).then(({ kind }) => (ended = kind));
      await subject.live(4900, 100);
      assert.equal(ended, undefined);
      await subject.advance(100);
      assert.equal(ended, "taken");
    },
  },
  {
    name: "who stops waiting is told so, and has nothing",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada, "a");
      const stop = new AbortController();
      const waiting = bob.locks.acquire("a", { waitMs: 60_000, signal: stop.signal });
      const rejected = rejectsWith("CALL_CANCELLED", waiting);
      await subject.advance(100);
      stop.abort();
      await rejected;
      await rejectsWith("CALL_CANCELLED", bob.locks.acquire("b", { signal: stop.signal }));
      await lock.release();
      assert.deepEqual([await kindFor(ada, "a"), await kindFor(ada, "b")], ["held", "held"]);
    },
  },
  {
    name: "what was taken for a caller who has gone is given back",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const stop = new AbortController();
      const { promise: when, resolve: letGo } = Promise.withResolvers<void>();
      subject.rig.next({ kind: "slow", when });
      const asked = ada.locks.acquire("a", { signal: stop.signal });
      const rejected = rejectsWith("CALL_CANCELLED", asked);
      await subject.rig.settle();
      stop.abort();
      letGo();
      await rejected;
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "a release is done once, and later ones answer what it did",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada);
      const both = await Promise.all([lock.release(), lock.release()]);
      assert.deepEqual(both, ["released", "released"]);
      const next = await take(bob);
      assert.equal(await lock.release(), "released");
      assert.equal(await next.renew(), true);
      assert.equal(await lock.renew(), false);
      {
        await using used = await take(ada, "used");
        assert.equal(used.isHeld, true);
      }
      assert.equal(await kindFor(bob, "used"), "held");
    },
  },
  {
    name: "a release leaves alone what somebody else took since",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada);
      await subject.advancePaused(ada, ttlMs);
      const next = await take(bob);
      assert.equal(await lock.release(), "lost");
      assert.equal(await kindFor(ada), "taken");
      assert.equal(await next.renew(), true);
    },
  },
  {
    name: "an owner does not take a later lock of its own for the one that it lost",
    async run(subject) {
      const ada = await subject.owner();
      const lost = await take(ada);
      await subject.advancePaused(ada, ttlMs);
      const held = await take(ada);
      assert.equal(await lost.renew(), false);
      assert.equal(await lost.release(), "lost");
      assert.equal(await held.renew(), true);
    },
  },
  {
    name: "a lock on a durable engine, and its number, survive a restart",
    needs: "durable",
    async run(subject) {
      const { fence } = await take(await subject.owner());
      await subject.restart();
      const bob = await subject.owner();
      assert.equal(await kindFor(bob), "taken");
      await subject.advance(ttlMs);
      assert((await take(bob)).fence > fence);
    },
  },
];
