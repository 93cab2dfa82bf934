/** What the area asks of a subject, told once for all of them. Run in a subject's process. */

import { setImmediate } from "node:timers/promises";
import { recordAt } from "../embedded/records.ts";
import type { Stored } from "../embedded/records.ts";
import { numberOf, steadyRate } from "../rates.ts";
import { median } from "../statistics.ts";
import { serveMeasures } from "../subject.ts";
import type { Figures, Question } from "../subject.ts";

/** A publisher, a queue, a consumer. Bodies are records of 120 bytes; `visits` tells them apart. */
export interface Messenger {
  /** Ends when the messenger says that it is published. */
  publish(body: Stored): Promise<unknown>;
  /**
   * For who confirms nothing: ends when the broker has had what was published. Whoever has it is
   * also made to let the event loop turn after each publish, as its promises do not.
   */
  readonly settle?: () => Promise<unknown>;
  /** Starts a consumer of 100 at once; the answer stops it and gives back what it did not end. */
  consume(handle: (body: Stored) => void): Promise<() => Promise<unknown>>;
  /** Empties the queue; answers how many messages were in it. */
  purge(): Promise<number>;
}

/** A hanging consumer must not hang the bench. */
const patienceMs = 60_000;

export function serveMessenger(messenger: Messenger): void {
  const publish = async (body: Stored): Promise<void> => {
    await messenger.publish(body);
    if (messenger.settle !== undefined) await setImmediate();
  };
  serveMeasures({
    publish: (question) => publishRate(question, messenger, publish),
    consume: (question) => consumeRate(question, messenger, publish),
    handled: (question) => handledRate(question, messenger, publish),
  });
}

type Publish = (body: Stored) => Promise<void>;

/** Nobody consumes; the clock stops when the broker has them all. */
async function publishRate(
  question: Question,
  messenger: Messenger,
  publish: Publish,
): Promise<Figures> {
  const startedMs = performance.now();
  let published = 0;
  await steadyRate(question, async () => {
    published += 1;
    await publish(recordAt(published));
    return 1;
  });
  await messenger.settle?.();
  const elapsedMs = performance.now() - startedMs;
  const found = await messenger.purge();
  if (found !== published) throw new Error(`${published} were published, ${found} are there.`);
  return { rate: (published / elapsedMs) * 1000 };
}

/** From the first that is handled to the last: how a consumer connects is not measured. */
async function consumeRate(
  question: Question,
  messenger: Messenger,
  publish: Publish,
): Promise<Figures> {
  const count = numberOf(question, "count");
  for (let from = 0; from < count; from += 64) {
    const some = Array.from({ length: Math.min(64, count - from) }, (_, at) => recordAt(from + at));
    await Promise.all(some.map(publish));
  }
  await messenger.settle?.();
  const { promise, resolve } = Promise.withResolvers<void>();
  let handled = 0;
  let firstMs = 0;
  let lastMs = 0;
  const stop = await messenger.consume(() => {
    handled += 1;
    if (handled === 1) firstMs = performance.now();
    if (handled !== count) return;
    lastMs = performance.now();
    resolve();
  });
  await within(promise, () => `${handled} of ${count} were handled.`);
  await stop();
  const left = await messenger.purge();
  if (left > 0 || handled > count) {
    throw new Error(`${handled} of ${count} were handled, ${left} were not acknowledged.`);
  }
  return { rate: ((count - 1) / (lastMs - firstMs)) * 1000 };
}

/** A call ends when its own message was handled, and its publish is over. */
async function handledRate(
  question: Question,
  messenger: Messenger,
  publish: Publish,
): Promise<Figures> {
  const waiting = new Map<number, () => void>();
  const stop = await messenger.consume(({ visits }) => {
    waiting.get(visits)?.();
    waiting.delete(visits);
  });
  const latencies: number[] = [];
  let turn = 0;
  const call = async (): Promise<number> => {
    turn += 1;
    const visits = turn;
    const startedMs = performance.now();
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.set(visits, () => {
      latencies.push(performance.now() - startedMs);
      resolve();
    });
    await Promise.all([publish(recordAt(visits, visits)), promise]);
    return 1;
  };
  // The first one finds the way, and starts the consumer of who starts lazily.
  await within(call(), () => "The first event was not handled.");
  latencies.length = 0;
  const { rate = NaN } = await within(steadyRate(question, call), () => {
    return `${waiting.size} of ${turn} were not handled.`;
  });
  await stop();
  return { rate, p50Ms: median(latencies) };
}

async function within<T>(work: Promise<T>, what: () => string): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`After 60 s: ${what()}`)), patienceMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
