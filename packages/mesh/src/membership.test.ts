import assert from "node:assert/strict";
import { test } from "node:test";
import { systemRandom } from "@banyan/kernel";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { Membership } from "./membership.ts";
import type { MembershipPorts } from "./membership.ts";
import type { Registry } from "./registry.ts";
import type { InstanceRecord, Mapping } from "./instance-record.ts";

/** A registry in memory that counts what it is asked. */
class CountingRegistry implements Registry {
  readonly #clock: FakeClock;
  readonly #records = new Map<string, { record: InstanceRecord; untilMs: number }>();
  #changes = 0;
  isAway = false;
  /** Its counter alone does not answer. */
  isCounterAway = false;
  isReadOnly = false;
  /** So many of the next calls never end. */
  hangs = 0;
  /** What somebody else has put there. */
  strange: unknown[] = [];
  writes = 0;
  /** Writes that were begun. */
  calls = 0;
  reads = 0;
  lists = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  async write(record: InstanceRecord, leaseMs: number): Promise<void> {
    this.#ask();
    this.calls += 1;
    await this.#hang();
    if (this.isReadOnly) throw new Error("the registry takes nothing");
    this.writes += 1;
    this.#records.set(record.instance, { record, untilMs: this.#clock.monotonicMs() + leaseMs });
  }

  async list(): Promise<readonly unknown[]> {
    this.#ask();
    this.lists += 1;
    const now = this.#clock.monotonicMs();
    const live = [...this.#records.values()].filter(({ untilMs }) => untilMs > now);
    return [...live.map(({ record }) => record), ...this.strange];
  }

  async changes(): Promise<number> {
    this.#ask();
    await this.#hang();
    this.reads += 1;
    return this.#changes;
  }

  async changed(): Promise<void> {
    this.#ask();
    if (this.isCounterAway) throw new Error("the counter is away");
    this.#changes += 1;
  }

  async mapping(): Promise<Mapping | undefined> {
    this.#ask();
    return undefined;
  }

  async #hang(): Promise<void> {
    if (this.hangs === 0) return;
    this.hangs -= 1;
    await new Promise(() => undefined);
  }

  #ask(): void {
    if (this.isAway) throw new Error("the registry is away");
  }
}

function recordOf(instance: string): InstanceRecord {
  const services = { shop: "1.0.0" };
  const what = { instance, node: instance, app: "banyan", host: "h", port: 1, services } as const;
  return { ...what, status: "up", issues: [] };
}

function openMember(registry: Registry, clock: FakeClock, renew?: MembershipPorts["renew"]) {
  let known: readonly InstanceRecord[] = [];
  const log = createRecordingLog();
  const member = new Membership({
    registry,
    clock,
    random: systemRandom,
    log,
    heartbeatMs: 5000,
    lookMs: 1000,
    renew,
    read: (records) => {
      known = records.filter(({ hasLeft }) => hasLeft !== true);
    },
  });
  const names = (): string[] => known.map(({ instance }) => instance).toSorted();
  return { member, log, names, records: () => known };
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

test("of two reads that overlap the one that began later is known", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await two.member.start();
  // Its list is taken now, and comes late.
  const slow = Promise.withResolvers<void>();
  const answer = registry.list.bind(registry);
  registry.list = async () => {
    const records = await answer();
    registry.list = answer;
    await slow.promise;
    return records;
  };
  const first = one.member.refresh();
  await clock.advance(0);
  await two.member.announce(recordOf("two"));
  await one.member.refresh();
  assert.deepEqual(one.names(), ["two"]);
  slow.resolve();
  await first;
  assert.deepEqual(one.names(), ["two"]);
  // What the first one saw of the counter is not taken for news either.
  two.member.close();
  const { lists } = registry;
  await clock.advance(1100);
  assert.equal(registry.lists, lists);
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

test("a new status is known to the others within a look, a new load moves no counter", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  let own: Pick<InstanceRecord, "status" | "load"> = { status: "up" };
  const one = openMember(registry, clock, (record) => ({ ...record, ...own }));
  const two = openMember(registry, clock);
  await one.member.start();
  await two.member.start();
  await one.member.announce(recordOf("one"));
  await clock.advance(1100);
  const before = await registry.changes();
  own = { status: "up", load: { load: 0.5, eventLoop: 0.5, lag: 0, cpu: 0, memory: 0, calls: 0 } };
  await clock.advance(20_000); // heartbeats, and the list of each lease
  assert.equal(await registry.changes(), before);
  assert.equal(two.records()[0]?.load?.load, 0.5);
  own = { ...own, status: "degraded" };
  await clock.advance(5000); // the heartbeat
  await clock.advance(1100); // the look
  assert.equal(await registry.changes(), before + 1);
  assert.equal(two.records()[0]?.status, "degraded");
});

for (const what of ["isAway", "isCounterAway"] as const) {
  test(`what was not told while it ${what} is told when it is back`, async () => {
    const clock = new FakeClock();
    const registry = new CountingRegistry(clock);
    const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
    await one.member.start();
    await two.member.start();
    await one.member.announce(recordOf("one"));
    registry[what] = true;
    await assert.rejects(one.member.announce({ ...recordOf("one"), status: "draining" }));
    registry[what] = false;
    const before = await registry.changes();
    await clock.advance(5000);
    await clock.advance(1100);
    assert.equal(await registry.changes(), before + 1);
    assert.equal(two.records()[0]?.status, "draining");
  });
}

test("an owner says when it renewed its record, and who reads leaves that as it is", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await two.member.start();
  await one.member.announce(recordOf("one"));
  await clock.advance(1100);
  assert.equal(two.records()[0]?.renewedAtMs, clock.nowMs() - 1100);
  await clock.advance(20_000);
  one.member.close(); // killed: it renews nothing any more
  await two.member.refresh();
  const first = two.records()[0]?.renewedAtMs ?? 0;
  assert(first > clock.nowMs() - 20_000, "its owner renews it");
  const { writes } = registry;
  await clock.advance(10_000);
  await two.member.refresh();
  assert.equal(two.records()[0]?.renewedAtMs, first);
  assert.equal(registry.writes, writes, "only its owner writes a record");
});

