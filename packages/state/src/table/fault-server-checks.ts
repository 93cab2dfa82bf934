/** A server that is not there, dies, stands still, and comes back. */

import assert from "node:assert/strict";
import { isBanyanError, systemClock } from "@banyan/kernel";
import { endingOf, timeoutMs } from "./fault-bench.ts";
import type { FaultCheck } from "./fault-bench.ts";
import { loadClientOf, WriteLedger } from "./write-load.ts";

export const serverChecks: readonly FaultCheck[] = [
  {
    name: "a server that is not there at the start is waited for",
    async run(bench) {
      await bench.server.kill();
      const opening = bench.open();
      await bench.server.start();
      await using late = await opening;
      await late.store.set("key", 1);
      assert.equal(await late.store.get("key"), 1);
    },
  },
  {
    name: "one that does not come is refused by name, in time",
    async run(bench) {
      bench.proxy.cut();
      const code = bench.suite.unreachable;
      await assert.rejects(bench.openByProxy({ connectTimeoutMs: 200 }), { code });
      await bench.proxy.heal();
      // Nor is a server that takes connections and then says nothing.
      bench.proxy.stall();
      await assert.rejects(bench.openByProxy({ connectTimeoutMs: 200 }), { code });
      bench.proxy.resume();
    },
  },
  {
    name: "no acknowledged write is missing after the server was killed under load",
    async run(bench) {
      await using client = await bench.open();
      const ledger = new WriteLedger();
      const load = loadClientOf(client.engine, client.store);
      let running = true;
      const work = Array.from({ length: 16 }, (_, writer) =>
        ledger.load(`writer${writer}`, load, () => running),
      );
      const written = async (more: number): Promise<void> => {
        const goal = ledger.acknowledged + more;
        await bench.suite.until(async () => ledger.acknowledged >= goal, `${more} writes`);
      };
      for (let kill = 0; kill < 3; kill += 1) {
        await written(200);
        await bench.server.kill();
        await bench.server.start();
      }
      await written(1);
      running = false;
      await Promise.all(work);
      assert.deepEqual(await ledger.misses(client.store), []);
    },
  },
  {
    name: "before a server that stands still every method ends in time",
    async run(bench) {
      await using client = await bench.open();
      const { store, engine } = client;
      await store.set("key", 1);
      bench.server.pause();
      // It may answer a last time while the signal is on its way.
      await bench.suite.until(
        async () => (await endingOf(Promise.try(() => engine.check()))) === "unavailable",
        "the standstill",
      );
      const begunMs = systemClock.monotonicMs();
      const ends = await Promise.all([
        endingOf(store.set("key", 2)),
        endingOf(store.get("key")),
        endingOf(store.getMany(["key"])),
        endingOf(store.has("key")),
        endingOf(store.scan()),
        endingOf(store.delete("other")),
        endingOf(store.update("key", () => 3)),
        endingOf(Promise.try(() => engine.check())),
      ]);
      const tookMs = systemClock.monotonicMs() - begunMs;
      bench.server.resume();
      assert.deepEqual(new Set(ends), new Set(["unavailable"]));
      assert(tookMs < 4 * timeoutMs, `it took ${tookMs} ms`);
      await bench.recovered(client);
      assert.equal(await store.get("key"), 1);
    },
  },
  {
    name: "one write more than writesWaitingMax is refused at once, and the others are done",
    async run(bench) {
      await using client = await bench.open({ writesWaitingMax: 8, commandTimeoutMs: 5000 });
      const { store } = client;
      await store.set("key", 1);
      bench.server.pause();
      const begunMs = systemClock.monotonicMs();
      const writes = Array.from({ length: 20 }, (_, n) => store.set(`key-${n}`, n));
      const refused = await Promise.allSettled(writes.slice(8));
      const tookMs = systemClock.monotonicMs() - begunMs;
      bench.server.resume();
      for (const end of refused) {
        assert(end.status === "rejected");
        assert(isBanyanError(end.reason, "STATE_ENGINE_UNAVAILABLE"), String(end.reason));
        assert(end.reason.message.includes("8 writes wait"), end.reason.message);
      }
      assert(tookMs < 2500, `it took ${tookMs} ms`);
      await Promise.all(writes.slice(0, 8));
      assert.equal(await store.count(), 9);
      await store.set("key-8", 8);
    },
  },
  {
    name: "a signal ends a wait for a server that stands still",
    async run(bench) {
      await using client = await bench.open({ commandTimeoutMs: 5000 });
      const controller = new AbortController();
      bench.server.pause();
      const reads = [
        client.store.get("key", { signal: controller.signal }),
        client.store.scan({ signal: controller.signal }),
        Promise.try(() => client.engine.check({ signal: controller.signal })),
      ];
      setImmediate(() => controller.abort());
      for (const end of await Promise.allSettled(reads)) {
        assert(end.status === "rejected" && isBanyanError(end.reason, "CALL_CANCELLED"));
      }
      bench.server.resume();
      await bench.recovered(client);
    },
  },
  {
    name: "a server that was started again is found again",
    async run(bench) {
      await using client = await bench.open();
      await client.store.set("key", 1);
      await bench.server.stop();
      assert.equal(await endingOf(client.store.set("key", 2)), "unavailable");
      assert.equal(await endingOf(client.store.get("key")), "unavailable");
      await bench.server.start();
      await bench.recovered(client);
      assert.equal(await client.store.get("key"), 1);
    },
  },
];
