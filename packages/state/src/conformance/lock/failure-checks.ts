/** What is said of a lock when the engine does not answer as it should. */

import assert from "node:assert/strict";
import { assertLost, heldOf, kindFor, take, ttlMs } from "./lock-subject.ts";
import type { LockCheck } from "./lock-subject.ts";

export const failureChecks: readonly LockCheck[] = [
  {
    name: "an engine that cannot be asked is told apart from a lock that is taken",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      await take(ada, "taken");
      subject.rig.isReachable = false;
      for (const key of ["free", "taken"]) {
        const outcome = await bob.locks.acquire(key);
        assert(outcome.kind === "unavailable", outcome.kind);
        assert.equal(outcome.error.code, "STATE_ENGINE_UNAVAILABLE");
      }
      subject.rig.isReachable = true;
      assert.equal(await kindFor(bob, "free"), "held");
      assert.equal(await kindFor(bob, "taken"), "taken");
    },
  },
  {
    name: "who waits gets the lock of an engine that is back in time",
    async run(subject) {
      const ada = await subject.owner();
      subject.rig.isReachable = false;
      const waiting = ada.locks.acquire("a", { ttlMs, waitMs: 10_000 });
      await subject.advance(3000);
      subject.rig.isReachable = true;
      await subject.advance(2000);
      assert.equal((await waiting).kind, "held");
    },
  },
  {
    name: "an acquisition whose answer was lost is found to be held",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      subject.rig.next({ kind: "answer lost" });
      const lock = await take(ada, "a");
      assert.equal(await kindFor(bob, "a"), "taken");
      assert.equal(await lock.renew(), true);
      assert.equal(await lock.release(), "released");
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "an acquisition of which nobody knows how it ended is told so, and blocks nobody",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      subject.rig.next({ kind: "request lost" });
      const outcome = await ada.locks.acquire("a", { ttlMs });
      assert(outcome.kind === "unavailable", outcome.kind);
      assert.equal(outcome.error.code, "STATE_OUTCOME_UNKNOWN");
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "an acquisition that is done late, while its caller asks again, is the caller's",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const { promise: when, resolve: letGo } = Promise.withResolvers<void>();
      subject.rig.next({ kind: "late", when });
      const waiting = ada.locks.acquire("a", { ttlMs, waitMs: 10_000, renew: false });
      await subject.rig.settle();
      letGo();
      await subject.rig.settle();
      await subject.advance(500);
      const lock = heldOf(await waiting);
      assert.equal(await kindFor(bob, "a"), "taken");
      assert.equal(await lock.release(), "released");
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "an acquisition that is done too late changes nothing for who took the lock since",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const { promise: when, resolve: letGo } = Promise.withResolvers<void>();
      subject.rig.next({ kind: "late", when });
      assert.equal((await ada.locks.acquire("a", { ttlMs })).kind, "unavailable");
      const lock = await take(bob, "a");
      letGo();
      await subject.rig.settle();
      assert.equal(await kindFor(ada, "a"), "taken");
      assert.equal(await lock.renew(), true);
      await lock.release();
      assert.equal(await kindFor(ada, "a"), "held");
    },
  },
  {
    name: "a renewal whose answer was lost is found out about",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = heldOf(await ada.locks.acquire("a", { ttlMs }));
      subject.rig.next({ kind: "answer lost" });
      await subject.live(ttlMs * 2);
      assert.equal(lock.isHeld, true);
      assert.equal(await kindFor(bob, "a"), "taken");
      assert.equal(await lock.release(), "released");
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "a renewal that is answered after the lock was lost brings nothing back",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada, "a");
      const { promise: when, resolve: letGo } = Promise.withResolvers<void>();
      subject.rig.next({ kind: "slow", when });
      const renewal = lock.renew();
      await subject.advance(ttlMs * 0.95);
      assertLost(lock);
      letGo();
      assert.equal(await renewal, false);
      assertLost(lock);
      // It was renewed there and is wanted by nobody here, so it was given back.
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "a release that cannot reach the engine says so, and the lock ends by itself",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada, "a");
      subject.rig.isReachable = false;
      assert.equal(await lock.release(), "unavailable");
      assert.equal(lock.isHeld, false);
      subject.rig.isReachable = true;
      assert.equal(await kindFor(bob, "a"), "taken");
      await subject.advance(ttlMs);
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
];
