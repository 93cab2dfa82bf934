/** What a durable bus still knows when it is opened again. */

import assert from "node:assert/strict";
import { BusCapability } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { BusCheck, LawRun } from "./law-check.ts";
import { checksFor, idsOf, sameIds } from "./law-check.ts";

async function namesOf(law: LawRun): Promise<readonly string[]> {
  const { subscriptions } = await law.soon(law.bus.status());
  return subscriptions.map(({ name }) => name);
}

const common: readonly BusCheck[] = [
  {
    name: "what groups hold survives a restart, in its order and as it was published",
    async run(law) {
      const spec = { name: law.name("group"), concurrency: 1 };
      const first = await law.subscribe(spec);
      await law.soon(first.subscription.close());
      const messages = law.messages(30);
      await law.soon(law.bus.publish(messages.slice(0, 20)));
      for (const message of messages.slice(20)) await law.soon(law.bus.publish(message));
      await law.restart();
      const later = law.message({ n: "later" });
      await law.soon(law.bus.publish(later));
      const { seen } = await law.subscribe(spec);
      const all = [...messages, later];
      await law.until("all are handled", () => seen.length >= all.length);
      await law.quiet();
      assert.deepEqual(idsOf(seen), idsOf(all));
      assert.deepEqual(
        seen.map(({ body }) => body),
        all.map(({ body }) => body),
      );
      assert.deepEqual(new Set(seen.map(({ attempt }) => attempt)), new Set([1]));
    },
  },
  {
    name: "what was acknowledged before a restart does not come again",
    async run(law) {
      const spec = { name: law.name("group") };
      const first = await law.subscribe(spec);
      await law.soon(law.bus.publish(law.messages(10)));
      await law.until("all are handled", () => first.seen.length >= 10);
      await law.quiet();
      await law.restart();
      const { seen } = await law.subscribe(spec);
      await law.quiet();
      assert.deepEqual(seen, []);
    },
  },
  {
    name: "a group without members collects from the start of the next run on",
    async run(law) {
      const spec = { name: law.name("group") };
      await law.subscribe(spec);
      await law.restart();
      assert((await namesOf(law)).includes(spec.name), "the status does not show it");
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      const { seen } = await law.subscribe(spec);
      await law.until("they are handled", () => seen.length >= 3);
      sameIds(seen, messages, "all three");
    },
  },
  {
    name: "a message that failed keeps its attempts and the rest of its wait",
    async run(law) {
      const backoff = { initialMs: 900, maxMs: 900, jitter: "none" } as const;
      const spec = { name: law.name("failing"), retriesMax: 2, backoff };
      const fail = (): never => {
        throw new Error("not yet");
      };
      const first = await law.subscribe(spec, fail);
      const message = law.message({ n: 5 });
      await law.soon(law.bus.publish(message));
      await law.until("it failed once", () => first.seen.length >= 1);
      const failedAtMs = law.wallMs();
      await law.quiet();
      await law.restart();
      const second = await law.subscribe(spec, fail);
      await law.until("it failed again", () => second.seen.length >= 1);
      const waitedMs = law.wallMs() - failedAtMs;
      // Its failure was seen up to a step late.
      assert(waitedMs >= 870, `it came again after ${waitedMs} ms, not 900`);
      await law.until("and again", () => second.seen.length >= 2);
      const [letter] = await law.dead(spec.name, 1);
      assert.deepEqual(
        second.seen.map(({ attempt }) => attempt),
        [2, 3],
      );
      assert.equal(letter?.attempts, 3);
      assert.deepEqual(letter.message.body, { n: 5 });
    },
  },
  {
    name: "what a handler did not finish before the restart comes again",
    async run(law) {
      const spec = { name: law.name("stuck"), concurrency: 2 };
      const first = await law.subscribe(spec, () => new Promise<void>(() => undefined));
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      await law.until("two are stuck", () => first.seen.length >= 2);
      await law.restart();
      const { seen } = await law.subscribe({ ...spec, concurrency: 1 });
      await law.until("all are handled", () => seen.length >= 3);
      await law.quiet();
      assert.deepEqual(idsOf(seen), idsOf(messages));
    },
  },
  {
    name: "dead letters survive a restart and can be redriven then",
    async run(law) {
      const spec = { name: law.name("group"), concurrency: 1 };
      await law.subscribe(spec, () => {
        throw deadLetter("No.", { cause: new Error("why") });
      });
      const messages = law.messages(3);
      await law.soon(law.bus.publish(messages));
      const letters = await law.dead(spec.name, 3);
      await law.restart();
      assert.deepEqual(await law.deadLettersOf(spec.name), letters);
      const [one, two] = letters;
      assert(one !== undefined && two !== undefined);
      assert.deepEqual(await law.soon(law.bus.deadLetters.get(two.id)), two);
      const { seen } = await law.subscribe(spec);
      assert.equal(await law.soon(law.bus.deadLetters.redrive([one.id])), 1);
      assert.equal(await law.soon(law.bus.deadLetters.discard([two.id])), 1);
      await law.until("the redriven one is handled", () => seen.length >= 1);
      await law.restart();
      const again = await law.subscribe(spec);
      await law.quiet();
      assert.deepEqual(again.seen, []);
      assert.deepEqual(idsOf(await law.deadLettersOf(spec.name)), [letters[2]?.id]);
    },
  },
  {
    name: "a redriven letter that is not handled yet survives a restart",
    async run(law) {
      const spec = { name: law.name("group") };
      const first = await law.subscribe(spec, () => {
        throw deadLetter("No.");
      });
      const message = law.message();
      await law.soon(law.bus.publish(message));
      const [letter] = await law.dead(spec.name, 1);
      await law.soon(first.subscription.close());
      assert.equal(await law.soon(law.bus.deadLetters.redrive([letter?.id ?? ""])), 1);
      await law.restart();
      const { seen } = await law.subscribe(spec);
      await law.until("it is handled", () => seen.length >= 1);
      assert.deepEqual([seen[0]?.id, seen[0]?.attempt], [message.id, 1]);
      await law.dead(spec.name, 0);
    },
  },
  {
    name: "a removed group is gone after a restart, with what it held",
    async run(law) {
      const spec = { name: law.name("group") };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      await law.soon(law.bus.publish(law.messages(3)));
      assert.equal(await law.soon(law.bus.removeGroup(spec.name)), 3);
      await law.restart();
      assert(!(await namesOf(law)).includes(spec.name), "the status still shows it");
      const { seen } = await law.subscribe({ ...spec, topic: law.name("elsewhere") });
      await law.quiet();
      assert.deepEqual(seen, []);
    },
  },
  {
    name: "a group stays bound to its topic over a restart",
    async run(law) {
      const name = law.name("bound");
      await law.subscribe({ name });
      await law.restart();
      const elsewhere = { name, topic: law.name("elsewhere"), delivery: "group" } as const;
      const refused = law.bus.subscribe(elsewhere, () => undefined);
      await law.rejects(refused, "MESSAGING_SUBSCRIPTION_CONFLICT");
    },
  },
  {
    name: "a broadcast gets nothing of an earlier run",
    async run(law) {
      const spec = { name: law.name("live"), delivery: "broadcast" } as const;
      await law.subscribe(spec, () => new Promise<void>(() => undefined));
      await law.soon(law.bus.publish(law.messages(2)));
      await law.restart();
      const { seen } = await law.subscribe(spec);
      const message = law.message();
      await law.soon(law.bus.publish(message));
      await law.until("the new one arrives", () => seen.length > 0);
      await law.quiet();
      sameIds(seen, [message], "only the new one");
    },
  },
  {
    name: "thousands that wait in a group are all handled, each once and in order",
    async run(law) {
      const spec = { name: law.name("many"), concurrency: 1 };
      const { subscription } = await law.subscribe(spec);
      await law.soon(subscription.close());
      const messages = law.messages(3000);
      for (let from = 0; from < messages.length; from += 500) {
        await law.soon(law.bus.publish(messages.slice(from, from + 500)));
      }
      await law.restart();
      const { seen } = await law.subscribe(spec);
      const more = law.messages(50);
      for (const message of more) await law.soon(law.bus.publish(message));
      await law.until("all are handled", () => seen.length >= 3050);
      await law.quiet();
      assert.deepEqual(idsOf(seen), [...idsOf(messages), ...idsOf(more)]);
    },
  },
];

