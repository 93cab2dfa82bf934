/**
 * Acknowledged means committed: a child process writes and tells each write when it is
 * acknowledged; it is killed at random moments; what was told must be there. Run with an argument,
 * this file is that child.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import {
  findReasonToSkip,
  openMariadb,
  mariadbPrograms,
  seedOf,
  spawnNode,
  until,
} from "@banyan/testbed";
import { openMysqlState } from "./mysql-engine.ts";

const KILLS = 8;
const [, , url, round] = process.argv;

if (url === undefined) await describeCrashes();
else await writeForEver(url, round ?? "");

async function open(to: string) {
  const engine = await openMysqlState({ url: to });
  const spec = { value: t.Object({ n: t.Integer() }), durability: "durable" } as const;
  const at = { scope: "crash", name: "test", spec };
  const store: Store<{ n: number }> = await openStore(engine, at);
  return { engine, store };
}

async function writeForEver(to: string, name: string): Promise<void> {
  const { store } = await open(to);
  process.stdout.write("ready\n");
  for (let n = 1; ; n += 1) {
    await store.set(`${name}-${n}`, { n });
    await store.setMany([1, 2, 3].map((part) => [`${name}-${n}-${part}`, { n }] as const));
    await store.update("count", (current) => ({ n: (current?.n ?? 0) + 1 }));
    // A pipe is written synchronously: what is told has been acknowledged, nothing is buffered.
    process.stdout.write(`ack ${n}\n`);
  }
}

async function describeCrashes(): Promise<void> {
  const skip = await findReasonToSkip(mariadbPrograms);
  test(`no acknowledged write is lost in ${KILLS} kills of a node`, { skip }, async () => {
    const seed = seedOf();
    await using server = await openMariadb();
    const { engine, store } = await open(server.url);
    let count = 0;
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await using child = spawnNode(import.meta.filename, [server.url, `round${kill}`]);
      await child.waitForLine(/^ready$/);
      await child.killAtRandom({ seed: seed + kill, minMs: 5, maxMs: 120 });
      const told = child.lines.filter(({ text }) => text.startsWith("ack ")).length;
      count += told;
      const sessions = "SELECT count(*) FROM information_schema.processlist WHERE user = 'banyan'";
      const isAlone = async (): Promise<boolean> => Number(await server.ask(sessions)) <= 5;
      await until(isAlone, { what: "The end of a killed node's connections" });
      await assertAllThere(store, `round${kill}`, told);
      const { n } = (await store.get("count")) ?? { n: 0 };
      assert(n === count || n === count + 1, `count is ${n} after ${count} acknowledged updates`);
      count = n;
    }
    await engine.close();
    assert(count > 0, "no child wrote anything before it was killed");
  });
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
