/** Messages that wait for their time. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { OutgoingMessage, SubscriptionStatus } from "../bus.ts";
import type { BusCheck, LawRun } from "./law-check.ts";
import { checksFor, idsOf, sameIds } from "./law-check.ts";

function delayed(law: LawRun, ms: number): OutgoingMessage {
  return { ...law.message(), deliverAtMs: law.wallMs() + ms };
}

async function statusOf(law: LawRun, name: string): Promise<SubscriptionStatus> {
  const { subscriptions } = await law.soon(law.bus.status());
  const [own] = subscriptions.filter((each) => each.name === name);
  assert(own !== undefined, `no status of ${name}`);
  return own;
}

/** A networked bus knows it a moment later. */
async function untilDelayed(law: LawRun, name: string, count: number): Promise<void> {
  for (let step = 0; step < law.steps; step += 1) {
    if ((await statusOf(law, name)).delayed === count) return;
    await law.advance(5);
  }
  assert.equal((await statusOf(law, name)).delayed, count, "delayed");
}

export const delayLaw: readonly BusCheck[] = checksFor(BusCapability.Delays, [
  {
    name: "a delayed message is not delivered before its time, and soon after",
    async run(law) {
      const name = law.name("group");
      const { seen } = await law.subscribe({ name });
      const startMs = law.nowMs();
      const message = delayed(law, 600);
      await law.soon(law.bus.publish(message));
      await untilDelayed(law, name, 1);
      await law.until("it is delivered", () => seen.length >= 1);
      const waitedMs = (seen[0]?.atMs ?? 0) - startMs;
      assert(waitedMs >= 599, `it waited ${waitedMs} ms, not 600`);
      await law.quiet();
      sameIds(seen, [message], "once");
      await untilDelayed(law, name, 0);
    },
  },
  {
    name: "delayed messages come in the order of their times, and others pass them",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group"), concurrency: 1 });
      // On a real server the two must be further apart than what a busy machine adds.
      const unitMs = law.steps > 100 ? 900 : 300;
      const messages = [delayed(law, 2 * unitMs), delayed(law, unitMs), law.message()];
      await law.soon(law.bus.publish(messages));
      await law.until("all are delivered", () => seen.length >= 3);
      assert.deepEqual(idsOf(seen), idsOf(messages).toReversed());
    },
  },
  {
    name: "a delivered message of the past is delivered at once, like any other",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const message = delayed(law, -5000);
      await law.soon(law.bus.publish(message));
      await law.until("it is delivered", () => seen.length >= 1);
    },
  },
  {
    name: "a delayed message counts as held from its publication on",
    async run(law) {
      const name = law.name("group");
      const { seen, subscription } = await law.subscribe({ name, bufferMax: 1 });
      await law.soon(law.bus.publish(delayed(law, 60_000)));
      const refused = law.bus.publish(law.message(), { timeoutMs: 50 });
      await law.rejects(refused, "MESSAGING_BUFFER_FULL");
      assert.deepEqual(seen, []);
      await law.soon(subscription.close());
      assert.equal(await law.soon(law.bus.removeGroup(name)), 1, "and is dropped with its group");
    },
  },
  {
    name: "a live broadcast gets delayed messages too; one that is closed does not",
    async run(law) {
      const spec = { name: law.name("live"), delivery: "broadcast" } as const;
      const stays = await law.subscribe(spec);
      const leaves = await law.subscribe(spec);
      const message = delayed(law, 300);
      await law.soon(law.bus.publish(message));
      await law.soon(leaves.subscription.close());
      await law.until("it is delivered", () => stays.seen.length >= 1);
      await law.quiet();
      sameIds(stays.seen, [message], "the one that stays");
      assert.deepEqual(leaves.seen, []);
    },
  },
  {
    name: "a group without members keeps what falls due",
    async run(law) {
      const spec = { name: law.name("group") };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      const message = delayed(law, 100);
      await law.soon(law.bus.publish(message));
      await law.advance(400);
      const { seen } = await law.subscribe(spec);
      await law.until("it is delivered", () => seen.length >= 1);
      sameIds(seen, [message], "once");
    },
  },
  {
    name: "closing the bus does not wait for delayed messages, and counts them",
    async run(law) {
      const name = law.name("group");
      await law.subscribe({ name });
      const startMs = law.nowMs();
      const message = delayed(law, law.sharesBacklog ? 1500 : 3_600_000);
      await law.soon(law.bus.publish([message, law.message()]));
      const report = await law.soon(law.bus.close({ drainMs: 60_000 }), "close");
      if (!law.sharesBacklog) {
        assert.deepEqual(report, { unhandled: 1, lost: 0 });
        assert(law.nowMs() - startMs < 2000, "it waited for the delayed one");
        return;
      }
      assert(law.nowMs() - startMs < 1500, "it waited for the delayed one");
      await law.restart();
      const next = await law.subscribe({ name });
      await law.until("the next run has it", () => idsOf(next.seen).includes(message.id));
    },
  },
  {
    name: "a time that is none, or further than ten years away, is refused",
    async run(law) {
      await law.subscribe({ name: law.name("group") });
      const eleven = 11 * 366 * 86_400_000;
      for (const ms of [Number.NaN, Infinity, eleven]) {
        const refused = law.bus.publish(delayed(law, ms));
        await law.rejects(refused, "MESSAGING_MESSAGE_INVALID");
      }
    },
  },
]);
