import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { defineContract } from "../contract/contract.ts";
import type { ContractSpec } from "../contract/contract.ts";
import type { OperationSpec } from "../contract/operation.ts";
import { BanyanError, isBanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import { anonymous } from "../ports/access.ts";
import { t } from "../schema/t.ts";
import type { CallInit } from "./call.ts";
import { currentCall } from "./call.ts";
import type { Handler } from "./pipeline.ts";
import { OperationRunner } from "./pipeline.ts";
import type { CallRuntimeOptions } from "./runtime.ts";
import { CallRuntime } from "./runtime.ts";

const echo: OperationSpec = {
  summary: "Echo.",
  request: t.Object({ name: t.String({ minLength: 1 }), tags: t.Optional(t.Array(t.String())) }),
  response: t.Object({ text: t.String() }),
};

const inside: CallInit = {
  mode: "tolerant",
  principal: { kind: "service", id: "tester" },
  caller: "tester",
};
const outside: CallInit = { mode: "strict", principal: anonymous };

interface Scene {
  readonly clock: FakeClock;
  readonly log: ReturnType<typeof createRecordingLog>;
  readonly runtime: CallRuntime;
  readonly runner: OperationRunner;
  /** Another operation on the same runtime. */
  another(name: string, handler: Handler, spec?: OperationSpec): OperationRunner;
}

function openScene(
  handler: Handler,
  spec: OperationSpec = echo,
  options: CallRuntimeOptions = {},
): Scene {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const log = createRecordingLog();
  const runtime = new CallRuntime({ clock, log, ...options });
  const another: Scene["another"] = (name, run, its = echo) => {
    const head: ContractSpec = { summary: "Desk.", version: "1.0.0" };
    const contract = defineContract("desk", { ...head, operations: { [name]: its } });
    const operation = { segments: [name], name, spec: its };
    return new OperationRunner(contract, operation, { handler: run, runtime });
  };
  return { clock, log, runtime, runner: another("echo", handler, spec), another };
}

async function failureOf(promise: Promise<unknown>): Promise<BanyanError> {
  try {
    await promise;
  } catch (error) {
    assert(isBanyanError(error), `not a BanyanError: ${String(error)}`);
    return error;
  }
  throw new assert.AssertionError({ message: "it did not fail" });
}

const never = (): Promise<never> => new Promise(() => undefined);

test("a call answers what its handler returned, sync or async, or as any thenable", async () => {
  const text = { text: "hi" };
  const thenable = { then: (resolve: (value: unknown) => void) => resolve(text) };
  for (const answer of [text, Promise.resolve(text), thenable]) {
    const { runner, runtime } = openScene(() => answer);
    assert.deepEqual(await runner.invoke({ name: "a" }, inside), text);
    assert.equal(runtime.inFlight, 0);
  }
});

test("a thenable that misbehaves settles its call once, and runs within it", async () => {
  const text = { text: "hi" };
  let begunIn: string | undefined;
  const twice = {
    then(resolve: (value: unknown) => void) {
      begunIn = currentCall()?.operation;
      resolve(text);
      resolve(text);
    },
  };
  const good = openScene(() => twice);
  assert.deepEqual(await good.runner.invoke({ name: "a" }, inside), text);
  assert.equal(begunIn, "desk.echo");
  assert.equal(good.runtime.inFlight, 0);
  const thrower = {
    then() {
      throw new Error("no such table");
    },
  };
  const trap = {
    get then() {
      throw new Error("no such column");
    },
  };
  for (const answer of [thrower, trap]) {
    const { runner, runtime } = openScene(() => answer);
    assert.equal((await failureOf(runner.invoke({ name: "a" }, inside))).code, "INTERNAL");
    assert.equal(runtime.inFlight, 0);
  }
});

test("what crosses is copied, both ways and in every mode", async () => {
  for (const mode of ["strict", "tolerant", "trusted"] as const) {
    const kept = { text: "kept" };
    let seen: unknown;
    const { runner } = openScene((request) => {
      seen = request;
      return kept;
    });
    const request = { name: "a", tags: ["x"] };
    const answer = await runner.invoke(request, { ...inside, mode });
    assert.deepEqual(seen, request);
    assert.notEqual(seen, request);
    assert(typeof seen === "object" && seen !== null && "tags" in seen);
    assert.notEqual(seen.tags, request.tags);
    assert.deepEqual(answer, kept);
    assert.notEqual(answer, kept);
  }
});

test("unknown fields are refused in strict mode and dropped in tolerant mode", async () => {
  let seen: unknown;
  const { runner } = openScene((request) => {
    seen = request;
    return { text: "", more: 1 };
  });
  const request = { name: "a", nme: "b" };
  assert.deepEqual(await runner.invoke(request, inside), { text: "" });
  assert.deepEqual(seen, { name: "a" });
  const error = await failureOf(runner.invoke(request, { ...inside, mode: "strict" }));
  assert.equal(error.code, "REQUEST_INVALID");
});

test("trusted mode copies without validation, but refuses another shape", async () => {
  let seen: unknown;
  const { runner } = openScene((request) => {
    seen = request;
    return { text: "x" };
  });
  await runner.invoke({ name: "" }, { ...inside, mode: "trusted" });
  assert.deepEqual(seen, { name: "" }, "minLength was not checked");
  const error = await failureOf(runner.invoke(7, { ...inside, mode: "trusted" }));
  assert.equal(error.code, "REQUEST_INVALID");
});

test("nothing runs before the request is authorized and valid", async () => {
  const ran: string[] = [];
  const decide = (): { kind: "denied"; reason: string } => {
    ran.push("decide");
    return { kind: "denied", reason: "it is closed" };
  };
  const { runner, runtime } = openScene(() => ran.push("handler"), echo, {
    authorizer: { decide },
  });
  const denied = await failureOf(runner.invoke({ name: "" }, outside));
  assert.equal(denied.code, "CALL_PERMISSION_DENIED");
  assert.match(denied.message, /desk\.echo was refused: it is closed\./);
  assert.deepEqual(ran, ["decide"]);
  const invalid = await failureOf(runner.invoke({ name: "" }, inside));
  assert.equal(invalid.code, "REQUEST_INVALID");
  assert.deepEqual(ran, ["decide"], "a declared edge is not authorized again");
  assert.equal(runtime.inFlight, 0);
});

test("without an authorizer only anonymous operations are reached from outside", async () => {
  const refused = await failureOf(openScene(never).runner.invoke({ name: "a" }, outside));
  assert.equal(refused.code, "CALL_UNAUTHENTICATED");
  const open = openScene(() => ({ text: "hi" }), { ...echo, access: "anonymous" });
  assert.deepEqual(await open.runner.invoke({ name: "a" }, outside), { text: "hi" });
});

test("an authorizer that fails gives nothing away", async () => {
  const { runner, log } = openScene(never, echo, {
    authorizer: { decide: () => Promise.reject(new TypeError("password hunter2")) },
  });
  const error = await failureOf(runner.invoke({ name: "a" }, outside));
  assert.equal(error.code, "INTERNAL");
  assert.doesNotMatch(JSON.stringify(error), /hunter2/);
  assert.equal(error.cause, undefined);
  assert.equal(log.lines.length, 1);
});

test("the deadline ends a call whose authorizer hangs, and the handler never runs", async () => {
  let ran = false;
  let decide: (decision: { kind: "allowed" }) => void = () => undefined;
  const { runner, clock } = openScene(() => (ran = true), echo, {
    authorizer: { decide: () => new Promise((resolve) => (decide = resolve)) },
  });
  const ended = failureOf(runner.invoke({ name: "a" }, { ...outside, timeoutMs: 100 }));
  await clock.advance(120);
  assert.equal((await ended).code, "CALL_DEADLINE_EXCEEDED");
  decide({ kind: "allowed" });
  await clock.settle();
  assert.equal(ran, false);
});

test("the deadline ends a call; its handler stays in flight until it settles", async () => {
  let finish: (value: unknown) => void = () => undefined;
  const { runner, runtime, clock } = openScene(() => new Promise((resolve) => (finish = resolve)));
  const ended = failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 100 }));
  await clock.advance(99);
  assert.equal(runtime.wheel.size, 1);
  await clock.advance(20);
  const error = await ended;
  assert.equal(error.code, "CALL_DEADLINE_EXCEEDED");
  assert.deepEqual(error.details, { operation: "desk.echo", allowedMs: 100 });
  assert.equal(runtime.wheel.size, 0);
  assert.equal(runtime.inFlight, 1);
  let idle = false;
  void runtime.idle().then(() => (idle = true));
  await clock.settle();
  assert.equal(idle, false);
  finish({ text: "late" });
  await clock.settle();
  assert.equal(runtime.inFlight, 0);
  assert.equal(idle, true);
});

