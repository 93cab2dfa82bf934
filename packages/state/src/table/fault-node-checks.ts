/** Several nodes on one database. */

import assert from "node:assert/strict";
import { systemClock } from "@banyan/kernel";
import type { FaultCheck } from "./fault-bench.ts";
import type { TableOptions } from "./table-options.ts";

export const nodeChecks: readonly FaultCheck[] = [
  {
    name: "nodes that start at once on an empty database have the same tables",
    async run(bench) {
      const tablePrefix = bench.freshPrefix();
      const nodes = await Promise.all(
        Array.from({ length: 4 }, () => bench.open({ tablePrefix, name: "one" })),
      );
      await Promise.all(nodes.map(({ store }, at) => store.set(`key${at}`, at)));
      for (const { store } of nodes) {
        assert.deepEqual(
          (await store.scan()).entries.map(({ value }) => value),
          [0, 1, 2, 3],
        );
      }
      await Promise.all(nodes.map(({ engine }) => engine.close()));
    },
  },
  {
    name: "nodes that write the same keys lose nothing",
    async run(bench) {
      await using one = await bench.open({ name: "shared", commandTimeoutMs: 5000 });
      await using two = await bench.open({ name: "shared", commandTimeoutMs: 5000 });
      const keys = ["a", "b", "c", "d"];
      const work = [one, two].flatMap(({ store }) =>
        Array.from({ length: 40 }, async (_, n) => {
          const key = keys[n % 4] ?? "";
          await store.update(key, (count) => (count ?? 0) + 1);
          await store.setMany(keys.toReversed().map((each) => [`batch-${each}`, n] as const));
          if (n % 8 === 0) await store.deleteMany(keys.map((each) => `batch-${each}`));
        }),
      );
      await Promise.all(work);
      for (const key of keys) assert.equal(await one.store.get(key), 20);
    },
  },
  {
    name: "of nodes that create one key at once exactly one does",
    async run(bench) {
      await using one = await bench.open({ name: "created", commandTimeoutMs: 5000 });
      await using two = await bench.open({ name: "created", commandTimeoutMs: 5000 });
      for (let round = 0; round < 20; round += 1) {
        const races = [one, two].map(({ store }) => store.set(`k${round}`, 1, { ifAbsent: true }));
        const ends = await Promise.allSettled(races);
        assert.equal(ends.filter(({ status }) => status === "fulfilled").length, 1);
      }
    },
  },
  {
    name: "nodes agree about expiry though their clocks do not",
    async run(bench) {
      const late = clockOff(-3_600_000);
      await using one = await bench.open({ name: "expiry" });
      await using two = await bench.open({ name: "expiry", clock: late });
      await one.store.set("short", 1, { ttlMs: 2000 });
      await two.store.set("long", 1, { ttlMs: 60_000 });
      assert.deepEqual([await two.store.get("short"), await one.store.get("long")], [1, 1]);
      await bench.suite.until(async () => !(await two.store.has("short")), "the end of an entry");
      assert.equal(await one.store.has("short"), false);
      assert.equal(await one.store.has("long"), true);
    },
  },
  {
    name: "of nodes that claim at once none gets a row of the other, by the server's clock",
    async run(bench) {
      const tablePrefix = bench.freshPrefix();
      await using one = await bench.open({ tablePrefix });
      await using two = await bench.open({ tablePrefix, clock: clockOff(3_600_000) });
      const rows = Array.from({ length: 120 }, (_, n) => `row ${n}`);
      const outboxes = [one, two].map(({ engine }) => engine.outbox ?? assert.fail("no outbox"));
      const [first] = outboxes;
      const riders = [first?.ride(rows, { by: "dead", leaseMs: 1000 }) ?? assert.fail("no rider")];
      await one.engine.transact?.({ checks: [], changes: [], riders });
      const claims = outboxes.map(async (outbox, at) => {
        const taken: string[] = [];
        for (let empty = 0; empty < 200 && taken.length < rows.length; empty += 1) {
          const claimed = await outbox.claim({ by: `node-${at}`, leaseMs: 60_000, limit: 7 });
          taken.push(...claimed.map(({ load }) => load));
          await outbox.remove(claimed.map(({ id }) => id));
          if (claimed.length === 0) await systemClock.sleep(10);
        }
        return taken;
      });
      // A node's clock an hour ahead must not end a lease.
      const early = await outboxes[1]?.claim({ by: "early", leaseMs: 1, limit: 1 });
      assert.deepEqual(early, []);
      const taken = (await Promise.all(claims)).flat();
      assert.deepEqual(taken.toSorted(), rows.toSorted());
    },
  },
];

function clockOff(offMs: number): NonNullable<TableOptions["clock"]> {
  return { ...systemClock, nowMs: () => systemClock.nowMs() + offMs };
}
