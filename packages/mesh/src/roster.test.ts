import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createRecordingLog, FakeClock, seedOf } from "@banyan/testbed";
import type { InstanceRecord } from "./instance-record.ts";
import { Roster } from "./roster.ts";
import type { FleetNews } from "./roster.ts";
import { RouteTable } from "./route-table.ts";

function recordOf(instance: string, own: Partial<InstanceRecord> = {}): InstanceRecord {
  const services = { shop: "1.0.0" };
  const what = { instance, node: instance, app: "banyan", host: "h", port: 1, services } as const;
  return { ...what, status: "up", issues: [], renewedAtMs: 1, ...own };
}

function openRoster(instance: string) {
  const clock = new FakeClock();
  const table = new RouteTable();
  const log = createRecordingLog();
  const connected = new Set<string>();
  const reachable = new Set<string>();
  const dialled: string[] = [];
  const news: FleetNews[] = [];
  const roster: Roster = new Roster({
    instance,
    table,
    clock,
    log,
    graceMs: 1500,
    isConnected: (other) => connected.has(other),
    dial: async (record) => {
      dialled.push(record.instance);
      if (!reachable.has(record.instance)) throw new Error("nobody is there");
      connected.add(record.instance);
      roster.linkOpened(record.instance);
    },
    forget: () => undefined,
    onNews: (one) => void news.push(one),
  });
  return {
    roster,
    clock,
    table,
    log,
    connected,
    reachable,
    dialled,
    called: () => table.candidates("shop").up.map((record) => record.instance),
    /** What was told since the last time. */
    told: () =>
      news.splice(0).map(({ kind, record, reason, isTeller }) => {
        const text = `${kind} ${record.instance}`;
        return `${text}${reason === undefined ? "" : ` ${reason}`}${isTeller ? "!" : ""}`;
      }),
  };
}

test("who was there before this node is no news, and whoever comes is", () => {
  const { roster, told } = openRoster("b");
  roster.read([recordOf("a")]);
  assert.deepEqual(told(), []);
  roster.read([recordOf("a"), recordOf("b"), recordOf("c")]);
  assert.deepEqual(told(), ["joined b", "joined c"]);
  roster.read(["a", "b", "c", "d"].map((name) => recordOf(name, { status: "degraded" })));
  const others = ["degraded a", "degraded b", "degraded c"];
  assert.deepEqual(told(), [...others, "joined d", "degraded d"]);
  roster.read(["a", "b", "c", "d"].map((name) => recordOf(name, { status: "degraded" })));
  assert.deepEqual(told(), []);
});

test("a farewell is read as graceful, a record that is gone as expired, each once", () => {
  const { roster, told, called, log } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b"), recordOf("c")]);
  const farewell = recordOf("b", { status: "draining", hasLeft: true });
  roster.read([recordOf("a"), farewell]);
  assert.deepEqual(told(), ["left b graceful", "left c expired!"]);
  assert.deepEqual(called(), ["a"]);
  roster.read([recordOf("a"), farewell]);
  roster.read([recordOf("a")]);
  assert.deepEqual(told(), []);
  const lines = log.lines.filter(({ message }) => /has left/.test(message));
  assert.deepEqual(
    lines.map(({ fields }) => [fields["instance"], fields["reason"]]),
    [
      ["b", "graceful"],
      ["c", "expired"],
    ],
  );
});

test("a farewell of somebody who was never known is no news", () => {
  const { roster, told } = openRoster("a");
  roster.read([recordOf("a")]);
  roster.read([recordOf("a"), recordOf("x", { hasLeft: true })]);
  assert.deepEqual(told(), []);
});

test("degraded and recovered are told at the change, draining is not", () => {
  const { roster, told } = openRoster("a");
  const withB = (status: InstanceRecord["status"]): void =>
    roster.read([recordOf("a"), recordOf("b", { status })]);
  for (const status of ["up", "degraded", "degraded", "up", "draining"] as const) withB(status);
  assert.deepEqual(told(), ["degraded b!", "recovered b!"]);
  withB("degraded");
  withB("draining");
  assert.deepEqual(told(), ["degraded b!"]);
});

