/** What a failover to a replica loses, by how the primary replicates. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { loadClientOf, WriteLedger } from "@banyan/state/conformance";
import {
  createRecordingLog,
  findReasonToSkip,
  openPostgres,
  openTcpProxy,
  postgresPrograms,
  until,
} from "@banyan/testbed";
import type { PostgresServer } from "@banyan/testbed";
import { openPostgresState } from "./postgres-engine.ts";

const skip = await findReasonToSkip(postgresPrograms);
const standby = "standby";

test(
  "after a failover the engine writes to the replica that was promoted",
  { skip },
  async (context) => {
    const { misses, acknowledged } = await failOver({});
    const lost = misses.length;
    context.diagnostic(`${lost} entries of ${acknowledged} acknowledged writes are not as written`);
    // Replication does not wait: what was on its way when the primary died is lost, and no more.
    assert(lost <= 100, `${lost} entries are lost`);
  },
);

test(
  "an asynchronous failover loses what was acknowledged while the replica was cut off",
  { skip },
  async (context) => {
    const { misses, acknowledged } = await failOver({ isCutOff: true });
    const lost = misses.length;
    context.diagnostic(`${lost} entries of ${acknowledged} acknowledged writes are not as written`);
    assert(lost > 0);
  },
);

for (const isCutOff of [false, true]) {
  const how = isCutOff ? ", though it was cut off" : "";
  test(
    `a failover loses nothing acknowledged where the primary waits for its replica${how}`,
    { skip },
    async (context) => {
      const { misses, acknowledged } = await failOver({ isSynchronous: true, isCutOff });
      context.diagnostic(`${misses.length} lost of ${acknowledged} acknowledged writes`);
      assert.deepEqual(misses, []);
    },
  );
}

test(
  "while a synchronous replica is cut off nobody is shown what a failover would lose",
  { skip },
  async () => {
    const config = { synchronous_standby_names: standby };
    await using primary = await openPostgres({ config });
    await using replica = await openPostgres({
      replicaOf: primary,
      config: { cluster_name: standby },
    });
    const { url } = primary;
    await using engine = await openPostgresState({ url, commandTimeoutMs: 100 });
    const store = await openNumbers(engine);
    const operationId = "asked-again";
    await store.set("before", 1, { operationId: "before" });
    await cutOff(primary, replica);
    // Asking again opens the next connection, which looks for what the last one left.
    for (let time = 0; time < 2; time += 1) {
      await assert.rejects(store.set("key", 1, { operationId }));
      assert.equal(await store.get("key"), undefined);
    }
  },
);

/** Kills a primary under load and promotes its replica; what does not stand as acknowledged. */
async function failOver({ isSynchronous = false, isCutOff = false }) {
  const config = isSynchronous ? { synchronous_standby_names: standby } : {};
  await using primary = await openPostgres({ config });
  await using replica = await openPostgres({
    replicaOf: primary,
    config: { cluster_name: standby },
  });
  await using proxy = await openTcpProxy({ to: primary });
  const url = proxy.urlOf(primary.url);
  const log = createRecordingLog();
  await using engine = await openPostgresState({ url, log, commandTimeoutMs: 300 });
  const store = await openNumbers(engine);
  const client = loadClientOf(engine, store);
  const ledger = new WriteLedger();
  let running = true;
  const load = Array.from({ length: 8 }, (_, writer) =>
    ledger.load(`writer${writer}`, client, () => running),
  );
  const written = async (more: number, what: string): Promise<unknown> => {
    const goal = ledger.acknowledged + more;
    return until(() => ledger.acknowledged >= goal, { what, timeoutMs: 30_000 });
  };
  await written(300, "Three hundred writes");
  if (isCutOff) {
    await cutOff(primary, replica);
    const goal = ledger.acknowledged + 200;
    const isOver = (): boolean => ledger.acknowledged >= goal || ledger.failed >= 8;
    // A step with an operationId is asked again many times before it is said to have failed.
    await until(isOver, { what: "Two hundred writes, or failures", timeoutMs: 30_000 });
  }
  await primary.kill();
  proxy.cut();
  // Read-only until it is promoted: nothing is acknowledged by it.
  proxy.to = replica;
  await proxy.heal();
  const before = ledger.acknowledged;
  await assert.rejects(
    async () => engine.check(),
    (error) => isBanyanError(error, "STATE_ENGINE_UNAVAILABLE"),
  );
  assert.equal(ledger.acknowledged, before);
  await replica.promote();
  await written(1, "A write to the new primary");
  running = false;
  await Promise.all(load);
  await engine.check();
  return { misses: await ledger.misses(store), acknowledged: ledger.acknowledged };
}

async function openNumbers(engine: StateEngine): Promise<Store<number>> {
  const capabilities = ["transaction"];
  const spec = { value: t.Integer(), durability: "durable", capabilities } as const;
  return openStore(engine, { scope: "own", name: "numbers", spec });
}

/** Of its primary, which goes on, or waits for it. */
async function cutOff(primary: PostgresServer, replica: PostgresServer): Promise<void> {
  await replica.ask("ALTER SYSTEM SET primary_conninfo = ''", { superuser: true });
  await replica.ask("SELECT pg_reload_conf()", { superuser: true });
  const followers = "SELECT count(*) FROM pg_stat_replication";
  const isAlone = async () => (await primary.ask(followers, { superuser: true })) === "0";
  await until(isAlone, { what: "The end of the replication" });
}
