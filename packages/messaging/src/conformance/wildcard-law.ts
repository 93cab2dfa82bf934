/** Which topics a pattern stands for, and what a subscription to a pattern is otherwise. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck, LawRun } from "./law-check.ts";
import { checksFor, idsOf, sameIds } from "./law-check.ts";

/** Publishes one message to each topic; the words of those that the pattern's subscription got. */
async function caughtBy(
  law: LawRun,
  pattern: string,
  words: readonly string[],
): Promise<readonly string[]> {
  const name = law.name("pattern");
  const { seen } = await law.subscribe({ name, topic: `${law.topic}${pattern}` });
  for (const word of words) {
    await law.soon(law.bus.publish(law.message(word, `${law.topic}${word}`)));
  }
  await law.quiet();
  return seen.map(({ body }) => String(body)).toSorted();
}

export const wildcardLaw: readonly BusCheck[] = checksFor(BusCapability.Wildcards, [
  {
    name: "a star stands for exactly one word",
    async run(law) {
      const caught = await caughtBy(law, ".*", ["", ".a", ".b", ".a.b", "x"]);
      assert.deepEqual(caught, [".a", ".b"]);
    },
  },
  {
    name: "a star in the middle stands for exactly one word",
    async run(law) {
      const caught = await caughtBy(law, ".*.end", [".end", ".a.end", ".a.b.end", ".a.end.b"]);
      assert.deepEqual(caught, [".a.end"]);
    },
  },
  {
    name: "a hash stands for any number of words, none included",
    async run(law) {
      const caught = await caughtBy(law, ".#", ["", ".a", ".a.b", ".a.b.c", "x"]);
      assert.deepEqual(caught, ["", ".a", ".a.b", ".a.b.c"]);
    },
  },
  {
    name: "a hash in the middle stands for any number of words, none included",
    async run(law) {
      const words = [".end", ".a.end", ".a.b.end", ".end.end", ".end.a", ".a", ""];
      const caught = await caughtBy(law, ".#.end", words);
      assert.deepEqual(caught, [".a.b.end", ".a.end", ".end", ".end.end"]);
    },
  },
  {
    name: "stars and hashes together",
    async run(law) {
      const words = [".a.z", ".z", ".a.b.z", ".a.b.z.c.z", ".a.z.b", ".a"];
      const caught = await caughtBy(law, ".*.#.z", words);
      assert.deepEqual(caught, [".a.b.z", ".a.b.z.c.z", ".a.z"]);
    },
  },
  {
    name: "a topic that was published to before is caught by a pattern that comes later",
    async run(law) {
      await law.soon(law.bus.publish(law.message()));
      const plain = await law.subscribe({ name: law.name("plain") });
      const { seen } = await law.subscribe({ name: law.name("later"), topic: `${law.topic}.#` });
      const message = law.message();
      await law.soon(law.bus.publish(message));
      await law.until("both have it", () => seen.length + plain.seen.length >= 2);
      sameIds(seen, [message], "the pattern");
      sameIds(plain.seen, [message], "the plain one");
    },
  },
  {
    name: "a message that several patterns fit goes once to each of their subscriptions",
    async run(law) {
      const patterns = ["", ".#", ".*"].map((end) => `${law.topic}.a${end}`);
      const all = [];
      for (const [index, topic] of patterns.entries()) {
        all.push(await law.subscribe({ name: law.name(`s${index}`), topic }));
      }
      const broadcast = { name: law.name("live"), delivery: "broadcast" } as const;
      const live = await law.subscribe({ ...broadcast, topic: `${law.topic}.#` });
      const one = law.message({}, `${law.topic}.a`);
      const two = law.message({}, `${law.topic}.a.b`);
      await law.soon(law.bus.publish([one, two]));
      await law.until("all have theirs", () => live.seen.length >= 2);
      await law.quiet();
      assert.deepEqual(
        all.map(({ seen }) => idsOf(seen)),
        [[one.id], [one.id, two.id], [two.id]],
      );
      sameIds(live.seen, [one, two], "the broadcast");
    },
  },
  {
    name: "a group of a pattern collects while it has no member",
    async run(law) {
      const spec = { name: law.name("group"), topic: `${law.topic}.#` };
      const first = await law.subscribe(spec);
      await law.soon(first.subscription.close());
      const messages = ["a", "b", "c"].map((word) => law.message(word, `${law.topic}.${word}`));
      await law.soon(law.bus.publish(messages));
      const second = await law.subscribe(spec);
      await law.until("it has them", () => second.seen.length >= 3);
      sameIds(second.seen, messages, "all three");
    },
  },
  {
    name: "a full subscription of a pattern holds up each of its topics, and lets each go on",
    async run(law) {
      let isOpen = false;
      const waiting: (() => void)[] = [];
      const spec = { name: law.name("narrow"), topic: `${law.topic}.*`, bufferMax: 1 };
      const { seen } = await law.subscribe(spec, async () => {
        if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
      });
      const messages = ["a", "b", "c", "b"].map((word) =>
        law.message(word, `${law.topic}.${word}`),
      );
      const [first, ...rest] = messages;
      assert(first !== undefined);
      await law.soon(law.bus.publish(first));
      let done = 0;
      const publishing = rest.map((message) =>
        law.later(
          law.bus.publish(message).then(() => {
            done += 1;
          }),
        ),
      );
      await law.quiet();
      assert.equal(done, 0, "a publish found room where there was none");
      isOpen = true;
      for (const go of waiting.splice(0)) go();
      await law.soon(Promise.all(publishing));
      await law.until("all are handled", () => seen.length >= 4);
      sameIds(seen, messages, "each once");
    },
  },
  {
    name: "a dead letter of a pattern's subscription can be redriven",
    async run(law) {
      const name = law.name("group");
      let isBroken = true;
      const { seen } = await law.subscribe({ name, topic: `${law.topic}.#` }, () => {
        if (isBroken) throw deadLetter("No.");
      });
      await law.soon(law.bus.publish(law.message({}, `${law.topic}.a`)));
      const [letter] = await law.dead(name, 1);
      isBroken = false;
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter?.id ?? ""])), 1);
      await law.until("it is handled", () => seen.length >= 2);
      await law.dead(name, 0);
    },
  },
]);
