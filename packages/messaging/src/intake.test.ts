/** What a publisher is told of a batch of which only a part was accepted. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { testUnavailable } from "./conformance.ts";
import { messagingErrors } from "./errors.ts";
import { ids, World } from "./journaled-world.test.ts";

/** Longer than the test journal takes to find out that its disk is well again. */
const recoveryMs = 1000;

const narrow = { bufferMax: 10, concurrency: 10 };

/** The error of a publish that must fail, while time passes. */
async function refusalOf(world: World, publishing: Promise<void>): Promise<BanyanError> {
  const error: unknown = await world.soon(
    publishing.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  assert(isBanyanError(error), "it was accepted");
  return error;
}

const told = ({ code, details }: BanyanError): unknown[] => [code, details?.["accepted"]];

const stuck = (): Promise<void> => new Promise(() => undefined);

/** Lets the appends fail by turns: the first as the first says, and so on; the others succeed. */
function failAppends(world: World, ...errors: readonly (Error | undefined)[]): void {
  let turn = 0;
  world.disk.failWith = (kind) => {
    if (kind !== "append") return undefined;
    turn += 1;
    return errors[turn - 1];
  };
}

/** Lengths of what the journal is handed as one. */
function watchAppends(world: World): number[] {
  const lengths: number[] = [];
  const append = world.journal.append.bind(world.journal);
  world.journal.append = (appends) => {
    lengths.push(appends.length);
    return append(appends);
  };
  return lengths;
}

describe("a batch that is accepted in part", () => {
  test("does not count what was taken in and then refused by the journal", async () => {
    const world = new World({ delayMs: 50 });
    const seen = await world.subscribe(stuck, narrow);
    world.failing("append");
    const publishing = world.bus.publish(world.messages(20), { timeoutMs: 10 });
    assert.deepEqual(told(await refusalOf(world, publishing)), ["MESSAGING_UNAVAILABLE", 0]);
    world.failing();
    // All room was given back.
    await world.soon(world.bus.publish(world.messages(10), { timeoutMs: 0 }));
    await world.clock.advance(recoveryMs);
    assert.equal(seen.length, 10);
  });

  test("counts what was safe before the journal refused the rest", async () => {
    const world = new World();
    const gate = Promise.withResolvers<void>();
    const seen = await world.subscribe(() => gate.promise, narrow);
    const batch = world.messages(20);
    const publishing = world.bus.publish(batch, { timeoutMs: 5000 });
    await world.clock.advance(100);
    world.failing("append");
    gate.resolve();
    const refusal = await refusalOf(world, publishing);
    assert.deepEqual(told(refusal), ["MESSAGING_UNAVAILABLE", 10]);
    assert.match(refusal.message, /^Of the batch only the first 10 are known to be accepted\. /);
    world.failing();
    await world.soon(world.bus.publish(batch.slice(10)));
    await world.clock.advance(recoveryMs);
    assert.deepEqual(seen, ids(batch));
  });

  test("tells what was safe when room runs out, and tells it when it is", async () => {
    const world = new World({ delayMs: 100 });
    await world.subscribe(stuck, narrow);
    let isTold = false;
    const publishing = world.bus.publish(world.messages(20), { timeoutMs: 20 });
    publishing.catch(() => {
      isTold = true;
    });
    await world.clock.advance(99);
    assert.equal(isTold, false, "it was told before the first ten were safe");
    const refusal = await refusalOf(world, publishing);
    assert.deepEqual(told(refusal), ["MESSAGING_BUFFER_FULL", 10]);
    assert.match(refusal.message, /"reader\.ticks" holds 10 messages/);
  });

  test("tells the same when it is withdrawn, or the bus closed, on the way", async () => {
    for (const fails of [false, true]) {
      const world = new World({ delayMs: 30 });
      await world.subscribe(stuck, narrow);
      if (fails) world.failing("append");
      const stop = new AbortController();
      const withdrawn = world.bus.publish(world.messages(12), { signal: stop.signal });
      stop.abort();
      const code = fails ? "MESSAGING_UNAVAILABLE" : "CALL_CANCELLED";
      const accepted = fails ? 0 : 10;
      assert.deepEqual(told(await refusalOf(world, withdrawn)), [code, accepted]);
    }
    const world = new World({ delayMs: 30 });
    await world.subscribe(stuck, narrow);
    const publishing = world.bus.publish(world.messages(12));
    const [refused] = await world.soon(
      Promise.allSettled([publishing, world.bus.close({ drainMs: 0 })]),
    );
    assert(refused.status === "rejected" && isBanyanError(refused.reason));
    assert.deepEqual(told(refused.reason), ["CLOSED", 10]);
  });

  test("is told with `accepted` also where it is one message", async () => {
    const world = new World();
    await world.subscribe();
    world.failing("append");
    const refusal = await refusalOf(world, world.bus.publish(world.message()));
    assert.deepEqual(told(refusal), ["MESSAGING_UNAVAILABLE", 0]);
    assert.doesNotMatch(refusal.message, /batch/);
  });
});

describe("a large batch", () => {
  test("is handed to the journal in parts, and delivered in order", async () => {
    const world = new World();
    const lengths = watchAppends(world);
    const seen = await world.subscribe(undefined, { concurrency: 1 });
    const batch = world.messages(2500);
    await world.soon(world.bus.publish(batch));
    await world.clock.advance(recoveryMs);
    assert.deepEqual(lengths, [1024, 1024, 452]);
    assert.deepEqual(seen, ids(batch));
  });

  test("says how many are safe when its later parts are refused", async () => {
    const world = new World();
    const seen = await world.subscribe();
    const batch = world.messages(2500);
    failAppends(world, undefined, testUnavailable(), testUnavailable());
    const refusal = await refusalOf(world, world.bus.publish(batch));
    assert.deepEqual(told(refusal), ["MESSAGING_UNAVAILABLE", 1024]);
    await world.clock.advance(recoveryMs);
    assert.deepEqual(seen, ids(batch.slice(0, 1024)));
  });

  test("says that its outcome is unknown when parts behind a refused one were kept", async () => {
    const world = new World();
    const seen = await world.subscribe();
    const unknown = messagingErrors.MESSAGING_OUTCOME_UNKNOWN("The test's disk cannot tell.");
    const endings = [[testUnavailable()], [testUnavailable(), unknown], [unknown]];
    for (const errors of endings) {
      failAppends(world, undefined, ...errors);
      const refusal = await refusalOf(world, world.bus.publish(world.messages(2100)));
      assert.deepEqual(told(refusal), ["MESSAGING_OUTCOME_UNKNOWN", 1024]);
      await world.clock.advance(recoveryMs);
    }
    assert.equal(seen.length, 3 * 2100 - 3 * 1024 - 52);
  });
});
