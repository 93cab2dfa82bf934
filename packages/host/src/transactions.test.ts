/** `transaction` of a service's tools, in a whole node on memory engines. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, extend, on, t } from "@banyan/kernel";
import type { EventDelivery, ServiceDefinition, ServiceTools } from "@banyan/kernel";
import { memoryBus, openMemoryBus } from "@banyan/messaging";
import { memoryState } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { checkNode } from "./check-node.ts";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import { eventually, flagsOf } from "./sample-node.test.ts";

const head = { summary: "For a test.", version: "1.0.0" };
const noHttp = { flags: flagsOf({ "/http/enabled": false }) };
const together = ["transaction", "outbox"] as const;
const count = t.Object({ count: t.Integer({ minimum: 0 }) });

const shop = defineContract("shop", {
  ...head,
  layer: "L1",
  stores: {
    stock: { durability: "durable", value: count, capabilities: together },
    orders: {
      durability: "durable",
      value: t.Object({ item: t.String() }),
      capabilities: together,
    },
    hits: { durability: "ephemeral", value: count },
  },
  events: {
    placed: t.Object({ order: t.String() }),
    looked: { payload: t.Object({}), durability: "ephemeral" },
  },
  extensionPoints: { placing: { kind: "listener", summary: "Told of orders.", event: "placed" } },
});
const clerk = defineContract("clerk", {
  ...head,
  layer: "L1",
  subscriptions: { orders: on(shop, "placed") },
  extensions: { seen: extend(shop, "placing") },
});

interface World extends AsyncDisposable {
  readonly node: Node;
  readonly tools: ServiceTools<typeof shop>;
  readonly heard: string[];
  readonly listened: string[];
  /** How the clerk's events came. */
  readonly deliveries: (EventDelivery | undefined)[];
}

async function openShop(): Promise<World> {
  const heard: string[] = [];
  const listened: string[] = [];
  const deliveries: (EventDelivery | undefined)[] = [];
  let tools: ServiceTools<typeof shop> | undefined;
  const node = await openNode({
    services: [
      defineService(shop, (given) => {
        tools = given;
        return {};
      }),
      defineService(clerk, () => ({
        subscriptions: {
          orders: ({ order }, { delivery }) => {
            heard.push(order);
            deliveries.push(delivery);
          },
        },
        extensions: { seen: ({ order }) => void listened.push(order) },
      })),
    ],
    inMemory: true,
    config: noHttp,
  });
  assert(tools !== undefined);
  return { node, tools, heard, listened, deliveries, [Symbol.asyncDispose]: () => node.close() };
}

