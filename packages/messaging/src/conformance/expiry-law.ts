/** Messages that are not handled any more after their time. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { OutgoingMessage } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck, LawRun } from "./law-check.ts";
import { checksFor, sameIds } from "./law-check.ts";

const aMinute = 60_000;

function expiring(law: LawRun, ms: number): OutgoingMessage {
  return { ...law.message(), expiresAtMs: law.wallMs() + ms };
}

/** It is counted, sooner or later. */
async function untilExpired(law: LawRun, count: number): Promise<void> {
  for (let step = 0; step < law.steps; step += 1) {
    if ((await law.soon(law.bus.status())).expired === count) return;
    await law.advance(20);
  }
  assert.equal((await law.soon(law.bus.status())).expired, count, "expired");
}

const withMembers: readonly BusCheck[] = [
  {
    name: "what is over when its turn comes is not handled, and counted",
    async run(law) {
      const name = law.name("busy");
      let go = (): void => undefined;
      const { seen } = await law.subscribe({ name, concurrency: 1 }, () => {
        if (seen.length > 1) return undefined;
        return new Promise<void>((resolve) => {
          go = resolve;
        });
      });
      const first = law.message();
      await law.soon(law.bus.publish(first));
      await law.until("the first runs", () => seen.length >= 1);
      const later = expiring(law, aMinute);
      await law.soon(law.bus.publish([expiring(law, 300), later, expiring(law, 300)]));
      await law.advance(400);
      go();
      await law.until("the later one is handled", () => seen.length >= 2);
      await untilExpired(law, 2);
      await law.quiet();
      sameIds(seen, [first, later], "those in time");
      await law.dead(name, 0);
    },
  },
  {
    name: "what is over before its retry is not tried again, and is no dead letter",
    async run(law) {
      const name = law.name("retrying");
      const backoff = { initialMs: 600, maxMs: 600, jitter: "none" } as const;
      const { seen } = await law.subscribe({ name, backoff }, () => {
        throw new Error("later");
      });
      await law.soon(law.bus.publish(expiring(law, 400)));
      await law.until("it failed once", () => seen.length >= 1);
      await untilExpired(law, 1);
      await law.quiet();
      assert.equal(seen.length, 1, "attempts");
      await law.dead(name, 0);
    },
  },
  {
    name: "what was over when it was published is accepted and goes to nobody",
    async run(law) {
      const spec = { name: law.name("live"), delivery: "broadcast" } as const;
      const live = await law.subscribe(spec);
      const group = await law.subscribe({ name: law.name("group") });
      const after = law.message();
      await law.soon(law.bus.publish([expiring(law, -1), after]));
      await law.soon(law.bus.publish(expiring(law, -aMinute)));
      await law.until("the other arrives", () => group.seen.length + live.seen.length >= 2);
      await untilExpired(law, 2);
      await law.quiet();
      sameIds(group.seen, [after], "the group");
      sameIds(live.seen, [after], "the broadcast");
      const { published, unrouted } = await law.soon(law.bus.status());
      assert.deepEqual({ published, unrouted }, { published: 3, unrouted: 0 });
    },
  },
  {
    name: "a live broadcast is not given what is over before its retry either",
    async run(law) {
      const backoff = { initialMs: 600, maxMs: 600, jitter: "none" } as const;
      const spec = { name: law.name("live"), delivery: "broadcast", backoff } as const;
      const { seen } = await law.subscribe(spec, () => {
        throw new Error("later");
      });
      await law.soon(law.bus.publish(expiring(law, 400)));
      await law.until("it failed once", () => seen.length >= 1);
      await untilExpired(law, 1);
      assert.equal(seen.length, 1, "attempts");
    },
  },
  {
    name: "a redriven letter has no expiry any more",
    async run(law) {
      const name = law.name("dead");
      const { seen } = await law.subscribe({ name }, () => {
        if (seen.length === 1) throw deadLetter("No.");
      });
      const message = expiring(law, 1000);
      await law.soon(law.bus.publish(message));
      const [letter] = await law.dead(name, 1);
      assert(letter !== undefined);
      await law.advance(1200);
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter.id])), 1);
      await law.until("it is handled", () => seen.length >= 2);
      sameIds(seen, [message, message], "given up, then handled");
      assert.equal((await law.soon(law.bus.status())).expired, 0);
    },
  },
  {
    name: "an expiry that is no time, or further than ten years away, is refused",
    async run(law) {
      await law.subscribe({ name: law.name("group") });
      const eleven = 11 * 366 * 86_400_000;
      for (const ms of [Number.NaN, Infinity, -Infinity, eleven]) {
        const refused = law.bus.publish(expiring(law, ms));
        const details = await law.rejects(refused, "MESSAGING_MESSAGE_INVALID");
        assert.equal(details["pointer"], "/expiresAtMs");
      }
    },
  },
];

const delayed: readonly BusCheck[] = checksFor(BusCapability.Delays, [
  {
    name: "an expiry must be later than the delay",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const message = { ...expiring(law, aMinute), deliverAtMs: law.wallMs() + 300 };
      await law.soon(law.bus.publish(message));
      for (const { deliverAtMs } of [message, { deliverAtMs: law.wallMs() + aMinute }]) {
        const wrong = { ...expiring(law, 0), deliverAtMs, expiresAtMs: deliverAtMs };
        const details = await law.rejects(law.bus.publish(wrong), "MESSAGING_MESSAGE_INVALID");
        assert.equal(details["pointer"], "/expiresAtMs");
      }
      await law.until("the good one is delivered", () => seen.length >= 1);
      sameIds(seen, [message], "once");
    },
  },
]);

const kept: readonly BusCheck[] = checksFor("restart", [
  {
    name: "an expiry outlives the bus, that of a delayed message too",
    async run(law) {
      const spec = { name: law.name("group") };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      const inTime = expiring(law, aMinute);
      const messages = [expiring(law, 600), inTime];
      if (law.capabilities.has(BusCapability.Delays)) {
        messages.push({ ...expiring(law, 600), deliverAtMs: law.wallMs() + 300 });
      }
      await law.soon(law.bus.publish(messages));
      await law.restart();
      await law.advance(900);
      const { seen } = await law.subscribe(spec);
      await untilExpired(law, messages.length - 1);
      await law.until("the one in time is handled", () => seen.length >= 1);
      await law.quiet();
      sameIds(seen, [inTime], "the one in time");
    },
  },
]);

const staged: readonly BusCheck[] = checksFor(BusCapability.Transactions, [
  {
    name: "what is staged keeps its expiry",
    async run(law) {
      const spec = { name: law.name("group") };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      const inTime = expiring(law, aMinute);
      await law.commit(law.stage(expiring(law, 300), inTime, expiring(law, -1)));
      await law.advance(400);
      const { seen } = await law.subscribe(spec);
      await law.until("the one in time is handled", () => seen.length >= 1);
      await untilExpired(law, 2);
      await law.quiet();
      sameIds(seen, [inTime], "the one in time");
    },
  },
]);

export const expiryLaw: readonly BusCheck[] = [...withMembers, ...delayed, ...kept, ...staged];
