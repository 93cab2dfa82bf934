/** What a lifecycle derives from a schema, what it refuses, and what must not compile. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract } from "../contract/contract.ts";
import { compileSchema } from "../schema/compile.ts";
import { defineService } from "../service/service.ts";
import { t } from "../schema/t.ts";
import { applyChange, changeHandlers, onChanges } from "./apply-change.ts";
import { defineLifecycle } from "./lifecycle.ts";
import type { ChangeOf } from "./lifecycle.ts";
import { trackChanges } from "./track-changes.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const account = t.Object({
  id: t.String(),
  name: t.String(),
  note: t.Optional(t.String()),
  age: t.Integer(),
  passwordHash: t.Secret(),
});
const life = defineLifecycle("account", account, { key: "id", hidden: ["passwordHash"] });
const accounts = defineContract("accounts", {
  ...head,
  stores: { ...life.stores },
  events: { ...life.events, counted: t.Object({ count: t.Integer() }) },
});
const desk = defineContract("desk", {
  ...head,
  stores: { ...life.replica, seen: { durability: "durable", value: t.Integer() } },
  subscriptions: { ...onChanges(accounts, life, { retriesMax: 7 }) },
});

/** Never called: what compiles here is what the test is about. */
const accountsService = defineService(accounts, ({ transaction, stores, publish, clock }) => ({
  async run() {
    const entry = await stores.account.get("1");
    const hash: string = entry?.passwordHash ?? "";
    await transaction(async (tx) => {
      const tracked = trackChanges(life, tx, clock);
      await tracked.set({ id: "1", name: hash, age: 1, passwordHash: hash });
      // @ts-expect-error its hash is missing
      await tracked.set({ id: "1", name: "Ada", age: 1 });
      // @ts-expect-error a reason is text
      await tracked.delete("1", 7);
    });
    const state = { id: "1", name: "Ada", age: 1 };
    await publish("accountCreated", { change: "created", version: 1, state });
    // @ts-expect-error that is not what this event tells
    await publish("accountCreated", { change: "updated", version: 1, state });
    // @ts-expect-error what is hidden is no part of it
    state.passwordHash = hash;
    await publish("accountUpdated", {
      change: "updated",
      version: 1,
      state,
      // @ts-expect-error no field that others see
      changedFields: ["passwordHash"],
    });
  },
}));

const deskService = defineService(desk, ({ transaction, stores, once }) => ({
  subscriptions: {
    ...changeHandlers(life, transaction),
    accountUpdated: async (event) => {
      const names: ("id" | "name" | "note" | "age")[] = event.changedFields;
      const note: string | undefined = event.state.note;
      assert.ok(names.includes("name") || note);
      // @ts-expect-error it is hidden
      assert.ok(event.state.passwordHash);
      // @ts-expect-error only a deletion has one
      assert.ok(event.reason);
      await once(event, async (tx) => {
        const outcome: "applied" | "stale" = await applyChange(life, tx, event);
        assert.ok(outcome);
        // @ts-expect-error a change has a version
        await applyChange(life, tx, { change: "created", state: event.state });
      });
    },
    accountDeleted: async (event) => {
      const reason: string | undefined = event.reason;
      const copy = await stores.account.get(event.state.id);
      // @ts-expect-error a copy has no hidden fields
      assert.ok(reason ?? copy?.passwordHash);
    },
  },
}));

const other = defineContract("other", {
  ...head,
  // Written by hand, so it is another event than the one that trackChanges tells.
  events: { ...life.events, accountUpdated: t.Object({ id: t.String() }) },
  stores: { ...life.stores },
});
const bare = defineContract("bare", {
  ...head,
  stores: { account: life.replica.account },
  subscriptions: { ...onChanges(accounts, life) },
});
const narrower = (change: ChangeOf<typeof life>): string =>
  change.change === "deleted" ? (change.reason ?? "") : change.state.name;

