/** A node with its engines as configuration chooses them by default, over restarts. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { nodeContract, openNode } from "@banyan/host";
import type { Node } from "@banyan/host";
import { defineContract, defineService, on, silentLog, t } from "@banyan/kernel";
import type { OnceOutcome, ServiceTools } from "@banyan/kernel";
import { openDataDirectory } from "@banyan/sqlite";
import { temporaryDirectory } from "@banyan/testbed";
import { createEngineFinder } from "./engines.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const total = t.Object({ total: t.Integer() });
const till = defineContract("till", {
  ...head,
  stores: {
    paid: { durability: "durable", value: total, capabilities: ["transaction", "outbox"] },
  },
  events: {
    paid: t.Object({ cents: t.Integer() }),
    rang: { payload: t.Object({}), durability: "ephemeral" },
  },
});
const book = defineContract("book", {
  ...head,
  stores: { totals: { durability: "durable", value: total, capabilities: ["transaction"] } },
  subscriptions: { payments: on(till, "paid"), bells: on(till, "rang") },
});

interface World extends AsyncDisposable {
  readonly node: Node;
  readonly till: ServiceTools<typeof till>;
  readonly book: ServiceTools<typeof book>;
  readonly outcomes: OnceOutcome[];
  readonly bells: number[];
}

/** Without a reader: the bookkeeper is not enabled. */
async function openWorld(path: string, services?: readonly string[]): Promise<World> {
  const outcomes: OnceOutcome[] = [];
  const bells: number[] = [];
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
            },
            bells: () => void bells.push(1),
          },
        };
      }),
    ],
    config: {
      flags: [{ pointer: "/http/enabled", value: false, flag: "test" }],
      ...(services === undefined ? {} : { services }),
    },
    findEngine: createEngineFinder(path),
    directory: () => openDataDirectory(path),
    log: silentLog,
  });
  return {
    node,
    get till() {
      assert(tillTools !== undefined);
      return tillTools;
    },
    get book() {
      assert(bookTools !== undefined);
      return bookTools;
    },
    outcomes,
    bells,
    [Symbol.asyncDispose]: () => node.close(),
  };
}

async function eventually(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !holds(); tries += 1) await sleep(5);
  assert.ok(holds(), holds.toString());
}

test("an event that was handled once is remembered over a restart", async () => {
  await using directory = await temporaryDirectory("node-sqlite");
  const eventId = "01999999-0000-7000-8000-000000000001";
  {
    await using world = await openWorld(directory.path);
    await world.till.publish("paid", { cents: 5 }, { eventId });
    await world.till.publish("rang", {});
    await eventually(() => world.outcomes.length === 1 && world.bells.length === 1);
  }
  await using world = await openWorld(directory.path);
  await world.till.publish("paid", { cents: 5 }, { eventId });
  await eventually(() => world.outcomes.length === 1);
  assert.deepEqual(world.outcomes, ["duplicate"]);
  assert.deepEqual(await world.book.stores.totals.get("all"), { total: 5 });
});

test("what was published with a transaction waits for who handles it in another run", async () => {
  await using directory = await temporaryDirectory("node-sqlite");
  {
    // The group exists from its first subscription on.
    await using _world = await openWorld(directory.path);
  }
  {
    await using world = await openWorld(directory.path, ["till"]);
    await world.till.transaction((tx) => {
      tx.stores.paid.set("all", { total: 7 });
      tx.publish("paid", { cents: 7 });
    });
    await assert.rejects(
      world.till.transaction((tx) => {
        tx.stores.paid.set("all", { total: 8 });
        tx.publish("paid", { cents: 8 });
        throw new Error("no");
      }),
    );
    const { groups } = await world.node.client(nodeContract).events.topics({});
    const group = groups.find(({ name }) => name === "book.payments");
    assert.deepEqual([group?.members, group?.buffered, group?.bus], [0, 1, "sqlite"]);
  }
  await using world = await openWorld(directory.path);
  await eventually(() => world.outcomes.length === 1);
  assert.deepEqual(await world.book.stores.totals.get("all"), { total: 7 });
  assert.deepEqual(await world.till.stores.paid.get("all"), { total: 7 });
});

test("a running node is copied, with a manifest of what the copy holds", async () => {
  await using directory = await temporaryDirectory("node-sqlite");
  await using world = await openWorld(directory.join("data"));
  const { backup } = world.node.client(nodeContract);
  await world.till.stores.paid.set("all", { total: 7 });
  const to = directory.join("copy");
  const both = await Promise.allSettled([backup.create({ to }), backup.create({ to: `${to}2` })]);
  assert.deepEqual(
    both.map((each) => (each.status === "fulfilled" ? "done" : each.reason.code)),
    ["done", "NODE_BACKUP_RUNNING"],
  );
  const manifest = JSON.parse(readFileSync(`${to}/manifest.json`, "utf8"));
  assert.deepEqual(
    manifest.files.map(({ path }: { path: string }) => path),
    ["state.db"],
  );
  assert.equal(manifest.node, world.node.id);
});

test("each event goes over the bus of its durability, and a tail shows both", async () => {
  await using directory = await temporaryDirectory("node-sqlite");
  await using world = await openWorld(directory.path);
  const { events } = world.node.client(nodeContract);
  const tail = events.tail({})[Symbol.asyncIterator]();
  await tail.next();
  await world.till.publish("paid", { cents: 1 });
  const first = (await tail.next()).value;
  await world.till.publish("rang", {});
  const second = (await tail.next()).value;
  assert.deepEqual(
    [first, second].map((frame) => frame.kind === "message" && [frame.topic, frame.bus]),
    [
      ["till.paid", "sqlite"],
      ["till.rang", "memory"],
    ],
  );
  await tail.return?.(undefined);
  const { buses } = await events.status({});
  assert.deepEqual(
    buses.map(({ name, durability, carries }) => [name, durability, carries.join()]),
    [
      ["sqlite", "durable", "durable"],
      ["memory", "ephemeral", "ephemeral"],
    ],
  );
});
