/** Messages with one ordering key, one after the other. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { DeliveryHandler, Message, OutgoingMessage } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck, LawRun } from "./law-check.ts";
import { checksFor, idsOf, sameIds } from "./law-check.ts";

/** What is seen of a handler that takes a while: per key never two at once, and in which order. */
class Watch {
  readonly #running = new Map<string, number>();
  readonly #law: LawRun;
  /** Ids by key, in the order in which they were finished. */
  readonly finished = new Map<string, string[]>();
  /** Most handlers of one key at once; of all keys. */
  mostOfKey = 0;
  most = 0;

  constructor(law: LawRun) {
    this.#law = law;
  }

  readonly handler: DeliveryHandler = async ({ message }) => {
    const key = message.orderingKey ?? "";
    this.#count(key, 1);
    for (let turn = 0; turn < 3; turn += 1) await this.#law.bus.status();
    this.#count(key, -1);
    this.finish(message);
  };

  /** Handlers that have ended. */
  get handled(): number {
    return [...this.finished.values()].reduce((sum, ids) => sum + ids.length, 0);
  }

  finish(message: Message): void {
    const key = message.orderingKey ?? "";
    this.finished.set(key, [...(this.finished.get(key) ?? []), message.id]);
  }

  #count(key: string, by: number): void {
    const now = (this.#running.get(key) ?? 0) + by;
    this.#running.set(key, now);
    const all = [...this.#running.values()].reduce((sum, each) => sum + each, 0);
    this.mostOfKey = Math.max(this.mostOfKey, now);
    this.most = Math.max(this.most, all);
  }
}

function inOrder(watch: Watch, messages: readonly OutgoingMessage[]): void {
  for (const [key, ids] of watch.finished) {
    const expected = messages.filter(({ orderingKey }) => orderingKey === key);
    assert.deepEqual(ids, idsOf(expected), `the order of key ${key}`);
  }
}

const slow = { initialMs: 300, maxMs: 300, jitter: "none" } as const;

export const orderedLaw: readonly BusCheck[] = checksFor(BusCapability.Ordered, [
  {
    name: "messages of one key are handled one at a time in their order, keys side by side",
    async run(law) {
      const watch = new Watch(law);
      const spec = { name: law.name("ordered"), ordered: true, concurrency: 8 };
      const { seen } = await law.subscribe(spec, watch.handler);
      const messages = law.keyed(["a", "b", "c"], 30);
      await law.soon(law.bus.publish(messages.slice(0, 15)));
      for (const message of messages.slice(15)) await law.soon(law.bus.publish(message));
      await law.until("all are handled", () => watch.handled >= 30);
      await law.quiet();
      inOrder(watch, messages);
      assert.equal(watch.mostOfKey, 1, "two handlers of one key at once");
      assert(watch.most >= 2, "different keys did not run side by side");
      sameIds(seen, messages, "each once");
    },
  },
  {
    name: "the members of a group share the keys and keep their order",
    async run(law) {
      const watch = new Watch(law);
      const spec = { name: law.name("ordered"), ordered: true, concurrency: 2 };
      const one = await law.subscribe(spec, watch.handler);
      const two = await law.subscribe(spec, watch.handler);
      const messages = law.keyed(["a", "b", "c", "d"], 40);
      await law.soon(law.bus.publish(messages));
      await law.until("all are handled", () => watch.handled >= 40);
      await law.quiet();
      inOrder(watch, messages);
      assert.equal(watch.mostOfKey, 1);
      assert(one.seen.length > 0 && two.seen.length > 0, "one member did everything");
    },
  },
  {
    name: "a retry holds up its own key only",
    async run(law) {
      const watch = new Watch(law);
      const messages = law.keyed(["a", "b"], 8);
      const spec = { name: law.name("ordered"), ordered: true, backoff: slow };
      await law.subscribe(spec, ({ message, attempt }) => {
        if (message.id === messages[0]?.id && attempt < 3) throw new Error("not yet");
        watch.finish(message);
      });
      await law.soon(law.bus.publish(messages));
      await law.until("the other key is through", () => watch.finished.get("b")?.length === 4);
      await law.advance(100);
      assert.equal(watch.finished.get("a"), undefined, "its own key went on before it");
      await law.until("its key is through", () => watch.finished.get("a")?.length === 4);
      inOrder(watch, messages);
    },
  },
  {
    name: "a dead letter lets its key go on",
    async run(law) {
      const name = law.name("ordered");
      const messages = law.keyed(["a"], 3);
      const { seen } = await law.subscribe({ name, ordered: true }, ({ message }) => {
        if (message.id === messages[0]?.id) throw deadLetter("No.");
      });
      await law.soon(law.bus.publish(messages));
      await law.until("the others are handled", () => seen.length >= 3);
      assert.deepEqual(idsOf(seen), idsOf(messages));
      await law.dead(name, 1);
    },
  },
  {
    name: "messages without a key wait for nobody",
    async run(law) {
      const spec = { name: law.name("ordered"), ordered: true, concurrency: 4 };
      const { seen } = await law.subscribe(spec, () => new Promise<void>(() => undefined));
      await law.soon(law.bus.publish(law.messages(4)));
      await law.until("all four run", () => seen.length >= 4);
    },
  },
  {
    name: "a leaving member's messages keep their place before those of their key",
    async run(law) {
      const spec = { name: law.name("ordered"), ordered: true, concurrency: 4 };
      const stuck = await law.subscribe(spec, () => new Promise<void>(() => undefined));
      const messages = law.keyed(["a", "b"], 8);
      await law.soon(law.bus.publish(messages));
      await law.until("one of each key is stuck", () => stuck.seen.length >= 2);
      await law.soon(stuck.subscription.close({ drainMs: 0 }));
      const watch = new Watch(law);
      const fresh = await law.subscribe(spec, watch.handler);
      await law.until("all are handled", () => watch.handled >= 8);
      await law.quiet();
      inOrder(watch, messages);
      assert.equal(watch.mostOfKey, 1);
      sameIds(fresh.seen, messages, "each once");
    },
  },
  {
    name: "members that do not agree on the order are refused",
    async run(law) {
      const spec = { name: law.name("ordered"), topic: law.topic, delivery: "group" } as const;
      const { subscription } = await law.subscribe({ ...spec, ordered: true });
      const refused = law.bus.subscribe(spec, () => undefined);
      await law.rejects(refused, "MESSAGING_SUBSCRIPTION_CONFLICT");
      await law.soon(subscription.close());
      const later = await law.soon(law.bus.subscribe(spec, () => undefined));
      await law.soon(later.close());
    },
  },
]);
