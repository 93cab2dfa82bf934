/** What cannot be asked for, and what can be asked about. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { SubscribeSpec } from "../bus.ts";
import type { BusCheck } from "./law-check.ts";

const nothing = (): void => undefined;

export const refusalLaw: readonly BusCheck[] = [
  {
    name: "the bus declares the capabilities it was announced with",
    async run(law) {
      assert.deepEqual([...law.bus.capabilities].toSorted(), [...law.capabilities].toSorted());
      assert(["durable", "ephemeral"].includes(law.bus.durability));
    },
  },
  {
    name: "a capability that is not declared is refused by name",
    async run(law) {
      const missing = "MESSAGING_CAPABILITY_MISSING";
      const spec: SubscribeSpec = { name: law.name("x"), topic: law.topic, delivery: "group" };
      if (!law.capabilities.has(BusCapability.Wildcards)) {
        for (const topic of [`${law.topic}.*`, "#"]) {
          const refused = law.bus.subscribe({ ...spec, topic }, nothing);
          const details = await law.rejects(refused, missing);
          assert.equal(details["capability"], BusCapability.Wildcards);
        }
      }
      if (!law.capabilities.has(BusCapability.Ordered)) {
        const refused = law.bus.subscribe({ ...spec, ordered: true }, nothing);
        const details = await law.rejects(refused, missing);
        assert.equal(details["capability"], BusCapability.Ordered);
      }
      if (!law.capabilities.has(BusCapability.Retention)) {
        const refused = law.bus.subscribe({ ...spec, retentionMs: 60_000 }, nothing);
        const details = await law.rejects(refused, missing);
        assert.equal(details["capability"], BusCapability.Retention);
      }
      if (!law.capabilities.has(BusCapability.Transactions)) {
        assert.equal(law.bus.stage, undefined);
      }
      if (!law.capabilities.has(BusCapability.Delays)) {
        const refused = law.bus.publish({
          ...law.message(),
          deliverAtMs: law.wallMs() + 1000,
        });
        const details = await law.rejects(refused, missing);
        assert.equal(details["capability"], BusCapability.Delays);
      }
      if (!law.capabilities.has(BusCapability.Priority)) {
        const refused = law.bus.publish({ ...law.message(), priority: 5 });
        const details = await law.rejects(refused, missing);
        assert.equal(details["capability"], BusCapability.Priority);
      }
    },
  },
  {
    name: "a subscription that makes no sense is refused",
    async run(law) {
      const good: SubscribeSpec = { name: law.name("x"), topic: law.topic, delivery: "group" };
      const wrong: object[] = [
        { ...good, name: "" },
        { ...good, name: "a b" },
        { ...good, topic: "a..b" },
        { ...good, delivery: "some" },
        { ...good, concurrency: 0 },
        { ...good, concurrency: 1.5 },
        { ...good, retriesMax: -1 },
        { ...good, bufferMax: 0 },
        { ...good, backoff: { initialMs: Number.NaN } },
        { ...good, leaseMs: 0 },
        { ...good, leaseMs: 86_400_001 },
        { ...good, retentionMs: 999 },
        { ...good, retentionMs: 60_000, delivery: "broadcast" },
      ];
      for (const spec of wrong) {
        // Wrong on purpose: what an untyped caller may send.
        const refused = law.bus.subscribe(spec as SubscribeSpec, nothing);
        await law.rejects(refused, "MESSAGING_SUBSCRIPTION_INVALID");
      }
    },
  },
  {
    name: "a group is bound to one topic until it is removed, which takes that it has no members",
    async run(law) {
      const name = law.name("bound");
      const { subscription } = await law.subscribe({ name });
      const elsewhere = { name, topic: law.name("elsewhere"), delivery: "group" } as const;
      const conflict = "MESSAGING_SUBSCRIPTION_CONFLICT";
      await law.rejects(law.bus.subscribe(elsewhere, nothing), conflict);
      await law.rejects(law.bus.removeGroup(name), conflict);
      await law.soon(subscription.close());
      await law.rejects(law.bus.subscribe(elsewhere, nothing), conflict);
      await law.soon(law.bus.publish(law.messages(3)));
      assert.equal(await law.soon(law.bus.removeGroup(name)), 3, "what it still held");
      assert.equal(await law.soon(law.bus.removeGroup(name)), 0, "nothing the second time");
      await law.soon(law.bus.subscribe(elsewhere, nothing));
    },
  },
  {
    name: "the status counts what went through and what is held",
    async run(law) {
      const name = law.name("counted");
      const { seen } = await law.subscribe({ name, retriesMax: 1, concurrency: 2 }, (delivery) => {
        const { body } = delivery.message;
        if (body === "fail") throw new Error("again");
        return body === "hang" ? new Promise<void>(() => undefined) : undefined;
      });
      await law.soon(law.bus.publish(law.message("ok")));
      await law.soon(law.bus.publish(law.message("fail")));
      await law.soon(law.bus.publish(law.message("ok", law.name("nobody"))));
      await law.dead(name, 1);
      for (const body of ["hang", "hang", "wait"])
        await law.soon(law.bus.publish(law.message(body)));
      await law.until("two hang", () => seen.length >= 5);
      const status = await law.soon(law.bus.status());
      const { subscriptions, outbound: _outbound, ...counters } = status;
      assert.deepEqual(counters, {
        published: 6,
        unrouted: 1,
        handled: 1,
        retried: 1,
        deadLettered: 1,
        deadLettersDropped: 0,
        expired: 0,
        enqueueFailed: 0,
        publishesWaiting: 0,
      });
      const [own] = subscriptions.filter((subscription) => subscription.name === name);
      assert(own !== undefined && own.lagMs >= 0);
      assert.deepEqual(own, {
        name,
        topic: law.topic,
        delivery: "group",
        members: 1,
        buffered: 1,
        running: 2,
        retrying: 0,
        delayed: 0,
        lagMs: own.lagMs,
        handled: 1,
        retried: 1,
        deadLettered: 1,
      });
    },
  },
];
