import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { defineContract } from "../contract/contract.ts";
import type { OperationSpec } from "../contract/operation.ts";
import type { BanyanError } from "../errors/banyan-error.ts";
import { isBanyanError } from "../errors/banyan-error.ts";
import { anonymous } from "../ports/access.ts";
import { t } from "../schema/t.ts";
import type { CallInit } from "./call.ts";
import { currentCall } from "./call.ts";
import type { Handler } from "./pipeline.ts";
import { OperationRunner } from "./pipeline.ts";
import type { CallRuntimeOptions } from "./runtime.ts";
import { CallRuntime } from "./runtime.ts";
import type { StreamCall } from "./stream-call.ts";

const spec: OperationSpec = {
  summary: "Count.",
  request: t.Object({ to: t.Integer() }),
  stream: t.Object({ n: t.Integer() }),
};
const contract = defineContract("desk", {
  summary: "Desk.",
  version: "1.0.0",
  operations: { count: spec },
});
const inside: CallInit = {
  mode: "tolerant",
  principal: { kind: "service", id: "tester" },
  caller: "tester",
};

function openScene(handler: Handler, options: CallRuntimeOptions = {}) {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const ends: string[] = [];
  const observer = {
    ended: (_: unknown, error: BanyanError | undefined) => ends.push(error?.code ?? "ok"),
  };
  const runtime = new CallRuntime({ clock, log, observer, ...options });
  const operation = { segments: ["count"], name: "count", spec };
  const runner = new OperationRunner(contract, operation, { handler, runtime });
  const stream = (request: unknown, init: Partial<CallInit> = {}): StreamCall =>
    runner.invokeStream(request, { ...inside, ...init });
  return { clock, log, runtime, ends, stream };
}

async function framesOf(stream: AsyncIterable<unknown>): Promise<unknown[]> {
  const frames: unknown[] = [];
  for await (const frame of stream) frames.push(frame);
  return frames;
}

const codeOf = (error: unknown): string => (isBanyanError(error) ? error.code : String(error));
const never = (): Promise<never> => new Promise(() => undefined);

test("frames arrive in order, as copies, and the call is in flight until the last", async () => {
  const kept = { n: 0, more: "dropped" };
  const { stream, runtime, ends } = openScene(async function* () {
    for (kept.n = 1; kept.n <= 3; kept.n += 1) yield kept;
  });
  const frames = stream({ to: 3 });
  assert.equal(runtime.inFlight, 0, "nothing runs before the first frame is asked for");
  assert.deepEqual(await frames.next(), { done: false, value: { n: 1 } });
  assert.equal(runtime.inFlight, 1);
  assert.deepEqual(await framesOf(frames), [{ n: 2 }, { n: 3 }]);
  assert.equal(runtime.inFlight, 0);
  assert.deepEqual(ends, ["ok"]);
});

test("nothing runs before the request is authorized and valid", async () => {
  let ran = false;
  const { stream, runtime, ends } = openScene(async function* () {
    ran = true;
    yield { n: 1 };
  });
  assert.equal(await stream({ to: "x" }).next().catch(codeOf), "REQUEST_INVALID");
  const outside = { caller: undefined, principal: anonymous, mode: "strict" } as const;
  assert.equal(await stream({ to: 1 }, outside).next().catch(codeOf), "CALL_UNAUTHENTICATED");
  assert.equal(ran, false);
  assert.equal(runtime.inFlight, 0);
  assert.deepEqual(ends, ["REQUEST_INVALID", "CALL_UNAUTHENTICATED"]);
});

test("the handler is asked for a frame only when the consumer asks", async () => {
  let made = 0;
  const { stream, clock } = openScene(async function* () {
    for (;;) yield { n: (made += 1) };
  });
  const frames = stream({ to: 9 });
  await frames.next();
  await clock.settle();
  assert.equal(made, 1);
  await frames.next();
  await clock.settle();
  assert.equal(made, 2);
  await frames.return();
});

