/** Writes with an `operationId` where answers are lost; the law has what every engine does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import type { StateEngine } from "./engine.ts";
import { StateCapability } from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { openMemoryEngine } from "./memory.ts";
import { openStore } from "./open-store.ts";
import { createTransactor } from "./transaction.ts";

/** What becomes of a commit: its answer is lost before or after it is done, or it is refused. */
type Fate = "before" | "after" | "down" | "fine";

const lost = () => stateErrors.STATE_OUTCOME_UNKNOWN("The answer was lost.");
const down = () => stateErrors.STATE_ENGINE_UNAVAILABLE("Nobody is there; nothing was written.");
const increment = (count: number | undefined): number => (count ?? 0) + 1;
const spec = {
  value: t.Integer(),
  durability: "ephemeral",
  capabilities: ["transaction"],
} as const;

/** The memory engine behind a line that loses answers, one fate after the other, then fine. */
function openLossy(fates: readonly Fate[]) {
  const base = openMemoryEngine();
  const left = [...fates];
  let commits = 0;
  const decide = <T>(commit: () => T): T => {
    commits += 1;
    const fate = left.shift() ?? "fine";
    if (fate === "down") throw down();
    if (fate === "before") throw lost();
    const outcome = commit();
    if (fate === "after") throw lost();
    return outcome;
  };
  const engine: StateEngine = {
    name: "lossy",
    durability: base.durability,
    capabilities: base.capabilities,
    medium: base.medium,
    openStore: (asked) => base.openStore(asked),
    transact: (transaction) => decide(() => base.transact?.(transaction) ?? { kind: "conflict" }),
    check: () => base.check(),
    close: () => base.close(),
    [Symbol.asyncDispose]: () => base.close(),
  };
  return { engine, commits: () => commits };
}

function open(engine: StateEngine, capabilities: readonly string[] = spec.capabilities) {
  return openStore(engine, { scope: "shop", name: "stock", spec: { ...spec, capabilities } });
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => "done",
    (error: unknown) => (error instanceof Error && "code" in error ? error.code : error),
  );
}

for (const fate of ["before", "after"] as const) {
  test(`an answer lost ${fate} the commit is asked for again, and nobody notices`, async () => {
    const { engine, commits } = openLossy([fate]);
    const store = await open(engine);
    assert.equal(await store.update("a", increment, { operationId: "one" }), 1);
    assert.equal(await store.get("a"), 1);
    const expected = fate === "before" ? 2 : 1; // what was done is found by its record
    assert.equal(commits(), expected);
    assert.equal(await store.update("a", increment, { operationId: "one" }), 1);
    assert.equal(await store.get("a"), 1);
  });
}

test("a set whose answer is lost answers the etag that the entry has", async () => {
  for (const fates of [["before"], ["after"], ["before", "after"]] as const) {
    const { engine } = openLossy(fates);
    const store = await open(engine);
    const etag = await store.set("a", 1, { operationId: "one", ifAbsent: true });
    assert.equal((await store.getEntry("a"))?.etag, etag);
  }
});

test("a transaction whose answer is lost is run again only where it was not done", async () => {
  for (const fate of ["before", "after"] as const) {
    const { engine } = openLossy([fate]);
    const stock = await open(engine);
    const transact = createTransactor({ engine, stores: { stock } });
    let runs = 0;
    const answer = await transact(
      ({ stores }) => {
        runs += 1;
        return stores.stock.update("a", increment);
      },
      { operationId: "one" },
    );
    assert.deepEqual([answer, runs, await stock.get("a")], [1, fate === "before" ? 2 : 1, 1]);
  }
});

test("a write without an operationId is never asked for again", async () => {
  const { engine, commits } = openLossy(["before"]);
  const stock = await open(engine);
  const transact = createTransactor({ engine, stores: { stock } });
  const work = transact(({ stores }) => stores.stock.set("a", 1));
  assert.equal(await codeOf(work), "STATE_OUTCOME_UNKNOWN");
  assert.deepEqual([commits(), await stock.has("a")], [1, false]);
});

