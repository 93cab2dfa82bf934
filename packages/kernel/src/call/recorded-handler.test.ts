import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { defineContract } from "../contract/contract.ts";
import { isBanyanError } from "../errors/banyan-error.ts";
import type { IdempotencyClaim, IdempotencyLedger } from "../ports/idempotency.ts";
import { t } from "../schema/t.ts";
import type { CallInit } from "./call.ts";
import type { Handler } from "./pipeline.ts";
import { OperationRunner } from "./pipeline.ts";
import { CallRuntime } from "./runtime.ts";

/** Keeps the very objects it is given, as a ledger in memory may. */
class MapLedger implements IdempotencyLedger {
  readonly records = new Map<string, { digest: string; done: boolean; response: unknown }>();
  readonly abandoned: string[] = [];

  begin({ scope, requestDigest }: IdempotencyClaim): ReturnType<IdempotencyLedger["begin"]> {
    const record = this.records.get(scope);
    if (record === undefined) {
      this.records.set(scope, { digest: requestDigest, done: false, response: undefined });
      return Promise.resolve({ kind: "new", token: "1" });
    }
    if (record.digest !== requestDigest) return Promise.resolve({ kind: "other-request" });
    if (!record.done) return Promise.resolve({ kind: "in-progress" });
    return Promise.resolve({ kind: "done", response: record.response });
  }

  complete(claim: IdempotencyClaim, _token: string, response: unknown): Promise<void> {
    this.records.set(claim.scope, { digest: claim.requestDigest, done: true, response });
    return Promise.resolve();
  }

  abandon({ scope }: IdempotencyClaim): Promise<void> {
    this.abandoned.push(scope);
    this.records.delete(scope);
    return Promise.resolve();
  }
}

const spec = {
  summary: "Pay.",
  request: t.Object({ to: t.String(), notes: t.Optional(t.Record(t.String(), t.String())) }),
  response: t.Object({ paid: t.Integer(), list: t.Optional(t.Array(t.Integer())) }),
};
const contract = defineContract("bank", {
  summary: "Bank.",
  version: "1.0.0",
  operations: { pay: spec },
});

const init: CallInit = {
  mode: "tolerant",
  principal: { kind: "account", id: "ada" },
  caller: "tester",
  idempotencyKey: "key-1",
};

function openScene(handler: Handler, ledger: IdempotencyLedger = new MapLedger()) {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const runtime = new CallRuntime({ clock, log, idempotency: ledger });
  const operation = { segments: ["pay"], name: "pay", spec };
  const runner = new OperationRunner(contract, operation, { handler, runtime });
  const pay = (request: unknown, more: Partial<CallInit> = {}): Promise<unknown> =>
    runner.invoke(request, { ...init, ...more });
  return { clock, log, runtime, pay };
}

const codeOf = (error: unknown): string => (isBanyanError(error) ? error.code : String(error));

test("a repeated call is answered from the record, without running again", async () => {
  let paid = 0;
  const { pay } = openScene(() => ({ paid: (paid += 1), list: [1] }));
  const first = await pay({ to: "bob" });
  assert.deepEqual(first, { paid: 1, list: [1] });
  assert(typeof first === "object" && first !== null && "list" in first);
  assert(Array.isArray(first.list));
  first.list.push(2);
  const second = await pay({ to: "bob" });
  assert.deepEqual(second, { paid: 1, list: [1] }, "the record is shared with nobody");
  assert(typeof second === "object" && second !== null && "list" in second);
  assert(Array.isArray(second.list));
  second.list.push(3);
  assert.deepEqual(await pay({ to: "bob" }), { paid: 1, list: [1] });
  assert.deepEqual(await pay({ to: "bob" }, { idempotencyKey: undefined }), { paid: 2, list: [1] });
});

test("a key is unique per caller's principal and per operation", async () => {
  const ledger = new MapLedger();
  let paid = 0;
  const { pay } = openScene(() => ({ paid: (paid += 1) }), ledger);
  await pay({ to: "bob" });
  const other = await pay({ to: "bob" }, { principal: { kind: "account", id: "eve" } });
  assert.deepEqual(other, { paid: 2 });
  assert.deepEqual([...ledger.records.keys()].sort(), [
    "bank.pay account:ada key-1",
    "bank.pay account:eve key-1",
  ]);
});