test("a consumer that stops early runs the handler's finally, and that is no error", async () => {
  const steps: string[] = [];
  const { stream, runtime, ends, clock } = openScene(async function* () {
    try {
      yield { n: 1 };
      yield { n: 2 };
    } finally {
      await clock.sleep(10);
      steps.push("cleaned");
    }
  });
  const stopped = (async () => {
    for await (const frame of stream({ to: 2 })) {
      assert.deepEqual(frame, { n: 1 });
      break;
    }
    steps.push("over");
  })();
  await clock.advance(10);
  await stopped;
  assert.deepEqual(steps, ["cleaned", "over"]);
  assert.equal(runtime.inFlight, 0);
  assert.deepEqual(ends, ["ok"]);
});

test("an error in mid-stream crosses after the frames before it", async () => {
  const { stream, runtime, log, ends } = openScene(async function* () {
    yield { n: 1 };
    throw new TypeError("secret");
  });
  const frames = stream({ to: 1 });
  assert.deepEqual(await frames.next(), { done: false, value: { n: 1 } });
  const error: unknown = await frames.next().catch((reason: unknown) => reason);
  assert(isBanyanError(error, "INTERNAL"));
  assert.equal(error.cause, undefined);
  assert.equal(log.lines.length, 1);
  assert.equal(runtime.inFlight, 0);
  assert.deepEqual(ends, ["INTERNAL"]);
  assert.deepEqual(await frames.next(), { done: true, value: undefined });
});

test("a frame that breaks the contract ends the stream, and the handler is stopped", async () => {
  let cleaned = false;
  const { stream, runtime } = openScene(async function* () {
    try {
      yield { n: "one" };
    } finally {
      cleaned = true;
    }
  });
  assert.equal(await stream({ to: 1 }).next().catch(codeOf), "INTERNAL");
  assert.equal(cleaned, true);
  assert.equal(runtime.inFlight, 0);
});

test("a frame that breaks the contract is told at once, though the handler hangs", async () => {
  const { stream, runtime } = openScene(async function* () {
    try {
      yield { n: "one" };
    } finally {
      await never();
    }
  });
  assert.equal(await stream({ to: 1 }).next().catch(codeOf), "INTERNAL");
  assert.equal(runtime.inFlight, 1, "it still runs");
});

test("an abort reaches a consumer that waits; the handler counts until it settles", async () => {
  let cleaned = false;
  const controller = new AbortController();
  const { stream, runtime, clock, ends } = openScene(async function* () {
    try {
      yield { n: 1 };
      await clock.sleep(500);
      yield { n: 2 };
    } finally {
      cleaned = true;
    }
  });
  const frames = stream({ to: 1 }, { signal: controller.signal });
  await frames.next();
  const waiting = frames.next().catch(codeOf);
  await clock.settle();
  controller.abort();
  assert.equal(await waiting, "CALL_CANCELLED");
  assert.equal(runtime.inFlight, 1);
  assert.deepEqual(ends, ["CALL_CANCELLED"]);
  await clock.advance(500);
  assert.equal(cleaned, true);
  assert.equal(runtime.inFlight, 0);
});

test("an abort stops the handler even while the consumer asks for nothing", async () => {
  let cleaned = false;
  const { stream, runtime, clock, ends } = openScene(async function* () {
    try {
      yield { n: 1 };
    } finally {
      cleaned = true;
    }
  });
  const frames = stream({ to: 1 }, { timeoutMs: 100 });
  await frames.next();
  await clock.advance(120);
  assert.equal(cleaned, true);
  assert.equal(runtime.inFlight, 0);
  assert.equal(await frames.next().catch(codeOf), "CALL_DEADLINE_EXCEEDED");
  assert.deepEqual(ends, ["CALL_DEADLINE_EXCEEDED"]);
});

