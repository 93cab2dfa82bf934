/** How long a group without members keeps what comes. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck, LawRun } from "./law-check.ts";
import { checksFor, sameIds } from "./law-check.ts";

/** Looks for the one that waits for a member: whoever looks how old it is may hold it just then. */
async function isWaiting(law: LawRun, name: string): Promise<boolean> {
  for (let step = 0; step < law.steps; step += 1) {
    const { subscriptions } = await law.soon(law.bus.status());
    if (subscriptions.find((each) => each.name === name)?.buffered === 1) return true;
    await law.advance(20);
  }
  return false;
}

/** The one message that was queued just now stays for most of a second, and not much longer. */
async function keptThenDropped(law: LawRun, name: string): Promise<void> {
  await law.advance(500);
  assert.equal((await law.soon(law.bus.status())).expired, 0, "dropped too soon");
  assert(await isWaiting(law, name), "it waits for no one");
  for (let step = 0; step < law.steps; step += 1) {
    if ((await law.soon(law.bus.status())).expired === 1) return;
    await law.advance(50);
  }
  assert.equal((await law.soon(law.bus.status())).expired, 1, "never dropped");
}

export const retentionLaw: readonly BusCheck[] = checksFor(BusCapability.Retention, [
  {
    name: "a group without members drops what is past its retention, and counts it",
    async run(law) {
      const spec = { name: law.name("gone"), retentionMs: 1000 };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      await law.soon(law.bus.publish(law.messages(3)));
      for (let step = 0; step < law.steps; step += 1) {
        if ((await law.soon(law.bus.status())).expired === 3) break;
        await law.advance(50);
      }
      const late = law.message();
      await law.soon(law.bus.publish(late));
      const status = await law.soon(law.bus.status());
      assert.equal(status.expired, 3);
      const { seen } = await law.subscribe(spec);
      await law.until("the later one is handled", () => seen.length > 0);
      await law.quiet();
      sameIds(seen, [late], "only the later one");
    },
  },
  {
    name: "what is not past it yet is kept",
    async run(law) {
      const spec = { name: law.name("back"), retentionMs: 60_000 };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      await law.advance(1900);
      const { seen } = await law.subscribe(spec);
      await law.until("they are handled", () => seen.length >= 3);
      sameIds(seen, messages, "all three");
    },
  },
  {
    name: "the retention of a delayed message counts from its time",
    async run(law) {
      if (!law.capabilities.has(BusCapability.Delays)) return;
      const spec = { name: law.name("late"), retentionMs: 1000 };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      await law.soon(law.bus.publish({ ...law.message(), deliverAtMs: law.wallMs() + 1500 }));
      await law.advance(1500);
      await isWaiting(law, spec.name);
      await keptThenDropped(law, spec.name);
    },
  },
  {
    name: "the retention of a redriven letter counts from its redrive",
    async run(law) {
      const spec = { name: law.name("redriven"), retentionMs: 1000 };
      const { subscription } = await law.subscribe(spec, () => {
        throw deadLetter("No.");
      });
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(spec.name, 1);
      await law.soon(subscription.close());
      await law.advance(1300);
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter?.id ?? ""])), 1);
      await keptThenDropped(law, spec.name);
    },
  },
  {
    name: "a group with a member drops nothing, however long it takes",
    async run(law) {
      const spec = { name: law.name("slow"), retentionMs: 1000, concurrency: 1 };
      let go = (): void => undefined;
      const { seen } = await law.subscribe(spec, () => {
        if (seen.length > 1) return undefined;
        return new Promise<void>((resolve) => {
          go = resolve;
        });
      });
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      await law.advance(5000);
      go();
      await law.until("all are handled", () => seen.length >= 3);
      assert.equal((await law.soon(law.bus.status())).expired, 0);
    },
  },
]);
