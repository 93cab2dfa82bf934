import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "../schema/t.ts";
import { defineContract, on } from "./contract.ts";
import type { AnyContract, ContractSpec, StoreSpec } from "./contract.ts";
import { engineOffences } from "./plan-engines.ts";
import type { ChosenEngines, EventBus, StoreEngine } from "./plan-engines.ts";

const make = (name: string, spec: Partial<ContractSpec>): AnyContract =>
  defineContract(name, { summary: "A service.", version: "1.0.0", ...spec });
const capabilities = new Set(["expires", "transaction", "outbox"]);
const file: StoreEngine = { name: "file", durability: "durable", capabilities };
const heap: StoreEngine = { name: "heap", durability: "ephemeral", capabilities };
const fileBus: EventBus = {
  name: "file",
  durability: "durable",
  capabilities: new Set(["ordered", "transactions"]),
};
const heapBus: EventBus = { name: "heap", durability: "ephemeral", capabilities: new Set() };

const chosen = (durable: EventBus | undefined = fileBus): ChosenEngines => ({
  engineFor: (_service, _store, spec) => (spec.durability === "durable" ? file : heap),
  busFor: (durability) => (durability === "durable" ? durable : heapBus),
});
const store = (durability: "durable" | "ephemeral", ...needs: readonly string[]): StoreSpec => ({
  value: t.Object({}),
  durability,
  capabilities: needs,
});

const told = (contracts: readonly AnyContract[], engines: ChosenEngines): string[] =>
  engineOffences(contracts, engines).map(
    ({ place, message, fix }) => `${place}: ${message} | ${fix}`,
  );

test("stores and events that their engines can keep are no offence", () => {
  const orders = make("orders", {
    stores: {
      all: store("durable", "transaction", "outbox"),
      seen: store("durable", "transaction"),
    },
    events: {
      placed: { payload: t.Object({ id: t.String() }), orderedBy: "/id" },
      watched: { payload: t.Object({}), durability: "ephemeral" },
    },
  });
  assert.deepEqual(told([orders], chosen()), []);
});

test("stores of one service that share transactions are kept by one engine", () => {
  const orders = make("orders", {
    stores: {
      all: store("durable", "transaction"),
      carts: store("ephemeral", "transaction"),
      hits: store("ephemeral"),
    },
  });
  const [only, ...others] = told([orders], chosen());
  assert.deepEqual(others, []);
  assert.match(only ?? "", /^orders\.stores\.carts: .*"heap".*"orders\.all".*"file".* \| .*pin/);
});

test("an outbox is where the durable events go", () => {
  const orders = make("orders", { stores: { carts: store("ephemeral", "transaction", "outbox") } });
  assert.match(
    told([orders], chosen()).join("\n"),
    /^orders\.stores\.carts: .*kept by "heap" and durable events go over "file".*set engines\.bus/,
  );
  const durable = make("orders", { stores: { all: store("durable", "transaction", "outbox") } });
  const deaf = { ...fileBus, capabilities: new Set<string>() };
  assert.match(told([durable], chosen(deaf)).join("\n"), /cannot publish with a transaction/);
  const unknown = { ...fileBus, capabilities: undefined };
  assert.deepEqual(told([durable], chosen(unknown)), []);
});

test("an outbox with a relay goes with any bus, unless the engine forgets", () => {
  const orders = make("orders", {
    stores: {
      all: store("durable", "transaction", "outbox"),
      carts: store("ephemeral", "transaction", "outbox"),
    },
  });
  const relaying = new Set([...capabilities, "relay"]);
  const server: StoreEngine = { name: "server", durability: "durable", capabilities: relaying };
  const engineFor = (durable: StoreEngine, ephemeral: StoreEngine) => ({
    ...chosen(),
    engineFor: (_service: string, _store: string, { durability }: StoreSpec) =>
      durability === "durable" ? durable : ephemeral,
  });
  assert.deepEqual(told([orders], engineFor(server, server)), []);
  const cache: StoreEngine = { name: "cache", durability: "ephemeral", capabilities: relaying };
  const offences = told([orders], engineFor(server, cache)).join("\n");
  assert.match(offences, /^orders\.stores\.carts: .*"cache" and durable events go over "file"/);
  assert.doesNotMatch(offences, /orders\.stores\.all: It asks for "outbox"/);
});

test("an outbox without transactions is of no use", () => {
  const orders = make("orders", { stores: { all: store("durable", "outbox") } });
  assert.match(told([orders], chosen()).join("\n"), /"outbox" without "transaction"/);
});

test("a durable event on a bus that forgets is named, an ephemeral one is not", () => {
  const orders = make("orders", {
    events: { placed: t.Object({}), watched: { payload: t.Object({}), durability: "ephemeral" } },
  });
  const forgetful: EventBus = { ...fileBus, name: "heap", durability: "ephemeral" };
  const [only, ...others] = told([orders], chosen(forgetful));
  assert.deepEqual(others, []);
  assert.match(only ?? "", /^orders\.events\.placed: .*"heap" forgets.*engines\.bus/);
});

test("an ordered event needs a bus that keeps order, judged once", () => {
  const orderedBy = "/id";
  const payload = t.Object({ id: t.String() });
  const moved = { payload, durability: "ephemeral", orderedBy } as const;
  const quest = make("quest", { events: { moved } });
  const map = make("map", { subscriptions: { moves: on(quest, "moved" as never) } });
  const places = (contracts: readonly AnyContract[]): string[] =>
    engineOffences(contracts, chosen()).map(({ place }) => place);
  assert.deepEqual(places([quest, map]), ["quest.events.moved"]);
  assert.deepEqual(places([map]), ["map.subscriptions.moves"]);
  assert.match(told([map], chosen()).join(), /engines\.ephemeralBus/);
});

test("a retention needs a bus that has it, whoever publishes", () => {
  const events = {
    placed: t.Object({}),
    watched: { payload: t.Object({}), durability: "ephemeral" },
  } as const;
  const orders = make("orders", { events });
  const retentionMs = 60_000;
  const desk = make("desk", {
    subscriptions: {
      placed: on(orders, "placed" as never, { retentionMs }),
      watched: on(orders, "watched" as never, { retentionMs }),
      kept: on(orders, "watched" as never),
    },
  });
  const offences = [told([orders, desk], chosen()), told([desk], chosen())];
  for (const [placed = "", watched = "", ...others] of offences) {
    assert.deepEqual(others, []);
    assert.match(placed, /^desk\.subscriptions\.placed: .*"file" has none.*Set engines\.bus /);
    assert.match(watched, /^desk\.subscriptions\.watched: .*"heap".*Set engines\.ephemeralBus /);
  }
  const keeping = { ...fileBus, capabilities: new Set(["ordered", "retention"]) };
  const places = told([orders, desk], chosen(keeping));
  assert.deepEqual(places.length, 1);
});

test("a bus that is not known is not judged", () => {
  const bell = make("bell", { events: { rung: t.Object({}) } });
  const orders = make("orders", {
    stores: { all: store("durable", "transaction", "outbox") },
    events: { placed: t.Object({}) },
    subscriptions: { bells: on(bell, "rung" as never, { retentionMs: 1000 }) },
  });
  const engines = { engineFor: chosen().engineFor };
  assert.deepEqual(told([orders], engines), []);
});
