import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError, defineContract, defineService, on, t } from "@banyan/kernel";
import type { ServiceTools } from "@banyan/kernel";
import { memoryBus } from "@banyan/messaging";
import { memoryState } from "@banyan/state";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import { flagsOf } from "./sample-node.test.ts";

const shop = defineContract("shop", {
  summary: "Sells.",
  version: "1.0.0",
  events: { sold: { payload: t.Object({ piece: t.Integer() }), durability: "ephemeral" } },
  operations: {
    sell: { summary: "Sells one.", request: t.Object({ how: t.String() }), response: t.Object({}) },
  },
});
const till = defineContract("till", {
  summary: "Counts.",
  version: "1.0.0",
  subscriptions: { sales: on(shop, "sold", { retriesMax: 0 }) },
});
const watcher = defineContract("watcher", {
  summary: "Looks on.",
  version: "1.0.0",
  subscriptions: {
    failures: on(nodeContract, "callFailed"),
    buried: on(nodeContract, "messageBuried", { retriesMax: 0 }),
  },
});

async function openWorld(settings: Readonly<Record<string, unknown>> = {}) {
  const clock = new FakeClock();
  const heard: object[] = [];
  let tools: ServiceTools<typeof shop> | undefined;
  const world = { deaf: false };
  const node = await openNode({
    services: [
      defineService(shop, (given) => {
        tools = given;
        return {
          operations: {
            sell({ how }) {
              if (how === "badly") throw new TypeError("a secret of the shop");
              if (how === "refused")
                throw new BanyanError({ kind: "not_found", code: "SHOP_OUT", message: "Out." });
              return {};
            },
          },
        };
      }),
      defineService(till, () => ({
        subscriptions: {
          sales: () => {
            throw new BanyanError({ kind: "internal", code: "TILL_STUCK", message: "Stuck." });
          },
        },
      })),
      defineService(watcher, () => ({
        subscriptions: {
          failures: (event) => void heard.push(event),
          buried: (event) => {
            heard.push(event);
            if (world.deaf) throw new Error("cannot hear");
          },
        },
      })),
    ],
    clock,
    log: createRecordingLog(),
    findEngine: async () => ({ state: memoryState, bus: memoryBus }),
    config: {
      flags: flagsOf({
        "/http/enabled": false,
        "/engines/durable": "memory",
        "/engines/bus": "memory",
        ...settings,
      }),
    },
  });
  assert(tools !== undefined);
  const { publish } = tools;
  const client = node.client(shop);
  return {
    clock,
    world,
    publish: (piece: number) => publish("sold", { piece }),
    sell: (how: string) => client.sell({ how }).catch(() => undefined),
    /** What was heard since it was asked last. */
    async news(): Promise<Readonly<Record<string, unknown>>[]> {
      for (let turn = 0; turn < 40; turn += 1) await new Promise((next) => setImmediate(next));
      return heard.splice(0).map((event) => ({ ...event }));
    },
    [Symbol.asyncDispose]: () => node.close(),
  };
}

test("a call that failed by a fault is told once a minute, and not its text", async () => {
  await using world = await openWorld();
  await world.sell("well");
  await world.sell("refused");
  assert.deepEqual(await world.news(), [], "what a caller does wrong is no fault");
  await world.sell("badly");
  await world.sell("badly");
  const [first, ...more] = await world.news();
  assert.deepEqual(more, []);
  const { service, operation, code, kind, suppressed, traceId } = first ?? {};
  assert.deepEqual(
    { service, operation, code, kind, suppressed },
    { service: "shop", operation: "shop.sell", code: "INTERNAL", kind: "internal", suppressed: 0 },
  );
  assert.match(String(traceId), /^[0-9a-f]{32}$/);
  assert(!JSON.stringify(first).includes("secret"));
  await world.clock.advance(60_000);
  await world.sell("badly");
  assert.equal((await world.news())[0]?.["suppressed"], 1);
});

test("a message that was given up is told with where its letter is", async () => {
  await using world = await openWorld();
  for (const piece of [1, 2, 3]) await world.publish(piece);
  const [first, ...more] = await world.news();
  assert.deepEqual(more, []);
  const { bus, subscription, topic, reason, code, attempts, suppressed } = first ?? {};
  assert.deepEqual(
    { bus, subscription, topic, reason, code, attempts, suppressed },
    {
      bus: "memory",
      subscription: "till.sales",
      topic: "shop.sold",
      reason: "retries-exhausted",
      code: "TILL_STUCK",
      attempts: 1,
      suppressed: 0,
    },
  );
  await world.clock.advance(60_000);
  await world.publish(4);
  assert.equal((await world.news())[0]?.["suppressed"], 2);
});

test("whoever fails to handle the news makes no more of them", async () => {
  await using world = await openWorld();
  world.world.deaf = true;
  await world.publish(1);
  assert.equal((await world.news()).length, 1);
  await world.clock.advance(120_000);
  assert.deepEqual(await world.news(), []);
});

test("the setting faultEvents.windowMs is the window; enabled is the switch", async () => {
  await using short = await openWorld({ "/faultEvents/windowMs": 2000 });
  await short.sell("badly");
  await short.clock.advance(2000);
  await short.sell("badly");
  assert.equal((await short.news()).length, 2);
  await using off = await openWorld({ "/faultEvents/enabled": false });
  await off.sell("badly");
  await off.publish(1);
  assert.deepEqual(await off.news(), []);
});
