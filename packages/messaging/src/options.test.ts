import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock, createRecordingLog } from "@banyan/testbed";
import { systemIds } from "@banyan/kernel";
import type { OutgoingMessage } from "./bus.ts";
import { memoryBus, openMemoryBus } from "./memory.ts";
import { isTopic, isWildcard, resolveLocalBusOptions } from "./options.ts";

const message = (body: unknown = {}): OutgoingMessage => ({
  id: systemIds.uuid(),
  topic: "a.b",
  timestampMs: 0,
  body,
  headers: { source: "a" },
});

describe("the options of the memory bus", () => {
  test("have defaults and are frozen", () => {
    const resolved = resolveLocalBusOptions();
    assert.deepEqual(resolved, {
      bufferMax: 10_000,
      bodySizeMax: 1_048_576,
      publishTimeoutMs: 5_000,
      deadLettersMax: 10_000,
    });
    assert(Object.isFrozen(resolved));
  });

  test("name the nearest known one when one is unknown", () => {
    assert.throws(() => resolveLocalBusOptions({ buferMax: 1 }), {
      code: "MESSAGING_OPTIONS_INVALID",
      message: /buferMax.*did you mean "bufferMax"/,
    });
  });

  test("are refused out of bounds, also through the provider", async () => {
    for (const value of [0, -1, 1.5, "10", 2_000_000]) {
      assert.throws(() => resolveLocalBusOptions({ bufferMax: value }), {
        code: "MESSAGING_OPTIONS_INVALID",
      });
    }
    const opening = memoryBus.openBus({ options: { bodySizeMax: 0 } });
    await assert.rejects(opening, { code: "MESSAGING_OPTIONS_INVALID" });
  });

  test("bound the body and the buffer of what does not say otherwise", async () => {
    const clock = new FakeClock();
    const options = { bodySizeMax: 20, bufferMax: 1, publishTimeoutMs: 0 };
    await using bus = await memoryBus.openBus({ clock, options });
    await assert.rejects(bus.publish(message("x".repeat(30))), {
      code: "MESSAGING_BODY_TOO_LARGE",
    });
    // Wrong on purpose: what an untyped caller may send.
    const nothing = bus.publish(null as never);
    await assert.rejects(nothing, { code: "MESSAGING_MESSAGE_INVALID" });
    const spec = { name: "s.x", topic: "a.b", delivery: "group" } as const;
    await bus.subscribe(spec, () => new Promise<void>(() => undefined));
    await bus.publish(message());
    await assert.rejects(bus.publish(message()), { code: "MESSAGING_BUFFER_FULL" });
    await bus.close({ drainMs: 0 });
  });

  test("bound the dead letters: the oldest goes, logged and counted", async () => {
    const clock = new FakeClock();
    const log = createRecordingLog();
    const bus = openMemoryBus({ clock, log, options: { deadLettersMax: 2 } });
    await bus.subscribe(
      { name: "s.x", topic: "a.b", delivery: "group", retriesMax: 0, concurrency: 1 },
      () => {
        throw new Error("no");
      },
    );
    await bus.publish([message(1), message(2), message(3)]);
    await clock.settle();
    const { letters } = await bus.deadLetters.list();
    assert.deepEqual(
      letters.map((letter) => letter.message.body),
      [2, 3],
    );
    assert.equal((await bus.status()).deadLettersDropped, 1);
    const dropped = log.lines.filter(({ message: line }) => /was dropped/.test(line));
    assert.equal(dropped.length, 1);
    assert.equal(dropped[0]?.level, "error");
    for (const limit of [0, 1001, 1.5]) {
      await assert.rejects(bus.deadLetters.list({ limit }), { code: "REQUEST_INVALID" });
    }
    await bus.close();
  });
});

describe("a topic", () => {
  test("is words joined by dots; with * or # it is a wildcard", () => {
    for (const topic of ["a", "greeter.greeted", "game-session.orderPlaced", "a_b.1"]) {
      assert(isTopic(topic) && !isWildcard(topic), topic);
    }
    for (const topic of ["*", "#", "a.*", "a.#.b", "*.b"]) {
      assert(!isTopic(topic) && isWildcard(topic), topic);
    }
    for (const topic of ["", ".", "a.", "a..b", "a b", "a*", "ä", "x".repeat(256)]) {
      assert(!isTopic(topic) && !isWildcard(topic), topic);
    }
  });
});
