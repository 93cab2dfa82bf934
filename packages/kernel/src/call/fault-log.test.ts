import assert from "node:assert/strict";
import { test } from "node:test";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { defineContract } from "../contract/contract.ts";
import { listOperations } from "../contract/operation.ts";
import { BanyanError, isBanyanError } from "../errors/banyan-error.ts";
import { FaultLog } from "./fault-log.ts";
import { OperationRunner } from "./pipeline.ts";
import { CallRuntime } from "./runtime.ts";

const desk = defineContract("desk", {
  summary: "Takes orders.",
  version: "1.0.0",
  operations: { order: { summary: "Order." } },
});

test("a part that failed is logged with its reason; one that is not there now is not", async () => {
  const reason = new Error("the disk of /srv/data is full");
  for (const [cause, lines] of [
    [reason, 1],
    [undefined, 0],
  ] as const) {
    const log = createRecordingLog();
    const message = "The store cannot be used now.";
    const failure = new BanyanError({ kind: "unavailable", code: "STORE_DOWN", message, cause });
    const [operation] = listOperations(desk.spec.operations);
    assert.ok(operation !== undefined);
    const handler = () => Promise.reject(failure);
    const runner = new OperationRunner(desk, operation, {
      handler,
      runtime: new CallRuntime({ log }),
    });
    const init = { mode: "tolerant", principal: { kind: "operator" }, caller: "shop" } as const;
    await assert.rejects(runner.invoke({}, init), (told) => {
      assert.ok(isBanyanError(told, "STORE_DOWN"));
      assert.doesNotMatch(JSON.stringify(told), /srv/);
      return true;
    });
    assert.equal(log.lines.length, lines);
  }
});

test("the same failure of a part is logged once in ten seconds, with a count", async () => {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const faults = new FaultLog(clock);
  const failureOf = (kind: "internal" | "unavailable", code: string) =>
    new BanyanError({ kind, code, message: "No.", cause: new Error("why") });
  const write = (failure: BanyanError): void =>
    faults.write(() => log, "operation failed", { failure, error: failure });
  const down = failureOf("unavailable", "STORE_DOWN");
  for (let call = 0; call < 1000; call += 1) write(down);
  write(failureOf("unavailable", "BUS_DOWN"));
  await clock.advance(10_000);
  write(down);
  assert.deepEqual(
    log.lines.map(({ fields }) => fields["passedOver"]),
    [undefined, undefined, 999],
  );
  for (let call = 0; call < 3; call += 1) write(failureOf("internal", "INTERNAL"));
  assert.equal(log.lines.length, 6, "no bug is passed over");
});