const delayed: BusCheck = {
  name: "delayed messages survive a restart and keep their time",
  needs: "restart",
  async run(law) {
    if (!law.capabilities.has(BusCapability.Delays)) return;
    const spec = { name: law.name("group"), concurrency: 1 };
    await law.subscribe(spec);
    const at = law.wallMs() + 800;
    const message = { ...law.message(), deliverAtMs: at };
    const sooner = { ...law.message(), deliverAtMs: at - 300 };
    await law.soon(law.bus.publish([message, sooner]));
    await law.restart();
    const { seen } = await law.subscribe(spec);
    await law.until("the first is delivered", () => seen.length >= 1);
    await law.until("both are delivered", () => seen.length >= 2);
    assert(law.wallMs() >= at - 1, "before its time");
    assert.deepEqual(idsOf(seen), idsOf([sooner, message]));
  },
};

const pattern: BusCheck = {
  name: "a group of a pattern survives a restart",
  needs: "restart",
  async run(law) {
    if (!law.capabilities.has(BusCapability.Wildcards)) return;
    const spec = { name: law.name("group"), topic: `${law.topic}.#` };
    await law.subscribe(spec);
    await law.restart();
    const message = law.message({}, `${law.topic}.a.b`);
    await law.soon(law.bus.publish(message));
    const { seen } = await law.subscribe(spec);
    await law.until("it is delivered", () => seen.length >= 1);
    sameIds(seen, [message], "once");
  },
};

