import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { listenForStop } from "./stop-signals.ts";

test("the first signal asks for a stop, a later one ends at once", async () => {
  const clock = new FakeClock();
  const seconds: string[] = [];
  using signals = listenForStop({ clock, onSecond: (signal) => seconds.push(signal) });
  process.emit("SIGINT", "SIGINT");
  assert.equal(await signals.first, "SIGINT");
  await clock.advance(300);
  process.emit("SIGTERM", "SIGTERM");
  assert.deepEqual(seconds, ["SIGTERM"]);
});

test("a repeat within a moment is the same key press, seen through npm as well", async () => {
  const clock = new FakeClock();
  const seconds: string[] = [];
  using _signals = listenForStop({ clock, onSecond: (signal) => seconds.push(signal) });
  process.emit("SIGINT", "SIGINT");
  process.emit("SIGINT", "SIGINT");
  await clock.advance(100);
  process.emit("SIGINT", "SIGINT");
  assert.deepEqual(seconds, []);
});

test("after disposal nobody listens any more", () => {
  const before = process.listenerCount("SIGINT");
  listenForStop()[Symbol.dispose]();
  assert.equal(process.listenerCount("SIGINT"), before);
});
