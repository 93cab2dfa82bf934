import assert from "node:assert/strict";
import { test } from "node:test";
import type { Delivery } from "@banyan/messaging";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import { group, message, numberOf, quick } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const partition = "banyan.group.till.sold:0";
const notes = `${partition}:notes`;
const ordered = { ...group, ordered: true, retriesMax: 9 } as const;
const keyed = { orderingKey: "till 7" };

test(
  "a note whose message left by another way goes with the next that came by itself (N3)",
  { skip, timeout: 60_000 },
  async () => {
    await using server = await openRabbitmq();
    const options = { ...quick(server.url), partitions: 1 };
    const countOf = async (queue: string): Promise<number> => {
      const found = (await server.queues()).find(({ name }) => name === queue);
      return (found?.ready ?? 0) + (found?.unacknowledged ?? 0);
    };
    const noteCount = (): Promise<number> => countOf(notes);
    const pauseMs = 60_000;
    const patient = { initialMs: pauseMs, maxMs: pauseMs, jitter: "none" } as const;
    const failing = (): void => {
      throw new Error("not today");
    };

    await using first = await openRabbitmqBus(options);
    await first.subscribe({ ...ordered, backoff: patient }, failing);
    await first.publish([message(1, keyed), message(2, { orderingKey: "till 8" })]);
    await until(async () => (await noteCount()) === 2, { what: "There is a note on each" });
    await first.close({ drainMs: 0 });
    // Both are gone with their queue's content; their notes are not.
    assert.equal(await server.purgeQueue(partition), 2);

    const quickly = { initialMs: 10, maxMs: 10, jitter: "none" } as const;
    await using second = await openRabbitmqBus(options);
    const seen: number[] = [];
    const onceMore = ({ message: delivered, attempt }: Delivery): void => {
      seen.push(numberOf(delivered));
      if (numberOf(delivered) === 3 && attempt < 3) throw new Error("not yet");
    };
    await second.subscribe({ ...ordered, backoff: quickly }, onceMore);
    await second.publish(message(3, keyed)); // its own notes have the others read
    await until(() => seen.length === 3, { what: "It is through" });
    await until(async () => (await noteCount()) === 2, { what: "Its own note is gone" });
    await second.publish(message(4, keyed));
    await until(() => seen.includes(4), { what: "The next one is handled" });
    await until(async () => (await noteCount()) === 0, { what: "No note is left" });
    await second.close();
    assert.deepEqual(seen, [3, 3, 3, 4]);
    assert.equal(await noteCount(), 0);
  },
);
