import assert from "node:assert/strict";
import { test } from "node:test";
import type { Message } from "@banyan/messaging";
import { EventTail } from "./event-tail.ts";

const messageOf = (id: number, body: unknown = { id }): Message => ({
  id: `m${id}`,
  topic: "a.b",
  timestampMs: 0,
  body,
  headers: { source: "a", principal: undefined },
});

test("a tail gives what came, in order, with its headers, and then waits", async () => {
  const tail = new EventTail();
  tail.push("memory", messageOf(1));
  tail.push("memory", messageOf(2));
  const frames = await tail.take();
  assert.deepEqual(
    frames?.map((frame) => frame.kind === "message" && frame.eventId),
    ["m1", "m2"],
  );
  assert.deepEqual(frames[0], {
    kind: "message",
    topic: "a.b",
    eventId: "m1",
    timestamp: "1970-01-01T00:00:00.000Z",
    bus: "memory",
    headers: { source: "a" },
    body: { id: 1 },
  });
  const waiting = tail.take();
  tail.push("memory", messageOf(3));
  assert.equal((await waiting)?.length, 1);
});

test("a slow reader is told how many it missed, and where", async () => {
  const tail = new EventTail();
  for (let id = 0; id < 10_003; id += 1) tail.push("memory", messageOf(id));
  const frames = (await tail.take()) ?? [];
  assert.equal(frames.length, 10_001);
  assert.deepEqual(frames.at(-1), { kind: "missed", count: 3 });
  tail.push("memory", messageOf(4));
  assert.equal((await tail.take())?.[0]?.kind, "message");
});

test("large bodies count by their size, but one is always shown", async () => {
  const tail = new EventTail();
  const large = { text: "x".repeat(17 * 1024 * 1024) };
  tail.push("memory", messageOf(1, large));
  tail.push("memory", messageOf(2));
  assert.deepEqual(
    (await tail.take())?.map(({ kind }) => kind),
    ["message", "missed"],
  );
});

test("an ended tail gives what it holds, and then its end", async () => {
  const tail = new EventTail();
  const waiting = tail.take();
  tail.end();
  assert.equal(await waiting, undefined);
  tail.push("memory", messageOf(1));
  assert.equal(await tail.take(), undefined);
  const other = new EventTail();
  other.push("memory", messageOf(1));
  other.end();
  assert.equal((await other.take())?.length, 1);
  assert.equal(await other.take(), undefined);
});
