import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { DueQueue } from "./due-queue.ts";

interface Item {
  readonly name: string;
  readonly reject: (error: unknown) => void;
}

function open() {
  const clock = new FakeClock();
  const told: string[] = [];
  const queue = new DueQueue<Item>({ clock, timeoutMs: 100, onDue: () => new Error("due") });
  const item = (name: string): Item => ({
    name,
    reject: (error) => {
      const why = isBanyanError(error) ? error.code : error instanceof Error && error.message;
      told.push(`${name} ${String(why)}`);
    },
  });
  return { clock, told, queue, item };
}

test("who waits too long is told so, the others go on waiting", async () => {
  const { clock, told, queue, item } = open();
  queue.push(item("a"));
  await clock.advance(60);
  queue.push(item("b"));
  await clock.advance(40);
  assert.deepEqual([told, queue.size], [["a due"], 1]);
  await clock.advance(60);
  assert.deepEqual([told, queue.size], [["a due", "b due"], 0]);
  assert.equal(clock.pending.length, 0);
});

test("who was taken is told nothing more", async () => {
  const { clock, told, queue, item } = open();
  const controller = new AbortController();
  for (const name of ["a", "b", "c"]) queue.push(item(name), { signal: controller.signal });
  const taken = queue.take((_, count) => count < 2);
  assert.deepEqual(
    taken.map(({ name }) => name),
    ["a", "b"],
  );
  controller.abort();
  await clock.advance(200);
  assert.deepEqual([told, queue.size], [["c CALL_CANCELLED"], 0]);
});

test("a signal that is aborted already lets nobody in", () => {
  const { told, queue, item } = open();
  queue.push(item("a"), { signal: AbortSignal.abort() });
  assert.deepEqual([told, queue.size], [["a CALL_CANCELLED"], 0]);
});

test("one that is too large is taken alone, and all give up at once", () => {
  const { told, queue, item } = open();
  for (const name of ["a", "b", "c"]) queue.push(item(name));
  assert.equal(queue.take(() => false).length, 1);
  queue.rejectAll(() => new Error("down"));
  assert.deepEqual([told, queue.size], [["b down", "c down"], 0]);
});
