/**
 * A holder that is stopped past its lock's time, in real time and by a real signal: another process
 * takes the lock and writes, and what the first one writes when it goes on is refused. Run with an
 * argument, this file is the first one.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, systemClock, t } from "@banyan/kernel";
import { createTransactor } from "@banyan/state/internal";
import { openLocks, openStore } from "@banyan/state";
import { findReasonToSkip, openPostgres, postgresPrograms, spawnNode } from "@banyan/testbed";
import { openPostgresState } from "./postgres-engine.ts";

const ttlMs = 600;
const [, , url] = process.argv;

if (url === undefined) await describePause();
else await holdAndWrite(url);

async function open(to: string) {
  const engine = await openPostgresState({ url: to });
  const spec = {
    value: t.Object({ by: t.String() }),
    durability: "durable",
    capabilities: ["transaction"],
  } as const;
  const store = await openStore(engine, { scope: "shop", name: "report", spec });
  const name = { scope: "shop", name: "nightly" };
  const locks = await openLocks(engine, { ...name, durability: "durable" });
  return { engine, store, locks, transact: createTransactor({ engine, stores: { store } }) };
}

async function holdAndWrite(to: string): Promise<void> {
  const { locks, transact } = await open(to);
  const outcome = await locks.acquire("north", { ttlMs });
  assert(outcome.kind === "held");
  const { lock } = outcome;
  const write = (by: string): Promise<void> =>
    transact(({ stores }) => stores.store.set("north", { by }), { under: lock });
  await write("first");
  process.stdout.write(`held ${lock.fence}\n`);
  let pausedMs = 0;
  while (pausedMs < ttlMs) {
    const beforeMs = systemClock.monotonicMs();
    await systemClock.sleep(10);
    pausedMs = systemClock.monotonicMs() - beforeMs;
  }
  process.stdout.write(`awake ${lock.isHeld}\n`);
  const refusal = await write("first, late").then(
    () => "written",
    (error: unknown) => (isBanyanError(error) ? error.code : String(error)),
  );
  process.stdout.write(`write ${refusal}\n`);
  process.stdout.write(`release ${await lock.release()}\n`);
}

async function describePause(): Promise<void> {
  const skip = await findReasonToSkip(postgresPrograms);
  test("what a holder writes that was stopped past its time is refused", { skip }, async () => {
    await using server = await openPostgres();
    const { engine, store, locks, transact } = await open(server.url);
    await using child = spawnNode(import.meta.filename, [server.url]);
    const { text } = await child.waitForLine(/^held \d+$/);
    // It renews: three times to live later it is still the first one's.
    const early = await locks.acquire("north", { ttlMs, waitMs: ttlMs * 3 });
    assert.equal(early.kind, "taken");
    process.kill(child.pid, "SIGSTOP");
    const outcome = await locks.acquire("north", { ttlMs: 10_000, waitMs: 10_000 });
    assert(outcome.kind === "held");
    const { lock } = outcome;
    assert(lock.fence > Number(text.split(" ")[1]), `${lock.fence} after ${text}`);
    const write = { by: "second" };
    await transact(({ stores }) => stores.store.set("north", write), { under: lock });
    process.kill(child.pid, "SIGCONT");
    await child.waitForLine(/^awake false$/);
    await child.waitForLine(/^write STATE_LOCK_LOST$/);
    await child.waitForLine(/^release lost$/);
    assert.deepEqual(await store.get("north"), write);
    assert.equal(await lock.renew(), true);
    assert.equal(await lock.release(), "released");
    await engine.close();
  });
}