test("what nobody can read is skipped, with one warning", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  registry.strange = [null, 7, { instance: "x" }, { ...recordOf("y"), services: "many" }];
  const one = openMember(registry, clock);
  await one.member.start();
  await one.member.announce(recordOf("one"));
  await clock.advance(40_000);
  assert.deepEqual(one.names(), ["one"]);
  const warned = one.log.lines.filter(({ level }) => level === "warn");
  assert.deepEqual(
    warned.map(({ message, fields }) => [/nobody can read/.test(message), fields["count"]]),
    [[true, 4]],
  );
});

test("who comes back to the registry after its lease is over is seen within a look", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await two.member.start();
  await one.member.announce(recordOf("one"));
  registry.isAway = true;
  await clock.advance(30_000);
  registry.isAway = false;
  await two.member.refresh();
  assert.deepEqual(two.names(), [], "its lease is over");
  await clock.advance(5000); // its heartbeat
  await clock.advance(1000);
  assert.deepEqual(two.names(), ["one"]);
});

test("a registry that takes no writes is not back because it can be read", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const one = openMember(registry, clock);
  await one.member.start();
  await one.member.announce(recordOf("one"));
  const said = (): string[] => one.log.lines.map(({ level }) => level);
  registry.isAway = true;
  await clock.advance(20_000);
  registry.isReadOnly = true;
  registry.isAway = false;
  await clock.advance(20_000);
  assert.deepEqual(said(), ["warn"]);
  registry.isReadOnly = false;
  await clock.advance(10_000);
  assert.deepEqual(said(), ["warn", "info"]);
});

test("a call that never ends does not end the reading, and heartbeats do not pile up", async () => {
  const clock = new FakeClock();
  const registry = new CountingRegistry(clock);
  const [one, two] = [openMember(registry, clock), openMember(registry, clock)];
  await one.member.start();
  await one.member.announce(recordOf("one"));
  registry.hangs = Infinity;
  const before = registry.calls;
  for (let n = 0; n < 60; n += 1) await clock.advance(1000);
  // A minute is twelve heartbeats; a write is given up after a lease of fifteen seconds.
  assert(registry.calls - before <= 5, `${registry.calls - before} writes were begun`);
  const warned = one.log.lines.filter(({ level }) => level === "warn");
  assert.equal(warned.length, 1);
  assert.match(String(warned[0]?.fields["error"]), /has not answered for 15000 ms/);
  registry.hangs = 0;
  await two.member.start();
  await two.member.announce(recordOf("two"));
  for (let n = 0; n < 20; n += 1) await clock.advance(1000);
  assert.deepEqual(one.names(), ["one", "two"]);
});
