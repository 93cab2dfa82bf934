/**
 * How subscriptions and the bus end. A bus whose groups share their backlog with other processes
 * leaves it where it is and gives back what it had taken: the next run handles that.
 */

import assert from "node:assert/strict";
import type { DrainReport, OutgoingMessage } from "../bus.ts";
import type { BusCheck, LawRun, Seen } from "./law-check.ts";
import { idsOf, sameIds } from "./law-check.ts";

/** Of a bus that shares its backlog: it counts what it gave back, of these at most. */
function assertGivenBack({ unhandled }: DrainReport, min: number, max: number): void {
  assert(unhandled >= min && unhandled <= max, `${unhandled} unhandled, not ${min} to ${max}`);
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

function without<T extends { readonly id: string }>(all: readonly T[], gone: readonly Seen[]): T[] {
  const ids = new Set(idsOf(gone));
  return all.filter(({ id }) => !ids.has(id));
}

/** The next run is given, in the end, all that the runs before did not handle. */
async function handledNext(
  law: LawRun,
  name: string,
  due: readonly { readonly id: string }[],
): Promise<readonly Seen[]> {
  await law.restart();
  const { seen } = await law.subscribe({ name });
  const isAll = (): boolean => {
    const ids = new Set(idsOf(seen));
    return due.every(({ id }) => ids.has(id));
  };
  await law.until("the next run has what was left", isAll);
  return seen;
}

export const closingLaw: readonly BusCheck[] = [
  {
    name: "closing a subscription waits for its handler and starts no other",
    async run(law) {
      let isFinished = false;
      let finish = (): void => undefined;
      const { subscription, seen } = await law.subscribe(
        { name: law.name("leaving"), concurrency: 1 },
        async () => {
          await new Promise<void>((resolve) => {
            finish = resolve;
          });
          isFinished = true;
        },
      );
      await law.soon(law.bus.publish(law.messages(3)));
      await law.until("the first runs", () => seen.length >= 1);
      let isClosed = false;
      const closing = subscription.close({ drainMs: 1000 }).then(() => {
        isClosed = true;
      });
      await law.advance(100);
      assert.equal(isClosed, false, "it closed while its handler ran");
      finish();
      await law.soon(closing);
      assert.equal(isFinished, true);
      await law.quiet();
      assert.equal(seen.length, 1, "another handler started after close");
      await law.soon(subscription.close(), "a second close");
    },
  },
  {
    name: "what a leaving member did not finish goes to another member",
    async run(law) {
      const spec = { name: law.name("group"), concurrency: 2 };
      const aborted: boolean[] = [];
      const stuck = await law.subscribe(spec, (delivery) => {
        delivery.signal.addEventListener("abort", () => aborted.push(true));
        return new Promise<void>(() => undefined);
      });
      const messages = law.messages(4);
      await law.soon(law.bus.publish(messages));
      await law.until("two are stuck", () => stuck.seen.length >= 2);
      const fresh = await law.subscribe(spec);
      await law.soon(stuck.subscription.close({ drainMs: 50 }));
      await law.until("the other has all four", () => fresh.seen.length >= 4);
      await law.quiet();
      sameIds(fresh.seen, messages, "all four, each once");
      assert.deepEqual(aborted, [true, true], "the stuck handlers were told by their signal");
      for (const { id, attempt } of fresh.seen) {
        const before = stuck.seen.filter((seen) => seen.id === id).length;
        assert.equal(attempt, before + 1, "the attempt counts the delivery to the first member");
      }
      await law.dead(spec.name, 0);
    },
  },
  {
    name: "the late end of a handler that was given up changes nothing",
    async run(law) {
      const spec = { name: law.name("group"), concurrency: 1 };
      let fail = (): void => undefined;
      const stuck = await law.subscribe(spec, () => {
        const { promise, reject } = Promise.withResolvers<void>();
        fail = () => reject(new Error("late"));
        return promise;
      });
      await law.soon(law.bus.publish(law.message()));
      await law.until("it runs", () => stuck.seen.length >= 1);
      await law.soon(stuck.subscription.close({ drainMs: 0 }));
      const fresh = await law.subscribe(spec);
      await law.until("the other handled it", () => fresh.seen.length >= 1);
      fail();
      await law.quiet();
      assert.equal(fresh.seen.length, 1);
      await law.dead(spec.name, 0);
    },
  },
  {
    name: "closing the bus handles what was accepted, retries included",
    async run(law) {
      const name = law.name("group");
      const done = new Set<string>();
      const messages = law.messages(20);
      await law.subscribe({ name, concurrency: 1 }, async ({ attempt, message }) => {
        await law.bus.status();
        if (attempt === 1) throw new Error("again");
        done.add(message.id);
      });
      await law.soon(law.bus.publish(messages));
      const report = await law.soon(law.bus.close({ drainMs: 60_000 }), "close");
      if (law.sharesBacklog) {
        assertGivenBack(report, 0, 20 - done.size);
        const left = messages.filter(({ id }) => !done.has(id));
        sameIds(await handledNext(law, name, left), left, "what was handled does not come again");
        return;
      }
      assert.equal(done.size, 20);
      assert.deepEqual(report, { unhandled: 0, lost: 0 });
    },
  },
  {
    name: "handlers may publish while the bus drains, and that is handled too",
    async run(law) {
      const topic = law.name("next");
      const name = law.name("follower");
      const follower = await law.subscribe({ name, topic });
      const told: OutgoingMessage[] = [];
      const leader = { name: law.name("leader"), concurrency: 1 };
      await law.subscribe(leader, async () => {
        await law.bus.status(); // by then the bus is closing
        const message = law.message({}, topic);
        await law.bus.publish(message);
        told.push(message);
      });
      const messages = law.messages(5);
      await law.soon(law.bus.publish(messages));
      const report = await law.soon(law.bus.close({ drainMs: 60_000 }), "close");
      if (law.sharesBacklog) {
        assertGivenBack(report, 0, 10);
        await law.restart();
        const next = await law.subscribe({ name, topic });
        const isAll = (): boolean => {
          const ids = new Set(idsOf([...follower.seen, ...next.seen]));
          return told.every(({ id }) => ids.has(id));
        };
        await law.until("what the handlers told is handled", isAll);
        const rest = await law.subscribe(leader);
        await law.until("and what was left", () => told.length + rest.seen.length >= 5);
        return;
      }
      assert.equal(follower.seen.length, 5);
      assert.deepEqual(report, { unhandled: 0, lost: 0 });
    },
  },
  {
    name: "closing the bus ends at its bound, aborts handlers and says what is unhandled",
    async run(law) {
      let isAborted = false;
      const name = law.name("stuck");
      const { seen } = await law.subscribe({ name, concurrency: 1 }, async ({ signal }) => {
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            isAborted = true;
            reject(signal.reason);
          });
        });
      });
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      await law.until("one runs", () => seen.length >= 1);
      const report = await law.soon(law.bus.close({ drainMs: 200 }), "close");
      assert.equal(isAborted, true);
      await law.quiet();
      assert.equal(seen.length, 1);
      if (law.sharesBacklog) {
        assertGivenBack(report, 1, 3);
        await handledNext(law, name, messages);
      } else assert.deepEqual(report, { unhandled: 3, lost: 0 });
    },
  },
  {
    name: "a second close with less patience shortens the wait of the first",
    async run(law) {
      const spec = { name: law.name("stuck"), concurrency: 1 };
      const { seen } = await law.subscribe(spec, ({ signal }) => untilAborted(signal));
      await law.soon(law.bus.publish(law.message()));
      await law.until("it runs", () => seen.length >= 1);
      const patient = law.bus.close({ drainMs: 3_600_000 });
      void law.bus.close({ drainMs: 7_200_000 });
      const hurried = law.bus.close({ drainMs: 100 });
      assert.deepEqual(await law.soon(hurried, "the hurried close"), await law.soon(patient));
    },
  },
  {
    name: "closing the bus loses nothing that was enqueued",
    async run(law) {
      const name = law.name("group");
      const { seen } = await law.subscribe({ name });
      const messages = law.messages(50);
      await law.soon(law.bus.publish(messages, { mode: "enqueue" }));
      const report = await law.soon(law.bus.close({ drainMs: 60_000 }), "close");
      assert.equal(report.lost, 0);
      if (law.sharesBacklog) await handledNext(law, name, without(messages, seen));
      else sameIds(seen, messages, "all are handled before it is closed");
    },
  },
  {
    name: "after close everything is refused and nothing is handled",
    async run(law) {
      const backoff = { initialMs: 300, maxMs: 300, jitter: "none" } as const;
      const name = law.name("retrying");
      const { seen } = await law.subscribe({ name, backoff }, () => {
        throw new Error("later");
      });
      const message = law.message();
      await law.soon(law.bus.publish(message));
      await law.until("it failed once", () => seen.length >= 1);
      await law.soon(law.bus.check());
      const report = await law.soon(law.bus.close({ drainMs: 0 }), "close");
      if (law.sharesBacklog) assertGivenBack(report, 0, 1);
      else assert.deepEqual(report, { unhandled: 1, lost: 0 });
      const { bus } = law;
      const spec = { name: law.name("new"), topic: law.topic, delivery: "group" } as const;
      await law.rejects(bus.publish(law.message()), "CLOSED");
      await law.rejects(
        bus.subscribe(spec, () => undefined),
        "CLOSED",
      );
      await law.rejects(bus.deadLetters.list(), "CLOSED");
      await law.rejects(bus.deadLetters.redrive([]), "CLOSED");
      await law.rejects(bus.removeGroup(spec.name), "CLOSED");
      await law.rejects(bus.check(), "CLOSED");
      await law.soon(bus.close(), "a second close");
      await law.quiet();
      await law.quiet();
      assert.equal(seen.length, 1, "a handler started after close");
      if (law.sharesBacklog) await handledNext(law, name, [message]);
    },
  },
  {
    name: "a publish that still waits for room when the bus closes is refused",
    async run(law) {
      const { seen } = await law.subscribe(
        { name: law.name("full"), bufferMax: 1 },
        () => new Promise<void>(() => undefined),
      );
      await law.soon(law.bus.publish(law.message()));
      await law.until("it runs", () => seen.length >= 1);
      const waiting = law.later(law.bus.publish(law.message(), { timeoutMs: 60_000 }));
      await law.soon(law.bus.close({ drainMs: 50 }), "close");
      await law.rejects(waiting, "CLOSED");
    },
  },
];
