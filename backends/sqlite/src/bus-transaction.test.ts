/** What engine and bus on one file do together, and what both do when the disk is full. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { openMemoryBus } from "@banyan/messaging";
import type { Bus, OutgoingMessage } from "@banyan/messaging";
import type { CommitRider, EngineChange, EngineStore, StateEngine } from "@banyan/state";
import { temporaryDirectory } from "@banyan/testbed";
import { openSqliteBus } from "./sqlite-bus.ts";
import { openSqlite } from "./sqlite-engine.ts";

const GROUP = { name: "mailer.paid", topic: "order.paid", delivery: "group" } as const;

interface Opened extends AsyncDisposable {
  readonly engine: StateEngine;
  readonly bus: Bus;
  readonly orders: EngineStore;
}

async function open(
  file: string,
  options: Readonly<Record<string, unknown>> = {},
): Promise<Opened> {
  const engine = await openSqlite({ file });
  const bus = await openSqliteBus({ file, options });
  const spec = { scope: "order", name: "orders", durability: "durable" } as const;
  const orders = await engine.openStore({ ...spec, capabilities: new Set() });
  const close = async (): Promise<void> => {
    await bus.close({ drainMs: 0 });
    await engine.close();
  };
  return { engine, bus, orders, [Symbol.asyncDispose]: close };
}

function eventOf(id: string, body: unknown = { id }): OutgoingMessage {
  return { id, topic: GROUP.topic, timestampMs: 1000, body, headers: { source: "order" } };
}

function setOf(store: EngineStore, key: string): EngineChange {
  return { kind: "set", store, write: { key, value: "paid", version: 1, expiry: "none" } };
}

function staged(bus: Bus, messages: readonly OutgoingMessage[]): CommitRider {
  const rider = bus.stage?.(messages);
  assert(rider !== undefined, "the bus stages");
  return rider;
}

async function heldBy(bus: Bus): Promise<number | undefined> {
  const { subscriptions } = await bus.status();
  return subscriptions.find(({ name }) => name === GROUP.name)?.buffered;
}

test("an event is published with the write it belongs to, or not at all", async () => {
  await using folder = await temporaryDirectory("outbox");
  const file = folder.join("state.db");
  {
    await using opened = await open(file, { bufferMax: 3 });
    const { engine, bus, orders } = opened;
    assert.equal(bus.medium, engine.medium);
    await (await bus.subscribe(GROUP, () => undefined)).close();
    const committed = await engine.transact?.({
      checks: [{ store: orders, key: "1", etag: undefined }],
      changes: [setOf(orders, "1")],
      riders: [staged(bus, [eventOf("a"), eventOf("b")])],
    });
    assert.deepEqual(committed, { kind: "committed" });
    assert.equal(await heldBy(bus), 2);
    const conflict = await engine.transact?.({
      checks: [{ store: orders, key: "1", etag: undefined }],
      changes: [setOf(orders, "2")],
      riders: [staged(bus, [eventOf("c")])],
    });
    assert.deepEqual(conflict, { kind: "conflict" });
    assert.equal(await orders.get("2"), undefined);
    assert.equal(await heldBy(bus), 2);
    // The room that the dropped one had taken is free again: there is only one place left.
    await bus.publish(eventOf("d"), { timeoutMs: 0 });
  }
  await using again = await open(file);
  const seen: string[] = [];
  await again.bus.subscribe(GROUP, ({ message }) => void seen.push(message.id));
  await again.bus.close();
  assert.deepEqual(seen.toSorted(), ["a", "b", "d"]);
});

test("a rider of another medium is refused, and told", async () => {
  await using folder = await temporaryDirectory("outbox");
  await using opened = await open(folder.join("state.db"));
  const { engine, orders } = opened;
  await using memory = openMemoryBus();
  await memory.subscribe(GROUP, () => undefined);
  const transaction = engine.transact?.({
    checks: [],
    changes: [setOf(orders, "1")],
    riders: [staged(memory, [eventOf("a")])],
  });
  await assert.rejects(Promise.resolve(transaction), { code: "STATE_RIDER_FOREIGN" });
  assert.equal(await orders.get("1"), undefined);
});

test("a full disk refuses a publish by name, until there is room", async (context) => {
  await using folder = await temporaryDirectory("full");
  using disk = smallDisk(folder.path);
  if (disk === undefined) {
    context.skip("this user may not mount a file system");
    return;
  }
  // Half of it, so that there is room for the log and what it holds when the filler is gone.
  const filler = join(folder.path, "filler");
  writeFileSync(filler, Buffer.alloc(6 * 1024 * 1024));
  const file = folder.join("state.db");
  const accepted: string[] = [];
  {
    await using opened = await open(file);
    const { engine, bus, orders } = opened;
    await (await bus.subscribe(GROUP, () => undefined)).close();
    const body = "x".repeat(50_000);
    const refusals: string[] = [];
    const publish = async (id: string): Promise<void> => {
      try {
        await bus.publish(eventOf(id, body));
        accepted.push(id);
      } catch (error) {
        assert(isBanyanError(error));
        assert.equal(error.code, "MESSAGING_UNAVAILABLE");
        refusals.push(error.message);
      }
    };
    for (let n = 0; n < 200 && refusals.length < 3; n += 1) await publish(`first-${n}`);
    assert.match(refusals[0] ?? "", /the disk is full/);
    assert(accepted.length > 3, "some had found room");
    const riders = [staged(bus, [eventOf("with", body.repeat(4))])];
    const transaction = engine.transact?.({ checks: [], changes: [setOf(orders, "1")], riders });
    await assert.rejects(Promise.resolve(transaction), { code: "SQLITE_DISK_FULL" });
    assert.equal(await orders.get("1"), undefined);
    assert.equal(await heldBy(bus), accepted.length);
    rmSync(filler);
    await publish("second");
    assert.equal(accepted.at(-1), "second");
    await bus.check();
  }
  await using again = await open(file);
  const seen: string[] = [];
  await again.bus.subscribe(GROUP, ({ message }) => void seen.push(message.id));
  await again.bus.close();
  assert.deepEqual(seen.toSorted(), accepted.toSorted());
});

/** A file system of 12 MiB at the path, where this user may have one. */
function smallDisk(path: string): Disposable | undefined {
  try {
    execFileSync("/bin/mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", path], {
      stdio: "ignore",
    });
  } catch {
    return undefined;
  }
  return { [Symbol.dispose]: () => void execFileSync("/bin/umount", ["--lazy", path]) };
}