test("a call with no time left is refused before anything runs", async () => {
  let ran = false;
  const { runner, runtime } = openScene(() => (ran = true));
  const error = await failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 0 }));
  assert.equal(error.code, "CALL_DEADLINE_EXCEEDED");
  assert.match(error.message, /nothing was done/);
  assert.equal(ran, false);
  assert.equal(runtime.inFlight, 0);
});

test("a timeout that is no number of milliseconds is refused", async () => {
  const { runner } = openScene(never);
  for (const timeoutMs of [Number.NaN, -1, "5", null]) {
    // What plain JavaScript may pass.
    const init = { ...inside, timeoutMs } as CallInit;
    assert.equal(
      (await failureOf(runner.invoke({ name: "a" }, init))).code,
      "CALL_OPTIONS_INVALID",
    );
  }
});

test("whatever a handler throws is INTERNAL, says nothing and is logged once", async () => {
  const thrown = [new TypeError("secret"), "secret", undefined, null, { code: "secret" }, 7];
  for (const what of thrown) {
    for (const handler of [
      () => {
        throw what;
      },
      () => Promise.reject(what),
    ]) {
      const { runner, runtime, log } = openScene(handler);
      const error = await failureOf(runner.invoke({ name: "a" }, inside));
      assert.equal(error.code, "INTERNAL");
      assert.equal(error.cause, undefined);
      assert.doesNotMatch(`${error.message} ${JSON.stringify(error)}`, /secret/);
      assert.deepEqual(
        log.lines.map(({ level, fields }) => [level, fields["error"]]),
        [["error", what]],
      );
      assert.equal(runtime.inFlight, 0);
    }
  }
});

