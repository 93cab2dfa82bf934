/** What a failed handler leads to. */

import assert from "node:assert/strict";
import { kernelErrors } from "@banyan/kernel/internal";
import { BusCapability } from "../bus.ts";
import type { Message } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck } from "./law-check.ts";
import { idsOf, sameIds } from "./law-check.ts";

/** Those that a message has, in objects of ours. */
function propertiesOf(message: Message): object {
  const { id, topic, timestampMs, body, headers, orderingKey } = message;
  return { id, topic, timestampMs, body, headers: { ...headers }, orderingKey };
}

export const retryLaw: readonly BusCheck[] = [
  {
    name: "a failed message comes again with its id and the next attempt number, until it succeeds",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("third") }, async ({ attempt }) => {
        await law.bus.status();
        if (attempt < 3) throw new Error("not yet");
      });
      const message = law.message();
      await law.soon(law.bus.publish(message));
      await law.until("three attempts", () => seen.length >= 3);
      await law.quiet();
      assert.deepEqual(
        seen.map(({ attempt }) => attempt),
        [1, 2, 3],
      );
      assert.deepEqual(new Set(idsOf(seen)), new Set([message.id]));
    },
  },
  {
    name: "a redelivery keeps every property, and so do a dead letter and its redrive",
    async run(law) {
      const name = law.name("kept");
      const given: Message[] = [];
      await law.subscribe({ name, retriesMax: 1 }, ({ message }) => {
        given.push(message);
        if (given.length < 3) throw new Error("again");
      });
      const headers = {
        source: "law",
        principal: "account:7",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate: "law=1",
        schemaVersion: "3",
        correlationId: "order 42",
        "x-tenant": "north",
      };
      const orderingKey = law.capabilities.has(BusCapability.Ordered) ? "42" : undefined;
      const message = { ...law.message({ n: [1] }), headers, orderingKey };
      await law.soon(law.bus.publish(message));
      const [letter] = await law.dead(name, 1);
      assert(letter !== undefined);
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter.id])), 1);
      await law.until("the redriven one is handled", () => given.length >= 3);
      const whole = propertiesOf(message);
      for (const each of given) assert.deepEqual(propertiesOf(each), whole, "delivered");
      assert.deepEqual(propertiesOf(letter.message), whole, "the dead letter");
      assert.equal(given.length, 3);
    },
  },
  {
    name: "a retry waits for its backoff, which grows",
    async run(law) {
      const backoff = { initialMs: 100, maxMs: 1000, jitter: "none" } as const;
      const { seen } = await law.subscribe({ name: law.name("slow"), backoff }, ({ attempt }) => {
        if (attempt < 4) throw new Error("not yet");
      });
      await law.soon(law.bus.publish(law.message()));
      await law.until("four attempts", () => seen.length >= 4);
      const [first = 0, second = 0, third = 0, fourth = 0] = seen.map(({ atMs }) => atMs);
      // A timer may be a millisecond early by rounding; late is no crime.
      assert(second - first >= 99, `the first wait was ${second - first} ms, not 100`);
      assert(third - second >= 199, `the second wait was ${third - second} ms, not 200`);
      assert(fourth - third >= 399, `the third wait was ${fourth - third} ms, not 400`);
    },
  },
  {
    name: "an error that names its own wait is waited for",
    async run(law) {
      const busy = kernelErrors.SERVICE_UNAVAILABLE("Busy.", { retryAfterMs: 500 });
      const backoff = { initialMs: 10, maxMs: 1000, jitter: "none" } as const;
      const { seen } = await law.subscribe({ name: law.name("asked"), backoff }, ({ attempt }) => {
        if (attempt === 1) throw busy;
      });
      await law.soon(law.bus.publish(law.message()));
      await law.until("two attempts", () => seen.length >= 2);
      const [first = 0, second = 0] = seen.map(({ atMs }) => atMs);
      assert(second - first >= 499, `the wait was ${second - first} ms, not 500`);
    },
  },
  {
    name: "after retriesMax redeliveries it is a dead letter with its error and its attempts",
    async run(law) {
      const name = law.name("never");
      const error = kernelErrors.SERVICE_UNAVAILABLE("The database is down.", {
        details: { host: "db" },
      });
      const { seen } = await law.subscribe({ name, retriesMax: 2 }, async () => {
        throw error;
      });
      const message = law.message({ n: 7 });
      await law.soon(law.bus.publish(message));
      const [letter] = await law.dead(name, 1);
      await law.quiet();
      assert.equal(seen.length, 3, "attempts");
      assert.equal(letter?.attempts, 3);
      assert.equal(letter.reason, "retries-exhausted");
      assert.equal(letter.subscription, name);
      assert.equal(letter.message.id, message.id);
      assert.equal(letter.message.topic, message.topic);
      assert.deepEqual(letter.message.body, { n: 7 });
      const { stack = "", ...said } = letter.error;
      assert.match(stack, /^at [^]*retry-law/);
      assert.deepEqual(said, {
        kind: "unavailable",
        code: "SERVICE_UNAVAILABLE",
        message: "The database is down.",
        details: { host: "db" },
      });
    },
  },
  {
    name: "retriesMax 0 gives one attempt",
    async run(law) {
      const name = law.name("single");
      const { seen } = await law.subscribe({ name, retriesMax: 0 }, () => {
        throw new RangeError("out of luck");
      });
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(name, 1);
      await law.quiet();
      assert.equal(seen.length, 1);
      assert.equal(letter?.error.code, "INTERNAL");
      assert.match(letter.error.message, /RangeError: out of luck/);
    },
  },
  {
    name: "an error that says the message itself is wrong is final; others are retried",
    async run(law) {
      const failWith: Readonly<Record<string, () => Error>> = {
        "given-up": () => deadLetter("Nobody can do this."),
        invalid: () => kernelErrors.REQUEST_INVALID("Wrong."),
        missing: () => kernelErrors.OPERATION_UNKNOWN("Gone."),
        plain: () => new Error("plain"),
      };
      const attempts: Record<string, number> = {};
      for (const [word, make] of Object.entries(failWith)) {
        const name = law.name(word);
        const topic = law.name(`topic-${word}`);
        const { seen } = await law.subscribe({ name, topic, retriesMax: 1 }, () => {
          throw make();
        });
        await law.soon(law.bus.publish(law.message({}, topic)));
        const [letter] = await law.dead(name, 1);
        attempts[`${word} ${letter?.reason}`] = seen.length;
      }
      assert.deepEqual(attempts, {
        "given-up final-error": 1,
        "invalid final-error": 1,
        "missing retries-exhausted": 2,
        "plain retries-exhausted": 2,
      });
    },
  },
  {
    name: "each broadcast subscription retries for itself",
    async run(law) {
      const spec = { name: law.name("live"), delivery: "broadcast" } as const;
      const good = await law.subscribe(spec);
      const bad = await law.subscribe(spec, ({ attempt }) => {
        if (attempt === 1) throw new Error("again");
      });
      await law.soon(law.bus.publish(law.message()));
      await law.until("the bad one tried again", () => bad.seen.length >= 2);
      await law.quiet();
      assert.equal(good.seen.length, 1, "the good one saw it once");
    },
  },
  {
    name: "a message that fails does not hold up the others",
    async run(law) {
      const backoff = { initialMs: 60_000, maxMs: 60_000, jitter: "none" } as const;
      const spec = { name: law.name("line"), concurrency: 1, backoff };
      const messages = law.messages(5);
      const { seen } = await law.subscribe(spec, ({ message }) => {
        if (message.id === messages[0]?.id) throw new Error("again, later");
      });
      await law.soon(law.bus.publish(messages));
      await law.until("the others are through", () => seen.length >= 5);
      sameIds(seen, messages, "each once so far");
    },
  },
];
