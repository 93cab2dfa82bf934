import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelErrors } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import type { Bus, DeadLetter, DeliveryHandler, OutgoingMessage, SubscribeSpec } from "./bus.ts";
import { describeBus } from "./conformance.ts";
import { localBusCapabilities } from "./local-bus.ts";
import { openMemoryBus } from "./memory.ts";

describeBus({
  name: "memory bus",
  capabilities: [...localBusCapabilities],
  open: async () => {
    const clock = new FakeClock();
    const told: DeadLetter[] = [];
    const onDeadLetter = (letter: DeadLetter): void => void told.push(letter);
    return {
      bus: openMemoryBus({ clock, onDeadLetter }),
      told,
      nowMs: () => clock.monotonicMs(),
      wallMs: () => clock.nowMs(),
      advance: (ms) => clock.advance(ms),
      commit: async (riders) => {
        for (const rider of riders) rider.committed();
      },
    };
  },
});

const spec = { name: "reader.ticks", topic: "clock.tick", delivery: "group" } as const;

function tick(id: string): OutgoingMessage {
  return { id, topic: spec.topic, timestampMs: 0, body: {}, headers: { source: "clock" } };
}

/** Publishes a message that goes wrong and a good one behind it; the ids that were handled. */
async function handledBehind(
  bus: Bus,
  clock: FakeClock,
  fail: { readonly handler?: DeliveryHandler; readonly decode?: SubscribeSpec["decode"] },
): Promise<string[]> {
  const handled: string[] = [];
  const { handler, decode } = fail;
  await bus.subscribe({ ...spec, retriesMax: 0, concurrency: 1, decode }, (delivery) => {
    if (delivery.message.id === "bad") return handler?.(delivery);
    handled.push(delivery.message.id);
    return undefined;
  });
  await bus.publish([tick("bad"), tick("good")]);
  await clock.advance(10);
  return handled;
}

// Nothing of this is what a handler should do; anything of it is what a library may do.
const hostileThrows: readonly (readonly [name: string, thrown: unknown])[] = [
  ["an object without a prototype", Object.create(null)],
  ["an error whose name is no text", Object.assign(new Error("x"), { name: Symbol("no") })],
  [
    "an error whose message cannot be read",
    Object.defineProperty(new Error("x"), "message", {
      get: () => {
        throw new TypeError("no");
      },
    }),
  ],
];

for (const [name, thrown] of hostileThrows) {
  test(`a handler that throws ${name} makes a dead letter; the next is handled`, async () => {
    const clock = new FakeClock();
    await using bus = openMemoryBus({ clock });
    const handler = (): Promise<void> => Promise.reject(thrown);
    assert.deepEqual(await handledBehind(bus, clock, { handler }), ["good"]);
    const { letters } = await bus.deadLetters.list();
    assert.deepEqual(
      letters.map(({ message, error }) => [message.id, error.code]),
      [["bad", "INTERNAL"]],
    );
  });
}

test("a reader that throws what has no text makes a dead letter; the next is handled", async () => {
  const clock = new FakeClock();
  await using bus = openMemoryBus({ clock });
  const decode = ({ id, body }: { readonly id: string; readonly body: unknown }): unknown => {
    if (id === "bad") throw Object.create(null);
    return body;
  };
  assert.deepEqual(await handledBehind(bus, clock, { decode }), ["good"]);
  assert.equal((await bus.deadLetters.list()).letters.length, 1);
});

test("an answer that only looks like a promise does not stop the queue", async () => {
  // An author without types can answer anything.
  const answers = [{ then: 5 }, { then: () => assert.fail("no promise") }] as unknown[];
  for (const answer of answers) {
    const clock = new FakeClock();
    await using bus = openMemoryBus({ clock });
    const handler: DeliveryHandler = () => answer as Promise<void>;
    assert.deepEqual(await handledBehind(bus, clock, { handler }), ["good"]);
  }
});

test("an error that asks for a wait that is no number is retried as any other", async () => {
  const clock = new FakeClock();
  await using bus = openMemoryBus({ clock });
  const attempts: number[] = [];
  await bus.subscribe({ ...spec, retriesMax: 2 }, ({ attempt }) => {
    attempts.push(attempt);
    throw kernelErrors.CLOSED("Not now.", { retryAfterMs: Number.NaN });
  });
  await bus.publish(tick("one"));
  await clock.advance(1000);
  assert.deepEqual(attempts, [1, 2, 3]);
});

test("thirty thousand publishes that time out together cost no walk each", async () => {
  const clock = new FakeClock();
  await using bus = openMemoryBus({ clock, options: { bufferMax: 1, publishTimeoutMs: 100 } });
  await bus.subscribe(spec, () => new Promise(() => undefined));
  await bus.publish(tick("held"));
  const codes = Array.from({ length: 30_000 }, (_, index) =>
    bus.publish(tick(`m${index}`)).then(
      () => "accepted",
      (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
    ),
  );
  const startedMs = performance.now();
  await clock.advance(200);
  assert.deepEqual(new Set(await Promise.all(codes)), new Set(["MESSAGING_BUFFER_FULL"]));
  // With a walk each it takes 15 s and more; without, some 1 s, for the making of the errors.
  const tookMs = performance.now() - startedMs;
  assert(tookMs < 6000, `${Math.round(tookMs)} ms`);
  assert.equal((await bus.status()).publishesWaiting, 0);
  await bus.close({ drainMs: 0 });
});

test("publishes that were withdrawn in any order leave the others their turn", async () => {
  const clock = new FakeClock();
  await using bus = openMemoryBus({ clock, options: { bufferMax: 1 } });
  const done: string[] = [];
  let release = (): void => undefined;
  await bus.subscribe(spec, ({ message }) => {
    done.push(message.id);
    if (message.id !== "held") return undefined;
    return new Promise((resolve) => {
      release = resolve;
    });
  });
  await bus.publish(tick("held"));
  await clock.settle();
  const controllers = Array.from({ length: 9 }, () => new AbortController());
  const published = controllers.map(({ signal }, index) =>
    bus.publish(tick(`m${index}`), { signal }).catch(() => undefined),
  );
  for (const index of [8, 1, 0, 5, 4, 2, 6]) controllers[index]?.abort();
  release();
  await Promise.all(published);
  await clock.settle();
  assert.deepEqual(done, ["held", "m3", "m7"]);
  assert.equal((await bus.status()).publishesWaiting, 0);
});