test("while its connection lives, an instance whose record is gone is called", async () => {
  const { roster, told, called, connected, clock } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b"), recordOf("c")]);
  connected.add("b");
  roster.read([recordOf("a")]);
  assert.deepEqual(told(), ["left c expired!"]);
  assert.deepEqual(called(), ["a", "b"]);
  connected.delete("b");
  roster.linkClosed("b");
  assert.deepEqual(called(), ["a"]);
  assert.deepEqual(told(), []);
  await clock.advance(1500);
  assert.deepEqual(told(), ["left b expired!"]);
});

test("a farewell ends it though its connection lives", () => {
  const { roster, told, called, connected } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  connected.add("b");
  roster.read([recordOf("a"), recordOf("b", { status: "draining", hasLeft: true })]);
  assert.deepEqual(told(), ["left b graceful"]);
  assert.deepEqual(called(), ["a"]);
});

test("a connection that ends and opens again is no news", async () => {
  const { roster, told, called, clock, reachable, dialled } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  reachable.add("b");
  roster.linkClosed("b");
  await clock.advance(5000);
  assert.deepEqual(dialled, ["b"]);
  assert.deepEqual(told(), []);
  assert.deepEqual(called(), ["a", "b"]);
});

test("who cannot be called again while its record lives is unreachable, until it is", async () => {
  const { roster, told, called, clock, connected } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  roster.linkClosed("b");
  assert.deepEqual(called(), ["a"]);
  await clock.advance(1499);
  assert.deepEqual(told(), []);
  await clock.advance(1);
  assert.deepEqual(told(), ["left b unreachable!"]);
  roster.read([recordOf("a"), recordOf("b")]);
  assert.deepEqual(called(), ["a"], "nothing new was heard of it");
  assert.deepEqual(told(), []);
  connected.add("b");
  roster.linkOpened("b");
  assert.deepEqual(told(), ["joined b!"]);
  assert.deepEqual(called(), ["a", "b"]);
});

test("who was unreachable and then expires has left once", async () => {
  const { roster, told, clock } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  roster.linkClosed("b");
  await clock.advance(1500);
  roster.read([recordOf("a")]);
  assert.deepEqual(told(), ["left b unreachable!"]);
});

test("who left in order has the time of a look to be read of", async () => {
  const { roster, told, clock } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  roster.linkClosed("b");
  await clock.advance(1000);
  roster.read([recordOf("a"), recordOf("b", { status: "draining", hasLeft: true })]);
  await clock.advance(1000);
  assert.deepEqual(told(), ["left b graceful"]);
});

test("an owner that renews its record may be called again, whoever could not reach it", () => {
  const { roster, called, table } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  table.exclude("b");
  roster.read([recordOf("a"), recordOf("b")]);
  assert.deepEqual(called(), ["a"]);
  roster.read([recordOf("a"), recordOf("b", { renewedAtMs: 2 })]);
  assert.deepEqual(called(), ["a", "b"]);
});

test("whoever listens to news and throws harms nobody", () => {
  const log = createRecordingLog();
  const roster = new Roster({
    instance: "a",
    table: new RouteTable(),
    clock: new FakeClock(),
    log,
    graceMs: 1,
    isConnected: () => false,
    dial: () => Promise.reject(new Error("nobody")),
    forget: () => undefined,
    onNews: () => {
      throw new Error("no room");
    },
  });
  roster.read([]);
  roster.read([recordOf("a")]);
  assert(log.lines.some(({ level }) => level === "error"));
});

const statuses = ["up", "degraded", "draining"] as const;

