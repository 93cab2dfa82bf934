/** What a publisher may ask of a publish: that somebody gets it, and that it does not wait. */

import assert from "node:assert/strict";
import type { BusPublishOptions } from "../bus.ts";
import type { BusCheck } from "./law-check.ts";
import { idsOf, sameIds } from "./law-check.ts";

const mandatory: BusPublishOptions = { mandatory: true };
const enqueue: BusPublishOptions = { mode: "enqueue" };

const mandatoryLaw: readonly BusCheck[] = [
  {
    name: "a mandatory message that nobody subscribes to is refused by name",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const topic = law.name("nobody");
      const refused = law.bus.publish(law.message({}, topic), mandatory);
      const details = await law.rejects(refused, "MESSAGING_UNROUTED");
      assert.deepEqual([details["topic"], details["accepted"]], [topic, 0]);
      await law.soon(law.bus.publish(law.message({}, topic)), "without mandatory it is accepted");
      await law.quiet();
      assert.deepEqual(seen, []);
    },
  },
  {
    name: "a group without members and a broadcast are somebody; what is gone is not",
    async run(law) {
      const spec = { name: law.name("group"), topic: law.name("kept") };
      const group = await law.subscribe(spec);
      await law.soon(group.subscription.close());
      const message = law.message({}, spec.topic);
      await law.soon(law.bus.publish(message, mandatory));
      const topic = law.name("live");
      const live = await law.subscribe({ name: law.name("live"), topic, delivery: "broadcast" });
      await law.soon(law.bus.publish(law.message({}, topic), mandatory));
      await law.until("the broadcast has it", () => live.seen.length >= 1);
      await law.soon(live.subscription.close());
      await law.rejects(law.bus.publish(law.message({}, topic), mandatory), "MESSAGING_UNROUTED");
      const again = await law.subscribe(spec);
      await law.until("the group has it", () => again.seen.length >= 1);
      sameIds(again.seen, [message], "once");
    },
  },
  {
    name: "of a mandatory batch those before the unrouted one are accepted, and none behind it",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const [first, second, third] = law.messages(3);
      assert(first !== undefined && second !== undefined && third !== undefined);
      const batch = [first, second, law.message({}, law.name("nobody")), third];
      const details = await law.rejects(law.bus.publish(batch, mandatory), "MESSAGING_UNROUTED");
      assert.deepEqual([details["topic"], details["accepted"]], [law.name("nobody"), 2]);
      await law.until("two are handled", () => seen.length >= 2);
      await law.quiet();
      sameIds(seen, [first, second], "those before it");
    },
  },
];

const enqueueLaw: readonly BusCheck[] = [
  {
    name: "what is enqueued is handled like any other, in order with those before and behind it",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group"), concurrency: 1 });
      const messages = law.messages(6);
      const [first, second, third, ...rest] = messages;
      assert(first !== undefined && second !== undefined && third !== undefined);
      await law.soon(law.bus.publish(first));
      await law.soon(law.bus.publish([second, third], enqueue));
      for (const each of rest) await law.soon(law.bus.publish(each, enqueue));
      await law.until("all are handled", () => seen.length >= 6);
      await law.quiet();
      assert.deepEqual(idsOf(seen), idsOf(messages));
      const { enqueueFailed, published } = await law.soon(law.bus.status());
      assert.deepEqual({ enqueueFailed, published }, { enqueueFailed: 0, published: 6 });
    },
  },
  {
    name: "an enqueue that finds no room is refused at once, and accepted nowhere",
    async run(law) {
      const name = law.name("narrow");
      let open = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      const { seen } = await law.subscribe({ name, bufferMax: 2, concurrency: 1 }, () => gate);
      const [first, second, third] = law.messages(3);
      assert(first !== undefined && second !== undefined && third !== undefined);
      await law.soon(law.bus.publish(first));
      const startMs = law.nowMs();
      // A time to wait changes nothing: it does not wait.
      const asked = { ...enqueue, timeoutMs: 1000 };
      const refused = law.bus.publish([second, third], asked);
      const details = await law.rejects(refused, "MESSAGING_BUFFER_FULL");
      assert.deepEqual([details["subscription"], details["accepted"]], [name, 1]);
      await law.rejects(law.bus.publish(law.message(), asked), "MESSAGING_BUFFER_FULL");
      assert(law.nowMs() - startMs < 900, `it waited ${law.nowMs() - startMs} ms for room`);
      open();
      await law.until("two are handled", () => seen.length >= 2);
      await law.quiet();
      sameIds(seen, [first, second], "those that were accepted");
    },
  },
  {
    name: "an enqueue is checked as any publish is, and its mode must be one",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const wrong = { ...law.message(), topic: "a..b" };
      const refused = law.bus.publish([law.message(), wrong], enqueue);
      await law.rejects(refused, "MESSAGING_MESSAGE_INVALID");
      // Wrong on purpose: what an untyped caller may send.
      const mode = "soon" as BusPublishOptions["mode"];
      await law.rejects(law.bus.publish(law.message(), { mode }), "REQUEST_INVALID");
      await law.quiet();
      assert.deepEqual(seen, []);
    },
  },
];

export const publishLaw: readonly BusCheck[] = [...mandatoryLaw, ...enqueueLaw];
