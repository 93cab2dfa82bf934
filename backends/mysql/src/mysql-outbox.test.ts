/** Nodes that share an outbox: each relays what it committed, in the order in which it did. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "@banyan/kernel";
import { findReasonToSkip, mariadbPrograms, openMariadb } from "@banyan/testbed";
import { createConnection } from "mysql2/promise";
import { openMysqlState } from "./mysql-engine.ts";

const skip = await findReasonToSkip(mariadbPrograms);
const leaseMs = 60_000;
const lastsMs = 4000;

test("what nodes commit side by side leaves each of them in its order", { skip }, async () => {
  await using server = await openMariadb();
  const untilMs = systemClock.monotonicMs() + lastsMs;
  const relay = async (by: string): Promise<{ relayed: number; misplaced: number }> => {
    await using engine = await openMysqlState({ url: server.url });
    const { outbox } = engine;
    assert(outbox !== undefined && engine.transact !== undefined);
    const { transact } = engine;
    let committed = 0;
    const committing = async (): Promise<void> => {
      while (systemClock.monotonicMs() < untilMs) {
        committed += 1;
        const riders = [outbox.ride([String(committed)], { by, leaseMs })];
        await transact.call(engine, { checks: [], changes: [], riders });
      }
    };
    const commits = committing();
    const loads: string[] = [];
    while (systemClock.monotonicMs() < untilMs || loads.length < committed) {
      const rows = await outbox.claim({ by, leaseMs, limit: 100 });
      loads.push(...rows.map(({ load }) => load));
      if (rows.length > 0) await outbox.remove(rows.map(({ id }) => id));
    }
    await commits;
    const misplaced = loads.filter((load, at) => Number(load) !== at + 1).length;
    return { relayed: loads.length, misplaced };
  };
  const nodes = await Promise.all(["a", "b", "c", "d"].map(relay));
  assert.deepEqual(
    nodes.map(({ misplaced }) => misplaced),
    [0, 0, 0, 0],
  );
  assert(
    nodes.every(({ relayed }) => relayed > 50),
    JSON.stringify(nodes),
  );
});

test("a node that claims and removes its own waits for no row of another", { skip }, async () => {
  await using server = await openMariadb();
  await using engine = await openMysqlState({ url: server.url });
  const { outbox } = engine;
  assert(outbox !== undefined && engine.transact !== undefined);
  const loads = Array.from({ length: 60 }, (_, n) => String(n));
  for (const [by, left] of [["b", ["other"]] as const, ["a", loads] as const]) {
    const riders = [outbox.ride(left, { by, leaseMs })];
    await engine.transact({ checks: [], changes: [], riders });
  }
  const [held] = await outbox.claim({ by: "b", leaseMs, limit: 1 });
  const other = await createConnection(server.url);
  try {
    await other.query("START TRANSACTION");
    await other.query("SELECT id FROM banyan_outbox WHERE id = ? FOR UPDATE", [held?.id]);
    // Where the ids are most of the table, a statement that only names them walks all of it.
    const claimed = await outbox.claim({ by: "a", leaseMs, limit: 100 });
    assert.deepEqual(
      claimed.map(({ load }) => load),
      loads,
    );
    await outbox.remove(claimed.map(({ id }) => id));
    await outbox.release("a");
  } finally {
    other.destroy();
  }
  assert.deepEqual(await outbox.status(), { waiting: 1, aside: 0 });
});