test("a handler that hangs in its finally does not hold the consumer", async () => {
  const { stream, runtime, clock } = openScene(async function* () {
    try {
      yield { n: 1 };
    } finally {
      await never();
    }
  });
  const frames = stream({ to: 1 }, { timeoutMs: 100 });
  await frames.next();
  const stopped = frames.return().then(() => "stopped");
  await clock.advance(120);
  assert.equal(await stopped, "stopped");
  assert.equal(runtime.inFlight, 1, "it still runs");
});

test("a stream that is over before it began runs nothing", async () => {
  let ran = false;
  const { stream, runtime } = openScene(async function* () {
    ran = true;
    yield { n: 1 };
  });
  const init = { signal: AbortSignal.abort() };
  assert.equal(await stream({ to: 1 }, init).next().catch(codeOf), "CALL_CANCELLED");
  assert.equal(ran, false);
  assert.equal(runtime.inFlight, 0);
});

test("a handler that throws at once, or returns no frames, is an internal error", async () => {
  for (const handler of [
    () => {
      throw new TypeError("at once");
    },
    () => [{ n: 1 }],
    () => undefined,
  ]) {
    const { stream, runtime, log } = openScene(handler);
    assert.equal(await stream({ to: 1 }).next().catch(codeOf), "INTERNAL");
    assert.equal(runtime.inFlight, 0);
    assert.equal(log.lines.length, 1);
  }
});

test("an iterator without return is let go of as well", async () => {
  const { stream, runtime } = openScene(() => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ value: { n: 1 } }) }),
  }));
  const frames = stream({ to: 1 });
  await frames.next();
  await frames.return();
  assert.equal(runtime.inFlight, 0);
});

test("an iterator that answers no object has failed", async () => {
  const { stream, runtime, log } = openScene(() => ({
    [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve(undefined) }),
  }));
  assert.equal(await stream({ to: 1 }).next().catch(codeOf), "INTERNAL");
  assert.equal(runtime.inFlight, 0);
  assert.equal(log.lines.length, 1);
});

test("a cleanup that fails after an early stop is logged", async () => {
  const { stream, runtime, log } = openScene(async function* () {
    try {
      yield { n: 1 };
    } finally {
      await Promise.reject(new Error("the file was gone"));
    }
  });
  const frames = stream({ to: 1 });
  await frames.next();
  await frames.return();
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ["stream did not stop cleanly"],
  );
  assert.equal(runtime.inFlight, 0);
});

test("the handler knows its call at every frame, the consumer does not", async () => {
  const { stream, clock } = openScene(async function* () {
    for (let n = 1; n <= 2; n += 1) {
      assert.equal(currentCall()?.operation, "desk.count");
      await clock.sleep(1);
      assert.equal(currentCall()?.operation, "desk.count");
      yield { n };
    }
  });
  const taken = (async () => {
    for await (const frame of stream({ to: 2 })) {
      assert(frame);
      assert.equal(currentCall(), undefined);
    }
  })();
  await clock.advance(5);
  await taken;
});

test("of the consumer's async context nothing but the call reaches the handler", async () => {
  const others = new AsyncLocalStorage<string>();
  const seen: unknown[] = [];
  const { stream } = openScene(async function* () {
    try {
      seen.push(others.getStore());
      yield { n: 1 };
      seen.push(others.getStore());
      yield { n: 2 };
    } finally {
      seen.push(others.getStore());
    }
  });
  await others.run("the consumer's", async () => {
    const frames = stream({ to: 2 });
    await frames.next();
    await frames.next();
    await frames.return();
    assert.equal(others.getStore(), "the consumer's");
  });
  assert.deepEqual(seen, [undefined, undefined, undefined]);
});

test("an idempotency key that is no key is refused before anything runs", async () => {
  let ran = false;
  const { stream } = openScene(async function* () {
    ran = true;
    yield { n: 1 };
  });
  await assert.rejects(stream({ to: 1 }, { idempotencyKey: "with a space" }).next(), {
    code: "IDEMPOTENCY_KEY_INVALID",
  });
  assert.equal(ran, false);
});

