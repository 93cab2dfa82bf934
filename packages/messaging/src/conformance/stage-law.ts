/** Publishes that are committed with a transaction, or not at all. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import type { BusCheck } from "./law-check.ts";
import { checksFor, idsOf, sameIds } from "./law-check.ts";

export const stageLaw: readonly BusCheck[] = checksFor(BusCapability.Transactions, [
  {
    name: "what is staged is delivered once it is committed, and not before",
    async run(law) {
      const group = await law.subscribe({ name: law.name("group"), concurrency: 1 });
      const spec = { name: law.name("live"), delivery: "broadcast" } as const;
      const live = await law.subscribe(spec);
      const messages = law.messages(3);
      const rider = law.stage(...messages);
      assert.equal(rider.medium, law.bus.medium);
      await law.quiet();
      assert.deepEqual([...group.seen, ...live.seen], [], "delivered before the commit");
      await law.commit(rider);
      await law.until("both have them", () => group.seen.length + live.seen.length >= 6);
      await law.quiet();
      assert.deepEqual(idsOf(group.seen), idsOf(messages));
      sameIds(live.seen, messages, "the broadcast");
      const { published } = await law.soon(law.bus.status());
      assert.equal(published, 3);
    },
  },
  {
    name: "what is staged and dropped is delivered to nobody",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      law.stage(law.message()).dropped();
      const after = law.message();
      await law.soon(law.bus.publish(after));
      await law.until("the other arrives", () => seen.length > 0);
      await law.quiet();
      sameIds(seen, [after], "only the other");
    },
  },
  {
    name: "room is taken by staging and given back by dropping",
    async run(law) {
      const name = law.name("narrow");
      const { seen } = await law.subscribe({ name, bufferMax: 2 });
      const rider = law.stage(...law.messages(2));
      const refused = law.bus.publish(law.message(), { timeoutMs: 50 });
      await law.rejects(refused, "MESSAGING_BUFFER_FULL");
      assert.throws(() => law.stage(law.message()), { code: "MESSAGING_BUFFER_FULL" });
      const waiting = law.later(law.bus.publish(law.message()));
      rider.dropped();
      await law.soon(waiting);
      await law.until("the one that waited is handled", () => seen.length >= 1);
      assert.throws(() => law.stage(...law.messages(3)), { code: "MESSAGING_BUFFER_FULL" });
      law.stage(...law.messages(2)).dropped(); // the one refused took nothing
    },
  },
  {
    name: "a staged message that is wrong is refused at once",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const wrong = { ...law.message(), topic: "a..b" };
      assert.throws(() => law.stage(law.message(), wrong), { code: "MESSAGING_MESSAGE_INVALID" });
      await law.quiet();
      assert.deepEqual(seen, []);
    },
  },
  {
    name: "the publisher may change its object once stage returned",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const body = { n: 1 };
      const rider = law.stage(law.message(body));
      body.n = 2;
      await law.commit(rider);
      await law.until("it arrives", () => seen.length >= 1);
      assert.deepEqual(seen[0]?.body, { n: 1 });
    },
  },
  {
    name: "what nobody subscribed to can be staged too, and several riders commit at once",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("group") });
      const [one, two] = law.messages(2);
      assert(one !== undefined && two !== undefined);
      const nobody = law.stage(law.message({}, law.name("nobody")));
      await law.commit(law.stage(one), nobody, law.stage(two));
      await law.until("both arrive", () => seen.length >= 2);
      sameIds(seen, [one, two], "each once");
      assert.equal((await law.soon(law.bus.status())).unrouted, 1);
    },
  },
]);