describe("A lifecycle", () => {
  test("types owner and replica by the schema of the entity", () => {
    assert.equal(accountsService.contract.name, "accounts");
    assert.equal(deskService.contract.spec.subscriptions?.accountDeleted.retriesMax, 7);
    const state = { id: "1", name: "Ada", age: 1 };
    assert.equal(narrower({ change: "created", version: 1, state }), "Ada");
  });

  test("that a contract does not have as it was derived is a compile error", () => {
    const wrong = (): unknown => [
      // @ts-expect-error no such field to tell entities apart by
      defineLifecycle("account", account, { key: "ids" }),
      // @ts-expect-error a number is no key
      defineLifecycle("account", account, { key: "age", hidden: ["passwordHash"] }),
      // @ts-expect-error what may be absent is no key
      defineLifecycle("account", account, { key: "note", hidden: ["passwordHash"] }),
      // @ts-expect-error no such field to hide
      defineLifecycle("account", account, { key: "id", hidden: ["password"] }),
      // @ts-expect-error the key cannot be hidden
      defineLifecycle("account", account, { key: "id", hidden: ["id", "passwordHash"] }),
      // @ts-expect-error the desk has no such events
      onChanges(desk, life),
      defineService(other, ({ transaction, clock }) => ({
        // @ts-expect-error an event written by hand is not told by it
        run: () => transaction(async (tx) => void trackChanges(life, tx, clock)),
      })),
      defineService(bare, ({ transaction }) => ({
        // @ts-expect-error it has no stores for a replica
        subscriptions: { ...changeHandlers(life, transaction) },
      })),
    ];
    assert.throws(wrong, { code: "CONTRACT_INVALID" });
  });

  test("tells the whole entity without what is hidden, in the order of its key", () => {
    const { accountCreated, accountUpdated, accountDeleted } = life.events;
    for (const event of [accountCreated, accountUpdated, accountDeleted]) {
      assert.equal(event.orderedBy, "/state/id");
      const fields = Object.keys(event.payload.properties.state.properties);
      assert.deepEqual(fields, ["id", "name", "note", "age"]);
      assert.ok(!JSON.stringify(event).includes("passwordHash"));
    }
    assert.ok(!JSON.stringify(life.replica).includes("passwordHash"));
    const state = { id: "1", name: "Ada", age: 1, passwordHash: "x" };
    const told = { change: "deleted", version: 1, state, reason: "closed" };
    const read = compileSchema(accountDeleted.payload).parse(told, "tolerant", []);
    assert.deepEqual(read, { ...told, state: { id: "1", name: "Ada", age: 1 } });
  });

  test("is refused with everything that is wrong with it", () => {
    const options = { key: "note", hidden: ["nmae"], rememberMs: 0.5 } as never;
    assert.throws(
      () => defineLifecycle("account", account, options),
      (error: Error) => {
        assert.match(error.message, /The lifecycle "account" has 4 offences/);
        assert.match(error.message, /account\.key: "note" is not a required field/);
        assert.match(error.message, /account\.hidden: The schema has no field "nmae"/);
        assert.match(error.message, /account\.passwordHash: It holds a secret/);
        assert.match(error.message, /account\.rememberMs: 0\.5 is not a time/);
        return true;
      },
    );
    const nested = t.Object({ id: t.String(), keys: t.Array(t.Object({ pin: t.Secret() })) });
    assert.throws(() => defineLifecycle("door", nested, { key: "id" }), /Add "keys" to hidden/);
  });

  test("lifts older entities in stores and in events by one upgrade", () => {
    const upgrade = { 1: (old: unknown) => ({ ...Object(old), name: "Nameless" }) };
    const second = defineLifecycle("thing", t.Object({ id: t.String(), name: t.String() }), {
      key: "id",
      version: 2,
      upgrade,
    });
    const { thing, thingVersions } = second.stores;
    assert.deepEqual(thing.upgrade[1]?.({ id: "1" }), { id: "1", name: "Nameless" });
    assert.ok(!("version" in thingVersions));
    assert.deepEqual(second.events.thingDeleted.upgrade[1]?.({ version: 3, state: { id: "1" } }), {
      version: 3,
      state: { id: "1", name: "Nameless" },
    });
    assert.deepEqual([thing.version, second.events.thingDeleted.version], [2, 2]);
  });
});
