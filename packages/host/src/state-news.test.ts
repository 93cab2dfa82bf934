import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError, defineContract, defineService, on, t } from "@banyan/kernel";
import type { EventOf, ServiceTools, StoreOf } from "@banyan/kernel";
import { memoryBus } from "@banyan/messaging";
import { memoryState, openMemoryEngine } from "@banyan/state";
import type { StateEngine, StateEngineProvider } from "@banyan/state";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import { flagsOf } from "./sample-node.test.ts";

const shop = defineContract("shop", {
  summary: "Sells.",
  version: "1.0.0",
  stores: {
    stock: { durability: "ephemeral", value: t.Integer(), capabilities: ["transaction"] },
    notes: { durability: "ephemeral", value: t.Integer(), scoped: true },
    quiet: { durability: "ephemeral", value: t.Integer() },
  },
});
const watcher = defineContract("watcher", {
  summary: "Looks on.",
  version: "1.0.0",
  subscriptions: {
    failures: on(nodeContract, "storeFailed"),
    changes: on(nodeContract, "entriesChanged"),
  },
});

/** A memory engine whose stores fail while it is told to. */
function failingEngine(): { readonly provider: StateEngineProvider; isBroken: boolean } {
  const world = {
    isBroken: false,
    provider: {
      name: "shaky",
      kinds: { state: "ephemeral" },
      capabilities: openMemoryEngine().capabilities,
      openState: ({ clock }) => {
        const real = openMemoryEngine({ clock });
        const engine: StateEngine = {
          name: "shaky",
          durability: real.durability,
          capabilities: real.capabilities,
          openStore: async (spec) => {
            const store = await real.openStore(spec);
            const guard =
              <A extends unknown[], R>(run: (...args: A) => R) =>
              (...args: A): R => {
                if (world.isBroken) throw new Error("the cable is out");
                return run(...args);
              };
            return { ...store, get: guard(store.get), set: guard(store.set) };
          },
          check: () => undefined,
          close: () => real.close(),
          [Symbol.asyncDispose]: () => real.close(),
        };
        return Promise.resolve(engine);
      },
    } satisfies StateEngineProvider,
  };
  return world;
}

type Heard = { readonly kind: string } & EventOf<object>;

async function openWorld(settings: Readonly<Record<string, unknown>> = {}) {
  const clock = new FakeClock();
  const shaky = failingEngine();
  const heard: Heard[] = [];
  let tools: ServiceTools<typeof shop> | undefined;
  const node = await openNode({
    services: [
      defineService(shop, (given) => {
        tools = given;
        return {};
      }),
      defineService(watcher, () => ({
        subscriptions: {
          failures: (event) => void heard.push({ ...event, kind: `failed ${event.kind}` }),
          changes: (event) => void heard.push({ ...event, kind: "changed" }),
        },
      })),
    ],
    clock,
    log: createRecordingLog(),
    findEngine: async (name) =>
      name === "shaky" ? { state: shaky.provider } : { state: memoryState, bus: memoryBus },
    config: { flags: flagsOf({ ...onMemory, ...settings }) },
  });
  assert(tools !== undefined);
  /** What was heard since it was asked last. */
  const news = async (): Promise<object[]> => {
    for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setImmediate(next));
    return heard
      .splice(0)
      .map(
        ({ eventId: _id, timestamp: _time, node: _node, ...rest }: Heard & { node?: string }) =>
          rest,
      );
  };
  return { node, clock, shaky, tools, news, [Symbol.asyncDispose]: () => node.close() };
}

async function failTwice(store: StoreOf<typeof shop.spec.stores.quiet>): Promise<void> {
  for (let time = 0; time < 2; time += 1) {
    await assert.rejects(store.get("a"), { code: "STATE_ENGINE_UNAVAILABLE" });
  }
}

const onMemory = {
  "/http/enabled": false,
  "/engines/durable": "memory",
  "/engines/bus": "memory",
};
const onShaky = { "/engines/pins": { "shop.quiet": "shaky" } };
const failure = {
  kind: "failed unavailable",
  service: "shop",
  store: "quiet",
  engine: "shaky",
  operation: "get",
  code: "STATE_ENGINE_UNAVAILABLE",
};

