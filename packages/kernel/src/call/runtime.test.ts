import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { defineContract } from "../contract/contract.ts";
import { listOperations } from "../contract/operation.ts";
import { isBanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import { anonymous } from "../ports/access.ts";
import type { AccessDecision } from "../ports/access.ts";
import { t } from "../schema/t.ts";
import type { CallInit } from "./call.ts";
import { currentCallContext } from "./call.ts";
import type { Handler } from "./pipeline.ts";
import { OperationRunner } from "./pipeline.ts";
import type { CallRuntimeOptions } from "./runtime.ts";
import { CallRuntime } from "./runtime.ts";

const spec = { summary: "Work.", access: "anonymous" } as const;
const contract = defineContract("desk", {
  summary: "Desk.",
  version: "1.0.0",
  operations: { work: spec, outer: spec },
});

const outside: CallInit = { mode: "strict", principal: anonymous };
const below = (): CallInit => ({
  mode: "tolerant",
  principal: anonymous,
  caller: "desk",
  parent: currentCallContext(),
});

function openRuntime(options: CallRuntimeOptions = {}): {
  runtime: CallRuntime;
  clock: FakeClock;
  runnerOf: (name: string, handler: Handler) => OperationRunner;
} {
  const clock = new FakeClock();
  const runtime = new CallRuntime({ clock, ...options });
  const runnerOf = (name: string, handler: Handler): OperationRunner =>
    new OperationRunner(contract, { segments: [name], name, spec }, { handler, runtime });
  return { runtime, clock, runnerOf };
}

const codeOf = (error: unknown): string => (isBanyanError(error) ? error.code : "none");

test("a node takes as many calls as it may hold, and says so by name", async () => {
  const { runtime, clock, runnerOf } = openRuntime({ inFlightMax: 2 });
  const runner = runnerOf("work", () => clock.sleep(10));
  const two = [runner.invoke({}, outside), runner.invoke({}, outside)];
  const third = await runner.invoke({}, outside).catch((error: unknown) => error);
  assert(isBanyanError(third, "CALL_LIMIT_REACHED"));
  assert.match(third.message, /limits\.inFlightMax/);
  assert.equal(third.retryAfterMs, 100);
  await clock.advance(10);
  await Promise.all(two);
  assert.equal(runtime.inFlight, 0);
  await Promise.all([runner.invoke({}, outside), clock.advance(10)]);
});

test("a draining node refuses new calls but lets what is in flight call on (I2)", async () => {
  const { runtime, clock, runnerOf } = openRuntime();
  const inner = runnerOf("work", () => clock.sleep(5));
  const outer = runnerOf("outer", async () => {
    await clock.sleep(10);
    await inner.invoke({}, below());
  });
  const running = outer.invoke({}, outside);
  runtime.startDraining();
  assert.equal(runtime.draining, true);
  assert.equal(
    codeOf(await inner.invoke({}, outside).catch((error: unknown) => error)),
    "NODE_DRAINING",
  );
  let idle = false;
  const waited = runtime.idle().then(() => (idle = true));
  await clock.advance(14);
  assert.equal(idle, false);
  assert.equal(runtime.inFlight, 2);
  await clock.advance(1);
  await Promise.all([running, waited]);
  await runtime.idle();
});

const guardedContract = defineContract("vault", {
  summary: "Vault.",
  version: "1.0.0",
  operations: {
    open: { summary: "Open.", access: "authenticated" },
    watch: { summary: "Watch.", access: "authenticated", stream: t.Object({}) },
  },
});

/** A vault whose door takes a second to decide. */
function openVault(decision: AccessDecision = { kind: "allowed" }) {
  const clock = new FakeClock();
  const decide = (): Promise<AccessDecision> => clock.sleep(1000).then(() => decision);
  const runtime = new CallRuntime({ clock, authorizer: { decide } });
  let handled = 0;
  const handlers = {
    open: () => {
      handled += 1;
    },
    async *watch() {
      handled += 1;
      yield {};
    },
  };
  const [open, watch] = listOperations(guardedContract.spec.operations).map((operation) => {
    const handler = operation.name === "open" ? handlers.open : handlers.watch;
    return new OperationRunner(guardedContract, operation, { handler, runtime });
  });
  assert(open !== undefined && watch !== undefined);
  let isIdle = false;
  return {
    clock,
    runtime,
    handled: () => handled,
    isIdle: () => isIdle,
    invoke: (init: Partial<CallInit> = {}) =>
      open.invoke({}, { ...outside, ...init }).catch(codeOf),
    frame: () => watch.invokeStream({}, outside).next(),
    drain() {
      runtime.startDraining();
      void runtime.idle().then(() => (isIdle = true));
    },
  };
}

test("a call that is being authorized when a node begins to drain is finished (I2)", async () => {
  const { clock, handled, isIdle, invoke, frame, drain } = openVault();
  const calls = [invoke(), frame()];
  drain();
  await clock.advance(999);
  assert.equal(isIdle(), false);
  assert.equal(await invoke(), "NODE_DRAINING");
  await clock.advance(1);
  assert.deepEqual(await Promise.all(calls), [undefined, { done: false, value: {} }]);
  assert.equal(handled(), 2);
});

test("a node that drains does not wait for a call that was refused or given up", async () => {
  const denied = openVault({ kind: "denied", reason: "no" });
  const refused = denied.invoke();
  denied.drain();
  await denied.clock.advance(1000);
  assert.equal(await refused, "CALL_PERMISSION_DENIED");
  assert.equal(denied.isIdle(), true);

  const late = openVault();
  const call = late.invoke({ timeoutMs: 500 });
  late.drain();
  await late.clock.advance(600);
  assert.equal(await call, "CALL_DEADLINE_EXCEEDED");
  assert.equal(late.isIdle(), true);
  await late.clock.advance(1000);
  assert.equal(late.handled(), 0);
});

test("a call that is being authorized is ended with the node's patience", async () => {
  const { clock, runtime, handled, isIdle, invoke, frame, drain } = openVault();
  const calls = [invoke(), frame().catch(codeOf)];
  drain();
  assert.equal(runtime.abortAll(kernelErrors.NODE_DRAINING("The node stops.")), 2);
  assert.deepEqual(await Promise.all(calls), ["NODE_DRAINING", "NODE_DRAINING"]);
  assert.equal(isIdle(), true);
  await clock.advance(1000);
  assert.equal(handled(), 0);
});

test("what is left at the end of patience is aborted, and counted until it settles", async () => {
  const { runtime, clock, runnerOf } = openRuntime();
  const polite = runnerOf("work", (_, call) => clock.sleep(1e6, { signal: call.signal }));
  const rude = runnerOf("outer", () => clock.sleep(1000));
  const ends = [polite, rude].map((runner) => runner.invoke({}, outside).catch(codeOf));
  await clock.settle();
  assert.equal(runtime.abortAll(kernelErrors.NODE_DRAINING("The node stops.")), 2);
  assert.deepEqual(await Promise.all(ends), ["NODE_DRAINING", "NODE_DRAINING"]);
  await clock.settle();
  assert.equal(runtime.inFlight, 1);
  assert.equal(runtime.abortAll(kernelErrors.NODE_DRAINING("Again.")), 1);
  await clock.advance(1000);
  assert.equal(runtime.inFlight, 0);
  assert.equal(runtime.abortAll(kernelErrors.NODE_DRAINING("Again.")), 0);
});

test("handlers that settle after the runtime was closed harm nothing", async () => {
  const { runtime, clock, runnerOf } = openRuntime();
  const runner = runnerOf("work", () => clock.sleep(10));
  const running = runner.invoke({}, outside);
  runtime.close();
  assert.equal(runtime.wheel.size, 0);
  await clock.advance(10);
  await running;
  assert.equal(runtime.wheel.size, 0);
  assert.equal(runtime.inFlight, 0);
});
