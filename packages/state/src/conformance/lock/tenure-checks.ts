/** How long a lock is held: renewal, loss, and the number that outlives both. */

import assert from "node:assert/strict";
import { assertLost, heldOf, kindFor, take, ttlMs } from "./lock-subject.ts";
import type { LockCheck } from "./lock-subject.ts";

export const tenureChecks: readonly LockCheck[] = [
  {
    name: "a lock is renewed for as long as its holder lives, and no longer",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = heldOf(await ada.locks.acquire("a", { ttlMs }));
      for (let lives = 0; lives < 5; lives += 1) {
        await subject.live(ttlMs);
        assert.equal(lock.isHeld, true);
        assert.equal(await kindFor(bob, "a"), "taken");
      }
      await subject.advancePaused(ada, ttlMs);
      assert.equal(await kindFor(bob, "a"), "held");
    },
  },
  {
    name: "nothing is renewed after the release",
    async run(subject) {
      const ada = await subject.owner();
      const lock = heldOf(await ada.locks.acquire("a", { ttlMs }));
      await lock.release();
      const { writes } = subject.rig;
      await subject.live(ttlMs * 3);
      assert.equal(subject.rig.writes, writes);
      assert.equal(lock.signal.aborted, false);
    },
  },
  {
    name: "a renewal counts one time to live from then on",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = await take(ada);
      await subject.advance(ttlMs / 2);
      assert.equal(await lock.renew(), true);
      await subject.advancePaused(ada, ttlMs - 1);
      assert.equal(await kindFor(bob), "taken");
      await subject.advancePaused(ada, 1);
      assert.equal(await kindFor(bob), "held");
    },
  },
  {
    name: "a lock whose time was over is not renewed, whether or not somebody took it since",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const [free, taken] = [await take(ada, "free"), await take(ada, "taken")];
      await subject.advancePaused(ada, ttlMs);
      const next = await take(bob, "taken");
      for (const lock of [free, taken]) {
        assert.equal(await lock.renew(), false);
        assertLost(lock);
      }
      assert.equal(await kindFor(bob, "free"), "held");
      assert.equal(await next.renew(), true);
    },
  },
  {
    name: "a holder that slept past its time does not hold the lock when it wakes",
    async run(subject) {
      const ada = await subject.owner();
      const asked = heldOf(await ada.locks.acquire("asked", { ttlMs }));
      const told = heldOf(await ada.locks.acquire("told", { ttlMs }));
      await subject.advancePaused(ada, ttlMs);
      ada.clock.sleepThrough(ttlMs);
      // No timer has fired: what it answers, it answers by the clock.
      assert.equal(asked.isHeld, false);
      assertLost(asked);
      await subject.advance(1);
      assertLost(told);
    },
  },
  {
    name: "a holder that cannot reach its engine loses the lock before anybody else can have it",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = heldOf(await ada.locks.acquire("a", { ttlMs }));
      subject.rig.isReachable = false;
      await subject.live(ttlMs * 0.8);
      assert.equal(lock.isHeld, true);
      await subject.live(ttlMs * 0.1);
      assertLost(lock);
      subject.rig.isReachable = true;
      assert.equal(await kindFor(bob, "a"), "taken");
      // What comes back does not bring back the lock.
      assert.equal(await lock.renew(), false);
      assertLost(lock);
    },
  },
  {
    name: "a holder that reaches its engine again in time keeps the lock",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const lock = heldOf(await ada.locks.acquire("a", { ttlMs }));
      subject.rig.isReachable = false;
      await subject.live(ttlMs / 2);
      subject.rig.isReachable = true;
      await subject.live(ttlMs * 2);
      assert.equal(lock.isHeld, true);
      assert.equal(await kindFor(bob, "a"), "taken");
    },
  },
  {
    name: "fencing numbers ascend with each acquisition, whoever makes it",
    async run(subject) {
      const owners = [await subject.owner(), await subject.owner()];
      let last = 0;
      for (let round = 0; round < 12; round += 1) {
        const owner = owners[round % 2];
        assert(owner !== undefined);
        const lock = await take(owner);
        assert(Number.isSafeInteger(lock.fence) && lock.fence > last, `${lock.fence} > ${last}`);
        last = lock.fence;
        // By release, by the end of its time, and after a renewal.
        if (round % 3 === 0) await subject.advance(ttlMs);
        else assert.equal(await lock.release(), "released");
      }
    },
  },
  {
    name: "fencing numbers ascend after the engine lost the lock's entries",
    async run(subject) {
      const ada = await subject.owner();
      let last = 0;
      for (let round = 0; round < 4; round += 1) {
        const { fence } = await take(ada);
        assert(fence > last, `${fence} after ${last}`);
        last = fence;
        await subject.forget();
        await subject.advance(1);
      }
    },
  },
];
