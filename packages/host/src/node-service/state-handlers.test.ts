/** The operator's look into the stores, through the node's own service. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, t } from "@banyan/kernel";
import type { Client } from "@banyan/kernel";
import { createRecordingLog } from "@banyan/testbed";
import { nodeContract } from "../node-contract.ts";
import { openNode } from "../node.ts";
import { flagsOf } from "../sample-node.test.ts";

const notes = defineContract("notes", {
  summary: "Keeps notes.",
  version: "1.0.0",
  stores: {
    pages: {
      summary: "The pages.",
      durability: "durable",
      value: t.Object({ text: t.String({ maxLength: 10 }) }),
      capabilities: ["revisions"],
      version: 2,
      upgrade: { 1: (old) => old },
    },
    cache: { durability: "ephemeral", value: t.Integer(), expires: true },
  },
});

async function openNotes(): Promise<
  AsyncDisposable & {
    readonly state: Client<typeof nodeContract>["state"];
    readonly log: ReturnType<typeof createRecordingLog>;
  }
> {
  const log = createRecordingLog();
  const node = await openNode({
    services: [defineService(notes, () => ({}))],
    inMemory: true,
    config: { flags: flagsOf({ "/http/enabled": false }) },
    log,
  });
  const { state } = node.client(nodeContract);
  return { state, log, [Symbol.asyncDispose]: () => node.close() };
}

describe("The operator's state", () => {
  test("lists every store with its engine, the node's own ones last", async () => {
    await using world = await openNotes();
    const { stores } = await world.state.stores({});
    assert.deepEqual(
      stores.map(({ store, durability, engine, capabilities, version, writable }) => [
        store,
        durability,
        engine,
        capabilities.join(" "),
        version,
        writable,
      ]),
      [
        ["notes.pages", "durable", "memory", "revisions", 2, true],
        ["notes.cache", "ephemeral", "memory", "expires", 1, true],
        ["node.idempotency", "ephemeral", "memory", "expires", 1, false],
        ["node.inbox", "durable", "memory", "expires transaction", 1, false],
      ],
    );
    assert.deepEqual(stores[0]?.value, {
      type: "object",
      required: ["text"],
      properties: { text: { type: "string", maxLength: 10 } },
    });
  });

  test("writes what the store's schema allows, and reads it with its revision", async () => {
    await using world = await openNotes();
    const { state, log } = world;
    const first = await state.set({ store: "notes.pages", key: "a", value: { text: "one" } });
    const entry = await state.get({ store: "notes.pages", key: "a" });
    assert.deepEqual([entry.value, entry.etag, entry.revision], [{ text: "one" }, first.etag, 1]);
    assert.equal(entry.createdAt, entry.updatedAt);
    assert.ok(log.lines.some(({ message }) => message === "entry written by an operator"));
    await assert.rejects(
      state.set({ store: "notes.pages", key: "a", value: { text: "much too long" } }),
      { code: "STATE_VALUE_INVALID" },
    );
    // Held to what it declared, although this node keeps it in memory.
    const value = { text: "brief" };
    await assert.rejects(state.set({ store: "notes.pages", key: "a", value, ttlMs: 5 }), {
      code: "STATE_TTL_NOT_ALLOWED",
    });
  });

  test("writes and deletes under a condition", async () => {
    await using world = await openNotes();
    const { state } = world;
    const store = "notes.cache";
    const { etag } = await state.set({ store, key: "a", value: 1, ifAbsent: true, ttlMs: 9000 });
    await assert.rejects(state.set({ store, key: "a", value: 2, ifAbsent: true }), {
      code: "STATE_VERSION_CONFLICT",
    });
    const next = await state.set({ store, key: "a", value: 2, ifMatch: etag });
    await assert.rejects(state.delete({ store, keys: ["a"], ifMatch: etag }), {
      code: "STATE_VERSION_CONFLICT",
    });
    const both = state.delete({ store, keys: ["a", "b"], ifMatch: next.etag });
    await assert.rejects(both, { code: "REQUEST_INVALID", message: /one key, and 2/ });
    assert.equal((await state.delete({ store, keys: ["a"], ifMatch: next.etag })).deleted, 1);
    for (const key of ["a", "b", "c"]) await state.set({ store, key, value: 1 });
    assert.equal((await state.delete({ store, keys: ["a", "b", "x"] })).deleted, 2);
  });

  test("lists in pages", async () => {
    await using world = await openNotes();
    const { state } = world;
    const store = "notes.cache";
    for (const key of ["a1", "a2", "a3", "b1"]) await state.set({ store, key, value: 1 });
    const first = await state.list({ store, prefix: "a", limit: 2 });
    assert.deepEqual(
      first.entries.map(({ key }) => key),
      ["a1", "a2"],
    );
    const second = await state.list({ store, prefix: "a", limit: 2, after: first.next ?? "" });
    assert.deepEqual(
      second.entries.map(({ key }) => key),
      ["a3"],
    );
    assert.equal(second.next, undefined);
  });

  test("names what is not there, with the nearest name", async () => {
    await using world = await openNotes();
    const { state } = world;
    await assert.rejects(state.get({ store: "notes.page", key: "a" }), {
      code: "NODE_STORE_UNKNOWN",
      message: /did you mean "notes\.pages"/,
    });
    for (const store of ["notes", "notes.quite-another"]) {
      await assert.rejects(state.get({ store, key: "a" }), {
        message: /the service "notes" has: notes\.pages, notes\.cache\.$/,
      });
    }
    await assert.rejects(state.get({ store: "notes.pages", key: "a" }), {
      code: "NODE_ENTRY_UNKNOWN",
      kind: "not_found",
    });
  });

  test("does not write what the node keeps for itself", async () => {
    await using world = await openNotes();
    const { state } = world;
    assert.deepEqual((await state.list({ store: "node.inbox" })).entries, []);
    const store = "node.idempotency";
    for (const refused of [
      state.set({ store, key: "a", value: {} }),
      state.delete({ store, keys: ["a"] }),
    ]) {
      await assert.rejects(refused, { code: "NODE_STORE_READ_ONLY" });
    }
  });
});
