/** What a fleet with the default settings costs its registry: calls and records. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom, silentLog } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { FakeClock, seedOf } from "@banyan/testbed";
import { Membership } from "./membership.ts";
import { registryOn } from "./store-registry.ts";
import type { RegistryEntry } from "./store-registry.ts";

const none = { writes: 0, counters: 0, lists: 0, records: 0 };
type Costs = typeof none;

/** In memory, as much of a store as the registry uses. Counts. */
function openCountingStore(clock: FakeClock) {
  const costs: Costs = { ...none };
  const all = new Map<string, { value: RegistryEntry; untilMs: number }>();
  const isInstance = (key: string): boolean => key.includes("/instance/");
  const read = (key: string): RegistryEntry | undefined => {
    const found = all.get(key);
    return found === undefined || found.untilMs <= clock.monotonicMs() ? undefined : found.value;
  };
  const store: Pick<Store<RegistryEntry>, "get" | "set" | "update" | "getMany" | "scan"> = {
    async get(key) {
      if (key.endsWith("/changes")) costs.counters += 1;
      else costs.records += 1;
      return read(key);
    },
    async set(key, value, { ttlMs = Infinity } = {}) {
      costs.writes += 1;
      all.set(key, { value, untilMs: clock.monotonicMs() + ttlMs });
      return "1";
    },
    async update(key, change) {
      costs.writes += 1;
      const value = change(read(key));
      all.set(key, { value, untilMs: Infinity });
      return value;
    },
    async getMany(keys) {
      costs.records += keys.length;
      const found = keys.map((key) => ({ key, value: read(key), etag: "1" }));
      return found.flatMap(({ value, ...entry }) =>
        value === undefined ? [] : [{ ...entry, value }],
      );
    },
    async scan() {
      costs.lists += 1;
      const keys = [...all.keys()].filter((key) => isInstance(key));
      const found = keys.map((key) => ({ key, value: read(key), etag: "1" }));
      const entries = found.flatMap(({ value, ...entry }) =>
        value === undefined ? [] : [{ ...entry, value }],
      );
      costs.records += entries.length;
      return { entries, next: undefined };
    },
  };
  // The registry calls nothing else.
  return { costs, store: store as Store<RegistryEntry> };
}

async function openFleetOf(count: number) {
  const clock = new FakeClock();
  const random = createSeededRandom(seedOf());
  const { costs, store } = openCountingStore(clock);
  const members = new Map<string, { member: Membership; known: number }>();
  let next = 0;
  const start = async (): Promise<void> => {
    const instance = `node-${next}.0123456789abcdef0123456789abcdef`;
    next += 1;
    const own = {
      member: new Membership({
        registry: registryOn(store),
        clock,
        random,
        log: silentLog,
        heartbeatMs: 1500,
        lookMs: 1000,
        read(records) {
          own.known = records.filter(({ hasLeft }) => hasLeft !== true).length;
        },
      }),
      known: 0,
    };
    members.set(instance, own);
    await own.member.start();
    // Each service is told of when it has started.
    for (const names of [["node"], ["node", "shop"], ["node", "shop", "lamp"]]) {
      const services = Object.fromEntries(names.map((name) => [name, "1.0.0"]));
      const what = { instance, node: instance, app: "banyan", host: "h", port: 1 };
      await own.member.announce({ ...what, services, status: "up", issues: [] });
    }
  };
  const stop = async (): Promise<void> => {
    for (const [instance, { member }] of members) {
      const { record } = member;
      if (record !== undefined) await member.announce({ ...record, status: "draining" });
      member.close();
      await member.leave();
      members.delete(instance);
      return;
    }
  };
  for (let n = 0; n < count; n += 1) await start();
  return { clock, costs, members, start, stop };
}
type SampleFleet = Awaited<ReturnType<typeof openFleetOf>>;

/** In a second, of the whole fleet, over so many seconds. */
async function measure({ costs, clock }: SampleFleet, seconds: number, each = async () => {}) {
  const before = { ...costs };
  for (let n = 0; n < seconds; n += 1) {
    await each();
    await clock.advance(1000);
  }
  const rate = (name: keyof Costs): number => Math.round((costs[name] - before[name]) / seconds);
  return {
    writes: rate("writes"),
    counters: rate("counters"),
    lists: (costs.lists - before.lists) / seconds,
    records: rate("records"),
  };
}

const nodes = 1000;

test("a thousand nodes cost the registry less than 10 000 records a second in all", async () => {
  const fleet = await openFleetOf(nodes);
  await fleet.clock.advance(10_000); // they hear of each other
  const quiet = await measure(fleet, 340); // each reads the list in that time, or nearly so
  assert(quiet.writes <= nodes * 0.85, `${quiet.writes} writes`);
  assert(quiet.counters <= nodes * 1.25, `${quiet.counters} reads of the counter`);
  assert(quiet.records <= 4000, `${quiet.records} records`);
  for (const { known } of fleet.members.values()) assert.equal(known, nodes);
  for (const { member } of fleet.members.values()) member.close();
});

test("a roll-out of a thousand nodes in ten minutes costs it 10 000 records a second", async () => {
  const fleet = await openFleetOf(nodes);
  await fleet.clock.advance(10_000);
  let due = 0;
  const restarts = async (): Promise<void> => {
    for (due += nodes / 600; due >= 1; due -= 1) {
      await fleet.stop();
      await fleet.start();
    }
  };
  const rolling = await measure(fleet, 30, restarts);
  assert(rolling.records <= 10_000, `${rolling.records} records`);
  await fleet.clock.advance(2000);
  for (const { known } of fleet.members.values()) assert.equal(known, nodes);
  for (const { member } of fleet.members.values()) member.close();
});

test("who is killed is found by whoever reads a list, and then known to all", async () => {
  const fleet = await openFleetOf(500); // each of them reads a list once in a minute and a half
  await fleet.clock.advance(120_000);
  const [killed] = fleet.members.values();
  killed?.member.close();
  await fleet.clock.advance(4500 + 4000);
  const others = [...fleet.members.values()].slice(1);
  assert(others.every(({ known }) => known === 499));
  for (const { member } of others) member.close();
});
