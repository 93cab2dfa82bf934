/** Whose a body is, and what may be one. */

import assert from "node:assert/strict";
import type { BusCheck } from "./law-check.ts";
import { sameIds } from "./law-check.ts";

/** Changes a delivered body as a careless handler would. */
function spoil(body: unknown): void {
  assert(typeof body === "object" && body !== null);
  Object.assign(body, { n: "spoilt", more: true });
}

export const bodyLaw: readonly BusCheck[] = [
  {
    name: "subscribers share no body with each other",
    async run(law) {
      const bodies: unknown[] = [];
      for (const word of ["one", "two"]) {
        await law.subscribe({ name: law.name(word) }, ({ message }) => {
          bodies.push(structuredClone(message.body));
          spoil(message.body);
        });
      }
      await law.soon(law.bus.publish(law.message({ n: 1 })));
      await law.until("both have it", () => bodies.length >= 2);
      assert.deepEqual(bodies, [{ n: 1 }, { n: 1 }]);
    },
  },
  {
    name: "attempts and the dead letter share no body",
    async run(law) {
      const name = law.name("spoiler");
      const bodies: unknown[] = [];
      await law.subscribe({ name, retriesMax: 1 }, ({ message }) => {
        bodies.push(structuredClone(message.body));
        spoil(message.body);
        throw new Error("again");
      });
      await law.soon(law.bus.publish(law.message({ n: 1 })));
      const [letter] = await law.dead(name, 1);
      assert.deepEqual(bodies, [{ n: 1 }, { n: 1 }]);
      assert.deepEqual(letter?.message.body, { n: 1 });
      spoil(letter.message.body);
      const again = await law.soon(law.bus.deadLetters.get(letter.id));
      assert.deepEqual(again?.message.body, { n: 1 }, "a reader of dead letters changed one");
    },
  },
  {
    name: "the publisher may change its object once publish returned",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("reader") });
      const body = { n: 1, inner: { list: [1, 2] } };
      const message = law.message(body);
      const publishing = law.bus.publish(message);
      body.n = 2;
      body.inner.list.push(3);
      await law.soon(publishing);
      await law.until("it arrives", () => seen.length >= 1);
      assert.deepEqual(seen[0]?.body, { n: 1, inner: { list: [1, 2] } });
    },
  },
  {
    name: "any JSON value is a body and arrives as it was",
    async run(law) {
      const odd: unknown = JSON.parse('{"__proto__":{"a":1},"constructor":2,"":[[],{}]}');
      const bodies = [null, 0, -0.5, "", "\u0000\ud83d\ude00", true, [], {}, odd, [[[1]]]];
      const { seen } = await law.subscribe({ name: law.name("any"), concurrency: 1 });
      await law.soon(law.bus.publish(bodies.map((body) => law.message(body))));
      await law.until("all arrive", () => seen.length >= bodies.length);
      assert.deepEqual(
        seen.map(({ body }) => JSON.stringify(body)),
        bodies.map((body) => JSON.stringify(body)),
      );
    },
  },
  {
    name: "what JSON would lose is refused with its place, and nothing of its batch is accepted",
    async run(law) {
      const { seen } = await law.subscribe({ name: law.name("strict") });
      const loop: Record<string, unknown> = {};
      loop["self"] = loop;
      const wrong = [undefined, Number.NaN, { a: [1n] }, { at: new Date(0) }, () => 1, loop];
      for (const body of wrong) {
        // Not through `message(body)`: its default would hide the undefined.
        const batch = [law.message(), { ...law.message(), body }];
        await law.rejects(law.bus.publish(batch), "MESSAGING_MESSAGE_INVALID");
      }
      const bigint = law.bus.publish(law.message({ a: [1n] }));
      const details = await law.rejects(bigint, "MESSAGING_MESSAGE_INVALID");
      assert.equal(details["pointer"], "/body/a/0");
      await law.quiet();
      assert.deepEqual(seen, []);
    },
  },
  {
    name: "a body of more than a mebibyte is refused by default",
    async run(law) {
      const fits = law.message({ text: "x".repeat(1024 * 1024 - 100) });
      const tooLarge = law.message({ text: "x".repeat(1024 * 1024 + 100) });
      const { seen } = await law.subscribe({ name: law.name("sized") });
      await law.rejects(law.bus.publish(tooLarge), "MESSAGING_BODY_TOO_LARGE");
      await law.soon(law.bus.publish(fits));
      await law.until("the other arrives", () => seen.length > 0);
      sameIds(seen, [fits], "only the one that fits");
    },
  },
  {
    name: "an id, a topic, a time or headers that are none are refused",
    async run(law) {
      const good = law.message();
      const wrong: object[] = [
        { ...good, id: "" },
        { ...good, id: "a b" },
        { ...good, topic: "" },
        { ...good, topic: "a..b" },
        { ...good, topic: "a.*" },
        { ...good, topic: "x".repeat(256) },
        { ...good, timestampMs: Number.NaN },
        { ...good, headers: {} },
        { ...good, headers: { source: "law", extra: 1 } },
        { ...good, headers: { source: "law", extra: "x".repeat(9000) } },
      ];
      for (const message of wrong) {
        // Wrong on purpose: what an untyped caller may send.
        const publishing = law.bus.publish(message as typeof good);
        await law.rejects(publishing, "MESSAGING_MESSAGE_INVALID");
      }
    },
  },
  {
    name: "a subscription's decode makes the body, anew for each attempt",
    async run(law) {
      let calls = 0;
      const decode = ({ body }: { body: unknown }): unknown => {
        calls += 1;
        return { decoded: body, calls };
      };
      const handler = ({ attempt }: { attempt: number }): void => {
        if (attempt === 1) throw new Error("again");
      };
      const { seen } = await law.subscribe({ name: law.name("decoder"), decode }, handler);
      await law.soon(law.bus.publish(law.message({ n: 1 })));
      await law.until("it was retried", () => seen.length >= 2);
      assert.deepEqual(
        seen.map(({ body }) => body),
        [
          { decoded: { n: 1 }, calls: 1 },
          { decoded: { n: 1 }, calls: 2 },
        ],
      );
    },
  },
  {
    name: "a body that decode refuses is a dead letter at once, and no handler sees it",
    async run(law) {
      const name = law.name("refuser");
      const decode = (): never => {
        throw new TypeError("no such field");
      };
      const { seen } = await law.subscribe({ name, decode });
      await law.soon(law.bus.publish(law.message()));
      const [letter] = await law.dead(name, 1);
      assert.equal(letter?.reason, "unreadable");
      assert.equal(letter.attempts, 1);
      assert.match(letter.error.message, /no such field/);
      assert.deepEqual(seen, []);
    },
  },
];
