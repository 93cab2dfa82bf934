/** A line that is cut, loses answers, or holds back what it was given. */

import assert from "node:assert/strict";
import { isBanyanError, systemClock } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import fc from "fast-check";
import { endingOf } from "./fault-bench.ts";
import type { Ending, FaultCheck } from "./fault-bench.ts";

export const lineChecks: readonly FaultCheck[] = [
  {
    name: "a line that is cut is told and mended, and leaves no connection behind",
    async run(bench) {
      await using client = await bench.openByProxy();
      const before = await bench.suite.connections();
      for (let round = 0; round < 5; round += 1) {
        const work = Array.from({ length: 20 }, (_, n) => endingOf(client.store.set(`k${n}`, n)));
        setImmediate(() => bench.proxy.cut());
        await Promise.all(work);
        assert.equal(await endingOf(client.store.set("key", 1)), "unavailable");
        assert.equal(await endingOf(client.store.get("key")), "unavailable");
        await assert.rejects(async () => client.engine.check(), unavailable);
        await bench.proxy.heal();
        await bench.recovered(client);
      }
      await bench.suite.until(
        async () => (await bench.suite.connections()) <= before + 3 && bench.proxy.connections <= 3,
        "the end of the connections that were cut",
      );
    },
  },
  {
    name: "where answers are lost every write is there or reported unknown, none twice",
    async run(bench) {
      await using client = await bench.openByProxy();
      await using witness = await bench.open({ name: "replies" });
      let round = 0;
      const write = fc.record({ at: fc.integer({ min: 0, max: 12 }), turns: fc.nat(300) });
      const property = fc.asyncProperty(
        fc.array(write, { minLength: 1, maxLength: 3 }),
        async (faults) => {
          round += 1;
          const { store } = client;
          let certain = 0;
          let unknown = 0;
          for (let n = 0; n < 12; n += 1) {
            const fault = faults.find(({ at }) => at === n);
            const added = store.update(`sum${round}`, (sum) => (sum ?? 0) + 1);
            const batch = store.setMany([
              [`a${round}-${n}`, n],
              [`b${round}-${n}`, n],
            ]);
            const ends = Promise.all([endingOf(added), endingOf(batch)]);
            if (fault !== undefined) {
              await turns(fault.turns);
              bench.proxy.dropReplies();
            }
            const [sum, both] = await ends;
            if (sum === "written") certain += 1;
            if (sum === "unknown") unknown += 1;
            if (fault !== undefined) {
              bench.proxy.passReplies();
              await bench.recovered(client);
            }
            await assertWhole(store, [`a${round}-${n}`, `b${round}-${n}`], both);
          }
          const sum = (await store.get(`sum${round}`)) ?? 0;
          assert(sum >= certain && sum <= certain + unknown, `${sum}: ${certain} and ${unknown}`);
        },
      );
      await fc.assert(property, { seed: bench.suite.seed, numRuns: 6 });
      assert.equal(await witness.store.get("missing"), undefined);
    },
  },
  {
    name: "what a line held back does not pass what was acknowledged since",
    async run(bench) {
      await using client = await bench.openByProxy();
      for (const turnsMax of [0, 4, 16, 64, 128, 256]) {
        const key = `late${turnsMax}`;
        const held = [endingOf(client.store.set(key, 1)), endingOf(client.store.set("other", 1))];
        await turns(turnsMax);
        bench.proxy.stall();
        await Promise.all(held);
        bench.proxy.resume();
        await bench.recovered(client);
        await client.store.set(key, 2);
        await bench.recovered(client);
        assert.equal(await client.store.get(key), 2);
      }
    },
  },
  {
    name: "a node whose question for the time was held back judges nothing over that is not",
    async run(bench) {
      const slow = { commandTimeoutMs: 5000, sweepIntervalMs: 100, name: "held-time" };
      await using held = await bench.openByProxy(slow);
      await using direct = await bench.open({ name: "held-time" });
      for (let round = 0; round < 3; round += 1) {
        const key = `alive${round}`;
        bench.proxy.stall(); // the sweep asks for the time, and half of this is its error
        await systemClock.sleep(1500);
        await direct.store.set(key, 1, { ttlMs: 600 });
        const aliveMs = systemClock.monotonicMs() + 500;
        bench.proxy.resume();
        while (systemClock.monotonicMs() < aliveMs) {
          const found = await Promise.all([held.store.get(key), direct.store.get(key)]);
          const isEarly = systemClock.monotonicMs() < aliveMs;
          if (isEarly) assert.deepEqual(found, [1, 1], `round ${round}`);
        }
      }
    },
  },
];

function unavailable(error: unknown): boolean {
  return isBanyanError(error, "STATE_ENGINE_UNAVAILABLE");
}

/** All or none, and all of it where it was acknowledged. */
async function assertWhole(
  store: Store<number>,
  keys: readonly string[],
  ending: Ending,
): Promise<void> {
  const { length } = await store.getMany(keys);
  const allowed = {
    written: [keys.length],
    unavailable: [0],
    unknown: [0, keys.length],
  }[ending];
  assert(allowed.includes(length), `${length} of ${keys.length} are there, and it was ${ending}`);
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
