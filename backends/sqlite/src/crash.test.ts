/**
 * Acknowledged means on disk: a child process writes and tells each write when it is acknowledged;
 * it is killed at random moments; what was told must be there. Run with an argument, this file is
 * that child.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import { seedOf, spawnNode, temporaryDirectory } from "@banyan/testbed";
import { openSqlite } from "./sqlite-engine.ts";

const KILLS = 20;
const [, , file, round] = process.argv;

if (file === undefined) describeCrashes();
else await writeForEver(file, round ?? "");

async function open(path: string) {
  const engine = await openSqlite({ file: path });
  const spec = { value: t.Object({ n: t.Integer() }), durability: "durable" } as const;
  const store: Store<{ n: number }> = await openStore(engine, {
    scope: "crash",
    name: "test",
    spec,
  });
  return { engine, store };
}

async function writeForEver(path: string, name: string): Promise<void> {
  const { store } = await open(path);
  // The first write waits for the writer thread to start: that is not where kills are wanted.
  await store.set(`${name}-0`, { n: 0 });
  process.stdout.write("ready\n");
  for (let n = 1; ; n += 1) {
    await store.set(`${name}-${n}`, { n });
    const batch = [1, 2, 3].map((part) => [`${name}-${n}-${part}`, { n }] as const);
    await store.setMany(batch);
    await store.update("count", (current) => ({ n: (current?.n ?? 0) + 1 }));
    // A pipe is written synchronously: what is told has been acknowledged, nothing is buffered.
    process.stdout.write(`ack ${n}\n`);
  }
}

function describeCrashes(): void {
  test(`no acknowledged write is lost in ${KILLS} kills`, async (context) => {
    const seed = seedOf();
    context.diagnostic(`seed ${seed}`);
    await using folder = await temporaryDirectory("crash");
    const path = folder.join("state.db");
    let count = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await using child = spawnNode(import.meta.filename, [path, `round${kill}`]);
      await child.waitForLine(/^ready$/);
      await child.killAtRandom({ seed: seed + kill, minMs: 5, maxMs: 120 });
      const acknowledged = child.lines.filter(({ text }) => text.startsWith("ack ")).length;
      count += acknowledged;
      await using opened = await openForCheck(path);
      await assertAllThere(opened.store, `round${kill}`, acknowledged);
      const { n } = (await opened.store.get("count")) ?? { n: 0 };
      assert(n >= count, `count is ${n}, but ${count} updates were acknowledged`);
      // One update may have been on disk when the process died before it could tell.
      assert(n <= count + 1, `count is ${n} after ${count} acknowledged updates`);
      count = n;
    }
    context.diagnostic(`${count} rounds of writes acknowledged`);
    assert(count > 0, "no child wrote anything before it was killed");
  });
}

async function openForCheck(path: string) {
  const { engine, store } = await open(path);
  return { store, [Symbol.asyncDispose]: () => engine.close() };
}

async function assertAllThere(
  store: Store<{ n: number }>,
  name: string,
  acknowledged: number,
): Promise<void> {
  for (let n = 1; n <= acknowledged; n += 1) {
    const keys = [`${name}-${n}`, ...[1, 2, 3].map((part) => `${name}-${n}-${part}`)];
    const found = await store.getMany(keys);
    assert.deepEqual(
      found.map(({ key, value }) => [key, value.n]),
      keys.map((key) => [key, n]),
    );
  }
  // A batch that was not acknowledged is there whole or not at all.
  const next = acknowledged + 1;
  const half = await store.getMany([1, 2, 3].map((part) => `${name}-${next}-${part}`));
  assert(half.length === 0 || half.length === 3, `${half.length} of 3 entries of a batch`);
}
