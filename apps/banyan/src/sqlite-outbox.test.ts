/**
 * Events of stores on SQLite that go over a bus elsewhere: committed, kept, relayed. Run with
 * arguments, this file is a node whose bus is down, to be killed.
 */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { checkNode, openNode } from "@banyan/host";
import type { NodeOptions } from "@banyan/host";
import { defineContract, defineService, on, silentLog, t } from "@banyan/kernel";
import type { OnceOutcome, ServiceTools } from "@banyan/kernel";
import { openDataDirectory, sqliteBus } from "@banyan/sqlite";
import { spawnNode, temporaryDirectory } from "@banyan/testbed";
import { createEngineFinder } from "./engines.ts";

type FindEngine = NonNullable<NodeOptions["findEngine"]>;

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const total = t.Object({ total: t.Integer() });
const joined = ["transaction", "outbox"] as const;
const till = defineContract("till", {
  ...head,
  stores: { paid: { durability: "durable", value: total, capabilities: joined } },
  events: { paid: t.Object({ cents: t.Integer() }) },
});
const book = defineContract("book", {
  ...head,
  stores: { totals: { durability: "durable", value: total, capabilities: ["transaction"] } },
  subscriptions: { payments: on(till, "paid") },
});
const [, , childPath, childFarPath] = process.argv;

const far = { pointer: "/engines/bus", value: "far", flag: "test" };

if (childPath === undefined) describeOutbox();
else await payUntilKilled(childPath, childFarPath ?? "");

/** The usual engines, and a durable bus `far` on a file of its own. */
function finderOf(path: string, farPath: string, { isDown = false } = {}): FindEngine {
  const usual = createEngineFinder(path);
  return async (name) => {
    if (name !== "far") return usual(name);
    const openBus: typeof sqliteBus.openBus = async (options) => {
      const bus = await sqliteBus.openBus({ ...options, directory: farPath, options: undefined });
      const publish = (): Promise<never> => Promise.reject(new Error("the far bus is down"));
      return isDown ? Object.defineProperty(bus, "publish", { value: publish }) : bus;
    };
    return { bus: { ...sqliteBus, name, openBus } };
  };
}

async function openWorld(path: string, findEngine: FindEngine) {
  const outcomes: OnceOutcome[] = [];
  const cents: number[] = [];
  let tillTools: ServiceTools<typeof till> | undefined;
  let bookTools: ServiceTools<typeof book> | undefined;
  const node = await openNode({
    services: [
      defineService(till, (tools) => {
        tillTools = tools;
        return {};
      }),
      defineService(book, (tools) => {
        bookTools = tools;
        return {
          subscriptions: {
            async payments(event) {
              const add = (old: { total: number } | undefined): { total: number } => ({
                total: (old?.total ?? 0) + event.cents,
              });
              outcomes.push(await tools.once(event, (tx) => tx.stores.totals.update("all", add)));
              cents.push(event.cents);
            },
          },
        };
      }),
    ],
    config: {
      flags: [
        { pointer: "/http/port", value: 0, flag: "test" },
        // Nobody waits for it: the next node on the file takes over at once, under its new id.
        { pointer: "/outbox/leaseMs", value: 3_600_000, flag: "test" },
        { pointer: "/node/stopTimeoutMs", value: 500, flag: "test" },
        far,
      ],
    },
    findEngine,
    directory: () => openDataDirectory(path),
    log: silentLog,
  });
  assert(tillTools !== undefined && bookTools !== undefined);
  const pay = (amount: number) =>
    tillTools?.transaction((tx) => {
      tx.stores.paid.set("all", { total: amount });
      tx.publish("paid", { cents: amount });
    });
  const close = (): Promise<void> => node.close();
  const { totals } = bookTools.stores;
  return { node, pay, totals, outcomes, cents, [Symbol.asyncDispose]: close };
}

/** A node's own home, and that of the far bus. */
async function homesIn(folder: { join(name: string): string }): Promise<[string, string]> {
  const farPath = folder.join("far");
  await mkdir(farPath);
  return [folder.join("data"), farPath];
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !holds(); tries += 1) await sleep(5);
  assert.ok(holds(), holds.toString());
}

async function payUntilKilled(path: string, farPath: string): Promise<void> {
  const { pay } = await openWorld(path, finderOf(path, farPath, { isDown: true }));
  for (const cents of [1, 2, 3]) await pay(cents);
  process.stdout.write("paid\n");
}

function describeOutbox(): void {
  test("what SQLite commits is relayed to a bus elsewhere, also after a restart", async () => {
    await using folder = await temporaryDirectory("outbox");
    const [path, farPath] = await homesIn(folder);
    {
      await using world = await openWorld(path, finderOf(path, farPath, { isDown: true }));
      for (const cents of [1, 2]) await world.pay(cents);
      assert.deepEqual(world.cents, []);
    }
    await using world = await openWorld(path, finderOf(path, farPath));
    await world.pay(3);
    await eventually(() => world.cents.length >= 3);
    assert.deepEqual(world.cents, [1, 2, 3]);
    assert.deepEqual(await world.totals.get("all"), { total: 6 });
    const ready: unknown = await (await fetch(`${world.node.url}/readyz`)).json();
    assert.partialDeepStrictEqual(ready, { engines: { "outbox:sqlite": { state: "running" } } });
    const metrics = await (await fetch(`${world.node.url}/metrics`)).text();
    assert.match(metrics, /^banyan_outbox_relayed_events_total\{engine="sqlite"\} 3$/m);
  });

  test("what a killed node left in its file is relayed first, and at once", async () => {
    await using folder = await temporaryDirectory("outbox");
    const [path, farPath] = await homesIn(folder);
    {
      await using child = spawnNode(import.meta.filename, [path, farPath]);
      await child.waitForLine(/^paid$/);
      await child.kill();
    }
    await using world = await openWorld(path, finderOf(path, farPath));
    await world.pay(4);
    await eventually(() => world.cents.length >= 4);
    assert.deepEqual(world.cents, [1, 2, 3, 4]);
    assert.deepEqual(await world.totals.get("all"), { total: 10 });
  });

  test("events that no commit on SQLite can promise are refused at start", async () => {
    await using folder = await temporaryDirectory("outbox");
    const findEngine = finderOf(folder.path, folder.join("far"));
    const basket = defineContract("basket", {
      ...head,
      stores: { carts: { durability: "ephemeral", value: total, capabilities: joined } },
      events: { left: t.Object({}) },
    });
    const check = async (contract: typeof till | typeof basket, bus: string): Promise<string[]> => {
      const { offences } = await checkNode({
        services: [{ kind: "banyan.service", contract, build: () => ({}) }],
        findEngine,
        config: { flags: [{ ...far, value: bus }] },
      });
      return offences.map(({ place, message }) => `${place}: ${message}`);
    };
    assert.deepEqual(await check(till, "far"), []);
    assert.match(String(await check(till, "memory")), /till\.events\.paid: .*"memory" forgets/);
    // A relay of memory forgets what it has to tell.
    const refused = await check(basket, "far");
    assert.match(String(refused), /basket\.stores\.carts: .*kept by "memory".*over "far"/);
  });
}
