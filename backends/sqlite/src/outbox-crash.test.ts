/**
 * A row of the outbox is as safe as the entry beside it: a child process commits entries with rows,
 * claims, removes, and tells of each; it is killed at random moments. Run with an argument, this
 * file is that child.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { EngineOutbox, EngineStore, StateEngine } from "@banyan/state";
import { seedOf, spawnNode, temporaryDirectory } from "@banyan/testbed";
import { openSqlite } from "./sqlite-engine.ts";

const KILLS = 20;
const by = "node";
const leaseMs = 3_600_000;
const [, , file, round] = process.argv;

if (file === undefined) describeCrashes();
else await relayForEver(file, round ?? "");

interface Opened extends AsyncDisposable {
  readonly engine: StateEngine;
  readonly outbox: EngineOutbox;
  readonly store: EngineStore;
}

async function open(path: string): Promise<Opened> {
  const engine = await openSqlite({ file: path });
  const { outbox } = engine;
  assert(outbox !== undefined);
  const store = await engine.openStore({
    scope: "crash",
    name: "test",
    durability: "durable",
    capabilities: new Set(),
  });
  return { engine, outbox, store, [Symbol.asyncDispose]: () => engine.close() };
}

async function relayForEver(path: string, name: string): Promise<void> {
  const { engine, outbox, store } = await open(path);
  // A pipe is written synchronously: what is told has happened, nothing is buffered.
  const tell = (line: string): void => void process.stdout.write(`${line}\n`);
  const commit = async (n: number): Promise<void> => {
    const write = { key: `${name}-${n}`, value: n, version: 1, expiry: "none" } as const;
    const riders = [outbox.ride([`${name}-${n} a`, `${name}-${n} b`], { by, leaseMs })];
    await engine.transact?.({ checks: [], changes: [{ kind: "set", store, write }], riders });
    tell(`ack ${n}`);
  };
  await commit(0);
  tell("ready");
  for (let n = 1; ; n += 3) {
    await Promise.all([commit(n), commit(n + 1), commit(n + 2)]);
    const rows = await outbox.claim({ by, leaseMs, limit: 5 });
    for (const { load } of rows) tell(`try ${load}`);
    await outbox.remove(rows.map(({ id }) => id));
    for (const { load } of rows) tell(`gone ${load}`);
  }
}

function describeCrashes(): void {
  test(`no row of an outbox is lost or back again in ${KILLS} kills`, async (context) => {
    const seed = seedOf();
    context.diagnostic(`seed ${seed}`);
    await using folder = await temporaryDirectory("crash");
    const path = folder.join("state.db");
    const total = { acknowledged: 0, gone: 0, left: 0 };
    let lastId = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await using child = spawnNode(import.meta.filename, [path, `round${kill}`]);
      await child.waitForLine(/^ready$/);
      await child.killAtRandom({ seed: seed + kill, minMs: 5, maxMs: 120 });
      const told = (word: string): string[] =>
        child.lines.flatMap(({ text }) =>
          text.startsWith(`${word} `) ? [text.slice(word.length + 1)] : [],
        );
      await using opened = await open(path);
      const { outbox, store } = opened;
      const ended = { tried: new Set(told("try")), gone: new Set(told("gone")) };
      // The holder and its lease are as safe as the row.
      assert.deepEqual(await outbox.claim({ by: "other", leaseMs, limit: 10 }), []);
      const rows = await outbox.claim({ by, leaseMs, limit: 1_000_000 });
      const left = rows.map(({ load }) => load);
      const numbers = told("ack").map(Number);
      await assertWhole(store, { name: `round${kill}`, numbers, left, ...ended });
      const ids = rows.map(({ id }) => Number(id));
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      );
      assert((ids[0] ?? Infinity) > lastId, "an id was used twice");
      lastId = ids.at(-1) ?? lastId;
      await outbox.remove(rows.map(({ id }) => id));
      total.acknowledged += numbers.length;
      total.gone += ended.gone.size;
      total.left += left.length;
    }
    context.diagnostic(JSON.stringify(total));
    assert(total.gone > 0 && total.left > 0, "no child was killed while rows came and went");
  });
}

interface Round {
  readonly name: string;
  /** Commits that were acknowledged. */
  readonly numbers: readonly number[];
  /** Rows that are there, in the order of a claim. */
  readonly left: readonly string[];
  readonly tried: ReadonlySet<string>;
  readonly gone: ReadonlySet<string>;
}

async function assertWhole(store: EngineStore, told: Round): Promise<void> {
  const { name, numbers, left, tried, gone } = told;
  const present = new Set(left);
  const last = Math.max(...numbers);
  // Three more may have been on disk when the process died before it could tell.
  for (let n = 0; n <= last + 3; n += 1) {
    const rows = [`${name}-${n} a`, `${name}-${n} b`];
    const isCommitted = await store.has(`${name}-${n}`);
    if (numbers.includes(n)) assert(isCommitted, `${name}-${n} was acknowledged`);
    for (const row of rows) {
      if (!isCommitted) assert(!present.has(row), `${row} is there without its entry`);
      else if (gone.has(row)) assert(!present.has(row), `${row} was removed and is back`);
      else if (!tried.has(row)) assert(present.has(row), `${row} is lost`);
    }
  }
  const order = left.map((load) => Number(/-(\d+) /.exec(load)?.[1]));
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
}
