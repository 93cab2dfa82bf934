/** Type tests: each `@ts-expect-error` line is a mistake that must not compile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, extend, on } from "../contract/contract.ts";
import { t } from "../schema/t.ts";
import { defineService } from "./service.ts";
import type { Client, StoresOf } from "./inference.ts";

const clockwork = defineContract("clockwork", {
  summary: "Counts.",
  version: "1.0.0",
  layer: "L1",
  config: t.Object({ step: t.Integer({ default: 1 }), label: t.Optional(t.String()) }),
  stores: {
    counts: { durability: "durable", value: t.Object({ count: t.Integer() }) },
    springs: {
      durability: "durable",
      value: t.Object({ tension: t.Number() }),
      capabilities: ["transaction", "outbox", "revisions"],
    },
    wheels: { durability: "durable", value: t.Integer(), capabilities: ["transaction"] },
  },
  events: {
    ticked: t.Object({ name: t.String(), count: t.Integer() }),
    stopped: { payload: t.Object({ reason: t.String() }), version: 1, durability: "ephemeral" },
  },
  extensionPoints: {
    names: {
      kind: "provider",
      summary: "Names to count.",
      request: t.Object({ prefix: t.String() }),
      response: t.Object({ names: t.Array(t.String()) }),
    },
    onTick: { kind: "listener", summary: "Told of ticks.", event: "ticked" },
  },
  errors: { CLOCKWORK_STOPPED: { kind: "failed_precondition", summary: "It does not run." } },
  operations: {
    tick: {
      summary: "Count one.",
      access: "anonymous",
      request: t.Object({ name: t.String(), by: t.Optional(t.Integer()) }),
      response: t.Object({ count: t.Integer() }),
      errors: ["CLOCKWORK_STOPPED"],
    },
    watch: {
      summary: "Follow a count.",
      request: t.Object({ name: t.String() }),
      stream: t.Object({ count: t.Integer() }),
    },
    admin: { stop: { summary: "Stop.", request: t.Object({ reason: t.String() }) } },
    page: { summary: "A page.", http: { method: "GET", path: "/clock/:name", exchange: "raw" } },
  },
});

const clockworkService = defineService(
  clockwork,
  ({ stores, publish, config, extensionPoints, transaction }) => ({
    operations: {
      async tick({ name, by }, call) {
        const step: number = by ?? config.step;
        const { count } = await stores.counts.update(
          name,
          (value) => ({ count: (value?.count ?? 0) + step }),
          call,
        );
        await publish("ticked", { name, count });
        await publish("stopped", { reason: "enough" });
        const asked = { mode: "enqueue", mandatory: true, expiresAtMs: 1 } as const;
        await publish("stopped", { reason: "enough" }, { ...asked, correlationId: name });
        // @ts-expect-error no such mode
        await publish("stopped", { reason: "enough" }, { mode: "soon" });
        const found = await extensionPoints.names.collect({ prefix: "a" }, call);
        const names: string[] = found.flatMap(({ response }) => response.names);
        assert.ok(names);
        // @ts-expect-error the payload lacks its count
        await publish("ticked", { name });
        // @ts-expect-error no such event
        await publish("ticket", { name, count });
        // @ts-expect-error no such store
        await stores.count.get(name);
        // @ts-expect-error the store holds numbers
        await stores.counts.set(name, { count: "1" });
        // @ts-expect-error no such key of the configuration
        assert.ok(config.stepp);
        // @ts-expect-error a listener point is told by publishing, not asked
        assert.ok(extensionPoints.onTick);
        return { count };
      },
      async *watch({ name }) {
        yield { count: name.length };
      },
      admin: {
        async stop({ reason }, call) {
          assert.ok(reason.length);
          const left: number = await transaction(async (tx) => {
            const spring = await tx.stores.springs.get("main");
            tx.stores.springs.set("main", { tension: (spring?.tension ?? 1) / 2 });
            tx.publish("stopped", { reason }, { delayMs: 5 });
            tx.publish("stopped", { reason }, { expiresAtMs: 1, correlationId: reason });
            // @ts-expect-error it is published by the commit, which does not enqueue
            tx.publish("stopped", { reason }, { mode: "enqueue" });
            // @ts-expect-error the commit cannot see who subscribes
            tx.publish("stopped", { reason }, { mandatory: true });
            // @ts-expect-error the payload lacks its reason
            tx.publish("stopped", {});
            // @ts-expect-error it has not asked for transactions
            assert.ok(tx.stores.counts);
            // @ts-expect-error the store holds numbers
            tx.stores.wheels.set("one", "1");
            return tx.stores.wheels.update("one", (turns) => (turns ?? 0) + 1);
          }, call);
          assert.ok(left);
          const entry = await stores.springs.getEntry("main");
          const times: number[] = [entry?.revision ?? 0, entry?.createdAtMs ?? 0];
          const [first] = (await stores.springs.scan()).entries;
          times.push(first?.updatedAtMs ?? 0, ...times);
          // @ts-expect-error it has not asked for revisions
          assert.ok((await stores.wheels.getEntry("one"))?.revision);
        },
      },
      page: ({ request, params }) => new Response(`${request.url} ${params["name"]}`),
    },
  }),
);

const diary = defineContract("diary", {
  summary: "Writes down.",
  version: "1.0.0",
  uses: { clockwork },
  optional: { clock: clockwork },
  subscriptions: { ticks: on(clockwork, "ticked"), own: on(clockwork, "stopped") },
  extensions: { names: extend(clockwork, "names"), onTick: extend(clockwork, "onTick") },
});

const diaryService = defineService(diary, ({ clients, once }) => ({
  subscriptions: {
    async ticks(event, call) {
      const outcome: "done" | "duplicate" = await once(event, () => undefined, { as: "diary" });
      assert.ok(outcome);
      // @ts-expect-error without an id nothing can be told apart
      await once({}, () => undefined);
      const id: string = event.eventId + event.timestamp;
      const { count } = await clients.clockwork.tick({ name: event.name + id }, call);
      assert.ok(count);
      await clients.clockwork.admin.stop({ reason: "full" }, { timeoutMs: 5 });
      for await (const frame of clients.clockwork.watch({ name: "a" })) assert.ok(frame.count);
      // @ts-expect-error the request has no such field
      await clients.clockwork.tick({ nme: "x" });
      // @ts-expect-error no such operation
      await clients.clockwork.tock({ name: "x" });
      // @ts-expect-error raw exchanges are for HTTP only
      await clients.clockwork.page();
      // @ts-expect-error it may be absent
      await clients.clock.tick({ name: "x" });
      await clients.clock?.tick({ name: "x" });
      // @ts-expect-error a number is not a string
      assert.ok(event.count.length);
    },
    own: ({ reason }) => assert.ok(reason),
  },
  extensions: {
    names: ({ prefix }) => ({ names: [prefix] }),
    onTick: ({ count }) => assert.ok(count + 1),
  },
}));

test("a service that follows its contract compiles, with everything inferred from it", () => {
  assert.equal(clockworkService.contract.name, "clockwork");
  assert.equal(diaryService.contract.layer, "L4");
  assert.equal(clockwork.errors.CLOCKWORK_STOPPED("It stopped.").code, "CLOCKWORK_STOPPED");
  const typed = (client: Client<typeof clockwork>, stores: StoresOf<typeof clockwork>): unknown => [
    client.tick,
    stores.counts.get,
  ];
  assert.equal(typed.length, 2);
});

test("a service that does not follow its contract is a compile error", () => {
  assert.throws(() => {
    // @ts-expect-error no such event to subscribe to, also refused at run time by the plan
    const wrong = on(clockwork, "ticket");
    // @ts-expect-error no such extension point
    extend(clockwork, "name");
    // @ts-expect-error the operations are missing
    defineService(clockwork, () => ({}));
    defineService(clockwork, () => ({
      operations: {
        // @ts-expect-error the response lacks its count
        tick: async () => ({ text: "" }),
        watch: async function* () {
          yield { count: 1 };
        },
        admin: { stop: () => undefined },
        page: () => new Response(""),
      },
    }));
    assert.equal(wrong.event, "ticked");
  });
});
