/** A node that is far from its server knows the server's time poorly, and keeps its promises. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openStore } from "@banyan/state";
import { systemClock, t } from "@banyan/kernel";
import {
  createRecordingLog,
  findReasonToSkip,
  openPostgres,
  openTcpProxy,
  postgresPrograms,
} from "@banyan/testbed";
import { openPostgresState } from "./postgres-engine.ts";

const skip = await findReasonToSkip(postgresPrograms);
const lifeMs = 60_000;
const spec = { value: t.Integer(), durability: "durable", expires: true } as const;

test("an entry, a row and a claim of a far node last as long as promised", { skip }, async () => {
  await using server = await openPostgres();
  await using proxy = await openTcpProxy({ to: server, delayMs: 100 });
  const log = createRecordingLog();
  await using engine = await openPostgresState({ url: proxy.urlOf(server.url), log });
  const poor = log.lines.filter(({ message }) => /time is known poorly/.test(message));
  assert.equal(poor.length, 1);
  const { outbox } = engine;
  assert(outbox !== undefined && engine.transact !== undefined);
  const store = await openStore(engine, { scope: "far", name: "numbers", spec });
  const assertLasts = async (write: () => unknown, ends: string): Promise<void> => {
    const now = "SELECT extract(epoch FROM clock_timestamp()) * 1000";
    // The server's own process takes the time, so it is no later than the write is handed over.
    const beforeMs = Number(await server.ask(now));
    await systemClock.sleep(1);
    await write();
    const endMs = Number(await server.ask(ends));
    assert(endMs >= beforeMs + lifeMs, `${beforeMs + lifeMs - endMs} ms too early: ${ends}`);
  };
  const hold = { by: "far", leaseMs: lifeMs };
  const { transact } = engine;
  const ride = (): unknown =>
    transact.call(engine, { checks: [], changes: [], riders: [outbox.ride(["one"], hold)] });
  const entry = (): unknown => store.set("key", 1, { ttlMs: lifeMs });
  await assertLasts(entry, "SELECT max(expires_at) FROM banyan.entries");
  await assertLasts(ride, "SELECT max(held_until) FROM banyan.outbox");
  const claim = (): unknown => outbox.claim({ ...hold, limit: 1 });
  await assertLasts(claim, "SELECT max(held_until) FROM banyan.outbox");
});