describe("A service's transaction", () => {
  test("writes to several stores and publishes, as one step", async () => {
    await using world = await openShop();
    const { tools, heard, listened } = world;
    await tools.stores.stock.set("apple", { count: 3 });
    const answer = await tools.transaction(async (tx) => {
      const { count: left } = await tx.stores.stock.update("apple", (old) => ({
        count: (old?.count ?? 0) - 1,
      }));
      tx.stores.orders.set("1", { item: "apple" });
      const { eventId } = tx.publish("placed", { order: "1" });
      assert.match(eventId, /^[0-9a-f-]{36}$/);
      assert.deepEqual([heard, listened], [[], []]);
      return left;
    });
    assert.equal(answer, 2);
    assert.deepEqual(await tools.stores.orders.get("1"), { item: "apple" });
    assert.deepEqual(listened, ["1"]);
    await eventually(() => heard.length > 0);
    assert.deepEqual(heard, ["1"]);
  });

  test("sends what its event is given beside the payload", async () => {
    await using world = await openShop();
    const { tools, heard, deliveries } = world;
    const headers = { "tenant-id": "7" };
    await tools.transaction((tx) => {
      tx.publish("placed", { order: "1" }, { headers, correlationId: "visit 7" });
    });
    await eventually(() => heard.length > 0);
    assert.deepEqual(deliveries, [
      {
        subscription: "clerk.orders",
        topic: "shop.placed",
        attempt: 1,
        correlationId: "visit 7",
        headers,
        priority: 0,
      },
    ]);
    const refused = [
      [{ headers: { source: "me" } }, "EVENT_INVALID"],
      [{ priority: 5 }, "MESSAGING_CAPABILITY_MISSING"],
    ] as const;
    for (const [options, code] of refused) {
      const transacting = tools.transaction((tx) => {
        tx.stores.orders.set("2", { item: "apple" });
        tx.publish("placed", { order: "2" }, options);
      });
      await assert.rejects(transacting, { code });
    }
    assert.equal(await tools.stores.orders.get("2"), undefined);
  });

  test("that throws writes nothing and tells nobody", async () => {
    await using world = await openShop();
    const { tools, heard, listened } = world;
    await assert.rejects(
      tools.transaction((tx) => {
        tx.stores.orders.set("1", { item: "apple" });
        tx.publish("placed", { order: "1" });
        throw new Error("sold out");
      }),
      /sold out/,
    );
    assert.equal(await tools.stores.orders.get("1"), undefined);
    await tools.publish("placed", { order: "2" });
    await eventually(() => heard.length > 0);
    assert.deepEqual([heard, listened], [["2"], ["2"]]);
  });

  test("that has to run again tells of the run that was committed alone", async () => {
    await using world = await openShop();
    const { tools, heard, listened } = world;
    await tools.stores.stock.set("apple", { count: 5 });
    let runs = 0;
    await tools.transaction(async (tx) => {
      runs += 1;
      const found = await tx.stores.stock.get("apple");
      tx.publish("placed", { order: `run ${runs}` });
      if (runs === 1) await tools.stores.stock.set("apple", { count: 4 });
      tx.stores.stock.set("apple", { count: (found?.count ?? 0) - 1 });
    });
    assert.equal(runs, 2);
    assert.deepEqual(await tools.stores.stock.get("apple"), { count: 3 });
    await eventually(() => heard.length > 0);
    assert.deepEqual([heard, listened], [["run 2"], ["run 2"]]);
  });

  test("of many at once on one key loses none", async () => {
    await using world = await openShop();
    const { tools, heard } = world;
    await tools.stores.stock.set("apple", { count: 40 });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, index) =>
        tools.transaction(async (tx) => {
          await tx.stores.stock.update("apple", (old) => ({ count: (old?.count ?? 0) - 1 }));
          tx.stores.orders.set(String(index), { item: "apple" });
          tx.publish("placed", { order: String(index) });
        }),
      ),
    );
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 40);
    assert.deepEqual(await tools.stores.stock.get("apple"), { count: 0 });
    const { entries } = await tools.stores.orders.scan({ limit: 1000 });
    assert.equal(entries.length, 40);
    await eventually(() => heard.length === 40);
  });

  test("under an operationId of another request is refused", async () => {
    await using world = await openShop();
    const { tools } = world;
    const put = (count: number, request: unknown) =>
      tools.transaction((tx) => tx.stores.stock.set("pear", { count }), {
        operationId: "put-1",
        request,
      });
    await put(1, { put: 1 });
    await put(2, { put: 1 });
    await assert.rejects(put(3, { put: 3 }), { code: "STATE_OPERATION_MISMATCH" });
    assert.deepEqual(await tools.stores.stock.get("pear"), { count: 1 });
  });

  test("with an operationId is done and told of once, asked at once or again", async () => {
    await using world = await openShop();
    const { tools, heard, listened } = world;
    await tools.stores.stock.set("apple", { count: 5 });
    const sell = () =>
      tools.transaction(
        async (tx) => {
          // Asked at once, both get this far.
          await new Promise(setImmediate);
          const left = await tx.stores.stock.update("apple", (old) => ({
            count: (old?.count ?? 0) - 1,
          }));
          tx.publish("placed", { order: `left ${left.count}` });
          return left;
        },
        { operationId: "sale-1" },
      );
    const answers = await Promise.all([sell(), sell(), sell()]);
    answers.push(await sell());
    assert.deepEqual(
      answers,
      answers.map(() => ({ count: 4 })),
    );
    assert.deepEqual(await tools.stores.stock.get("apple"), { count: 4 });
    await tools.publish("placed", { order: "last" });
    await eventually(() => heard.includes("last"));
    assert.deepEqual(
      [heard, listened],
      [
        ["left 4", "last"],
        ["left 4", "last"],
      ],
    );
  });

  test("refuses an event that does not fit at once", async () => {
    await using world = await openShop();
    const publishing = world.tools.transaction((tx) => {
      tx.publish("placed", { order: 7 } as never);
    });
    await assert.rejects(publishing, { code: "EVENT_INVALID" });
    const unknown = world.tools.transaction((tx) => {
      tx.publish("plced" as never, {} as never);
    });
    await assert.rejects(unknown, { code: "EVENT_INVALID", message: /"placed"/ });
  });

  test("keeps the expiry of an event, and takes neither a mode nor mandatory", async () => {
    await using world = await openShop();
    await world.tools.transaction((tx) => {
      tx.publish("placed", { order: "1" }, { correlationId: "order 1" });
      tx.publish("placed", { order: "2" }, { expiresAtMs: 1 });
    });
    await world.tools.publish("placed", { order: "3" }, { mandatory: true, mode: "enqueue" });
    await eventually(() => world.heard.length === 2);
    assert.deepEqual(world.heard, ["1", "3"]);
    for (const options of [{ mode: "enqueue" }, { mandatory: true }]) {
      const publishing = world.tools.transaction((tx) => {
        // Wrong on purpose: what an untyped caller may ask for.
        tx.publish("placed", { order: "4" }, options as object);
      });
      await assert.rejects(publishing, {
        code: "EVENT_INVALID",
        message: /published with a transaction, which takes no m/,
      });
    }
  });

  test("refuses an ephemeral event by name", async () => {
    await using world = await openShop();
    const publishing = world.tools.transaction((tx) => {
      tx.publish("looked", {});
    });
    await assert.rejects(publishing, {
      code: "TRANSACTION_EVENT_EPHEMERAL",
      message: /shop\.looked is ephemeral/,
    });
    await world.tools.publish("looked", {});
  });

  test("is of no use after its end", async () => {
    await using world = await openShop();
    type Open = Parameters<Parameters<typeof world.tools.transaction>[0]>[0];
    let late: Open | undefined;
    await world.tools.transaction((tx) => {
      late = tx;
    });
    assert.throws(() => late?.publish("placed", { order: "1" }), { code: "CLOSED" });
    assert.throws(() => late?.stores.orders.set("1", { item: "x" }), { code: "CLOSED" });
  });

  test("shows the stores that asked for it, and nothing else of the node", async () => {
    await using world = await openShop();
    const names = (...given: readonly object[]): string[] =>
      given.flatMap((each) => Object.keys((each as { stores: object }).stores));
    assert.deepEqual(await world.tools.transaction(names), ["stock", "orders"]);
    let seen: string[] = [];
    const see = (...given: readonly object[]): void => void (seen = names(...given));
    await world.tools.once({ eventId: "e" }, see, { as: "x" });
    assert.deepEqual(seen, ["stock", "orders"]);
  });
});

