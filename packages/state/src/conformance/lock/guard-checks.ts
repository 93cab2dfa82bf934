/** Writes under a lock: the engine refuses those of a holder that holds it no more. */

import assert from "node:assert/strict";
import { openLocks } from "../../lock/open-locks.ts";
import { openMemoryEngine } from "../../memory.ts";
import { rejectsWith } from "../harness.ts";
import { assertLost, take, ttlMs } from "./lock-subject.ts";
import type { LockCheck } from "./lock-subject.ts";

export const guardChecks: readonly LockCheck[] = [
  {
    name: "a transaction under a lock is committed while it is held, renewed meanwhile or not",
    async run(subject) {
      const lock = await take(await subject.owner());
      const { store, transact } = await subject.guarded();
      await transact(({ stores }) => stores.store.set("key", 1), { under: lock });
      let runs = 0;
      await transact(
        async ({ stores }) => {
          runs += 1;
          assert.equal(await lock.renew(), true);
          await stores.store.update("key", (count) => Number(count) + 1);
        },
        { under: lock },
      );
      assert.deepEqual([await store.get("key"), runs], [2, 1]);
      await transact(
        async ({ stores }) => {
          runs += 1;
          if (runs === 2) {
            // Renewed there and not known here: the commit insists on what is no more.
            subject.rig.next({ kind: "answer lost" });
            await rejectsWith("STATE_OUTCOME_UNKNOWN", lock.renew());
          }
          await stores.store.update("key", (count) => Number(count) + 1);
        },
        { under: lock },
      );
      assert.deepEqual([await store.get("key"), runs], [3, 3]);
      assert.equal(await transact(({ stores }) => stores.store.get("key"), { under: lock }), 3);
    },
  },
  {
    name: "a transaction waits for a renewal of its lock no longer than its caller has time",
    async run(subject) {
      const lock = await take(await subject.owner());
      const { store, transact } = await subject.guarded();
      const { promise: when, resolve: letGo } = Promise.withResolvers<void>();
      subject.rig.next({ kind: "slow", when });
      const renewal = lock.renew();
      const caller = new AbortController();
      const options = { under: lock, signal: caller.signal };
      const asked = transact(({ stores }) => stores.store.set("key", 1), options);
      caller.abort(new DOMException("no time left", "TimeoutError"));
      await rejectsWith("CALL_DEADLINE_EXCEEDED", asked);
      letGo();
      assert.equal(await renewal, true);
      await transact(({ stores }) => stores.store.set("key", 2), { under: lock });
      assert.equal(await store.get("key"), 2);
    },
  },
  {
    name: "what was done under a lock and an operation id is answered though the lock is lost",
    async run(subject) {
      const ada = await subject.owner();
      const { store, transact } = await subject.guarded();
      const lock = await take(ada);
      let runs = 0;
      const asked = (operationId: string): Promise<number> =>
        transact(
          async ({ stores }) => {
            runs += 1;
            await stores.store.update("key", (count) => Number(count ?? 0) + 1);
            return runs;
          },
          { under: lock, operationId },
        );
      assert.equal(await asked("first"), 1);
      await lock.release();
      assert.equal(await asked("first"), 1);
      await rejectsWith("STATE_LOCK_LOST", asked("second"));
      assert.deepEqual([await store.get("key"), runs], [1, 1]);
    },
  },
  {
    name: "a paused holder's write is fenced off",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const { store, transact } = await subject.guarded();
      const lost = await take(ada);
      await subject.advancePaused(ada, ttlMs);
      const held = await take(bob);
      await transact(({ stores }) => stores.store.set("key", "bob"), { under: held });
      // Its own clock stood still: as far as it can know, it holds the lock.
      assert.equal(lost.isHeld, true);
      const write = transact(({ stores }) => stores.store.set("key", "ada"), { under: lost });
      await rejectsWith("STATE_LOCK_LOST", write);
      assertLost(lost);
      assert.equal(await store.get("key"), "bob");
      assert.equal(await held.renew(), true);
    },
  },
  {
    name: "the write of a holder whose time is over is refused, though nobody took the lock",
    async run(subject) {
      const ada = await subject.owner();
      const { store, transact } = await subject.guarded();
      const lost = await take(ada);
      await subject.advancePaused(ada, ttlMs);
      const write = transact(({ stores }) => stores.store.set("key", "ada"), { under: lost });
      await rejectsWith("STATE_LOCK_LOST", write);
      assertLost(lost);
      assert.equal(await store.has("key"), false);
    },
  },
  {
    name: "a write is refused if the lock was lost while its transaction ran",
    async run(subject) {
      const [ada, bob] = [await subject.owner(), await subject.owner()];
      const { store, transact } = await subject.guarded();
      const lost = await take(ada);
      let runs = 0;
      const write = transact(
        async ({ stores }) => {
          runs += 1;
          stores.store.set("key", "ada");
          await subject.advancePaused(ada, ttlMs);
          await take(bob);
        },
        { under: lost },
      );
      await rejectsWith("STATE_LOCK_LOST", write);
      assert.equal(runs, 1);
      assert.equal(await store.has("key"), false);
    },
  },
  {
    name: "what was only read under a lock is not answered when the lock is lost",
    async run(subject) {
      const ada = await subject.owner();
      const { store, transact } = await subject.guarded();
      await store.set("key", 1);
      const lost = await take(ada);
      await subject.advancePaused(ada, ttlMs);
      const read = transact(({ stores }) => stores.store.get("key"), { under: lost });
      await rejectsWith("STATE_LOCK_LOST", read);
    },
  },
  {
    name: "nothing runs under a lock that was released, or is known to be lost",
    async run(subject) {
      const ada = await subject.owner();
      const { store, transact } = await subject.guarded();
      const [released, lost] = [await take(ada, "released"), await take(ada, "lost")];
      await released.release();
      await subject.advance(ttlMs);
      for (const under of [released, lost]) {
        const write = transact(() => assert.fail("it ran"), { under });
        await rejectsWith("STATE_LOCK_LOST", write);
      }
      assert.deepEqual((await store.scan()).entries, []);
    },
  },
  {
    name: "a conflict of the data under a lock is tried again, and the lock kept",
    async run(subject) {
      const lock = await take(await subject.owner());
      const { store, transact } = await subject.guarded();
      await store.set("key", 1);
      let runs = 0;
      const result = await transact(
        async ({ stores }) => {
          runs += 1;
          const found = await stores.store.get("key");
          if (runs === 1) await store.set("key", 10);
          stores.store.set("key", Number(found) + 1);
          return found;
        },
        { under: lock },
      );
      assert.deepEqual([result, runs, await store.get("key")], [10, 2, 11]);
      assert.equal(lock.isHeld, true);
    },
  },
  {
    name: "a lock of another engine, or of another make, guards nothing",
    async run(subject) {
      await using elsewhere = openMemoryEngine();
      const spec = { scope: "law", name: "nightly", durability: "ephemeral" } as const;
      const outcome = await (await openLocks(elsewhere, spec)).acquire();
      assert(outcome.kind === "held");
      const { transact } = await subject.guarded();
      const own = await take(await subject.owner());
      const imitation = { ...own, fence: own.fence, key: undefined, isHeld: true };
      for (const under of [outcome.lock, imitation]) {
        const write = transact(({ stores }) => stores.store.set("key", 1), { under });
        await rejectsWith("STATE_LOCK_INVALID", write);
      }
      await outcome.lock.release();
    },
  },
];
