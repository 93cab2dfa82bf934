/** What happens when a subscription holds as much as it may. */

import assert from "node:assert/strict";
import type { BusCheck, LawRun } from "./law-check.ts";
import { idsOf, sameIds } from "./law-check.ts";

/** A subscription whose one handler waits until it is let go, and then for nobody any more. */
async function openGate(law: LawRun, bufferMax: number) {
  let isOpen = false;
  const waiting: (() => void)[] = [];
  const name = law.name("narrow");
  const { seen } = await law.subscribe({ name, bufferMax, concurrency: 1 }, async () => {
    if (!isOpen) await new Promise<void>((resolve) => waiting.push(resolve));
  });
  const open = (): void => {
    isOpen = true;
    for (const go of waiting.splice(0)) go();
  };
  return { name, seen, open };
}

export const backpressureLaw: readonly BusCheck[] = [
  {
    name: "publish waits while a subscription is full, and nothing is lost",
    async run(law) {
      const gate = await openGate(law, 4);
      const messages = law.messages(12);
      await law.soon(law.bus.publish(messages.slice(0, 4)));
      let isDone = false;
      const publishing = law.bus.publish(messages.slice(4)).then(() => {
        isDone = true;
      });
      const rest = law.later(publishing);
      await law.quiet();
      assert.equal(isDone, false, "publish resolved although the subscription was full");
      gate.open();
      await law.soon(rest);
      await law.until("all are handled", () => gate.seen.length >= 12);
      assert.deepEqual(idsOf(gate.seen), idsOf(messages));
    },
  },
  {
    name: "a publish that found no room in time is refused by name and accepted nowhere",
    async run(law) {
      const gate = await openGate(law, 2);
      const other = await law.subscribe({ name: law.name("other") });
      const kept = law.messages(2);
      await law.soon(law.bus.publish(kept));
      const refused = law.bus.publish(law.message(), { timeoutMs: 200 });
      const details = await law.rejects(refused, "MESSAGING_BUFFER_FULL");
      assert.equal(details["subscription"], gate.name);
      assert.equal(details["accepted"], 0);
      gate.open();
      await law.until("the kept ones are handled", () => gate.seen.length >= 2);
      await law.quiet();
      sameIds(gate.seen, kept, "the full subscription");
      sameIds(other.seen, kept, "the one with room");
    },
  },
  {
    name: "a batch that fits only in part says how much was accepted",
    async run(law) {
      const gate = await openGate(law, 3);
      const messages = law.messages(5);
      const refused = law.bus.publish(messages, { timeoutMs: 200 });
      const details = await law.rejects(refused, "MESSAGING_BUFFER_FULL");
      assert.equal(details["accepted"], 3);
      gate.open();
      await law.until("three are handled", () => gate.seen.length >= 3);
      await law.quiet();
      sameIds(gate.seen, messages.slice(0, 3), "the accepted ones");
    },
  },
  {
    name: "a batch that is withdrawn on the way says how much was accepted",
    async run(law) {
      const gate = await openGate(law, 3);
      const messages = law.messages(5);
      const controller = new AbortController();
      const withdrawn = law.later(law.bus.publish(messages, { signal: controller.signal }));
      await law.advance(20);
      controller.abort();
      const details = await law.rejects(withdrawn, "CALL_CANCELLED");
      assert.equal(details["accepted"], 3);
      gate.open();
      await law.until("three are handled", () => gate.seen.length >= 3);
      await law.quiet();
      sameIds(gate.seen, messages.slice(0, 3), "the accepted ones");
    },
  },
  {
    name: "an aborted publish is withdrawn, and those behind it go on",
    async run(law) {
      const gate = await openGate(law, 1);
      const [first, second, third] = law.messages(3);
      assert(first !== undefined && second !== undefined && third !== undefined);
      await law.soon(law.bus.publish(first));
      const controller = new AbortController();
      const withdrawn = law.later(law.bus.publish(second, { signal: controller.signal }));
      const behind = law.later(law.bus.publish(third));
      await law.advance(20);
      controller.abort();
      await law.rejects(withdrawn, "CALL_CANCELLED");
      gate.open();
      await law.soon(behind);
      await law.until("two are handled", () => gate.seen.length >= 2);
      await law.quiet();
      assert.deepEqual(idsOf(gate.seen), [first.id, third.id]);
      const aborted = law.bus.publish(law.message(), { signal: AbortSignal.abort() });
      await law.rejects(aborted, "CALL_CANCELLED");
    },
  },
  {
    name: "retries count as held: a failing subscription slows its publisher down",
    async run(law) {
      const backoff = { initialMs: 60_000, maxMs: 60_000, jitter: "none" } as const;
      const name = law.name("failing");
      const { seen } = await law.subscribe({ name, bufferMax: 2, backoff }, () => {
        throw new Error("later");
      });
      await law.soon(law.bus.publish(law.messages(2)));
      await law.until("both failed", () => seen.length >= 2);
      const refused = law.bus.publish(law.message(), { timeoutMs: 100 });
      await law.rejects(refused, "MESSAGING_BUFFER_FULL");
    },
  },
];