test("a service without a store for transactions is told what to declare", async () => {
  const plain = defineContract("plain", {
    ...head,
    stores: { notes: { durability: "durable", value: count } },
  });
  let tools: ServiceTools<typeof plain> | undefined;
  const service = defineService(plain, (given) => {
    tools = given;
    return {};
  });
  await using _node = await openNode({ services: [service], inMemory: true, config: noHttp });
  await assert.rejects(tools?.transaction(() => 1) ?? Promise.resolve(), {
    code: "STATE_CAPABILITY_MISSING",
    message: /service plain .* declare capabilities/,
  });
});

test("a service that did not ask for an outbox cannot publish with its transactions", async () => {
  const quiet = defineContract("quiet", {
    ...head,
    stores: { notes: { durability: "durable", value: count, capabilities: ["transaction"] } },
    events: { noted: t.Object({}) },
  });
  let tools: ServiceTools<typeof quiet> | undefined;
  const service = defineService(quiet, (given) => {
    tools = given;
    return {};
  });
  await using _node = await openNode({ services: [service], inMemory: true, config: noHttp });
  const running = tools?.transaction((tx) => {
    tx.stores.notes.set("a", { count: 1 });
    tx.publish("noted", {});
  });
  await assert.rejects(running ?? Promise.resolve(), {
    code: "STATE_CAPABILITY_MISSING",
    message: /quiet\.noted .*"outbox"/,
  });
  assert.equal(await tools?.stores.notes.get("a"), undefined);
});

