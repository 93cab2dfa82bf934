/** The engine as a whole: isolation, declared capabilities, signals, versions, closing. */

import assert from "node:assert/strict";
import { t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { StateCapability } from "../engine.ts";
import type { StateCheck } from "./harness.ts";
import { allKeys, rejectsWith } from "./harness.ts";

/** Every method once, on a key that is there. */
function everyMethod(store: Store<unknown>, signal?: AbortSignal): (() => Promise<unknown>)[] {
  const options = { signal };
  return [
    () => store.get("key", options),
    () => store.getEntry("key", options),
    () => store.getMany(["key"], options),
    () => store.has("key", options),
    () => store.set("key", 2, options),
    () => store.setMany([["key", 2]], options),
    () => store.delete("key", options),
    () => store.deleteMany(["key"], options),
    () => store.scan(options),
    () => store.count(options),
    () => store.update("key", () => 2, options),
  ];
}

export const engineChecks: readonly StateCheck[] = [
  {
    name: "two stores never see each other's keys",
    async run(subject) {
      const names = [
        ["a", "b"],
        ["b", "a"],
        ["a", "c"],
        ["A", "b"],
        ["a", "b "],
        ["a.b", "c"],
        ["a", "b.c"],
        ["a:b", "c"],
        ["a", "b:c"],
        ["ab", "c"],
        ["a", "bc"],
        ["%", "_"],
      ] as const;
      const stores = [];
      for (const [scope, name] of names) {
        const store = await subject.store({ scope, name });
        stores.push(store);
        await store.set("key", `${scope}|${name}`, { ifAbsent: true });
      }
      for (const [index, [scope, name]] of names.entries()) {
        assert.equal(await stores[index]?.get("key"), `${scope}|${name}`);
      }
      assert.equal(await stores[0]?.deleteMany(["key"]), 1);
      for (const store of stores.slice(1)) assert.deepEqual(await allKeys(store), ["key"]);
    },
  },
  {
    name: "a store opened twice is one store",
    async run(subject) {
      const [one, two] = [await subject.store(), await subject.store()];
      const etag = await one.set("key", 1);
      assert.deepEqual(await two.getEntry("key"), { key: "key", value: 1, etag });
      await two.delete("key", { ifMatch: etag });
      assert.equal(await one.has("key"), false);
    },
  },
  {
    name: "a capability that the engine does not declare is refused by name",
    async run(subject) {
      const { engine } = subject;
      for (const capability of Object.values(StateCapability)) {
        if (engine.capabilities.has(capability)) continue;
        const opened = subject.store({ capabilities: [capability] });
        const error: unknown = await opened.catch((caught: unknown) => caught);
        await rejectsWith("STATE_CAPABILITY_MISSING", Promise.reject(error));
        const { message } = error instanceof Error ? error : assert.fail("it is an error");
        for (const part of ["law.store", capability, engine.name]) {
          assert(message.includes(part), `the message does not name ${part}: ${message}`);
        }
      }
      await rejectsWith("STATE_CAPABILITY_UNKNOWN", subject.store({ capabilities: ["expiry"] }));
      if (subject.expires) return;
      const store = await subject.store();
      const written = store.set("key", 1, { ttlMs: 1000 });
      const code = engine.durability === "durable" ? "STATE_TTL_NOT_ALLOWED" : undefined;
      await rejectsWith(code ?? "STATE_CAPABILITY_MISSING", written);
    },
  },
  {
    name: "an older value is upgraded wherever it is read, and stays as it is until written",
    async run(subject) {
      const old = await subject.store();
      await old.set("key", { a: 1 });
      const upgrade = {
        1: (value: unknown): unknown => Object.assign({}, value, { b: 2 }),
        // Changes what it is given: an upgrade may, and the stored value must not feel it.
        2: (value: unknown): unknown => Object.assign(Object(value), { c: 3 }),
      };
      const value = t.Object({ a: t.Integer(), b: t.Integer(), c: t.Integer() });
      const store = await subject.store({ version: 3, upgrade, value });
      const lifted = { a: 1, b: 2, c: 3 };
      assert.deepEqual(await store.get("key"), lifted);
      assert.deepEqual((await store.getMany(["key"]))[0]?.value, lifted);
      assert.deepEqual((await store.scan()).entries[0]?.value, lifted);
      assert.deepEqual(await old.get("key"), { a: 1 });
      assert.deepEqual(await store.update("key", (current) => current), lifted);
      await rejectsWith("STATE_VALUE_NEWER", old.get("key"));
      await rejectsWith("STATE_VALUE_NEWER", old.scan());
      const plain = await subject.store({ version: 3 });
      assert.deepEqual(await plain.get("key"), lifted);
    },
  },
  {
    name: "a value that cannot be upgraded, or does not fit, is named and not returned",
    async run(subject) {
      const old = await subject.store();
      await old.set("key", { a: 1 });
      const code = "STATE_VALUE_UNREADABLE";
      await rejectsWith(code, (await subject.store({ version: 2 })).get("key"));
      const upgrade = { 1: () => assert.fail("on purpose") };
      await rejectsWith(code, (await subject.store({ version: 2, upgrade })).get("key"));
      const value = t.Object({ a: t.String() });
      await rejectsWith(code, (await subject.store({ value })).get("key"));
      assert.deepEqual(await old.get("key"), { a: 1 });
    },
  },
  {
    name: "an aborted signal stops every method before anything is done",
    async run(subject) {
      const store = await subject.store();
      const etag = await store.set("key", 1);
      for (const method of everyMethod(store, AbortSignal.abort())) {
        await rejectsWith("CALL_CANCELLED", method());
      }
      assert.deepEqual(await store.getEntry("key"), { key: "key", value: 1, etag });
    },
  },
  {
    name: "an engine that works says so when it is checked",
    async run(subject) {
      await subject.engine.check();
      await subject.engine.check({ signal: new AbortController().signal });
    },
  },
  {
    name: "a closed engine answers everything with CLOSED, and closes twice without harm",
    async run(subject) {
      const store = await subject.store();
      await store.set("key", 1);
      const { engine } = subject;
      await engine.close();
      await engine.close();
      await engine[Symbol.asyncDispose]();
      for (const method of everyMethod(store)) await rejectsWith("CLOSED", method());
      await rejectsWith("CLOSED", subject.store());
      await rejectsWith(
        "CLOSED",
        Promise.try(() => engine.check()),
      );
    },
  },
];