test("of nodes that read the same list exactly one tells each piece of news", () => {
  const names = ["a", "b", "c", "d", "e"];
  const step = fc.array(
    fc.record({ name: fc.constantFrom(...names), status: fc.constantFrom(...statuses, "gone") }),
    { maxLength: 3 },
  );
  const property = fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
    const listed = new Map(names.map((name) => [name, recordOf(name)]));
    const live = new Map(names.map((name) => [name, openRoster(name)]));
    for (const { roster } of live.values()) roster.read([...listed.values()]);
    for (const changes of steps) {
      for (const { name, status } of changes) {
        if (status === "gone") {
          // Killed: it reads nothing any more, and has no record.
          live.delete(name);
          listed.delete(name);
        } else if (live.has(name)) listed.set(name, recordOf(name, { status }));
      }
      const tellers = new Map<string, number>();
      for (const { roster, told } of live.values()) {
        roster.read([...listed.values()]);
        for (const text of told()) {
          const [what = ""] = text.split("!");
          tellers.set(what, (tellers.get(what) ?? 0) + (text.endsWith("!") ? 1 : 0));
        }
      }
      for (const [what, count] of tellers) assert.equal(count, 1, `${what}: ${count} tell`);
    }
  });
  fc.assert(property, { seed: seedOf(), numRuns: 300 });
});

test("who leaves in order tells of that itself, once, and nobody else does", () => {
  const [a, b] = [openRoster("a"), openRoster("b")];
  const list = [recordOf("a"), recordOf("b")];
  for (const { roster } of [a, b]) roster.read(list);
  a.roster.farewell(recordOf("a"));
  a.roster.farewell(recordOf("a"));
  const after = [recordOf("a", { status: "draining", hasLeft: true }), recordOf("b")];
  for (const { roster } of [a, b]) roster.read(after);
  assert.deepEqual(a.told(), ["left a graceful!"]);
  assert.deepEqual(b.told(), ["left a graceful"]);
});

test("who cannot be reached, or drains, is no teller", async () => {
  const { roster, told, clock } = openRoster("b");
  roster.read([recordOf("a"), recordOf("b"), recordOf("c"), recordOf("d")]);
  roster.linkClosed("a");
  await clock.advance(1500);
  assert.deepEqual(told(), ["left a unreachable!"]);
  const draining = openRoster("c");
  draining.roster.read([recordOf("b"), recordOf("c"), recordOf("d")]);
  draining.roster.read([recordOf("b", { status: "draining" }), recordOf("c")]);
  assert.deepEqual(draining.told(), ["left d expired!"]);
});

test("a connection that ends twice is called once, that of who leaves never", async () => {
  const { roster, told, clock, dialled } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b"), recordOf("c")]);
  roster.leaves("c");
  for (const instance of ["b", "c", "b"]) roster.linkClosed(instance);
  await clock.advance(5000);
  roster.linkClosed("b");
  await clock.advance(5000);
  assert.deepEqual(dialled, ["b"]);
  assert.deepEqual(told(), ["left b unreachable!"]);
});

test("who calls by itself within its time of grace is there, without news", async () => {
  const { roster, told, called, clock, connected } = openRoster("a");
  roster.read([recordOf("a"), recordOf("b")]);
  roster.linkClosed("b");
  await clock.advance(1000);
  connected.add("b");
  roster.linkOpened("b");
  await clock.advance(1000);
  assert.deepEqual(told(), []);
  assert.deepEqual(called(), ["a", "b"]);
});

test("who is removed has left once, told by one that stays, and says no second farewell", () => {
  const [least, other] = [openRoster("a"), openRoster("b")];
  const all = ["a", "b", "c"].map((name) => recordOf(name));
  for (const { roster, connected, told } of [least, other]) {
    connected.add("c");
    roster.read(all);
    told();
  }
  const removed = new Set(["a", "c"]); // with the least id
  least.connected.add("b");
  other.connected.add("a");
  least.roster.read([recordOf("a"), recordOf("b")], removed);
  other.roster.read([recordOf("b")], removed);
  assert.deepEqual(least.told(), ["left c removed"]);
  assert.deepEqual(other.told(), ["left a removed!", "left c removed!"]);
  least.roster.farewell(recordOf("a"));
  assert.deepEqual(least.told(), ["left a graceful"]);
});
