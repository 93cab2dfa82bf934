import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { isBanyanError } from "../errors/banyan-error.ts";
import { t } from "../schema/t.ts";
import { defineContract, extend, on } from "./contract.ts";
import type { AnyContract, ContractSpec } from "./contract.ts";
import type { Layer } from "./layers.ts";
import type { PlanInput } from "./plan.ts";
import { planNode } from "./plan.ts";
import type { StoreEngine } from "./plan-engines.ts";

const goldenUrl = new URL("./golden/plan-report.txt", import.meta.url);
const head = { summary: "A service.", version: "1.0.0" };
const make = (name: string, spec: Partial<ContractSpec> = {}): AnyContract =>
  defineContract(name, { ...head, ...spec });

function reportOf(input: PlanInput): string {
  try {
    planNode(input);
  } catch (error) {
    assert(isBanyanError(error, "NODE_PLAN_INVALID"), String(error));
    return error.message;
  }
  return "";
}

test("services start by layer, then by hard dependency, then by name", () => {
  const clock = make("clock", { layer: "L0" });
  const zebra = make("zebra", { layer: "L1", uses: { clock } });
  const apple = make("apple", { layer: "L1", uses: { zebra } });
  const fig = make("fig", { layer: "L3" });
  const game = make("game", { layer: "L2", uses: { apple } });
  const quest = make("quest", { uses: { game, clock }, optional: { fig } });
  const contracts = [quest, game, fig, apple, zebra, clock];
  const { order } = planNode({ contracts });
  assert.deepEqual(
    order.map(({ name }) => name),
    ["clock", "zebra", "apple", "game", "fig", "quest"],
  );
});

test("a plan that fits starts everybody after what it requires", () => {
  const layerOf: readonly Layer[] = ["L0", "L1", "L2", "L4"];
  const shape = fc.array(
    fc.record({ layer: fc.nat(3), uses: fc.array(fc.nat(), { maxLength: 3 }) }),
    {
      maxLength: 12,
    },
  );
  fc.assert(
    fc.property(shape, fc.nat(), (list, turn) => {
      const made: AnyContract[] = [];
      for (const [index, { layer, uses }] of list.entries()) {
        const own = layerOf[layer] ?? "L4";
        // L4 requires nobody of its own layer.
        const lower = made.filter(
          (each) => each.layer < own || (each.layer === own && own !== "L4"),
        );
        const chosen = lower.length === 0 ? [] : uses.map((use) => lower[use % lower.length]);
        const entries = chosen.flatMap((each) => (each === undefined ? [] : [[each.name, each]]));
        made.push(make(`s${index}`, { layer: own, uses: Object.fromEntries(entries) }));
      }
      const start = made.length === 0 ? 0 : turn % made.length;
      const { order } = planNode({ contracts: [...made.slice(start), ...made.slice(0, start)] });
      assert.equal(order.length, made.length);
      for (const [place, contract] of order.entries()) {
        for (const used of Object.values(contract.spec.uses ?? {})) {
          assert.ok(order.findIndex(({ name }) => name === used.name) < place);
        }
      }
    }),
    { seed: seedOf() },
  );
});

test("every kind of offence is found, all in one report, each with its place and its fix", () => {
  const page = { method: "GET", path: "/page/:id", exchange: "raw" } as const;
  const engine: StoreEngine = {
    name: "memory",
    durability: "ephemeral",
    capabilities: new Set(["expires"]),
  };
  const absent = make("absent");
  const sleeping = make("sleeping", { layer: "L1" });
  const quest = make("quest", { events: { won: t.Object({}) } });
  const oldClock = make("clock", { layer: "L0", version: "0.1.5" });
  const clock = make("clock", {
    layer: "L0",
    version: "0.2.0",
    uses: { sleeping },
    operations: { page: { summary: "Page.", http: page } },
  });
  const egg = make("egg", { layer: "L1", uses: { hen: make("hen", { layer: "L1" }) } });
  const hen = make("hen", { layer: "L1", uses: { egg } });
  const desk = make("desk", {
    layer: "L3",
    uses: { absent, fig: make("fig", { layer: "L3" }) },
    optional: { clock: oldClock },
    // What plain JavaScript may name.
    subscriptions: { wins: on(quest, "wn" as never), lost: on(clock, "lost" as never) },
    extensions: { words: extend(clock, "words" as never) },
    operations: {
      page: { summary: "Page.", http: { ...page, path: "/page/:name" } },
      post: { summary: "Post.", http: { method: "POST", path: "/desk/ring", exchange: "raw" } },
      ring: { summary: "Ring." },
    },
    stores: {
      notes: { value: t.Object({}), durability: "durable", capabilities: ["query"], expires: true },
      drafts: { value: t.Object({}), durability: "ephemeral" },
    },
  });
  const report = reportOf({
    contracts: [clock, desk, hen, egg, make("twin"), make("twin"), make("fig", { layer: "L3" })],
    disabled: new Map([["sleeping", "BANYAN_SLEEPING_ENABLED=false"]]),
    engines: { engineFor: (_service, store) => (store === "notes" ? engine : undefined) },
  });
  assert.equal(report, readFileSync(goldenUrl, "utf8").trimEnd());
});

test("a provider of another major version is another contract, a minor makes no difference", () => {
  const built = make("account", { layer: "L1", version: "1.4.0" });
  const desk = make("desk", { uses: { account: built } });
  const running = make("account", { layer: "L1", version: "1.2.0" });
  assert.deepEqual(planNode({ contracts: [desk, running] }).order, [running, desk]);
  const other = make("account", { layer: "L1", version: "2.0.0" });
  assert.match(
    reportOf({ contracts: [desk, other] }),
    /built against account 1\.4\.0, but 2\.0\.0 runs here/,
  );
});

test("what a node of a fleet does not run, another may; an extension runs beside its owner", () => {
  const account = make("account", {
    layer: "L1",
    extensionPoints: {
      names: { kind: "provider", summary: "Names.", request: t.Object({}), response: t.Object({}) },
    },
  });
  const desk = make("desk", { uses: { account } });
  assert.deepEqual(planNode({ contracts: [desk], hasFleet: true }).order, [desk]);
  const diary = make("diary", {
    layer: "L1",
    extensions: { names: { contract: account, point: "names" } },
  });
  assert.deepEqual(planNode({ contracts: [diary] }).order, [diary]);
  assert.match(
    reportOf({ contracts: [diary], hasFleet: true }),
    /diary\.extensions\.names: diary extends "account", which this node does not run/,
  );
});

test("a service that requires itself is a cycle of one", () => {
  const lookalike = make("desk", { layer: "L1" });
  const report = reportOf({ contracts: [make("desk", { layer: "L1", uses: { lookalike } })] });
  assert.match(report, /1 offence:\n {2}desk\.uses: Hard dependencies form a cycle: desk → desk\./);
});

test("each of several cycles is named once, from its smallest name on", () => {
  const uses = (...names: string[]): Partial<ContractSpec> => ({
    layer: "L1",
    uses: Object.fromEntries(names.map((name) => [name, make(name, { layer: "L1" })])),
  });
  const report = reportOf({
    contracts: [
      make("c", uses("a")),
      make("a", uses("b", "d")),
      make("b", uses("c")),
      make("d", uses("a")),
    ],
  });
  assert.deepEqual(report.match(/cycle: .*\./g), ["cycle: a → b → c → a.", "cycle: a → d → a."]);
});