test("a duplicate of a running call is told to come back", async () => {
  let finish: (value: unknown) => void = () => undefined;
  const { pay, clock } = openScene(() => new Promise((resolve) => (finish = resolve)));
  const first = pay({ to: "bob" });
  await clock.settle();
  const second = await pay({ to: "bob" }).catch((error: unknown) => error);
  assert(isBanyanError(second, "IDEMPOTENCY_IN_PROGRESS"));
  assert.equal(second.retryAfterMs, 1000);
  finish({ paid: 7 });
  assert.deepEqual(await first, { paid: 7 });
  assert.deepEqual(await pay({ to: "bob" }), { paid: 7 });
});

test("the same key with another request is a mistake; another order of keys is not", async () => {
  const { pay } = openScene(() => ({ paid: 1 }));
  await pay({ to: "bob", notes: { a: "1", b: "2" } });
  assert.deepEqual(await pay({ notes: { b: "2", a: "1" }, to: "bob" }), { paid: 1 });
  assert.equal(await pay({ to: "bobby" }).catch(codeOf), "IDEMPOTENCY_KEY_REUSED");
});

test("a failure gives the key back, whether the handler threw or answered nonsense", async () => {
  let answer: () => unknown = () => Promise.reject(new Error("no"));
  const { pay } = openScene(() => answer());
  assert.equal(await pay({ to: "bob" }).catch(codeOf), "INTERNAL");
  answer = () => ({ paid: "much" });
  assert.equal(await pay({ to: "bob" }).catch(codeOf), "INTERNAL");
  answer = () => ({ paid: 3 });
  assert.deepEqual(await pay({ to: "bob" }), { paid: 3 });
});

test("a key that cannot be given back does not hide the handler's own error", async () => {
  const ledger = new MapLedger();
  ledger.abandon = () => Promise.reject(new Error("the disk is full"));
  const { pay, log } = openScene(() => Promise.reject(new RangeError("mine")), ledger);
  assert.equal(await pay({ to: "bob" }).catch(codeOf), "INTERNAL");
  assert.deepEqual(log.lines.map(({ message }) => message).sort(), [
    "idempotency claim could not be given back",
    "operation failed",
  ]);
});

test("an answer that came after the deadline is there for whoever asks again", async () => {
  let paid = 0;
  const scene = openScene(async () => {
    await scene.clock.sleep(500);
    return { paid: (paid += 1) };
  });
  const late = scene.pay({ to: "bob" }, { timeoutMs: 100 }).catch(codeOf);
  await scene.clock.advance(120);
  assert.equal(await late, "CALL_DEADLINE_EXCEEDED");
  assert.equal(await scene.pay({ to: "bob" }).catch(codeOf), "IDEMPOTENCY_IN_PROGRESS");
  await scene.clock.advance(500);
  assert.deepEqual(await scene.pay({ to: "bob" }), { paid: 1 });
});

test("a caller that went away before the claim was won starts nothing", async () => {
  const ledger = new MapLedger();
  const begin = ledger.begin.bind(ledger);
  let ran = false;
  const scene = openScene(() => (ran = true), ledger);
  ledger.begin = async (claim) => {
    await scene.clock.sleep(50);
    return begin(claim);
  };
  const late = scene.pay({ to: "bob" }, { timeoutMs: 10 }).catch(codeOf);
  await scene.clock.advance(100);
  assert.equal(await late, "CALL_DEADLINE_EXCEEDED");
  assert.equal(ran, false);
  assert.equal(ledger.abandoned.length, 1);
  assert.equal(scene.runtime.inFlight, 0);
});

test("a key that is no key is refused before anything runs", async () => {
  let ran = false;
  const { pay, runtime } = openScene(() => (ran = true));
  for (const idempotencyKey of ["", "a b", "ä", "x".repeat(256), "a\nb"]) {
    const code = await pay({ to: "bob" }, { idempotencyKey }).catch(codeOf);
    assert.equal(code, "IDEMPOTENCY_KEY_INVALID");
  }
  assert.equal(ran, false);
  assert.equal(runtime.inFlight, 0);
});