test("a handler's BanyanError crosses as a copy without its cause", async () => {
  const details = { id: "7", nested: { at: 1 } };
  const original = new BanyanError({
    kind: "not_found",
    code: "DESK_UNKNOWN",
    message: "There is no desk 7.",
    http: 410,
    details,
    cause: new Error("secret"),
    retryable: true,
    retryAfterMs: 5,
  });
  const { runner, log } = openScene(() => Promise.reject(original));
  const error = await failureOf(runner.invoke({ name: "a" }, inside));
  assert.notEqual(error, original);
  assert.deepEqual(error.toJSON(), original.toJSON());
  assert.equal(error.cause, undefined);
  assert.notEqual(error.details, details);
  assert.notEqual(error.details?.["nested"], details.nested);
  assert.deepEqual(log.lines, [], "what the caller can act on is no fault of ours");
});

test("an error whose details are not JSON still arrives", async () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const { runner } = openScene(() => {
    throw new BanyanError({ kind: "aborted", code: "X", message: "No.", details: cycle });
  });
  const error = await failureOf(runner.invoke({ name: "a" }, inside));
  assert.equal(error.code, "X");
  assert.equal(error.details, undefined);
});

test("an abort that a handler throws is a cancellation", async () => {
  const { runner } = openScene(() => {
    throw new DOMException("stop", "AbortError");
  });
  assert.equal((await failureOf(runner.invoke({ name: "a" }, inside))).code, "CALL_CANCELLED");
});

