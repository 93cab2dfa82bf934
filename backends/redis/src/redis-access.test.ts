/** Who is let in: passwords, users, databases, certificates; and two nodes that must not meet. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, silentLog, systemClock, t } from "@banyan/kernel";
import { openMemoryEngine, openStore } from "@banyan/state";
import type { StateEngine, StateEngineProvider } from "@banyan/state";
import { tapChanges } from "@banyan/state/internal";
import {
  createTestCertificates,
  findReasonToSkip,
  openRedisServer,
  opensslPrograms,
  redisPrograms,
} from "@banyan/testbed";
import { redisState } from "./provider.ts";
import { openRedis, redisClients } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);
const skipTls = skip === false ? await findReasonToSkip(opensslPrograms) : skip;
const spec = { value: t.Integer(), durability: "ephemeral" } as const;
const name = { scope: "access", name: "store", spec };

const ignore = (): void => undefined;

/** Rejects soon, with this code, and without the secret. */
async function refused(opening: Promise<unknown>, code: string): Promise<void> {
  const startedMs = performance.now();
  const error: unknown = await opening.catch((caught: unknown) => caught);
  assert(isBanyanError(error, code), String(error));
  assert(!error.message.includes("secret"), error.message);
  assert(performance.now() - startedMs < 3000, "it was waited for");
}

test(
  "a wrong password, a missing one and a user without rights are refused by name",
  { skip },
  async () => {
    await using server = await openRedisServer({ config: { requirepass: "secret" } });
    const { url } = server;
    await refused(openRedis({ url, password: "secret-not" }), "REDIS_AUTH_REFUSED");
    await refused(openRedis({ url }), "REDIS_AUTH_REFUSED");
    await refused(openRedis({ url, username: "ann", password: "secret" }), "REDIS_AUTH_REFUSED");
    await using engine = await openRedis({ url, password: "secret" });
    await engine.check();
  },
);

test(
  "a user needs its own keys, and the commands that are listed, and no more",
  { skip },
  async () => {
    await using server = await openRedisServer();
    const rights = [
      "~ann:*",
      "+@read",
      "+@write",
      "+@scripting",
      "+info",
      "+ping",
      "+select",
      "+time",
    ];
    await server.ask("ACL", "SETUSER", "ann", "on", ">secret", "-@all", ...rights);
    const access = { username: "ann", password: "secret", url: server.url };
    await using engine = await openRedis({ ...access, keyPrefix: "ann", database: 3 });
    const store = await openStore(engine, name);
    await store.set("a", 1, { ttlMs: 60_000 });
    await store.setMany([["b", 2]]);
    assert.equal((await store.scan()).entries.length, 2);
    await using foreign = await openRedis(access);
    const other = await openStore(foreign, name);
    await assert.rejects(other.set("a", 1), { code: "STATE_ENGINE_UNAVAILABLE" });
  },
);

test("databases and key prefixes keep nodes apart on one server", { skip }, async () => {
  await using server = await openRedisServer({ listen: "tcp" });
  const { url } = server;
  await using plain = await openRedis({ url });
  await using database = await openRedis({ url: `${url}/5` });
  await using prefixed = await openRedis({ url, keyPrefix: "other" });
  const stores = await Promise.all(
    [plain, database, prefixed].map((each) => openStore(each, name)),
  );
  for (const [index, store] of stores.entries()) await store.set("a", index, { ifAbsent: true });
  assert.deepEqual(await Promise.all(stores.map((store) => store.get("a"))), [0, 1, 2]);
  assert.equal(await redisClients(prefixed)[0]?.exists("other:{access}:store:e:a"), 1);
});

test(
  "the driver's clients are found under a tap, and in a node by its provider",
  { skip },
  async () => {
    await using server = await openRedisServer();
    const opened: StateEngine[] = [];
    const provider: StateEngineProvider = {
      ...redisState,
      openState: async (options) => {
        const engine = await redisState.openState(options);
        opened.push(engine);
        return engine;
      },
    };
    const host = { directory: ".", clock: systemClock, log: silentLog };
    const options = { url: server.url };
    await using tapped = tapChanges(await provider.openState({ ...host, options }), {
      wants: () => true,
      changed: ignore,
    });
    const store = await openStore(tapped, name);
    await store.set("a", 1);
    const [engine] = opened;
    assert(engine !== undefined);
    for (const each of [
      engine,
      tapped,
      tapChanges(tapped, { wants: () => true, changed: ignore }),
    ]) {
      assert.equal(await redisClients(each)[0]?.exists("banyan:{access}:store:e:a"), 1);
    }
    await using memory = openMemoryEngine();
    assert.throws(() => redisClients(memory), { code: "STATE_OPTION_INVALID" });
  },
);

test(
  "TLS: the right authority is let in, a wrong one and a missing client are refused by name",
  { skip: skipTls },
  async () => {
    await using certificates = await createTestCertificates();
    const { ca, client, foreignCa, foreignClient } = certificates;
    await using server = await openRedisServer({
      tls: { ca, server: certificates.server, requireClientCertificate: true },
    });
    const { url } = server;
    const ours = { certificate: client.certificate, key: client.key };
    await using engine = await openRedis({ url, tls: { ca, ...ours } });
    const store = await openStore(engine, name);
    await store.set("a", 1);
    assert.equal(await store.get("a"), 1);
    const refusal = "REDIS_CERTIFICATE_REFUSED";
    await refused(openRedis({ url, tls: { ca: foreignCa, ...ours } }), refusal);
    await refused(openRedis({ url, tls: { ca, ...ours, servername: "elsewhere" } }), refusal);
    await refused(openRedis({ url, tls: { ca: `${ca}.none`, ...ours } }), refusal);
    const strange = { certificate: foreignClient.certificate, key: foreignClient.key };
    await refused(openRedis({ url, tls: { ca, ...strange }, connectTimeoutMs: 1000 }), refusal);
    await refused(openRedis({ url, tls: { ca }, connectTimeoutMs: 1000 }), refusal);
  },
);

test("a Cluster's member is no single server, and the other way round", { skip }, async () => {
  await using server = await openRedisServer({ listen: "tcp" });
  await using member = await openRedisServer({ cluster: true });
  assert("port" in server.address);
  const cluster = [`${server.address.host}:${server.address.port}`];
  await refused(openRedis({ cluster }), "REDIS_UNFIT");
  await refused(openRedis({ url: member.url }), "REDIS_UNFIT");
});

test("a host opens it by its own section of the configuration", { skip }, async () => {
  await using server = await openRedisServer();
  const host = { directory: ".", clock: systemClock, log: silentLog };
  await using engine = await redisState.openState({ ...host, options: { url: server.url } });
  await engine.check();
  const mistyped = redisState.openState({ ...host, options: { urls: server.url } });
  await refused(mistyped, "STATE_OPTION_INVALID");
});
