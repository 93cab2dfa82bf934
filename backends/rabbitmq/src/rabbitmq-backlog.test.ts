/** A consumer that is slow: what it cannot handle yet stays with the server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { systemClock } from "@banyan/kernel";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import { group, message, numberOf, numbers } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const BACKLOG = 20_000;
const CONCURRENCY = 10;
const BODY_BYTES = 1000;

/** What is reachable, in bytes: heap and buffers. */
function usedBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

test(
  `a slow consumer of ${BACKLOG} messages never has more than it handles at once`,
  { skip },
  async () => {
    await using server = await openRabbitmq();
    await using bus = await openRabbitmqBus({ url: server.url });
    await (await bus.subscribe(group, () => undefined)).close();
    const filler = "x".repeat(BODY_BYTES);
    for (let n = 0; n < BACKLOG; n += 1000) {
      const batch = numbers(1000).map((at) => message(n + at, { body: { n: n + at, filler } }));
      await bus.publish(batch, { timeoutMs: 30_000 });
    }
    const emptyBytes = usedBytes();
    const gate = Promise.withResolvers<undefined>();
    const seen = new Set<number>();
    let running = 0;
    let runningMost = 0;
    await bus.subscribe({ ...group, concurrency: CONCURRENCY }, async ({ message: handled }) => {
      running += 1;
      runningMost = Math.max(runningMost, running);
      await gate.promise;
      await systemClock.sleep(1);
      seen.add(numberOf(handled));
      running -= 1;
    });
    const name = "banyan.group.till.sold";
    const ready = async (): Promise<number | undefined> =>
      (await bus.status()).subscriptions[0]?.buffered;
    await until(async () => (await ready()) === BACKLOG - CONCURRENCY, { what: "A full hand" });
    const unacknowledged = async (): Promise<number> => {
      const queue = (await server.queues()).find((each) => each.name === name);
      return queue?.unacknowledged ?? -1;
    };
    await until(async () => (await unacknowledged()) === CONCURRENCY, {
      what: "The same there", // the server counts every five seconds
      timeoutMs: 20_000,
      everyMs: 200,
    });
    assert.equal(await ready(), BACKLOG - CONCURRENCY, "nothing more is taken ahead");
    const grownBytes = usedBytes() - emptyBytes;
    assert(grownBytes < (BACKLOG * BODY_BYTES) / 4, `${grownBytes} bytes more`);
    gate.resolve(undefined);
    await until(
      async () => {
        const count = await unacknowledged();
        assert(count <= CONCURRENCY, `${count} at once`);
        return seen.size === BACKLOG;
      },
      { what: "All are handled", timeoutMs: 60_000, everyMs: 200 },
    );
    assert.equal(runningMost, CONCURRENCY);
  },
);