test("an answer that breaks the contract is INTERNAL; the log has its issues", async () => {
  for (const mode of ["tolerant", "trusted"] as const) {
    const { runner, log } = openScene(() => ({ txt: "secret" }));
    const error = await failureOf(runner.invoke({ name: "a" }, { ...inside, mode }));
    assert.equal(error.code, "INTERNAL");
    assert.equal(error.details, undefined);
    assert.doesNotMatch(JSON.stringify(error), /secret|text/);
    const logged = log.lines[0]?.fields["error"];
    assert(isBanyanError(logged, "RESPONSE_INVALID"));
    assert.match(logged.message, /The response of desk\.echo is not valid/);
    assert(Array.isArray(logged.details?.["issues"]));
  }
});

test("an operation without request and response takes nothing and answers nothing", async () => {
  const { runner } = openScene(() => ({ left: "over" }), { summary: "Ping." });
  assert.equal(await runner.invoke({}, inside), undefined);
  const strict = { ...inside, mode: "strict" } as const;
  assert.equal((await failureOf(runner.invoke({ a: 1 }, strict))).code, "REQUEST_INVALID");
});

test("a caller's signal ends the call before, while and not after it runs", async () => {
  let calls = 0;
  let signal: AbortSignal | undefined;
  const { runner, runtime, clock } = openScene((_, call) => {
    calls += 1;
    signal = call.signal;
    return clock.sleep(50).then(() => ({ text: "done" }));
  });
  const before = await failureOf(
    runner.invoke({ name: "a" }, { ...inside, signal: AbortSignal.abort("why") }),
  );
  assert.equal(before.code, "CALL_CANCELLED");
  assert.equal(calls, 0);

  const controller = new AbortController();
  const during = failureOf(runner.invoke({ name: "a" }, { ...inside, signal: controller.signal }));
  await clock.settle();
  controller.abort(new Error("secret"));
  assert.equal((await during).code, "CALL_CANCELLED");
  assert.doesNotMatch(JSON.stringify(await during), /secret/);
  assert.equal(signal?.aborted, true);
  assert.equal(runtime.inFlight, 1);
  await clock.advance(50);
  assert.equal(runtime.inFlight, 0);

  const late = new AbortController();
  const done = runner.invoke({ name: "a" }, { ...inside, signal: late.signal });
  await clock.advance(50);
  assert.deepEqual(await done, { text: "done" });
  late.abort();
  assert.equal(signal?.aborted, false, "what is over is not aborted");
});

test("a signal read after the abort is aborted already, with the reason", async () => {
  let after: AbortSignal | undefined;
  const { runner, clock } = openScene(async (_, call) => {
    await clock.sleep(500);
    after = call.signal;
    return { text: "" };
  });
  const ended = failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 10 }));
  await clock.advance(500);
  await ended;
  assert.equal(after?.aborted, true);
  assert(isBanyanError(after.reason, "CALL_DEADLINE_EXCEEDED"));
});

test("a fault after the caller was answered is logged, and nobody else hears of it", async () => {
  const { runner, clock, log } = openScene(async () => {
    await clock.sleep(500);
    throw new TypeError("late");
  });
  const ended = failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 10 }));
  await clock.advance(500);
  assert.equal((await ended).code, "CALL_DEADLINE_EXCEEDED");
  assert.deepEqual(
    log.lines.map(({ message }) => message),
    ["operation failed late"],
  );
});

test("an operation runs as many calls as its contract allows, hanging ones too", async () => {
  const { runner, clock, runtime } = openScene(never, { ...echo, concurrencyMax: 2 });
  const first = failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 10 }));
  const second = failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 10 }));
  await clock.advance(40);
  await first;
  await second;
  const error = await failureOf(runner.invoke({ name: "a" }, inside));
  assert.equal(error.code, "CALL_LIMIT_REACHED");
  assert.match(error.message, /desk\.echo has 2 calls running/);
  assert.equal(runtime.inFlight, 2);
});

