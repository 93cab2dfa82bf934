/** Messages that pass others which wait. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { BusCheck } from "./law-check.ts";
import { checksFor, idsOf } from "./law-check.ts";

export const priorityLaw: readonly BusCheck[] = checksFor(BusCapability.Priority, [
  {
    name: "of what waits the higher priority comes first, and equal ones in their order",
    async run(law) {
      const spec = { name: law.name("group"), concurrency: 1 };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      const given = [0, 9, 3, undefined, 9, 5, 3, 0];
      const messages = given.map((priority) => ({ ...law.message(), priority }));
      await law.soon(law.bus.publish(messages));
      const { seen } = await law.subscribe(spec);
      await law.until("all are handled", () => seen.length >= messages.length);
      // None is 0; a sort keeps equal ones in their order.
      const sorted = messages.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0));
      assert.deepEqual(idsOf(seen), idsOf(sorted));
    },
  },
  {
    name: "a priority that is none is refused",
    async run(law) {
      await law.subscribe({ name: law.name("group") });
      for (const priority of [-1, 10, 1.5, Number.NaN]) {
        const refused = law.bus.publish({ ...law.message(), priority });
        const details = await law.rejects(refused, "MESSAGING_MESSAGE_INVALID");
        assert.equal(details["pointer"], "/priority");
      }
    },
  },
]);
