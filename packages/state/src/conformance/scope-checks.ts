/** Scopes that a service makes while it runs: whose they are, and that they keep to themselves. */

import assert from "node:assert/strict";
import { t } from "@banyan/kernel";
import type { ScopedStore, Scopes, StoreSpec } from "@banyan/kernel";
import { StateCapability } from "../engine.ts";
import type { StateEngine } from "../engine.ts";
import { openServiceScopes } from "../scopes.ts";
import type { StateCheck, Subject } from "./harness.ts";
import { rejectsWith } from "./harness.ts";

interface ScopedWorld {
  readonly scopes: Scopes;
  readonly notes: ScopedStore<unknown>;
  readonly marks: ScopedStore<unknown>;
}

async function openScoped(
  subject: Subject,
  {
    service = "law",
    engine = subject.engine,
    value = t.Unknown(),
  }: { service?: string; engine?: StateEngine; value?: StoreSpec["value"] } = {},
): Promise<ScopedWorld> {
  const spec = { value, durability: engine.durability };
  const { scopes, stores } = await openServiceScopes({
    service,
    engine,
    stores: [
      { name: "notes", spec, engine },
      { name: "marks", spec, engine },
    ],
  });
  const { notes, marks } = stores;
  assert.ok(notes !== undefined && marks !== undefined);
  return { scopes, notes, marks };
}

