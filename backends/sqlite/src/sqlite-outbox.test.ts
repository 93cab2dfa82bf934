/** What the law does not see of the outbox: the disk, a clock that is set back, large backlogs. */

import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import type { OutboxRow, StateEngine } from "@banyan/state";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import { migrate, migrations } from "./migrations.ts";
import { openSqlite } from "./sqlite-engine.ts";

const leaseMs = 1000;

function partsOf(engine: StateEngine) {
  const { outbox } = engine;
  assert(outbox !== undefined && engine.transact !== undefined);
  const transact = engine.transact.bind(engine);
  const commit = async (by: string, ...loads: string[]): Promise<void> => {
    await transact({ checks: [], changes: [], riders: [outbox.ride(loads, { by, leaseMs })] });
  };
  const claim = async (by: string, limit = 100) => outbox.claim({ by, leaseMs, limit });
  return { outbox, commit, claim };
}

function loadsOf(rows: readonly OutboxRow[]): string[] {
  return rows.map(({ load }) => load);
}

test("a relay that finds nothing leaves the disk alone and starts no thread", async () => {
  await using folder = await temporaryDirectory("outbox");
  const file = folder.join("state.db");
  {
    await using engine = await openSqlite({ file });
    const { outbox, commit, claim } = partsOf(engine);
    await commit("a", "1");
    await outbox.remove((await claim("a")).map(({ id }) => id));
  }
  const before = readFileSync(file);
  let threads = 0;
  const onThread = (): void => {
    threads += 1;
  };
  subscribe("worker_threads", onThread);
  {
    await using engine = await openSqlite({ file });
    const { outbox, claim } = partsOf(engine);
    assert.deepEqual(await claim("a"), []);
    assert.deepEqual(await outbox.status(), { waiting: 0, aside: 0 });
    await outbox.remove([]);
    await outbox.release("a");
  }
  unsubscribe("worker_threads", onThread);
  assert.equal(threads, 0);
  assert.deepEqual(readFileSync(file), before);
});

test("new rows are found behind many that lie aside or are another's", async () => {
  await using folder = await temporaryDirectory("outbox");
  await using engine = await openSqlite({ file: folder.join("state.db"), clock: new FakeClock() });
  const { outbox, commit, claim } = partsOf(engine);
  const many = Array.from({ length: 1200 }, (_, n) => String(n));
  await commit("dead", ...many);
  const held = await claim("dead", many.length);
  assert.deepEqual(loadsOf(held), many);
  await Promise.all(held.slice(0, 600).map(async ({ id }) => outbox.setAside(id, "refused")));
  assert.deepEqual(await outbox.status(), { waiting: 600, aside: 600 });
  assert.deepEqual(await claim("a"), []);
  await commit("a", "mine");
  assert.deepEqual(loadsOf(await claim("a")), ["mine"]);
  await outbox.release("dead");
  assert.deepEqual(loadsOf(await claim("a", 2)), ["600", "601"]);
});

test("a lease ends, though the wall clock was set back by a day", async () => {
  await using folder = await temporaryDirectory("outbox");
  const clock = new FakeClock();
  await using engine = await openSqlite({ file: folder.join("state.db"), clock });
  const { commit, claim } = partsOf(engine);
  await commit("a", "1");
  clock.jumpWallClock(-86_400_000);
  await commit("a", "2");
  assert.deepEqual(loadsOf(await claim("b")), ["1"]);
  assert.deepEqual(loadsOf(await claim("a")), ["2"]);
});

test("transactions of one turn leave their rows in a few commits, and none by half", async () => {
  await using folder = await temporaryDirectory("outbox");
  const file = folder.join("state.db");
  await using engine = await openSqlite({ file });
  const { commit, claim } = partsOf(engine);
  await commit("a", "first");
  const version = (): unknown => other.prepare("PRAGMA data_version").get()?.["data_version"];
  using other = new DatabaseSync(file, { readOnly: true });
  const count = other.prepare("SELECT count(*) AS n FROM outbox");
  const seen = new Set([version()]);
  let running = true;
  const watching = (async () => {
    for (; running; await new Promise(setImmediate)) {
      seen.add(version());
      assert.equal(Number(count.get()?.["n"]) % 3, 1);
    }
  })();
  const all = Array.from({ length: 200 }, (_, n) => [`${n} a`, `${n} b`, `${n} c`] as const);
  await Promise.all(all.map((loads) => commit("a", ...loads)));
  running = false;
  await watching;
  assert(seen.size <= 8, `${seen.size} commits were seen`);
  assert.deepEqual(loadsOf(await claim("a", 1000)), ["first", ...all.flat()]);
});

test("a file from before there was an outbox has one from its next start on", async () => {
  await using folder = await temporaryDirectory("outbox");
  const file = folder.join("state.db");
  {
    using old = new DatabaseSync(file);
    migrate(old, file, migrations.slice(0, 4));
    old.exec("INSERT INTO stores (scope, name) VALUES ('a', 'b')");
  }
  await using engine = await openSqlite({ file });
  const { commit, claim } = partsOf(engine);
  await commit("a", "1");
  assert.deepEqual(loadsOf(await claim("a")), ["1"]);
});