describe("The plan of a node with transactions", () => {
  const serviceOf = (contract: ServiceDefinition["contract"]): ServiceDefinition => ({
    kind: "banyan.service",
    contract,
    build: () => ({}),
  });
  const withoutRelay = new Set([...memoryState.capabilities].filter((each) => each !== "relay"));
  const durableMemory = {
    state: {
      ...memoryState,
      name: "kept",
      kinds: { state: "durable" as const },
      capabilities: withoutRelay,
    },
    bus: { ...memoryBus, name: "kept", durability: "durable" as const },
  };
  const findEngine = async (): Promise<typeof durableMemory> => durableMemory;

  test("names a durable event on a bus that forgets, and stores that are apart", async () => {
    const apart = defineContract("apart", {
      ...head,
      stores: {
        a: { durability: "durable", value: count, capabilities: together },
        b: { durability: "ephemeral", value: count, capabilities: ["transaction"] },
      },
      events: { told: t.Object({}) },
    });
    const { offences } = await checkNode({
      services: [serviceOf(apart)],
      findEngine,
      config: { flags: flagsOf({ "/engines/durable": "kept", "/engines/bus": "memory" }) },
    });
    assert.deepEqual(
      offences.map(({ place }) => place),
      ["apart.stores.a", "apart.stores.b", "apart.events.told"],
    );
    assert.match(offences[0]?.fix ?? "", /set engines\.bus to kept/);
  });

  test("is not believed when engine and bus of one name share nothing", async () => {
    const bus = { ...durableMemory.bus, openBus: async () => unshared() };
    const opening = openNode({
      services: [
        defineService(shop, () => ({})),
        defineService(clerk, () => ({
          subscriptions: { orders: () => undefined },
          extensions: { seen: () => undefined },
        })),
      ],
      // What the engine says of itself is not what is tested here.
      findEngine: async () => ({ state: keptState({ outbox: undefined }), bus }),
      config: {
        flags: flagsOf({
          "/http/enabled": false,
          "/engines/durable": "kept",
          "/engines/bus": "kept",
          "/log/level": "silent",
        }),
      },
    });
    await assert.rejects(opening, {
      code: "NODE_START_FAILED",
      message: /"shop" publishes with its transactions/,
    });
  });

  test("is content with an engine whose outbox is relayed to a bus elsewhere", async () => {
    const { capabilities } = memoryState;
    const heard: string[] = [];
    let tools: ServiceTools<typeof shop> | undefined;
    const far = { ...memoryBus, durability: "durable" as const, openBus: async () => unshared() };
    await using node = await openNode({
      services: [
        defineService(shop, (given) => {
          tools = given;
          return {};
        }),
        defineService(clerk, () => ({
          subscriptions: { orders: ({ order }) => void heard.push(order) },
          extensions: { seen: () => undefined },
        })),
      ],
      findEngine: async (name) => {
        if (name === "far") return { bus: { ...far, name } };
        return { state: { ...keptState({}), capabilities } };
      },
      config: {
        flags: flagsOf({
          "/http/port": 0,
          "/engines/durable": "kept",
          "/engines/bus": "far",
          "/log/level": "silent",
        }),
      },
    });
    assert(tools !== undefined);
    for (const order of ["1", "2", "3"]) {
      await tools.transaction((tx) => {
        tx.stores.orders.set(order, { item: "apple" });
        tx.publish("placed", { order });
      });
    }
    const tooLarge = tools.transaction((tx) => {
      tx.stores.orders.set("4", { item: "apple" });
      tx.publish("placed", { order: "x".repeat(2 ** 21) });
    });
    await assert.rejects(tooLarge, { code: "MESSAGING_BODY_TOO_LARGE" });
    assert.equal(await tools.stores.orders.get("4"), undefined);
    await eventually(() => heard.length >= 3);
    const ready: unknown = await (await fetch(`${node.url}/readyz`)).json();
    assert.partialDeepStrictEqual(ready, { engines: { "outbox:kept": { state: "running" } } });
    const metrics = await (await fetch(`${node.url}/metrics`)).text();
    assert.match(metrics, /^banyan_outbox_relayed_events_total\{engine="kept"\} 3$/m);
    assert.match(metrics, /^banyan_outbox_events\{engine="kept",state="waiting"\} 0$/m);
    await node.close();
    assert.deepEqual(heard, ["1", "2", "3"]);
  });

  /** A memory engine that calls itself durable. */
  function keptState(lies: Partial<StateEngine>): typeof durableMemory.state {
    return {
      ...durableMemory.state,
      async openState(options) {
        const engine = await memoryState.openState(options);
        const told = Object.entries({ durability: "durable", ...lies });
        for (const [key, value] of told) Object.defineProperty(engine, key, { value });
        return engine;
      },
    };
  }

  function unshared(): ReturnType<typeof openMemoryBus> {
    return Object.defineProperty(openMemoryBus(), "medium", { value: {} });
  }
});