const needs = StateCapability.Revisions;
/** The same engine, but no batch is deleted: what a server that goes away in the middle does. */
function refusingDeletes(engine: StateEngine): StateEngine {
  return {
    name: engine.name,
    durability: engine.durability,
    capabilities: engine.capabilities,
    openStore: async (spec) => {
      const store = await engine.openStore(spec);
      return {
        get: (key, options) => store.get(key, options),
        getMany: (keys, options) => store.getMany(keys, options),
        has: (key, options) => store.has(key, options),
        set: (write, condition) => store.set(write, condition),
        setMany: (writes, options) => store.setMany(writes, options),
        delete: (key, condition) => store.delete(key, condition),
        deleteMany: () => Promise.reject(new Error("gone away")),
        scan: (scan, options) => store.scan(scan, options),
        count: (options) => store.count(options),
      };
    },
    check: () => engine.check(),
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const ada = { owner: "user:ada" };
const bob = { owner: "user:bob" };

export const scopeChecks: readonly StateCheck[] = [
  {
    name: "each scope has a store of its own, and a service never meets another's",
    needs,
    async run(subject) {
      const { scopes, notes } = await openScoped(subject);
      await scopes.create("one", ada);
      await scopes.create("two", bob);
      const one = await notes.in("one");
      const two = await notes.in("two", bob);
      await one.set("key", 1);
      assert.equal(await two.get("key"), undefined);
      assert.equal(await (await notes.in("one")).get("key"), 1);
      const other = await openScoped(subject, { service: "law2" });
      await rejectsWith("STATE_SCOPE_UNKNOWN", other.notes.in("one"));
      await other.scopes.create("one", ada);
      assert.equal(await (await other.notes.in("one")).has("key"), false);
    },
  },
  {
    name: "a scope belongs to who made it, and making it again finds it",
    needs,
    async run(subject) {
      const { scopes, notes } = await openScoped(subject);
      const made = await scopes.create("one", { ...ada, summary: "Ada's." });
      assert.deepEqual([made.name, made.owner, made.summary], ["one", "user:ada", "Ada's."]);
      assert.deepEqual(await scopes.create("one", ada), made);
      assert.deepEqual(await scopes.get("one"), made);
      await rejectsWith("STATE_SCOPE_TAKEN", scopes.create("one", bob));
      await rejectsWith("STATE_SCOPE_FOREIGN", notes.in("one", bob));
      await rejectsWith("STATE_SCOPE_FOREIGN", scopes.delete("one", bob));
      assert.equal((await scopes.get("one"))?.isGoing, false);
      const many = Array.from({ length: 8 }, (_, n) => scopes.create("raced", n % 2 ? ada : bob));
      const owners = (await Promise.allSettled(many)).flatMap((each) =>
        each.status === "fulfilled" ? [each.value.owner] : [],
      );
      assert.equal(owners.length, 4, "one owner won, and only that one");
      assert.equal(new Set(owners).size, 1);
    },
  },
  {
    name: "scopes are listed by name in pages, also of one owner",
    needs,
    async run(subject) {
      const { scopes } = await openScoped(subject);
      const names = Array.from({ length: 7 }, (_, index) => `s${index}`);
      for (const [index, name] of names.entries()) {
        await scopes.create(name, index % 2 === 0 ? ada : bob);
      }
      const seen: string[] = [];
      let after: string | undefined;
      do {
        const page = await scopes.list({ after, limit: 3 });
        seen.push(...page.scopes.map(({ name }) => name));
        after = page.next;
      } while (after !== undefined);
      assert.deepEqual(seen, names);
      const first = await scopes.list({ ...ada, limit: 2 });
      assert.deepEqual([first.scopes.map(({ name }) => name), first.next], [["s0", "s2"], "s2"]);
      const rest = await scopes.list({ ...ada, limit: 2, after: first.next });
      assert.deepEqual([rest.scopes.map(({ name }) => name), rest.next], [["s4", "s6"], undefined]);
    },
  },
  {
    name: "a store kept from a deleted scope neither sees nor touches the one that is made after it",
    needs,
    async run(subject) {
      const { scopes, notes } = await openScoped(subject);
      const other = await openScoped(subject);
      await scopes.create("again", ada);
      const kept = await notes.in("again");
      const keptElsewhere = await other.notes.in("again");
      await kept.set("before", 1);
      await scopes.delete("again");
      await kept.set("late", 1);
      await keptElsewhere.set("later", 1);
      await scopes.create("again", bob);
      const fresh = await notes.in("again", bob);
      assert.equal(await fresh.count(), 0);
      await fresh.set("bob's", 1);
      await keptElsewhere.set("latest", 1);
      assert.deepEqual([await kept.has("bob's"), await keptElsewhere.has("bob's")], [false, false]);
      assert.deepEqual(
        (await (await other.notes.in("again")).scan()).entries.map(({ key }) => key),
        ["bob's"],
      );
    },
  },
  {
    name: "a scope is deleted though what is in it fits the schema no more",
    needs,
    async run(subject) {
      const before = await openScoped(subject);
      await before.scopes.create("old", ada);
      await (await before.notes.in("old")).set("key", "a text");
      const { scopes, notes } = await openScoped(subject, { value: t.Integer() });
      await rejectsWith("STATE_VALUE_UNREADABLE", (await notes.in("old")).get("key"));
      assert.equal(await scopes.delete("old", ada), true);
      assert.equal(await scopes.get("old"), undefined);
    },
  },
  {
    name: "a scope that many delete at once is deleted by one of them",
    needs,
    async run(subject) {
      const worlds = await Promise.all([openScoped(subject), openScoped(subject)]);
      const { scopes, notes } = worlds[0];
      await scopes.create("crowded", ada);
      const store = await notes.in("crowded");
      await store.setMany(Array.from({ length: 50 }, (_, index) => [`k${index}`, index]));
      const asked = Array.from({ length: 6 }, (_, n) =>
        (worlds[n % 2] ?? worlds[0]).scopes.delete("crowded"),
      );
      const ends = await Promise.all(asked);
      assert.equal(ends.filter(Boolean).length, 1);
      assert.equal(await scopes.get("crowded"), undefined);
    },
  },
  {
    name: "a deleted scope is gone with all that was in it, and nothing else is",
    needs,
    async run(subject) {
      const { scopes, notes, marks } = await openScoped(subject);
      await scopes.create("gone", ada);
      await scopes.create("stays", ada);
      const filled = await notes.in("gone");
      await filled.setMany(Array.from({ length: 700 }, (_, index) => [`k${index}`, index]));
      await (await marks.in("gone")).set("m", 1);
      await (await notes.in("stays")).set("k0", 1);
      assert.deepEqual((await scopes.usage("gone")).stores, { notes: 700, marks: 1 });
      assert.equal((await scopes.usage("gone")).entries, 701);
      const once = subject.has(StateCapability.Transaction) ? { operationId: "one" } : {};
      await filled.set("asked", 1, once);
      assert.equal(await scopes.delete("gone", ada), true);
      assert.equal(await scopes.delete("gone"), false);
      assert.equal(await scopes.get("gone"), undefined);
      await rejectsWith("STATE_SCOPE_UNKNOWN", notes.in("gone"));
      await rejectsWith("STATE_SCOPE_UNKNOWN", scopes.usage("gone"));
      assert.equal((await scopes.usage("stays")).entries, 1);
      await scopes.create("gone", bob);
      assert.equal((await scopes.usage("gone")).entries, 0);
      // It is another scope: what was done once in the one before is not done in this one.
      const anew = await notes.in("gone");
      await anew.set("asked", 1, once);
      assert.equal(await anew.get("asked"), 1);
    },
  },
  {
    name: "a deletion that was cut off keeps everybody out, and is finished by the next",
    needs,
    async run(subject) {
      const { scopes, notes } = await openScoped(subject);
      await scopes.create("one", ada);
      const store = await notes.in("one");
      await store.setMany(Array.from({ length: 1000 }, (_, index) => [`k${index}`, index]));
      const cut = await openScoped(subject, { engine: refusingDeletes(subject.engine) });
      await rejectsWith("STATE_ENGINE_UNAVAILABLE", cut.scopes.delete("one"));
      assert.equal((await scopes.get("one"))?.isGoing, true);
      await rejectsWith("STATE_SCOPE_GOING", notes.in("one"));
      await rejectsWith("STATE_SCOPE_GOING", scopes.create("one", ada));
      assert.equal(await scopes.delete("one"), true);
      assert.equal(await store.count(), 0);
    },
  },
  {
    name: "names and owners of scopes are texts within bounds",
    needs,
    async run(subject) {
      const { scopes } = await openScoped(subject);
      for (const name of ["", "a\0b", "\ud800", "x".repeat(115)]) {
        await rejectsWith("STATE_SCOPE_INVALID", scopes.create(name, ada));
        await rejectsWith("STATE_SCOPE_INVALID", scopes.get(name));
      }
      for (const owner of ["", "x".repeat(257)]) {
        await rejectsWith("STATE_SCOPE_INVALID", scopes.create("one", { owner }));
      }
      assert.equal((await scopes.create("x".repeat(114), ada)).name.length, 114);
    },
  },
];
