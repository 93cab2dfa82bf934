import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "@banyan/kernel";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { Membership } from "./membership.ts";
import type { Registry } from "./membership.ts";
import type { InstanceRecord, Mapping } from "./route-table.ts";

/** A registry in memory that counts what it is asked. */
class CountingRegistry implements Registry {
  readonly #clock: FakeClock;
  readonly #records = new Map<string, { record: InstanceRecord; untilMs: number }>();
  #changes = 0;
  isAway = false;
  writes = 0;
  reads = 0;
  lists = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async write(record: InstanceRecord, leaseMs: number): Promise<void> {
    this.#ask();
    this.writes += 1;
    this.#records.set(record.instance, { record, untilMs: this.#clock.monotonicMs() + leaseMs });
  }

  async remove(instance: string): Promise<void> {
    this.#ask();
    this.writes += 1;
    this.#records.delete(instance);
  }

  async list(): Promise<readonly InstanceRecord[]> {
    this.#ask();
    this.lists += 1;
    const now = this.#clock.monotonicMs();
    return [...this.#records.values()]
      .filter(({ untilMs }) => untilMs > now)
      .map(({ record }) => record);
  }

  async changes(): Promise<number> {
    this.#ask();
    this.reads += 1;
    return this.#changes;
  }

  async changed(): Promise<void> {
    this.#ask();
    this.#changes += 1;
  }

  async mapping(): Promise<Mapping | undefined> {
    this.#ask();
    return undefined;
  }

  #ask(): void {
    if (this.isAway) throw new Error("the registry is away");
  }
}

function recordOf(instance: string): InstanceRecord {
  const services = { shop: "1.0.0" };
  return { instance, node: instance, app: "banyan", host: "h", port: 1, services, status: "up" };
}

function openMember(registry: Registry, clock: FakeClock) {
  let known: readonly InstanceRecord[] = [];
  const member = new Membership({
    registry,
    clock,
    random: systemRandom,
    log: createRecordingLog(),
    heartbeatMs: 5000,
    lookMs: 1000,
    read: (records) => {
      known = records;
    },
  });
  return { member, names: () => known.map(({ instance }) => instance).toSorted() };
}

test("who comes and who leaves is known to the others within a look", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await two.member.start();
  await one.member.announce(recordOf("one"));
  await two.member.announce(recordOf("two"));
  await clock.advance(1100);
  assert.deepEqual(one.names(), ["one", "two"]);
  await two.member.leave();
  await clock.advance(1100);
  assert.deepEqual(one.names(), ["one"]);
});

test("who is killed is forgotten when the lease is over, and not before", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await two.member.start();
  await one.member.announce(recordOf("one"));
  await two.member.announce(recordOf("two"));
  await clock.advance(60_000);
  assert.deepEqual(one.names(), ["one", "two"], "leases are renewed");
  two.member.close();
  await clock.advance(9000);
  assert.deepEqual(one.names(), ["one", "two"]);
  await clock.advance(25_000);
  assert.deepEqual(one.names(), ["one"]);
});

test("while the registry is away nobody is forgotten, and then it is read again", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await two.member.start();
  await one.member.announce(recordOf("one"));
  await two.member.announce(recordOf("two"));
  await clock.advance(1100);
  registry.isAway = true;
  await clock.advance(60_000);
  assert.deepEqual(one.names(), ["one", "two"]);
  registry.isAway = false;
  await clock.advance(20_000);
  assert.deepEqual(one.names(), ["one", "two"]);
});

test("a thousand nodes cost the registry a write each in a heartbeat, and no lists", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const count = 1000;
  const members = Array.from({ length: count }, () => openMember(registry, clock));
  for (const [index, { member }] of members.entries()) {
    await member.start();
    await member.announce(recordOf(`n${index}`));
  }
  await clock.advance(5000); // they hear of each other
  assert.equal(members[0]?.names().length, count);
  const before = { writes: registry.writes, reads: registry.reads, lists: registry.lists };
  await clock.advance(10_000);
  const perNode = (what: "writes" | "reads" | "lists"): number =>
    (registry[what] - before[what]) / count;
  // Ten seconds: two heartbeats, ten looks; the list once in a lease of fifteen.
  assert(perNode("writes") <= 2.5, `${perNode("writes")} writes`);
  assert(perNode("reads") <= 14, `${perNode("reads")} reads of the counter`);
  assert(perNode("lists") <= 1, `${perNode("lists")} lists`);
  for (const { member } of members) member.close();
});
