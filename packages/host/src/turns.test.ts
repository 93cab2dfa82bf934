import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "./turns.ts";

const turnOfLoop = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("turns of one key come one after the other in the order they were asked for", async () => {
  const turns = new Turns();
  const story: string[] = [];
  const work = async (name: string): Promise<void> => {
    await turns.take("key", {});
    story.push(`${name} begins`);
    await turnOfLoop();
    story.push(`${name} ends`);
    turns.leave("key");
  };
  await Promise.all([work("a"), work("b"), work("c")]);
  assert.deepEqual(story, ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("turns of two keys do not wait for each other", async () => {
  const turns = new Turns();
  await turns.take("one", {});
  await turns.take("two", {});
  turns.leave("one");
  await turns.take("one", {});
});

test("who gives up while waiting is passed over", async () => {
  const turns = new Turns();
  await turns.take("key", {});
  const stop = new AbortController();
  const given = turns.take("key", { signal: stop.signal });
  const next = turns.take("key", {});
  stop.abort(new Error("no time"));
  await assert.rejects(given, { code: "CALL_CANCELLED" });
  turns.leave("key");
  await next;
  const late = new AbortController();
  late.abort();
  await assert.rejects(turns.take("key", { signal: late.signal }), { code: "CALL_CANCELLED" });
  turns.leave("key");
  await turns.take("key", {});
});

test("who is given the turn and gives up in one moment has it, and can leave it", async () => {
  const turns = new Turns();
  await turns.take("key", {});
  const stop = new AbortController();
  const second = turns.take("key", { signal: stop.signal });
  turns.leave("key");
  stop.abort();
  await second;
  turns.leave("key");
  await turns.take("key", {});
});
