import assert from "node:assert/strict";
import { test } from "node:test";
import type { Health } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { createFleetHealth } from "./fleet-health.ts";
import type { NodePhase, Probed } from "./health.ts";

const well = { status: "up", issues: [] };
const lookMs = 400;

interface NodeState {
  phase: NodePhase;
  looks: number;
  waitedFor: readonly string[];
  isDraining: boolean;
  health: () => Promise<Health>;
}

/** A node of one service, which is as the test says, and what it says of itself to the fleet. */
function createNode() {
  const clock = new FakeClock();
  const state: NodeState = {
    phase: "ready",
    looks: 0,
    waitedFor: [],
    isDraining: false,
    health: async () => ({ kind: "healthy" }),
  };
  const frail = {
    name: "frail",
    state: "running",
    health: () => {
      state.looks += 1;
      return state.health();
    },
  };
  const node = {
    clock,
    get phase() {
      return state.phase;
    },
    get waitedFor() {
      return state.waitedFor;
    },
    // Where a node is drained, its part in the fleet is not well.
    get joined() {
      return state.isDraining ? { fleet: state } : undefined;
    },
    instances: [frail],
    engines: undefined,
  };
  // Nothing else of a node is asked.
  const ask = createFleetHealth(node as unknown as Probed, lookMs);
  const says = async () => {
    ask();
    await clock.settle();
    return ask();
  };
  return { clock, state, ask, says };
}

test("what is not well is told by its name, with why, and well again when it is", async () => {
  const { clock, state, says } = createNode();
  assert.deepEqual(await says(), well);
  state.health = async () => ({ kind: "degraded", reason: "it is tired" });
  state.waitedFor = ["redis"];
  await clock.advance(lookMs);
  assert.deepEqual(await says(), {
    status: "degraded",
    issues: [
      "frail is degraded: it is tired",
      "state:redis is unhealthy: its server is not there yet",
    ],
  });
  state.health = async () => ({ kind: "healthy" });
  state.waitedFor = [];
  await clock.advance(lookMs);
  assert.deepEqual(await says(), well);
});

test("that the fleet itself is not well for it is no reason to call others", async () => {
  const { state, says } = createNode();
  state.isDraining = true;
  assert.deepEqual(await says(), well);
  assert.equal(state.looks, 1);
});

test("parts are asked once in a look, however often it is asked", async () => {
  const { clock, state, ask, says } = createNode();
  await says();
  for (let n = 0; n < 5; n += 1) await says();
  assert.equal(state.looks, 1);
  await clock.advance(lookMs - 1);
  ask();
  assert.equal(state.looks, 1);
  await clock.advance(1);
  ask();
  assert.equal(state.looks, 2);
});

test("a part that does not answer is not asked again, and its last word stays", async () => {
  const { clock, state, says } = createNode();
  state.health = async () => ({ kind: "degraded", reason: "it is tired" });
  const tired = { status: "degraded", issues: ["frail is degraded: it is tired"] };
  assert.deepEqual(await says(), tired);
  const answer = Promise.withResolvers<Health>();
  state.health = () => answer.promise;
  await clock.advance(lookMs);
  assert.deepEqual(await says(), tired);
  await clock.advance(lookMs);
  assert.deepEqual(await says(), tired);
  assert.equal(state.looks, 2);
  answer.resolve({ kind: "healthy" });
  await clock.settle();
  assert.deepEqual(await says(), well);
  assert.equal(state.looks, 3, "the look that took so long is over, and the next one due");
});

test("a look that fails is not the last one, and leaves the last word", async () => {
  const { clock, state, says } = createNode();
  state.health = () => Promise.reject(new Error("no"));
  assert.deepEqual(await says(), well);
  state.health = async () => ({ kind: "degraded", reason: "it is tired" });
  await clock.advance(lookMs);
  assert.equal((await says()).status, "degraded");
});

test("a node that starts or stops asks nobody: the fleet knows that by other ways", async () => {
  for (const phase of ["starting", "draining", "stopped"] as const) {
    const { state, says } = createNode();
    state.phase = phase;
    assert.deepEqual(await says(), well);
    assert.equal(state.looks, 0);
    state.phase = "ready";
    await says();
    assert.equal(state.looks, 1, "at once when it is ready");
  }
});
