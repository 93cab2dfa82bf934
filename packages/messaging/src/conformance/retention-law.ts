/** How long a group without members keeps what comes. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { BusCheck } from "./law-check.ts";
import { checksFor, sameIds } from "./law-check.ts";

export const retentionLaw: readonly BusCheck[] = checksFor(BusCapability.Retention, [
  {
    name: "a group without members drops what is past its retention, and counts it",
    async run(law) {
      const spec = { name: law.name("gone"), retentionMs: 1000 };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      await law.soon(law.bus.publish(law.messages(3)));
      for (let step = 0; step < 100; step += 1) {
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