const ordered: BusCheck = {
  name: "the order of a key survives a restart, a failed message first",
  needs: "restart",
  async run(law) {
    if (!law.capabilities.has(BusCapability.Ordered)) return;
    const backoff = { initialMs: 500, maxMs: 500, jitter: "none" } as const;
    const spec = { name: law.name("ordered"), ordered: true, backoff };
    const first = await law.subscribe(spec, () => {
      throw new Error("not yet");
    });
    const messages = law.keyed(["a"], 4);
    await law.soon(law.bus.publish(messages));
    await law.until("the first failed", () => first.seen.length >= 1);
    await law.advance(0);
    await law.restart();
    const { seen } = await law.subscribe(spec);
    await law.until("all are handled", () => seen.length >= 4);
    assert.deepEqual(idsOf(seen), idsOf(messages));
    assert.equal(seen[0]?.attempt, 2);
  },
};

const retained: BusCheck = {
  name: "a retention counts over a restart",
  needs: "restart",
  async run(law) {
    if (!law.capabilities.has(BusCapability.Retention)) return;
    const spec = { name: law.name("gone"), retentionMs: 1000 };
    const { subscription } = await law.subscribe(spec);
    await law.soon(subscription.close());
    await law.soon(law.bus.publish(law.messages(3)));
    await law.restart();
    for (let step = 0; step < law.steps; step += 1) {
      if ((await law.soon(law.bus.status())).expired === 3) break;
      await law.advance(50);
    }
    const { seen } = await law.subscribe(spec);
    await law.quiet();
    assert.deepEqual(seen, []);
  },
};

export const restartLaw: readonly BusCheck[] = [
  ...checksFor("restart", common),
  delayed,
  pattern,
  ordered,
  retained,
];
