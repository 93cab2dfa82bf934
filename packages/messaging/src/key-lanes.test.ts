import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeldDelivery } from "./held-delivery.ts";
import { KeyLanes } from "./key-lanes.ts";

function held(seq: number, orderingKey: string | undefined): HeldDelivery {
  const headers = { source: "test" };
  const message = { id: `m${seq}`, topic: "a", timestampMs: 0, body: {}, headers, orderingKey };
  return new HeldDelivery(message, { due: () => undefined }, seq);
}

describe("the lanes of ordering keys", () => {
  test("let one of a key go at a time, in the order of their coming", () => {
    const lanes = new KeyLanes();
    const [one, two, three] = [held(1, "a"), held(2, "a"), held(3, "a")];
    assert(one !== undefined && two !== undefined && three !== undefined);
    assert.deepEqual(
      [lanes.enter(one), lanes.enter(two), lanes.enter(three)],
      [true, false, false],
    );
    assert.equal(lanes.enter(one), true, "the holder may start again");
    assert.equal(lanes.waiting, 2);
    assert.equal(lanes.leave(one), two);
    assert.equal(lanes.leave(one), undefined, "it holds the key no more");
    assert.equal(lanes.leave(two), three);
    assert.equal(lanes.leave(three), undefined);
    assert.equal(lanes.enter(held(4, "a")), true);
  });

  test("let others pass: other keys, and what has none", () => {
    const lanes = new KeyLanes();
    assert.equal(lanes.enter(held(1, "a")), true);
    assert.equal(lanes.enter(held(2, "b")), true);
    assert.equal(lanes.enter(held(3, undefined)), true);
    assert.equal(lanes.enter(held(4, undefined)), true);
  });

  test("give up those that wait and are asked for, and keep the order of the rest", () => {
    const lanes = new KeyLanes();
    const [first, second, third] = [held(1, "a"), held(2, "a"), held(3, "a")];
    for (const each of [first, second, third]) if (each !== undefined) lanes.enter(each);
    assert.deepEqual(
      lanes.takeWaiting(({ seq }) => seq === 2),
      [second],
    );
    assert.equal(lanes.waiting, 1);
    assert(first !== undefined);
    assert.equal(lanes.leave(first), third);
  });
});
