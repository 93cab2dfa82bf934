import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openMemoryEngine, openStore } from "@banyan/state";
import { FakeClock } from "@banyan/testbed";
import type { InstanceRecord, Mapping } from "./instance-record.ts";
import { placeServices, registryOn } from "./store-registry.ts";
import type { RegistryEntry } from "./store-registry.ts";

const spec = { durability: "ephemeral", value: t.Unknown(), expires: true } as const;

async function openRegistryStore(clock: FakeClock): Promise<Store<RegistryEntry>> {
  const engine = openMemoryEngine({ clock });
  const store = await openStore(engine, { scope: "node", name: "mesh", spec, clock });
  // Nobody else writes to it.
  return store as Store<RegistryEntry>;
}

function recordOf(instance: string): InstanceRecord {
  const services = { shop: "1.0.0" };
  const what = { instance, node: instance, app: "banyan", host: "h", port: 1, services } as const;
  return { ...what, status: "up", issues: [] };
}

test("a record is there until its lease is over, and the list has all of them", async () => {
  const clock = new FakeClock();
  const registry = registryOn(await openRegistryStore(clock));
  const count = 1500;
  for (let n = 0; n < count; n += 1) await registry.write(recordOf(`n${n}`), 4500);
  assert.equal((await registry.list()).length, count);
  await clock.advance(3000);
  await registry.write(recordOf("n7"), 4500);
  await clock.advance(3000);
  assert.deepEqual(await registry.list(), [recordOf("n7")]);
  await clock.advance(2000);
  assert.deepEqual(await registry.list(), []);
});

test("the counter moves with every change, also with many at once", async () => {
  const registry = registryOn(await openRegistryStore(new FakeClock()));
  const before = await registry.changes();
  const names = Array.from({ length: 20 }, (_, n) => `n${n}`);
  await Promise.all(names.map((name) => registry.changed([name])));
  const news = await registry.since?.(before, []);
  assert(news !== undefined && news.count >= before + 20);
  assert.deepEqual([...(news.records?.keys() ?? [])].sort(), names.sort());
});

test("a counter that lost its last counts is not taken for the one that was read", async () => {
  const store = await openRegistryStore(new FakeClock());
  const registry = registryOn(store);
  await registry.changed(["a"]);
  const saved = await store.get("banyan/changes");
  assert(saved !== undefined);
  await registry.changed(["b"]);
  const seen = await registry.changes();
  await store.set("banyan/changes", saved);
  for (const name of ["c", "d", "e"]) await registry.changed([name]);
  assert.equal((await registry.since?.(seen, []))?.records, undefined);
});

test("of mappings the newest is in force, whoever writes last", async () => {
  const store = await openRegistryStore(new FakeClock());
  const registry = registryOn(store);
  const newer = { epoch: "2", version: 1, apps: { shop: "green" } };
  const older = { epoch: "1", version: 9, apps: { shop: "blue" } };
  assert.deepEqual(await placeServices(store, older), { mapping: older, isPlaced: true });
  assert.deepEqual(await placeServices(store, newer), { mapping: newer, isPlaced: true });
  const before = await registry.changes();
  assert.deepEqual(await placeServices(store, older), { mapping: newer, isPlaced: false });
  assert.equal(await registry.changes(), before, "nothing has changed");
  const next = ({ epoch, version }: Mapping): Mapping => ({
    epoch,
    version: version + 1,
    apps: { shop: "red" },
  });
  const both = await Promise.all([placeServices(store, next), placeServices(store, next)]);
  assert.deepEqual(
    both.map(({ mapping, isPlaced }) => [mapping.version, isPlaced]),
    [
      [2, true],
      [3, true],
    ],
  );
  await placeServices(store, { ...newer, version: 4 });
  assert.deepEqual(await registry.mapping(), { ...newer, version: 4 });
});

test("what has changed since a count is told with its records, unless too much", async () => {
  const clock = new FakeClock();
  const store = await openRegistryStore(clock);
  const registry = registryOn(store);
  const since = async (count: number, also: readonly string[] = []) => {
    const news = await registry.since?.(count, also);
    return news?.records && [...news.records].map(([name, value]) => [name, value !== undefined]);
  };
  const counts = [await registry.changes()];
  const changed = async (told?: readonly string[]): Promise<void> => {
    await registry.changed(told);
    counts.push(await registry.changes());
  };
  const sinceChange = (change: number, also?: readonly string[]) =>
    since(counts[change] ?? Number.NaN, also);
  await registry.write(recordOf("a"), 4500);
  await changed(["a"]);
  await changed(["gone"]);
  await changed(); // the mapping
  await changed(["a"]);
  assert.deepEqual(await sinceChange(4), []);
  assert.deepEqual(await sinceChange(4, ["a"]), [["a", true]]);
  assert.deepEqual(await sinceChange(2), [["a", true]]);
  const both = [
    ["gone", false],
    ["a", true],
  ];
  assert.deepEqual(await sinceChange(0), both);
  assert.equal(await since((counts[4] ?? 0) + 1), undefined, "it counts anew");
  for (let n = 0; n < 31; n += 1) await changed([`n${n}`]);
  assert.equal((await sinceChange(3))?.length, 32);
  assert.equal((await sinceChange(2))?.length, 32, "nobody was told of by the third");
  assert.equal(await sinceChange(1), undefined);
  // A node of an earlier version writes a count alone.
  await store.set("banyan/changes", { kind: "changes", count: 40 });
  assert.equal(await since(35), undefined);
  await registry.changed(["a"]);
  assert.deepEqual(await since(40), [["a", true]]);
});
