import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import type { InstanceRecord } from "./instance-record.ts";
import type { SeedList } from "./read-only-registry.ts";
import { SeedRegistry } from "./seed-registry.ts";

function recordOf(instance: string, own: Partial<InstanceRecord> = {}): InstanceRecord {
  const services = { shop: "1.0.0" };
  const what = { instance, node: instance, app: "banyan", host: "h", port: 1, services } as const;
  return { ...what, status: "up", issues: [], ...own };
}

const load = { load: 0.5, eventLoop: 0.5, lag: 0, cpu: 0, memory: 0, calls: 0 };

function openSeeds(first: SeedList["seeds"] = []) {
  let seeds = first;
  const clock = new FakeClock();
  const connected = new Set<string>();
  const answering = new Map<number, string>();
  const met: number[] = [];
  const told: string[] = [];
  const registry = new SeedRegistry({
    instance: "own",
    source: { readOnly: true, read: async () => ({ seeds }) },
    clock,
    log: createRecordingLog(),
    lookMs: 1000,
    leaseMs: 4500,
    isConnected: (instance) => connected.has(instance),
    meet: async ({ port }) => {
      met.push(port);
      const instance = answering.get(port);
      if (instance === undefined) throw new Error("nobody");
      if (instance !== "own") connected.add(instance);
      return instance;
    },
    tell: (record, to) => void told.push(`${record?.status ?? "nothing"} to ${to ?? "all"}`),
  });
  const look = async (): Promise<number> => {
    await clock.advance(1000);
    return registry.changes();
  };
  const names = async (): Promise<string[]> =>
    (await registry.list()).map(({ instance }) => instance);
  const say = (next: SeedList["seeds"]): void => void (seeds = next);
  return { clock, connected, answering, met, told, registry, look, names, say };
}

test("whoever connects is told what this node is, all when that changes", async () => {
  const { registry, told } = openSeeds();
  registry.linkOpened("a");
  await registry.write(recordOf("own"));
  registry.linkOpened("b");
  await registry.write(recordOf("own", { status: "degraded" }));
  assert.deepEqual(told, ["nothing to a", "up to all", "up to b", "degraded to all"]);
});

test("a new status of another moves the counter, a new load does not", async () => {
  const { registry, look, connected } = openSeeds();
  connected.add("a");
  registry.heard("a", recordOf("a"));
  const first = await look();
  registry.heard("a", recordOf("a", { load, renewedAtMs: 7 }));
  assert.equal(await look(), first);
  registry.heard("a", recordOf("a", { status: "degraded" }));
  const second = await look();
  assert.notEqual(second, first);
  registry.heard("a", recordOf("a", { status: "degraded", services: {} }));
  assert.notEqual(await look(), second);
});

test("what a node said holds while it is connected, and for a lease after that", async () => {
  const { registry, look, names, connected, clock } = openSeeds();
  connected.add("a");
  registry.heard("a", recordOf("a"));
  await clock.advance(60_000);
  await look();
  assert.deepEqual(await names(), ["a"]);
  connected.delete("a");
  await clock.advance(3000);
  const before = await look();
  assert.deepEqual(await names(), ["a"]);
  await clock.advance(1000);
  assert.notEqual(await look(), before, "others are to read that it is gone");
  assert.deepEqual(await names(), []);
});

test("an address that is this node's own is called once", async () => {
  const { look, met, answering } = openSeeds([{ host: "h", port: 7 }]);
  answering.set(7, "own");
  for (let n = 0; n < 5; n += 1) await look();
  assert.deepEqual(met, [7]);
});

test("an address where nobody answers is tried after pauses that grow to 15 seconds", async () => {
  const { look, met, answering } = openSeeds([{ host: "h", port: 7 }]);
  for (let n = 0; n < 120; n += 1) await look();
  // 1, 2, 4 and 8 s apart, then each quarter of a minute.
  assert(met.length >= 10 && met.length <= 13, `${met.length}`);
  answering.set(7, "a");
  const before = met.length;
  for (let n = 0; n < 40; n += 1) await look();
  assert.equal(met.length, before + 1, "who answers is not called again while it is connected");
});

test("of many addresses no more than 32 are called at once", async () => {
  const seeds = Array.from({ length: 100 }, (_, n) => ({ host: "h", port: n + 1 }));
  const { registry, met } = openSeeds(seeds);
  await registry.changes();
  assert.equal(met.length, 32);
});

test("whose address is taken out is removed until it is back, whoever was between", async () => {
  const { registry, look, names, connected, answering, met, say } = openSeeds([
    { host: "outer", port: 7 },
  ]);
  answering.set(7, "a"); // it says another address of itself
  await look();
  await look();
  connected.add("a");
  registry.heard("a", recordOf("a"));
  assert.deepEqual(await names(), ["a"]);
  for (let round = 0; round < 5; round += 1) {
    say(Array.from({ length: 1000 }, (_, n) => ({ host: `pod-${round}`, port: n + 8 })));
    await look();
    assert.deepEqual(await names(), []);
    assert.deepEqual([...registry.removed()], ["a"]);
  }
  const count = await look();
  const before = met.length;
  say([{ host: "outer", port: 7 }]);
  assert.notEqual(await look(), count);
  assert.deepEqual([await names(), [...registry.removed()]], [["a"], []]);
  assert.equal(met.length, before, "its connection was there all the while");
});