test("what an author's function throws is no failure of a store", async () => {
  await using world = await openWorld(onShaky);
  const down = new BanyanError({ kind: "unavailable", code: "PAY_DOWN", message: "No." });
  const failed = world.tools.stores.quiet.update("a", () => {
    throw down;
  });
  await assert.rejects(failed, down);
  assert.deepEqual(await world.news(), []);
});

for (const telemetry of [true, false]) {
  const how = telemetry ? "with" : "without";
  test(`a failed store is told once a minute for each operation, ${how} telemetry`, async () => {
    await using world = await openWorld({
      ...onShaky,
      "/telemetry/metrics/enabled": telemetry,
      "/telemetry/traces/enabled": telemetry,
    });
    const { tools, shaky, clock, news } = world;
    shaky.isBroken = true;
    await failTwice(tools.stores.quiet);
    assert.deepEqual(await news(), [{ ...failure, suppressed: 0 }]);
    await assert.rejects(tools.stores.quiet.set("a", 1));
    assert.deepEqual(await news(), [{ ...failure, operation: "set", suppressed: 0 }]);
    await clock.advance(59_000);
    await failTwice(tools.stores.quiet);
    assert.deepEqual(await news(), []);
    await clock.advance(1000);
    await failTwice(tools.stores.quiet);
    assert.deepEqual(await news(), [{ ...failure, suppressed: 3 }]);
    shaky.isBroken = false;
    await clock.advance(60_000);
    await tools.stores.quiet.set("a", 1);
    await assert.rejects(tools.stores.quiet.set("a", 1, { ifAbsent: true }));
    await assert.rejects(tools.stores.quiet.get(""));
    assert.deepEqual(await news(), [], "what a caller does wrong is no failure of an engine");
  });
}

test("the setting state.failureEvents.windowMs is the window; enabled is the switch", async () => {
  await using short = await openWorld({ ...onShaky, "/state/failureEvents/windowMs": 2000 });
  short.shaky.isBroken = true;
  await failTwice(short.tools.stores.quiet);
  await short.clock.advance(2000);
  await failTwice(short.tools.stores.quiet);
  assert.equal((await short.news()).length, 2);
  await using off = await openWorld({ ...onShaky, "/state/failureEvents/enabled": false });
  off.shaky.isBroken = true;
  await failTwice(off.tools.stores.quiet);
  assert.deepEqual(await off.news(), []);
});

test("changes are told of the stores that configuration names, and of no other", async () => {
  await using world = await openWorld({
    "/state/changeEvents/stores": ["shop.stock", "shop.notes"],
  });
  const { tools, news } = world;
  const change = { kind: "changed", service: "shop", store: "stock", more: 0 };
  await tools.stores.stock.set("a", 1);
  await tools.stores.quiet.set("a", 1);
  await tools.transaction(({ stores }) => {
    stores.stock.set("b", 1);
    stores.stock.delete("a");
  });
  assert.deepEqual(await news(), [
    { ...change, operation: "set", keys: ["a"] },
    { ...change, operation: "set", keys: ["b"] },
    { ...change, operation: "delete", keys: ["a"] },
  ]);
  await tools.scopes.create("org-1", { owner: "o" });
  await (await tools.stores.notes.in("org-1")).set("n", 1);
  const many = Array.from({ length: 130 }, (_, index) => `k${index}`);
  await tools.stores.stock.setMany(many.map((key) => [key, 1]));
  assert.deepEqual(await news(), [
    { ...change, store: "notes", scope: "org-1", operation: "set", keys: ["n"] },
    { ...change, operation: "set", keys: many.slice(0, 100), more: 30 },
  ]);
});

test("the setting state.changeEvents.ratio is the share told; by default nothing is", async () => {
  await using some = await openWorld({
    "/state/changeEvents/stores": ["shop.*"],
    "/state/changeEvents/ratio": 0.5,
  });
  for (let n = 0; n < 400; n += 1) await some.tools.stores.stock.set("a", n);
  const told = (await some.news()).length;
  // Eight standard deviations: a run in 10^14 is outside.
  assert.ok(told > 120 && told < 280, `${told} of 400`);
  await using none = await openWorld();
  await none.tools.stores.stock.set("a", 1);
  assert.deepEqual(await none.news(), []);
});
