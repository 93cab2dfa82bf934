import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { BanyanError, isBanyanError, t } from "@banyan/kernel";
import type { RevisedStore, Store, StoreSpec } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import type { EngineStore, StateEngine } from "./engine.ts";
import { openMemoryEngine } from "./memory.ts";
import { openStore } from "./open-store.ts";

const spec = { value: t.Object({ count: t.Integer() }), durability: "ephemeral" } as const;

function isError(code: string, ...parts: string[]) {
  return (error: unknown): true => {
    assert(isBanyanError(error, code), String(error));
    for (const part of parts) assert(error.message.includes(part), error.message);
    return true;
  };
}

/** The memory engine with some methods of its stores replaced. */
function engineWith(replace: (store: EngineStore) => Partial<EngineStore>): StateEngine {
  const engine = openMemoryEngine();
  const openEntries = engine.openStore.bind(engine);
  engine.openStore = async (wanted) => {
    const store = await openEntries(wanted);
    return { ...store, ...replace(store) };
  };
  return engine;
}

function open<S extends StoreSpec>(engine: StateEngine, wanted: S) {
  return openStore(engine, { scope: "greeter", name: "visits", spec: wanted });
}

test("a store is typed by its schema", async () => {
  const store: Store<{ count: number }> = await open(openMemoryEngine(), spec);
  const value: { count: number } = await store.update("Ada", (v) => ({
    count: (v?.count ?? 0) + 1,
  }));
  assert.deepEqual(value, { count: 1 });
});

test("a store that asks for revisions is typed by it, and no other is", async () => {
  const engine = openMemoryEngine();
  const revised = { ...spec, capabilities: ["revisions"] } as const;
  const store: RevisedStore<{ count: number }> = await open(engine, revised);
  await store.set("Ada", { count: 1 });
  const [entry] = (await store.scan()).entries;
  const revision: number | undefined = entry?.revision;
  assert.equal(revision, 1);
  const plain = await open(engine, { ...spec, capabilities: ["transaction"] as string[] });
  // @ts-expect-error a list of just any names says nothing about revisions
  assert.equal((await plain.getEntry("Ada"))?.revision, undefined);
});

test("a value that does not fit is refused with its place, and nothing is written", async () => {
  const store = await open(openMemoryEngine(), spec);
  // As a caller without types would.
  const wrong = { count: "one" } as unknown as { count: number };
  await assert.rejects(store.set("Ada", wrong), (error) => {
    isError("STATE_VALUE_INVALID", "greeter.visits")(error);
    const issues = isBanyanError(error) ? error.details?.["issues"] : undefined;
    assert(Array.isArray(issues) && JSON.stringify(issues).includes("/count"));
    return true;
  });
  assert.equal(await store.has("Ada"), false);
});

test("a Standard Schema's own rules hold at every write", async () => {
  const value = z.object({ from: z.number(), to: z.number() }).refine(({ from, to }) => from <= to);
  const store = await open(openMemoryEngine(), { value, durability: "ephemeral" });
  await store.set("a", { from: 1, to: 2 });
  assert.deepEqual(await store.get("a"), { from: 1, to: 2 });
  await assert.rejects(store.set("a", { from: 2, to: 1 }), isError("STATE_VALUE_INVALID"));
});

test("a durable store is refused by an ephemeral engine, naming one that would do", async () => {
  const engine = openMemoryEngine();
  const durable = { ...spec, durability: "durable" } as const;
  const code = "STATE_CAPABILITY_MISSING";
  await assert.rejects(open(engine, durable), isError(code, "greeter.visits", "durable", "memory"));
  const sqlite = {
    name: "sqlite",
    durability: "durable",
    capabilities: new Set(["expires"] as const),
  } as const;
  const options = { scope: "greeter", name: "visits", engines: [engine, sqlite] };
  await assert.rejects(
    openStore(engine, { ...options, spec: durable }),
    isError(code, "sqlite can"),
  );
});

test("a durable store takes a time to live only if its contract says so", async () => {
  const engine: StateEngine = Object.assign(openMemoryEngine(), { durability: "durable" as const });
  const durable = { ...spec, durability: "durable" } as const;
  const store = await open(engine, durable);
  const written = store.set("Ada", { count: 1 }, { ttlMs: 5 });
  await assert.rejects(written, isError("STATE_TTL_NOT_ALLOWED", "expires: true"));
  const expiring = await open(engine, { ...durable, expires: true });
  await expiring.set("Ada", { count: 1 }, { ttlMs: 5 });
});

test("an engine without expiry is refused at open, or at an ephemeral write", async () => {
  const engine: StateEngine = Object.assign(openMemoryEngine(), { capabilities: new Set<never>() });
  const code = "STATE_CAPABILITY_MISSING";
  await assert.rejects(open(engine, { ...spec, expires: true }), isError(code, '"expires"'));
  const store = await open(engine, spec);
  await assert.rejects(store.set("Ada", { count: 1 }, { ttlMs: 5 }), isError(code, '"expires"'));
});

