import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import type { BanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import type { CallInit, CallObserver } from "./call.ts";
import { CallContext, currentCall, runHandler, runInCall, runOutsideCalls } from "./call.ts";
import { CallRuntime } from "./runtime.ts";
import type { CallRuntimeOptions } from "./runtime.ts";

const target = { service: "desk", name: "desk.echo", timeoutMs: 30_000 };
const base: CallInit = { mode: "tolerant", principal: { kind: "anonymous" } };

interface Opened {
  readonly call: CallContext;
  readonly live: boolean;
  /** How it ended, once for each time it was told. */
  readonly ends: (string | undefined)[];
}

function openCall(runtime: CallRuntime, init: Partial<CallInit> = {}): Opened {
  const call = new CallContext(target, runtime, { ...base, ...init });
  const ends: (string | undefined)[] = [];
  const live = call.open((error: BanyanError | undefined) => ends.push(error?.code));
  return { call, live, ends };
}

function openRuntime(options: CallRuntimeOptions = {}): {
  runtime: CallRuntime;
  clock: FakeClock;
} {
  const clock = new FakeClock({ monotonicMs: 5000 });
  return { runtime: new CallRuntime({ clock, ...options }), clock };
}

test("a nested call's deadline is never after its parent's", () => {
  const steps = fc.array(
    fc.record({
      timeoutMs: fc.option(fc.oneof(fc.nat(1000), fc.constant(Infinity)), { nil: undefined }),
      waitMs: fc.nat(50),
      below: fc.nat(),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(steps, (list) => {
      const { runtime, clock } = openRuntime();
      const calls: CallContext[] = [];
      for (const { timeoutMs, waitMs, below } of list) {
        clock.advanceSync(waitMs);
        const parent = calls[below % (calls.length + 1)];
        const { call } = openCall(runtime, { parent, timeoutMs, caller: "shop" });
        calls.push(call);
        const own = clock.monotonicMs() + (timeoutMs ?? target.timeoutMs);
        assert.equal(call.deadlineMs, Math.min(own, parent?.deadlineMs ?? Infinity));
        assert.ok(call.remainingMs() >= 0);
      }
    }),
    { seed: seedOf(), numRuns: 200 },
  );
});

test("a parent's abort reaches children and grandchildren, with its reason", () => {
  const { runtime } = openRuntime();
  const parent = openCall(runtime);
  const child = openCall(runtime, { parent: parent.call });
  const signal = child.call.signal;
  const grandchild = openCall(runtime, { parent: child.call });
  const stranger = openCall(runtime);
  const reason = kernelErrors.CALL_CANCELLED("Enough.");
  parent.call.abort(reason);
  for (const { call, ends } of [parent, child, grandchild]) {
    assert.deepEqual(ends, ["CALL_CANCELLED"]);
    assert.equal(call.abortReason, reason);
    assert.equal(call.signal.reason, reason);
  }
  assert.equal(signal.aborted, true, "a signal that was read before");
  assert.deepEqual(stranger.ends, []);
});

test("a call below an aborted one is over before it starts", () => {
  const { runtime } = openRuntime();
  const parent = openCall(runtime);
  parent.call.abort(kernelErrors.CALL_CANCELLED("Enough."));
  const child = openCall(runtime, { parent: parent.call });
  assert.equal(child.live, false);
  assert.deepEqual(child.ends, ["CALL_CANCELLED"]);
});

test("a call that ended is aborted by nobody, nor by its deadline", async () => {
  const { runtime, clock } = openRuntime();
  const controller = new AbortController();
  const parent = openCall(runtime);
  const child = openCall(runtime, {
    parent: parent.call,
    signal: controller.signal,
    timeoutMs: 10,
  });
  child.call.end(undefined, 1);
  child.call.end(undefined, 2);
  parent.call.abort(kernelErrors.CALL_CANCELLED("Enough."));
  controller.abort();
  child.call.abort(kernelErrors.CALL_CANCELLED("Enough."));
  await clock.advance(100);
  assert.deepEqual(child.ends, [undefined]);
  assert.equal(child.call.abortReason, undefined);
  assert.equal(child.call.signal.aborted, false);
  assert.equal(runtime.wheel.size, 0);
});

test("the deadline aborts the call and what is below it", async () => {
  const { runtime, clock } = openRuntime();
  const parent = openCall(runtime, { timeoutMs: 50 });
  const child = openCall(runtime, { parent: parent.call, timeoutMs: 500 });
  await clock.advance(49);
  assert.deepEqual(parent.ends, []);
  await clock.advance(16);
  assert.deepEqual(
    [parent.ends, child.ends],
    [["CALL_DEADLINE_EXCEEDED"], ["CALL_DEADLINE_EXCEEDED"]],
  );
  assert.equal(child.call.remainingMs(), 0);
});

test("a call without a bound waits for ever and sets no timer", () => {
  const { runtime, clock } = openRuntime();
  const { call } = openCall(runtime, { timeoutMs: Infinity, caller: "shop" });
  assert.equal(call.remainingMs(), Infinity);
  assert.deepEqual(clock.pending, []);
});

test("the door that is told of the opening may end the call at once", () => {
  const { runtime } = openRuntime();
  const gone = kernelErrors.CALL_CANCELLED("The client closed the connection.");
  const { live, ends } = openCall(runtime, { onOpen: (call) => call.abort(gone) });
  assert.equal(live, false);
  assert.deepEqual(ends, ["CALL_CANCELLED"]);
  assert.equal(runtime.wheel.size, 0);
});

test("a call's span stands below its parent's, or below the one it came in with", () => {
  const { runtime } = openRuntime();
  const parent = openCall(runtime).call;
  const child = openCall(runtime, { parent }).call;
  assert.equal(child.trace.traceId, parent.trace.traceId);
  assert.equal(child.trace.parentSpanId, parent.trace.spanId);
  assert.notEqual(child.trace.spanId, parent.trace.spanId);
  const trace = {
    traceId: "0".repeat(31) + "1",
    spanId: "a".repeat(16),
    sampled: false,
    state: "x",
  };
  const far = openCall(runtime, { trace, parent }).call;
  assert.deepEqual(
    { ...far.trace, spanId: "" },
    {
      traceId: trace.traceId,
      spanId: "",
      parentSpanId: trace.spanId,
      sampled: false,
      random: undefined,
      state: "x",
    },
  );
  assert.equal(child.root, parent);
  assert.equal(far.root, far);
});

test("whether a trace is kept is decided once, where it begins, and holds below", () => {
  const asked: number[] = [];
  const observer: CallObserver = { sample: (nowMs) => asked.push(nowMs) === 1, ended: () => {} };
  const { runtime } = openRuntime({ observer });
  const parent = openCall(runtime).call;
  const child = openCall(runtime, { parent }).call;
  assert.equal(child.sampled, true);
  assert.equal(child.trace.sampled, true);
  assert.equal(parent.trace.sampled, true);
  assert.equal(asked.length, 1);
  assert.equal(openCall(runtime).call.trace.sampled, false);
  const trace = { traceId: "0".repeat(31) + "1", spanId: "a".repeat(16), sampled: true };
  assert.equal(openCall(runtime, { trace }).call.sampled, true);
  assert.equal(asked.length, 2);
  assert.equal(openCall(openRuntime().runtime).call.sampled, false);
});

test("work can be started outside the call that starts it", async () => {
  const { runtime } = openRuntime();
  const { call } = openCall(runtime);
  const seen = await runInCall(call, async () => {
    assert.equal(currentCall(), call);
    return runOutsideCalls(async () => {
      await Promise.resolve();
      return currentCall();
    });
  });
  assert.equal(seen, undefined);
  assert.equal(currentCall(), undefined);
});

test("a handler starts with its call alone, and its caller's async context stays", async () => {
  const { runtime } = openRuntime();
  const others = new AsyncLocalStorage<string>();
  const [outer, inner] = [openCall(runtime).call, openCall(runtime).call];
  await others.run("the caller's", async () => {
    const seen: unknown[] = [];
    const note = (): number => seen.push([currentCall(), others.getStore()]);
    const done = runHandler(
      outer,
      async () => {
        note();
        // A call within a call, settled before the outer goes on.
        void runHandler(inner, note, undefined);
        note();
        await Promise.resolve();
        note();
      },
      undefined,
    );
    assert.equal(currentCall(), undefined);
    assert.equal(others.getStore(), "the caller's");
    await done;
    assert.equal(others.getStore(), "the caller's");
    assert.deepEqual(seen, [
      [outer, undefined],
      [inner, undefined],
      [outer, undefined],
      [outer, undefined],
    ]);
  });
});

test("a caller from outside may shorten the time a contract allows, never stretch it", () => {
  const { runtime } = openRuntime();
  const remaining = (init: Partial<CallInit>): number => openCall(runtime, init).call.remainingMs();
  assert.equal(remaining({ timeoutMs: 100 }), 100);
  assert.equal(remaining({ timeoutMs: 3_600_000 }), target.timeoutMs);
  assert.equal(remaining({ timeoutMs: 3_600_000, caller: "shop" }), 3_600_000);
});
