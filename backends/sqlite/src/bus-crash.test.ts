/**
 * What a bus on a file promises when its process is killed: a child publishes, alone and with state
 * writes, and handles what it published; it is killed at random moments. Then the file itself is
 * looked at. Run with arguments, this file is that child.
 */

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { Bus, DeliveryHandler, OutgoingMessage } from "@banyan/messaging";
import type { EngineStore, StateEngine } from "@banyan/state";
import { seedOf, spawnNode, temporaryDirectory } from "@banyan/testbed";
import { openSqliteBus } from "./sqlite-bus.ts";
import { openSqlite } from "./sqlite-engine.ts";

const KILLS = 40;
const DEATHS = 10;
const EVENTS = 10_000;
const SPEC = { name: "crash.reader", topic: "crash.*", delivery: "group" } as const;
/** So often a message that is to fail does so first. */
const FAILURES = 2;

const [, , role, path = "", round = ""] = process.argv;

if (role === undefined) {
  describePublisher();
  describeConsumer();
  describeKiller();
} else if (role === "publish") await publishForEver();
else if (role === "consume") await consume();
else await dieOfOne();

interface Opened extends AsyncDisposable {
  readonly engine: StateEngine;
  readonly bus: Bus;
  readonly store: EngineStore;
}

async function open(file: string): Promise<Opened> {
  const engine = await openSqlite({ file });
  const bus = await openSqliteBus({ file });
  const spec = { scope: "crash", name: "test", durability: "durable" } as const;
  const store = await engine.openStore({ ...spec, capabilities: new Set() });
  const close = async (): Promise<void> => {
    await bus.close({ drainMs: 0 });
    await engine.close();
  };
  return { engine, bus, store, [Symbol.asyncDispose]: close };
}

function eventOf(id: string, topic = "crash.test"): OutgoingMessage {
  return { id, topic, timestampMs: 1000, body: { text: id }, headers: { source: "crash" } };
}

/** Writes `done-<id>` and is through; every seventh message fails some times before. */
function recordIn(store: EngineStore): DeliveryHandler {
  return async ({ message: { id }, attempt }) => {
    if (id.endsWith("7") && attempt <= FAILURES) throw new Error("not yet");
    await store.set({ key: `done-${id}`, value: attempt, version: 1, expiry: "none" });
  };
}

/** Eight publishers at once: a plain event, an event with a write, a delayed event, and again. */
async function publishForEver(): Promise<void> {
  const { engine, bus, store } = await open(path);
  const backoff = { initialMs: 10, maxMs: 10 };
  await bus.subscribe({ ...SPEC, backoff }, recordIn(store));
  await bus.publish(eventOf(`${round}-0`));
  process.stdout.write("ready\n");
  let n = 0;
  const publishOne = async (id: string, kind: number): Promise<void> => {
    if (kind === 0) await bus.publish(eventOf(id));
    else if (kind === 1) await publishWithWrite(id);
    else await bus.publish({ ...eventOf(id), deliverAtMs: Date.now() + 20 });
    // A pipe is written synchronously: what is told has been acknowledged, nothing is buffered.
    process.stdout.write(`ack ${id}\n`);
  };
  const publishWithWrite = async (id: string): Promise<void> => {
    const rider = bus.stage?.([eventOf(id, "crash.staged")]);
    const write = { key: `with-${id}`, value: id, version: 1, expiry: "none" } as const;
    const changes = [{ kind: "set", store, write }] as const;
    const riders = rider === undefined ? [] : [rider];
    const outcome = await engine.transact?.({ checks: [], changes, riders });
    assert.equal(outcome?.kind, "committed");
  };
  const publisher = async (): Promise<void> => {
    for (;;) await publishOne(`${round}-${(n += 1)}`, n % 3);
  };
  await Promise.all(Array.from({ length: 8 }, publisher));
}

/** Handles what the file holds, and tells when there is nothing left. */
async function consume(): Promise<void> {
  const { bus, store } = await open(path);
  let handled = 0;
  const record = recordIn(store);
  const backoff = { initialMs: 10, maxMs: 10 };
  await bus.subscribe({ ...SPEC, backoff }, async (delivery) => {
    await record(delivery);
    handled += 1;
    if (handled % 1000 === 0) process.stdout.write(`handled ${handled}\n`);
  });
  const { unhandled } = await bus.close({ drainMs: 60_000 });
  process.stdout.write(`drained ${unhandled}\n`);
}

/** One message kills whoever handles it; the others are handled. */
async function dieOfOne(): Promise<void> {
  const { bus, store } = await open(path);
  const record = recordIn(store);
  await bus.subscribe(SPEC, async (delivery) => {
    if (delivery.message.id === "killer") process.kill(process.pid, "SIGKILL");
    await record(delivery);
  });
  await bus.close({ drainMs: 10_000 });
  process.stdout.write("lived\n");
}