test("where nothing was sent, nothing is asked again: that is the caller's to decide", async () => {
  const { engine, commits } = openLossy(["down"]);
  const store = await open(engine);
  const work = store.set("a", 1, { operationId: "one" });
  assert.equal(await codeOf(work), "STATE_ENGINE_UNAVAILABLE");
  assert.equal(commits(), 1);
});

test("what is lost again and again ends unknown, after six asks", async () => {
  const { engine, commits } = openLossy(Array.from({ length: 20 }, () => "before" as const));
  const random = { next: () => 0, bytes: (size: number) => new Uint8Array(size) };
  const store = await openStore(engine, { scope: "shop", name: "stock", spec, random });
  const work = store.set("a", 1, { operationId: "one" });
  assert.equal(await codeOf(work), "STATE_OUTCOME_UNKNOWN");
  assert.equal(commits(), 6);
});

test("after a lost answer nothing else may say that nothing was written", async () => {
  // The lost one may still arrive: it is not known whether the condition ever held for it.
  const { engine } = openLossy(["before", "fine"]);
  const store = await open(engine);
  const rival = await open(engine);
  const work = store.update(
    "a",
    (count) => {
      if (count !== undefined) throw new RangeError("sold out");
      void rival.set("a", 5);
      return 1;
    },
    { operationId: "one" },
  );
  assert.equal(await codeOf(work), "STATE_OUTCOME_UNKNOWN");
  // The same for a server that is gone when it is asked again, until it comes back.
  const gone = openLossy(["after", "fine"]);
  const other = await open(gone.engine);
  assert.equal(await codeOf(other.set("b", 1, { operationId: "two" })), "done");
  const dead = openLossy(["before", ...Array.from({ length: 9 }, () => "down" as const)]);
  const random = { next: () => 0, bytes: (size: number) => new Uint8Array(size) };
  const last = await openStore(dead.engine, { scope: "shop", name: "stock", spec, random });
  const ended = await codeOf(last.set("b", 1, { operationId: "two" }));
  assert.deepEqual([ended, dead.commits()], ["STATE_OUTCOME_UNKNOWN", 6]);
});

test("the caller's time ends the asking, and the outcome is told to be unknown", async () => {
  const { engine, commits } = openLossy(Array.from({ length: 9 }, () => "before" as const));
  const clock = new FakeClock();
  const store = await openStore(engine, { scope: "shop", name: "stock", spec, clock });
  const over = new AbortController();
  const work = codeOf(store.set("a", 1, { operationId: "one", signal: over.signal }));
  await new Promise(setImmediate);
  over.abort(new DOMException("too late", "TimeoutError"));
  assert.equal(await work, "STATE_OUTCOME_UNKNOWN");
  assert.equal(commits(), 1);
});

test("an engine that cannot keep records refuses the write by name, and no other", async () => {
  const needed = [StateCapability.Transaction, StateCapability.Expires];
  for (const capability of needed) {
    const base = openMemoryEngine();
    const capabilities = new Set([...base.capabilities].filter((each) => each !== capability));
    const store = await open({ ...openLossy([]).engine, capabilities }, []);
    const work = store.set("a", 1, { operationId: "one" });
    await assert.rejects(work, {
      code: "STATE_CAPABILITY_MISSING",
      message: new RegExp(`"${capability}".*choose one`),
    });
    assert.equal(await store.has("a"), false);
    await store.set("a", 1);
  }
});

test("the answer of an update is upgraded like the value it was", async () => {
  const engine = openMemoryEngine();
  const first = await open(engine);
  await first.update("a", increment, { operationId: "one" });
  const value = t.Object({ count: t.Integer() });
  const upgrade = { 1: (count: unknown) => ({ count }) };
  const second = await openStore(engine, {
    scope: "shop",
    name: "stock",
    spec: { value, durability: "ephemeral", version: 2, upgrade },
  });
  const again = () => second.update("a", () => assert.fail("it ran"), { operationId: "one" });
  const answer = await again();
  assert.deepEqual(answer, { count: 1 });
  // A copy each time: nobody's change is seen by who asks next.
  answer.count = 7;
  assert.deepEqual(await again(), { count: 1 });
});