test("a long stream leaves nothing behind per frame", async () => {
  const { stream, clock } = openScene(async function* () {
    for (let n = 0; n < 20_000; n += 1) yield { n };
  });
  let count = 0;
  for await (const frame of stream({ to: 1 }, { timeoutMs: 1000 })) count += frame === null ? 0 : 1;
  assert.equal(count, 20_000);
  await clock.advance(20);
  assert.deepEqual(clock.pending, []);
});

test("frames that are asked for at once come in their order, and then the end", async () => {
  const { stream } = openScene(async function* ({ to }: { to: number }) {
    for (let n = 1; n <= to; n += 1) yield { n };
  } as Handler);
  const frames = stream({ to: 2 });
  const steps = await Promise.all([frames.next(), frames.next(), frames.next(), frames.next()]);
  assert.deepEqual(
    steps.map(({ value }) => value),
    [{ n: 1 }, { n: 2 }, undefined, undefined],
  );
});

test("who asks when a frame has come does not overtake who asked before", async () => {
  const { stream } = openScene(async function* ({ to }: { to: number }) {
    for (let n = 1; n <= to; n += 1) yield { n };
  } as Handler);
  const frames = stream({ to: 5 });
  const asked: Promise<IteratorResult<unknown>>[] = [];
  const first = frames.next().then(async (step) => {
    asked.push(frames.next());
    await Promise.resolve();
    asked.push(frames.next());
    return step;
  });
  asked.push(frames.next());
  await first;
  const steps = await Promise.all([first, ...asked]);
  assert.deepEqual(
    steps.map(({ value }) => value),
    [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }],
  );
});

test("who leaves before a queued question is told when the handler has ended", async () => {
  let hasEnded = false;
  const { stream } = openScene(async function* () {
    try {
      yield { n: 1 };
      yield { n: 2 };
    } finally {
      await Promise.resolve();
      hasEnded = true;
    }
  });
  const frames = stream({ to: 1 });
  const left = frames.next().then(() => frames.return());
  const queued = frames.next();
  assert.deepEqual(await left, { done: true, value: undefined });
  assert.equal(hasEnded, true);
  assert.deepEqual(await queued, { done: true, value: undefined });
});

test("a consumer that leaves while it waits is told the end, and no failure", async () => {
  const reasons: unknown[] = [];
  const { stream, runtime, ends, clock } = openScene(async function* (_, call) {
    yield { n: 1 };
    try {
      await new Promise((_resolve, reject) => {
        call.signal.addEventListener("abort", () => reject(call.signal.reason));
      });
    } catch (reason) {
      reasons.push(codeOf(reason));
      throw reason;
    }
  });
  const frames = stream({ to: 1 });
  await frames.next();
  const waiting = frames.next();
  await clock.settle();
  const [left, again] = await Promise.all([frames.return(), frames.return()]);
  for (const step of [left, again, await waiting, await frames.next()]) {
    assert.deepEqual(step, { done: true, value: undefined });
  }
  await clock.settle();
  assert.deepEqual(reasons, ["CALL_CANCELLED"]);
  assert.deepEqual(ends, ["CALL_CANCELLED"]);
  assert.equal(runtime.inFlight, 0);
});

test("a handler that fails after its call was aborted is in the log", async () => {
  const { stream, log, clock } = openScene(async function* () {
    yield { n: 1 };
    await clock.sleep(500);
    throw new TypeError("the disk is gone");
  });
  const frames = stream({ to: 1 }, { timeoutMs: 100 });
  await frames.next();
  const waiting = frames.next().catch(codeOf);
  await clock.advance(600);
  assert.equal(await waiting, "CALL_DEADLINE_EXCEEDED");
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ["operation failed late"],
  );
});
