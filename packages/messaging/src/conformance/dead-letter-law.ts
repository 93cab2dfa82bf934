/** What becomes of dead letters. */

import assert from "node:assert/strict";
import type { DeadLetter } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck } from "./law-check.ts";
import { idsOf } from "./law-check.ts";

export const deadLetterLaw: readonly BusCheck[] = [
  {
    name: "dead letters are listed oldest first, in pages, by subscription",
    async run(law) {
      const one = law.name("one");
      const two = law.name("two");
      const giveUp = (): never => {
        throw deadLetter("No.");
      };
      await law.subscribe({ name: one, concurrency: 1 }, giveUp);
      await law.subscribe({ name: two, concurrency: 1 }, giveUp);
      const messages = law.messages(5);
      await law.soon(law.bus.publish(messages));
      const letters = await law.dead(one, 5);
      await law.dead(two, 5);
      assert.deepEqual(
        letters.map(({ message }) => message.id),
        idsOf(messages),
      );
      const paged: string[] = [];
      let after: string | undefined;
      for (let page = 0; page < 10; page += 1) {
        const found = await law.soon(
          law.bus.deadLetters.list({ subscription: one, limit: 2, after }),
        );
        assert(found.letters.length <= 2, "a page holds more than its limit");
        paged.push(...idsOf(found.letters));
        after = found.next;
        if (after === undefined) break;
      }
      assert.deepEqual(paged, idsOf(letters));
    },
  },
  {
    name: "a dead letter is found by its id until it is discarded",
    async run(law) {
      const name = law.name("group");
      await law.subscribe({ name }, () => {
        throw deadLetter("No.");
      });
      await law.soon(law.bus.publish(law.messages(2)));
      const [first, second] = await law.dead(name, 2);
      assert(first !== undefined && second !== undefined);
      const { deadLetters } = law.bus;
      assert.deepEqual(await law.soon(deadLetters.get(first.id)), first);
      assert.equal(await law.soon(deadLetters.discard([first.id, "unknown"])), 1);
      assert.equal(await law.soon(deadLetters.get(first.id)), undefined);
      assert.deepEqual(idsOf(await law.deadLettersOf(name)), [second.id]);
      assert.equal(await law.soon(deadLetters.discard([first.id])), 0);
    },
  },
  {
    name: "whoever opened the bus is told of each dead letter once, and of no failure before",
    async run(law) {
      const name = law.name("group");
      await law.subscribe({ name, retriesMax: 1 }, () => {
        throw new Error("not today");
      });
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      const letters = await law.dead(name, 3);
      await law.until("they are told", () => law.told.length >= 3);
      await law.quiet();
      const asKept = (letter: DeadLetter): unknown => {
        const { id, subscription, message, attempts, reason, error, deadAtMs } = letter;
        return [id, subscription, message.id, message.body, attempts, reason, error, deadAtMs];
      };
      const byId = (one: DeadLetter, other: DeadLetter): number => (one.id < other.id ? -1 : 1);
      assert.deepEqual(law.told.toSorted(byId).map(asKept), letters.toSorted(byId).map(asKept));
    },
  },
  {
    name: "a redriven letter is handled under its old id from attempt 1, and is dead no more",
    async run(law) {
      const name = law.name("group");
      let isBroken = true;
      const { seen } = await law.subscribe({ name, retriesMax: 1 }, () => {
        if (isBroken) throw new Error("broken");
      });
      const message = law.message({ n: 5 });
      await law.soon(law.bus.publish(message));
      const [letter] = await law.dead(name, 1);
      assert(letter !== undefined);
      isBroken = false;
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter.id, "unknown"])), 1);
      await law.until("it is handled", () => seen.length >= 3);
      await law.quiet();
      const [, , last] = seen;
      assert.equal(last?.id, message.id);
      assert.equal(last.attempt, 1);
      assert.deepEqual(last.body, { n: 5 });
      assert.equal(seen.length, 3, "handled once more, not oftener");
      await law.dead(name, 0);
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter.id])), 0);
    },
  },
  {
    name: "a redriven letter that fails again has its retries again and is dead again",
    async run(law) {
      const name = law.name("group");
      const { seen } = await law.subscribe({ name, retriesMax: 1 }, () => {
        throw new Error("still broken");
      });
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(name, 1);
      await law.soon(law.bus.deadLetters.redrive([letter?.id ?? ""]));
      await law.until("two more attempts", () => seen.length >= 4);
      const [again] = await law.dead(name, 1);
      assert.equal(again?.attempts, 2);
    },
  },
  {
    name: "a redrive reaches only the subscription that gave the message up",
    async run(law) {
      const name = law.name("failing");
      let isBroken = true;
      const failing = await law.subscribe({ name, retriesMax: 0 }, () => {
        if (isBroken) throw new Error("broken");
      });
      const fine = await law.subscribe({ name: law.name("fine") });
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(name, 1);
      isBroken = false;
      await law.soon(law.bus.deadLetters.redrive([letter?.id ?? ""]));
      await law.until("it is handled", () => failing.seen.length >= 2);
      await law.quiet();
      assert.equal(fine.seen.length, 1);
    },
  },
  {
    name: "a letter whose subscription is gone cannot be redriven and stays",
    async run(law) {
      const name = law.name("gone");
      const { subscription } = await law.subscribe({ name }, () => {
        throw deadLetter("No.");
      });
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(name, 1);
      await law.soon(subscription.close());
      await law.soon(law.bus.removeGroup(name));
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter?.id ?? ""])), 0);
      await law.dead(name, 1);
    },
  },
];
