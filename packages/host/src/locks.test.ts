/** `locks` of a service's tools, in a whole node on memory engines. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, isBanyanError, t } from "@banyan/kernel";
import type { Locks, ServiceTools } from "@banyan/kernel";
import { memoryBus } from "@banyan/messaging";
import { memoryState } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";
import { checkNode } from "./check-node.ts";
import { openNode } from "./node.ts";
import { flagsOf } from "./sample-node.test.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const noHttp = { flags: flagsOf({ "/http/enabled": false }) };
const mill = defineContract("mill", {
  ...head,
  stores: {
    reports: {
      durability: "durable",
      value: t.Object({ by: t.String() }),
      capabilities: ["transaction"],
    },
  },
  locks: { nightly: { summary: "One report at a time." }, hint: { durability: "ephemeral" } },
});

async function openMill() {
  let tools: ServiceTools<typeof mill> | undefined;
  const node = await openNode({
    services: [
      defineService(mill, (given) => {
        tools = given;
        return {};
      }),
    ],
    inMemory: true,
    config: noHttp,
  });
  assert(tools !== undefined);
  return { tools, [Symbol.asyncDispose]: () => node.close() };
}

describe("A service's locks", () => {
  test("are the ones that its contract declares, typed and no more", async () => {
    await using world = await openMill();
    const { locks } = world.tools;
    const nightly: Locks = locks.nightly;
    assert.deepEqual(Object.keys(locks), ["nightly", "hint"]);
    const outcome = await nightly.acquire("north", { ttlMs: 5000 });
    assert(outcome.kind === "held");
    assert.equal((await nightly.acquire("north")).kind, "taken");
    assert.equal((await locks.hint.acquire("north")).kind, "held");
    assert.equal(await outcome.lock.release(), "released");
  });

  test("guard its transactions", async () => {
    await using world = await openMill();
    const { locks, stores, transaction } = world.tools;
    const outcome = await locks.nightly.acquire();
    assert(outcome.kind === "held");
    const { lock } = outcome;
    await transaction((tx) => tx.stores.reports.set("north", { by: "ada" }), { under: lock });
    await lock.release();
    await assert.rejects(
      transaction((tx) => tx.stores.reports.set("north", { by: "bob" }), { under: lock }),
      (error) => isBanyanError(error, "STATE_LOCK_LOST"),
    );
    assert.deepEqual(await stores.reports.get("north"), { by: "ada" });
  });

  test("elect a leader that works until it is stopped", async () => {
    await using world = await openMill();
    const { locks, stores, transaction } = world.tools;
    const stop = new AbortController();
    const { promise: began, resolve: begin } = Promise.withResolvers<void>();
    const candidate = locks.nightly.lead(
      async ({ lock, signal }) => {
        await transaction((tx) => tx.stores.reports.set("led", { by: "me" }), { under: lock });
        begin();
        await new Promise<void>((resolve) => {
          signal.addEventListener("abort", () => resolve(), { once: true });
        });
      },
      { signal: stop.signal },
    );
    await began;
    assert.equal(candidate.state.kind, "leading");
    stop.abort();
    await candidate.stopped;
    assert.deepEqual(await stores.reports.get("led"), { by: "me" });
    assert.equal((await locks.nightly.acquire()).kind, "held");
  });
});

describe("What cannot keep a lock", () => {
  const plain: StateEngineProvider = {
    ...memoryState,
    name: "plain",
    capabilities: new Set(["expires", "revisions"]),
  };

  const inMemory = {
    "/engines/durable": "memory",
    "/engines/bus": "memory",
    "/engines/ephemeralBus": "memory",
  };

  test("is refused by name before the node starts", async () => {
    const guard = defineContract("guard", {
      ...head,
      locks: { gate: { durability: "ephemeral" } },
    });
    const check = await checkNode({
      services: [defineService(guard, () => ({}))],
      config: {
        flags: flagsOf({ "/http/enabled": false, ...inMemory, "/engines/ephemeral": "plain" }),
      },
      findEngine: (name) =>
        Promise.resolve(
          name === "plain" ? { state: plain } : { state: memoryState, bus: memoryBus },
        ),
    });
    const offence = check.offences.find(({ place }) => place === "guard.locks.gate");
    assert.match(offence?.message ?? "", /needs "transaction".*"plain"/);
    assert.match(offence?.fix ?? "", /engines\.ephemeral/);
  });

  test("is refused in the contract that says it wrongly", () => {
    const wrong = {
      ...head,
      locks: { "not a name": {}, gate: { summary: "", durabilty: "ephemeral" } },
    };
    assert.throws(
      () => defineContract("guard", wrong),
      (error) => {
        assert(isBanyanError(error, "CONTRACT_INVALID"));
        assert.match(error.message, /guard\.locks\.not a name: "not a name" cannot be a name/);
        assert.match(
          error.message,
          /guard\.locks\.gate\.durabilty: .*\n.*Did you mean durability\?/,
        );
        return true;
      },
    );
  });
});
