/** Who gets a message. */

import assert from "node:assert/strict";
import type { BusCheck } from "./law-check.ts";
import { idsOf, sameIds } from "./law-check.ts";

export const deliveryLaw: readonly BusCheck[] = [
  {
    name: "one member of a group handles each message, and the members share the work",
    async run(law) {
      const spec = { name: law.name("group"), concurrency: 1 };
      const pause = (): Promise<void> => law.bus.status().then(() => undefined);
      const members = [
        await law.subscribe(spec, pause),
        await law.subscribe(spec, pause),
        await law.subscribe(spec, pause),
      ];
      const messages = law.messages(60);
      await law.soon(law.bus.publish(messages));
      const all = (): { id: string }[] => members.flatMap(({ seen }) => seen);
      await law.until("all are handled", () => all().length >= 60);
      await law.quiet();
      sameIds(all(), messages, "each once");
      for (const { seen } of members) assert(seen.length > 0, "a member got nothing");
    },
  },
  {
    name: "every group of a topic gets every message",
    async run(law) {
      const one = await law.subscribe({ name: law.name("one") });
      const two = await law.subscribe({ name: law.name("two") });
      const messages = law.messages(20);
      await law.soon(law.bus.publish(messages));
      await law.until("both are through", () => one.seen.length + two.seen.length >= 40);
      sameIds(one.seen, messages, "the first group");
      sameIds(two.seen, messages, "the second group");
    },
  },
  {
    name: "every live broadcast subscription gets every message, also under one name",
    async run(law) {
      const spec = { name: law.name("all"), delivery: "broadcast" } as const;
      const one = await law.subscribe(spec);
      const two = await law.subscribe(spec);
      const group = await law.subscribe({ name: law.name("group") });
      const messages = law.messages(20);
      await law.soon(law.bus.publish(messages));
      const count = (): number => one.seen.length + two.seen.length + group.seen.length;
      await law.until("all are through", () => count() >= 60);
      sameIds(one.seen, messages, "the first");
      sameIds(two.seen, messages, "the second");
      sameIds(group.seen, messages, "a group beside them");
    },
  },
  {
    name: "a group gets nothing that was published before its first subscription",
    async run(law) {
      await law.soon(law.bus.publish(law.message()));
      const { seen } = await law.subscribe({ name: law.name("late") });
      const after = law.message();
      await law.soon(law.bus.publish(after));
      await law.until("the later one is handled", () => seen.length > 0);
      await law.quiet();
      sameIds(seen, [after], "only the later one");
    },
  },
  {
    name: "a group gets what was published while it had no member",
    async run(law) {
      const spec = { name: law.name("group") };
      const first = await law.subscribe(spec);
      await law.soon(first.subscription.close());
      const messages = law.messages(5);
      await law.soon(law.bus.publish(messages));
      await law.quiet();
      assert.deepEqual(first.seen, [], "the member that left");
      const second = await law.subscribe(spec);
      await law.until("the new member has them", () => second.seen.length >= 5);
      sameIds(second.seen, messages, "the new member");
    },
  },
  {
    name: "a broadcast subscription gets nothing from before its start or after its close",
    async run(law) {
      const spec = { name: law.name("live"), delivery: "broadcast" } as const;
      const first = await law.subscribe(spec);
      const early = law.message();
      await law.soon(law.bus.publish(early));
      await law.until("the first has it", () => first.seen.length >= 1);
      await law.soon(first.subscription.close());
      await law.soon(law.bus.publish(law.message()));
      const second = await law.subscribe(spec);
      const late = law.message();
      await law.soon(law.bus.publish(late));
      await law.until("the second has it", () => second.seen.length > 0);
      await law.quiet();
      sameIds(first.seen, [early], "the first");
      sameIds(second.seen, [late], "the second");
    },
  },
  {
    name: "a handler gets the message as it was published",
    async run(law) {
      const message = {
        ...law.message({ name: "Ada", tags: ["a", null, 1.5, true], deep: { "": "😀" } }),
        headers: { source: "greeter", traceparent: "00-aa-bb-01", extra: "x" },
      };
      let got: unknown;
      const name = law.name("reader");
      await law.subscribe({ name }, (delivery) => {
        const { id, topic, timestampMs, body, headers } = delivery.message;
        got = { id, topic, timestampMs, body, headers: { ...headers } };
        assert.equal(delivery.subscription, name);
        assert.equal(delivery.signal.aborted, false);
      });
      await law.soon(law.bus.publish(message));
      await law.until("it arrives", () => got !== undefined);
      assert.deepEqual(got, message);
    },
  },
  {
    name: "a subscription gets its own topic only; a topic without subscribers takes messages too",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("mine") });
      await law.soon(law.bus.publish(law.message({}, law.name("other"))));
      await law.soon(law.bus.publish(law.message({}, `${law.topic}.more`)));
      const mine = law.message();
      await law.soon(law.bus.publish(mine));
      await law.until("mine arrives", () => seen.length > 0);
      await law.quiet();
      sameIds(seen, [mine], "only mine");
    },
  },
  {
    name: "one member with one handler at a time handles in the order of publication",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("line"), concurrency: 1 });
      const messages = law.messages(30);
      await law.soon(law.bus.publish(messages.slice(0, 20)));
      for (const message of messages.slice(20)) await law.soon(law.bus.publish(message));
      await law.until("all are handled", () => seen.length >= 30);
      assert.deepEqual(idsOf(seen), idsOf(messages));
    },
  },
  {
    name: "no handler starts inside publish",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("async") });
      const publishing = law.bus.publish(law.message());
      assert.equal(seen.length, 0, "the handler ran before publish returned");
      await law.soon(publishing);
      await law.until("it is handled", () => seen.length >= 1);
    },
  },
  {
    name: "a subscription runs as many handlers at once as it asked for, and no more",
    async run(law) {
      let running = 0;
      let most = 0;
      const waiting: (() => void)[] = [];
      const handler = async (): Promise<void> => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => waiting.push(resolve));
        running -= 1;
      };
      const { seen } = await law.subscribe({ name: law.name("three"), concurrency: 3 }, handler);
      await law.soon(law.bus.publish(law.messages(9)));
      await law.until("three run", () => running >= 3);
      await law.quiet();
      await law.until("all are handled", () => {
        for (const go of waiting.splice(0)) go();
        return seen.length >= 9 && running === 0;
      });
      assert.equal(most, 3);
    },
  },
  {
    name: "what was acknowledged is not delivered again",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("once") });
      const messages = law.messages(10);
      await law.soon(law.bus.publish(messages));
      await law.until("all are handled", () => seen.length >= 10);
      await law.quiet();
      await law.quiet();
      sameIds(seen, messages, "each once");
    },
  },
];