function describePublisher(): void {
  test(`no accepted event is lost or half done in ${KILLS} kills`, async (context) => {
    const seed = seedOf();
    context.diagnostic(`seed ${seed}`);
    await using folder = await temporaryDirectory("bus-crash");
    const file = folder.join("state.db");
    const acknowledged: string[] = [];
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await using child = spawnNode(import.meta.filename, ["publish", file, `round${kill}`]);
      await child.waitForLine(/^ready$/);
      await child.killAtRandom({ seed: seed + kill, minMs: 5, maxMs: 120 });
      for (const { text } of child.lines) {
        if (text.startsWith("ack ")) acknowledged.push(text.slice("ack ".length));
      }
      assertNothingMissing(file, acknowledged);
    }
    const waiting = look(file).waiting.size;
    await using last = spawnNode(import.meta.filename, ["consume", file]);
    await last.waitForLine(/^drained 0$/, { timeoutMs: 60_000 });
    await last.exited;
    assertNothingMissing(file, acknowledged);
    const { done, waiting: left } = look(file);
    context.diagnostic(`${acknowledged.length} events accepted, ${waiting} left to the last run`);
    assert.equal(left.size, 0, "everything is handled");
    for (const id of acknowledged) {
      const failures = id.endsWith("7") ? FAILURES : 0;
      // An attempt whose end the process did not live to record is made again.
      assert((done.get(id) ?? 0) > failures, `attempt ${done.get(id)} of ${id}`);
    }
    assert(acknowledged.length > KILLS, "the children hardly did anything before they were killed");
  });
}

function describeConsumer(): void {
  test(`${EVENTS} events survive the death of their consumer midway`, async (context) => {
    const seed = seedOf();
    context.diagnostic(`seed ${seed}`);
    await using folder = await temporaryDirectory("bus-consumer");
    const file = folder.join("state.db");
    const ids = Array.from({ length: EVENTS }, (_, n) => `event-${n}`);
    {
      await using opened = await open(file);
      // The group is made by its first member, and collects from then on, with members or not.
      const member = await opened.bus.subscribe(SPEC, () => undefined);
      await member.close();
      for (let n = 0; n < EVENTS; n += 500) {
        await opened.bus.publish(ids.slice(n, n + 500).map((id) => eventOf(id)));
      }
    }
    await using first = spawnNode(import.meta.filename, ["consume", file]);
    await first.waitForLine(/^handled 3000$/, { timeoutMs: 60_000 });
    await first.killAtRandom({ seed, maxMs: 100 });
    const handledBefore = look(file).done.size;
    await using second = spawnNode(import.meta.filename, ["consume", file]);
    await second.waitForLine(/^drained 0$/, { timeoutMs: 60_000 });
    await second.exited;
    const { done, waiting } = look(file);
    context.diagnostic(`${handledBefore} handled before the kill`);
    assert.equal(done.size, EVENTS);
    assert.equal(waiting.size, 0);
  });
}

function describeKiller(): void {
  test("what kills its process is a dead letter after ten deaths, and it alone", async () => {
    await using folder = await temporaryDirectory("bus-killer");
    const others = Array.from({ length: 40 }, (_, n) => `other-${n}`);
    // In the midst of what is handled at the same time.
    const ids = [...others.slice(0, 5), "killer", ...others.slice(5)];
    const file = folder.join("state.db");
    {
      await using opened = await open(file);
      await (await opened.bus.subscribe(SPEC, () => undefined)).close();
      await opened.bus.publish(ids.map((id) => eventOf(id)));
    }
    for (let death = 1; death <= DEATHS; death += 1) {
      await using child = spawnNode(import.meta.filename, ["die", file]);
      const { signal } = await child.exited;
      assert.equal(signal, "SIGKILL", `run ${death}: ${child.stderr}`);
    }
    await using child = spawnNode(import.meta.filename, ["die", file]);
    await child.waitForLine(/^lived$/, { timeoutMs: 30_000 });
    await child.exited;
    assert.deepEqual([...look(file).done.keys()].toSorted(), others.toSorted());
    await using opened = await open(file);
    const { letters } = await opened.bus.deadLetters.list();
    assert.partialDeepStrictEqual(letters, [
      { reason: "lease-lost", attempts: DEATHS, message: { id: "killer" } },
    ]);
  });
}

interface Look {
  /** Of the messages that wait, delayed ones included. */
  readonly waiting: ReadonlySet<string>;
  /** Id → attempt that was recorded. */
  readonly done: ReadonlyMap<string, number>;
  /** Of the writes that an event was published with. */
  readonly written: ReadonlySet<string>;
}

/** What a file holds whose owner is dead. */
function look(file: string): Look {
  const database = new DatabaseSync(file);
  try {
    assert.equal(database.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
    const queued = "SELECT message_id AS id FROM bus_queue";
    const delayed = "SELECT message_id AS id FROM bus_delayed";
    const waiting = database.prepare(`${queued} UNION ALL ${delayed}`).all();
    const entries = database.prepare("SELECT key, value FROM entries").all();
    const keys = entries.map(({ key, value }) => [String(key), Number(value)] as const);
    const after = (prefix: string) =>
      keys.flatMap(([key, value]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), value] as const] : [],
      );
    return {
      waiting: new Set(waiting.map(({ id }) => String(id))),
      done: new Map(after("done-")),
      written: new Set(after("with-").map(([id]) => id)),
    };
  } finally {
    database.close();
  }
}

function assertNothingMissing(file: string, acknowledged: readonly string[]): void {
  const { waiting, done, written } = look(file);
  for (const id of acknowledged) assert(waiting.has(id) || done.has(id), `${id} is lost`);
  // An event and the write it was published with: both or neither.
  for (const id of written) assert(waiting.has(id) || done.has(id), `the event of ${id} is lost`);
  for (const id of [...waiting, ...done.keys()]) {
    const number = Number(id.split("-")[1]);
    if (number % 3 === 1) assert(written.has(id), `the write of ${id} is lost`);
  }
}
