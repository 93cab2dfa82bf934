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

test("a long row of waiters lets the event loop have its turns", async () => {
  const lanes = new KeyLanes();
  let entered = 0;
  for (const key of ["a", "b"]) assert.equal(lanes.enter(key, {}), undefined);
  const waiters = Array.from({ length: 2000 }, async (_, index) => {
    const key = index % 2 === 0 ? "a" : "b";
    await lanes.enter(key, {});
    entered += 1;
    lanes.leave(key);
  });
  lanes.leave("a");
  lanes.leave("b");
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
  assert(entered > 0 && entered < 500, `${entered} had entered at the first turn`);
  await Promise.all(waiters);
  assert.deepEqual(
    [lanes.waiting("a"), lanes.enter("a", {}), lanes.enter("b", {})],
    [0, undefined, undefined],
  );
});

test("a lane whose waiters were aborted before their turn is free", async () => {
  const lanes = new KeyLanes();
  const controller = new AbortController();
  const keys = Array.from({ length: 200 }, (_, index) => `key${index}`);
  for (const key of keys) assert.equal(lanes.enter(key, {}), undefined);
  const waiters = keys.map(async (key) => lanes.enter(key, { signal: controller.signal }));
  for (const key of keys) lanes.leave(key);
  controller.abort(new RangeError("enough"));
  const ends = await Promise.allSettled(waiters);
  const inTime = ends.filter(({ status }) => status === "fulfilled").length;
  assert(inTime < keys.length, "all were handed over at once");
  for (const key of keys.slice(0, inTime)) lanes.leave(key);
  for (let turn = 0; turn < 10; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  for (const key of keys) assert.equal(lanes.enter(key, {}), undefined, key);
});
