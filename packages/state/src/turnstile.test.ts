import assert from "node:assert/strict";
import { test } from "node:test";
import { Turnstile } from "./turnstile.ts";
import type { Pass } from "./turnstile.ts";

async function nextTurn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Enters and notes its name once it is inside. */
async function enter(turnstile: Turnstile, name: string, inside: string[]): Promise<Pass> {
  const pass = await turnstile.enter({}, name.startsWith("again"));
  inside.push(name);
  return pass;
}

test("who comes first is let in at once, the others one after the other", async () => {
  const turnstile = new Turnstile();
  const inside: string[] = [];
  const first = turnstile.enter({}, false);
  assert(!(first instanceof Promise));
  const others = ["b", "c", "again a"].map((name) => enter(turnstile, name, inside));
  assert.equal(turnstile.waiting, 3);
  first.leave();
  await others[2];
  assert.deepEqual(inside, ["again a"]);
  (await others[2])?.leave();
  (await others[0])?.leave();
  (await others[1])?.leave();
  assert.deepEqual(inside, ["again a", "b", "c"]);
  assert(!(turnstile.enter({}, false) instanceof Promise));
});

test("one that stays inside holds the others up for a turn each", async () => {
  const turnstile = new Turnstile();
  const inside: string[] = [];
  const slow = turnstile.enter({}, false);
  assert(!(slow instanceof Promise));
  const others = ["b", "c", "d"].map((name) => enter(turnstile, name, inside));
  for (let turn = 1; turn <= 3; turn += 1) {
    await nextTurn();
    assert.equal(inside.length, turn);
  }
  const passes = await Promise.all(others);
  slow.leave();
  const next = enter(turnstile, "e", inside);
  passes[0]?.leave();
  passes[1]?.leave();
  await Promise.resolve();
  assert.equal(inside.length, 3);
  passes[2]?.leave();
  await next;
});

test("a waiter that is aborted leaves at once and is passed over", async () => {
  const turnstile = new Turnstile();
  const first = turnstile.enter({}, false);
  const controller = new AbortController();
  const aborted = turnstile.enter({ signal: controller.signal }, false);
  const last = turnstile.enter({}, false);
  assert(!(first instanceof Promise) && aborted instanceof Promise);
  controller.abort(new RangeError("enough"));
  await assert.rejects(aborted, RangeError);
  first.leave();
  (await last).leave();
});

test("a long row lets the event loop have its turns", async () => {
  const turnstile = new Turnstile();
  let passed = 0;
  const row = Array.from({ length: 2000 }, async () => {
    const pass = await turnstile.enter({}, false);
    passed += 1;
    pass.leave();
  });
  await nextTurn();
  assert(passed > 0 && passed < 500, `${passed} had passed at the first turn`);
  await Promise.all(row);
  assert.equal(turnstile.waiting, 0);
});
