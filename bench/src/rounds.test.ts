import assert from "node:assert/strict";
import { test } from "node:test";
import { takeTurns } from "./rounds.ts";

test("every round gives each one turn, in turning order, and warm-up is not counted", async () => {
  const order: string[] = [];
  const turn = (name: string) => async (): Promise<string> => {
    order.push(name);
    return `${name}${order.length}`;
  };
  const samples = await takeTurns([turn("a"), turn("b")], { rounds: 3, warmUp: 1 });
  assert.deepEqual(order, ["b", "a", "a", "b", "b", "a", "a", "b"]);
  assert.deepEqual(samples, [
    ["a3", "a6", "a7"],
    ["b4", "b5", "b8"],
  ]);
});