test("a misspelt capability names the nearest; a bad name or version is refused", async () => {
  const engine = openMemoryEngine();
  const wanted = { ...spec, capabilities: ["serch"] };
  await assert.rejects(open(engine, wanted), isError("STATE_CAPABILITY_UNKNOWN", '"search"'));
  await assert.rejects(open(engine, { ...spec, version: 0 }), isError("STATE_STORE_INVALID"));
  const unnamed = openStore(engine, { scope: "", name: "visits", spec });
  await assert.rejects(unnamed, isError("STATE_STORE_INVALID", "scope"));
  // As a configuration that nobody typed would.
  const limits = { valueByteMax: 5 } as object;
  const limited = openStore(engine, { scope: "a", name: "b", spec, limits });
  await assert.rejects(limited, isError("STATE_OPTION_INVALID", '"valueBytesMax"'));
});

test("an engine's own error may name its files; the caller is not told them", async () => {
  const secret = new BanyanError({
    kind: "resource_exhausted",
    code: "DISK_FULL",
    message: "The disk of /srv/data/state.db is full.",
  });
  const broken = engineWith(() => ({ get: () => Promise.reject(secret) }));
  const store = await open(broken, spec);
  await assert.rejects(store.get("a"), (error) => {
    assert.ok(isBanyanError(error, "STATE_ENGINE_UNAVAILABLE"));
    assert.ok(!JSON.stringify(error).includes("/srv"));
    assert.equal(error.cause, secret);
    return true;
  });
});

test("what an engine throws leaves as an unavailable engine, its cause inside", async () => {
  const cause = new Error("connection reset");
  const fail = (): never => {
    throw cause;
  };
  const broken = engineWith(() => ({
    get: fail,
    getMany: fail,
    has: fail,
    set: fail,
    setMany: fail,
    delete: fail,
    deleteMany: fail,
    scan: () => Promise.reject(cause),
  }));
  const store = await open(broken, spec);
  const calls = [
    () => store.get("a"),
    () => store.getMany(["a"]),
    () => store.has("a"),
    () => store.set("a", { count: 1 }),
    () => store.setMany([["a", { count: 1 }]]),
    () => store.delete("a"),
    () => store.deleteMany(["a"]),
    () => store.scan(),
    () => store.update("a", () => ({ count: 1 })),
  ];
  for (const call of calls) {
    await assert.rejects(call(), (error) => {
      isError("STATE_ENGINE_UNAVAILABLE", "memory", "greeter.visits")(error);
      assert(error instanceof Error && error.cause === cause);
      assert(!error.message.includes("reset"));
      return true;
    });
  }
});

test("an update that never wins gives up after its tries, waiting longer each time", async () => {
  const clock = new FakeClock();
  let tries = 0;
  const engine = engineWith(() => ({
    set: () => {
      tries += 1;
      return { kind: "conflict" };
    },
  }));
  const limits = { updateTriesMax: 4 };
  const options = { scope: "greeter", name: "visits", spec, clock, limits };
  const store = await openStore(engine, options);
  const updated = store.update("Ada", () => ({ count: 1 }));
  const refused = assert.rejects(updated, isError("STATE_UPDATE_CONTENDED", "4 times"));
  await clock.advance(1000);
  await refused;
  assert.equal(tries, 4);
});

test("updates that wait for a key are bounded and can be cancelled", async () => {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const engine = engineWith((store) => ({
    get: async (key) => {
      await held;
      return store.get(key);
    },
  }));
  const limits = { updatesWaitingMax: 2 };
  const store = await openStore(engine, { scope: "greeter", name: "visits", spec, limits });
  const increment = (v: { count: number } | undefined) => ({ count: (v?.count ?? 0) + 1 });
  const first = store.update("Ada", increment);
  const second = store.update("Ada", increment);
  const controller = new AbortController();
  const cancelled = store.update("Ada", increment, { signal: controller.signal });
  await assert.rejects(store.update("Ada", increment), isError("STATE_UPDATE_CONTENDED", "wait"));
  controller.abort();
  await assert.rejects(cancelled, isError("CALL_CANCELLED"));
  release();
  assert.deepEqual(await Promise.all([first, second]), [{ count: 1 }, { count: 2 }]);
});

test("a signal that timed out says so", async () => {
  const store = await open(openMemoryEngine(), spec);
  const signal = AbortSignal.abort(new DOMException("too late", "TimeoutError"));
  await assert.rejects(store.get("Ada", { signal }), isError("CALL_DEADLINE_EXCEEDED"));
});
