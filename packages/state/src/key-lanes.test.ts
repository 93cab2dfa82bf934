import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyLanes } from "./key-lanes.ts";

test("those who wait for a key enter in turn; other keys do not wait", async () => {
  const lanes = new KeyLanes();
  const entered: number[] = [];
  assert.equal(lanes.enter("a", {}), undefined);
  const waiters = [1, 2].map((n) => lanes.enter("a", {})?.then(() => entered.push(n)));
  assert.equal(lanes.waiting("a"), 2);
  assert.equal(lanes.enter("b", {}), undefined);
  lanes.leave("a");
  await waiters[0];
  assert.deepEqual(entered, [1]);
  lanes.leave("a");
  await waiters[1];
  assert.deepEqual(entered, [1, 2]);
  lanes.leave("a");
  assert.equal(lanes.waiting("a"), 0);
  assert.equal(lanes.enter("a", {}), undefined);
});

test("a waiter that is aborted leaves at once and is passed over", async () => {
  const lanes = new KeyLanes();
  const controller = new AbortController();
  assert.equal(lanes.enter("a", {}), undefined);
  const aborted = lanes.enter("a", { signal: controller.signal });
  const second = lanes.enter("a", {});
  controller.abort(new RangeError("enough"));
  await assert.rejects(aborted ?? Promise.resolve(), RangeError);
  assert.equal(lanes.waiting("a"), 1);
  lanes.leave("a");
  await second;
});