test("a refused call leaves no trace in the counters", async () => {
  const { runner, runtime, clock } = openScene(() => ({ text: "" }), {
    ...echo,
    concurrencyMax: 1,
  });
  await failureOf(runner.invoke({ name: "" }, inside));
  await failureOf(runner.invoke({ name: "a" }, { ...inside, signal: AbortSignal.abort() }));
  assert.deepEqual(await runner.invoke({ name: "a" }, inside), { text: "" });
  assert.equal(runtime.inFlight, 0);
  assert.equal(runtime.wheel.size, 0);
  await clock.advance(100);
  assert.deepEqual(clock.pending, []);
});

test("the observer is told of every call once, refused ones included", async () => {
  const ended: (string | undefined)[] = [];
  const { runner, clock } = openScene(
    async () => {
      await clock.sleep(30);
      return { text: "" };
    },
    echo,
    { observer: { ended: (_, error, ms) => ended.push(`${error?.code ?? "ok"} ${ms}`) } },
  );
  const ok = runner.invoke({ name: "a" }, inside);
  const late = failureOf(runner.invoke({ name: "a" }, { ...inside, timeoutMs: 8 }));
  await failureOf(runner.invoke({ name: "" }, inside));
  await clock.advance(200);
  await ok;
  await late;
  assert.deepEqual(ended, ["REQUEST_INVALID 0", "CALL_DEADLINE_EXCEEDED 8", "ok 30"]);
});

test("a raw exchange is handed over untouched and must answer a Response", async () => {
  const raw: OperationSpec = {
    summary: "Page.",
    http: { method: "GET", path: "/page", exchange: "raw" },
    access: "anonymous",
  };
  const exchange = { request: new Request("http://localhost/page"), params: {} };
  const page = openScene((input) => {
    assert.equal(input, exchange);
    return new Response("page");
  }, raw);
  const response = await page.runner.invoke(exchange, outside);
  assert(response instanceof Response);
  assert.equal(await response.text(), "page");
  const wrong = openScene(() => "page", raw);
  assert.equal((await failureOf(wrong.runner.invoke(exchange, outside))).code, "INTERNAL");
});

test("the current call is known by async context, after awaits and in parallel calls", async () => {
  const { runner, clock } = openScene(async (request) => {
    assert(typeof request === "object" && request !== null && "name" in request);
    const before = currentCall();
    await clock.sleep(request.name === "slow" ? 20 : 5);
    assert.equal(currentCall(), before);
    return { text: `${before?.operation} ${String(before?.idempotencyKey)}` };
  });
  assert.equal(currentCall(), undefined);
  const slow = runner.invoke({ name: "slow" }, { ...inside, idempotencyKey: "one" });
  const fast = runner.invoke({ name: "fast" }, { ...inside, idempotencyKey: "two" });
  assert.equal(currentCall(), undefined);
  await clock.advance(20);
  assert.deepEqual(await Promise.all([slow, fast]), [
    { text: "desk.echo one" },
    { text: "desk.echo two" },
  ]);
});

test("a call's log lines name the operation and its trace", async () => {
  const { runner, log } = openScene((_, call) => {
    call.log.info("hello");
    return { text: call.trace.traceId };
  });
  const answer = await runner.invoke({ name: "a" }, inside);
  const [line] = log.lines;
  assert.equal(line?.fields["operation"], "desk.echo");
  assert.deepEqual(answer, { text: line?.fields["traceId"] });
});

test("a handler's error of the platform keeps its advice", async () => {
  const { runner } = openScene(() => {
    throw kernelErrors.SERVICE_UNAVAILABLE("Gone.", { retryAfterMs: 9 });
  });
  const error = await failureOf(runner.invoke({ name: "a" }, inside));
  assert.deepEqual([error.retryable, error.retryAfterMs, error.http], [true, 9, 503]);
});
