/** Several nodes with real sockets, who know of each other by a file or by DNS alone. */

import assert from "node:assert/strict";
import { rename, writeFile } from "node:fs/promises";
import { join as joinPath } from "node:path";
import { test } from "node:test";
import { createRecordingLog, findFreePorts, temporaryDirectory, until } from "@banyan/testbed";
import { dnsRegistry } from "./dns-registry.ts";
import { fileRegistry } from "./file-registry.ts";
import type { FleetNews } from "./roster.ts";
import { openDnsServer } from "./sample-dns.test.ts";
import { clientOf, join, sees } from "./sample-fleet.test.ts";
import type { Member } from "./sample-fleet.test.ts";

/** A file of nodes, written as a whole. */
async function createFile() {
  const directory = await temporaryDirectory();
  const path = joinPath(directory.path, "nodes.json");
  return {
    registry: () => fileRegistry({ path }),
    async say(nodes: readonly { port: number; app?: string }[], more: object = {}) {
      const all = nodes.map((node) => ({ host: "127.0.0.1", ...node }));
      await writeFile(`${path}.new`, JSON.stringify({ nodes: all, ...more }));
      await rename(`${path}.new`, path);
    },
    break: () => writeFile(path, '{ "nodes": ['),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

function namesOf({ fleet }: Member): string[] {
  return fleet
    .instances()
    .map(({ node }) => node)
    .toSorted();
}

test("two nodes on a file know each other's services, status and load, and call", async () => {
  await using file = await createFile();
  const [one = 0, two = 0] = await findFreePorts(2);
  await file.say([{ port: one }, { port: two }]);
  const back = await join(file.registry(), "back", { workMs: 1, listen: { port: one } });
  const front = await join(file.registry(), "front", { listen: { port: two } });
  await sees(front, 1);
  assert.deepEqual(await clientOf(front).sell({ n: 1 }), { by: "back" });
  await until(() => front.fleet.instances()[0]?.load !== undefined, { what: "its load is known" });
  const [known] = front.fleet.instances();
  assert.deepEqual(known?.services, { shop: "1.0.0" });
  assert.deepEqual([known?.status, known?.port], ["up", one]);
  await until(() => namesOf(back).length > 0, { what: "it reads of itself" });
  assert.deepEqual(namesOf(back), ["back"], "the address that is its own is no other node");
});

test("a node that is added to the file is called, and one that leaves is not", async () => {
  await using file = await createFile();
  const [one = 0, two = 0, three = 0] = await findFreePorts(3);
  await file.say([{ port: one }, { port: two }]);
  const front = await join(file.registry(), "front", { listen: { port: one } });
  const first = await join(file.registry(), "first", { workMs: 1, listen: { port: two } });
  await sees(front, 1);
  // It knows nobody: the others find it.
  await using alone = await createFile();
  await alone.say([]);
  const second = await join(alone.registry(), "second", { workMs: 1, listen: { port: three } });
  await until(() => namesOf(second).length > 0, { what: "it reads of itself" });
  assert.deepEqual(namesOf(second), ["second"]);
  await file.say([{ port: one }, { port: two }, { port: three }]);
  await sees(front, 2);
  await until(() => namesOf(second).includes("first"), { what: "it is told who called" });
  await first.fleet.close();
  await sees(front, 1);
  for (let n = 0; n < 20; n += 1) assert.equal((await clientOf(front).sell({ n })).by, "second");
});

test("a node that is taken out of the file is called no more until it is back", async () => {
  await using file = await createFile();
  const [one = 0, two = 0, three = 0] = await findFreePorts(3);
  const all = [{ port: one }, { port: two }, { port: three }];
  await file.say(all);
  const front = await join(file.registry(), "front", { listen: { port: one } });
  await join(file.registry(), "first", { workMs: 1, listen: { port: two } });
  await join(file.registry(), "second", { workMs: 1, listen: { port: three } });
  await sees(front, 2);
  await file.say(all.slice(0, 2));
  await sees(front, 1);
  for (let n = 0; n < 20; n += 1) assert.equal((await clientOf(front).sell({ n })).by, "first");
  await file.say(all);
  await sees(front, 2);
});

test("whose address is back counts again at once, by the connection that was there", async () => {
  await using file = await createFile();
  const [one = 0, two = 0, three = 0] = await findFreePorts(3);
  const all = [{ port: one }, { port: two }, { port: three }];
  await file.say([{ port: two }]);
  const news: FleetNews[] = [];
  const onNews = (each: FleetNews): void => void news.push(each);
  const back = await join(file.registry(), "back", { workMs: 1, listen: { port: two } });
  const front = await join(file.registry(), "front", { listen: { port: one }, onNews });
  await join(file.registry(), "third", { workMs: 1, listen: { port: three }, onNews });
  await sees(front, 1);
  await file.say(all);
  await sees(front, 2);
  const connected = back.fleet.connections;
  await file.say([{ port: one }, { port: three }]);
  await sees(front, 1);
  const left = () => news.filter(({ kind }) => kind === "left");
  await until(() => left().length === 2, { what: "both have told their hosts" });
  assert.deepEqual(
    left().map(({ record, reason }) => `${record.node} ${reason}`),
    ["back removed", "back removed"],
  );
  assert.equal(left().filter(({ isTeller }) => isTeller).length, 1, "one tells it for the fleet");
  assert.equal(back.fleet.connections, connected);
  await file.say(all);
  await sees(front, 2);
  assert.equal(back.fleet.connections, connected);
});

test("who begins again on a file is called again, and knows who was there as old", async () => {
  await using file = await createFile();
  const [one = 0, two = 0] = await findFreePorts(2);
  await file.say([{ port: one }, { port: two }]);
  const front = await join(file.registry(), "front", { workMs: 1, listen: { port: one } });
  const back = await join(file.registry(), "back", { workMs: 1, listen: { port: two } });
  await sees(front, 2);
  await back.fleet.close();
  await sees(front, 1);
  const news: FleetNews[] = [];
  const onNews = (one: FleetNews): void => void news.push(one);
  const again = await join(file.registry(), "back", { workMs: 1, listen: { port: two }, onNews });
  await sees(front, 2);
  await until(() => news.length > 0, { what: "it hears of itself" });
  assert.deepEqual(
    news.map(({ kind, record }) => `${kind} ${record.node}`),
    ["joined back"],
  );
  assert.equal(namesOf(again).length, 2);
});

test("a file that is half-written changes nothing, and is warned of once", async () => {
  await using file = await createFile();
  const [one = 0, two = 0] = await findFreePorts(2);
  await file.say([{ port: one }, { port: two }]);
  const log = createRecordingLog();
  await join(file.registry(), "back", { workMs: 1, listen: { port: one } });
  const front = await join(file.registry(), "front", { listen: { port: two }, log });
  await sees(front, 1);
  const warnings = () => log.lines.filter(({ message }) => /registry of the mesh/.test(message));
  await file.break();
  await until(() => warnings().length > 0, { what: "it is warned of" });
  await front.fleet.settled();
  await front.fleet.settled();
  assert.equal((await clientOf(front).sell({ n: 1 })).by, "back");
  assert.deepEqual(
    warnings().map(({ level }) => level),
    ["warn"],
  );
  await file.say([{ port: one }, { port: two }]);
  await until(() => warnings().length === 2, { what: "it is back" });
});

test("a file that cannot be read refuses the start, with its place", async () => {
  await using file = await createFile();
  await file.break();
  await assert.rejects(join(file.registry(), "x"), {
    code: "MESH_REGISTRY_INVALID",
    message: /nodes\.json is no JSON/,
  });
});

test("a node of another app than the file says is not called; its mapping holds", async () => {
  await using file = await createFile();
  const [one = 0, two = 0, three = 0] = await findFreePorts(3);
  const mapping = { epoch: "1", version: 1, apps: { shop: "blue" } };
  const green = { workMs: 1, app: "green", listen: { port: one } };
  await file.say(
    [
      { port: one, app: "blue" },
      { port: two, app: "blue" },
    ],
    { mapping },
  );
  const log = createRecordingLog();
  const front = await join(file.registry(), "front", { listen: { port: three }, log });
  await join(file.registry(), "green", green);
  await join(file.registry(), "blue", { workMs: 1, app: "blue", listen: { port: two } });
  await sees(front, 1);
  assert.deepEqual(namesOf(front), ["blue"]);
  assert.equal((await clientOf(front).sell({ n: 1 })).by, "blue");
  await until(() => log.lines.some(({ fields }) => fields["expected"] === "blue"), {
    what: "it is warned of",
  });
});

test("nodes find each other by the addresses of a name, and a new one is found", async () => {
  await using dns = await openDnsServer();
  const [port = 0] = await findFreePorts(1);
  const at = (...hosts: readonly string[]): void =>
    void dns.zone.set(
      "mesh.test",
      hosts.map((address) => ({ type: "A", ttl: 0, address })),
    );
  const registry = () => dnsRegistry({ host: "mesh.test", port, resolver: dns.resolver });
  at("127.0.0.1", "127.0.0.2");
  await join(registry(), "one", { workMs: 1, listen: { host: "127.0.0.2", port } });
  const front = await join(registry(), "front", { listen: { host: "127.0.0.1", port } });
  await sees(front, 1);
  assert.equal((await clientOf(front).sell({ n: 1 })).by, "one");
  at("127.0.0.1", "127.0.0.2", "127.0.0.3");
  await join(registry(), "two", { workMs: 1, listen: { host: "127.0.0.3", port } });
  await sees(front, 2);
  dns.isBroken = true;
  await front.fleet.settled();
  await front.fleet.settled();
  await sees(front, 2);
  dns.isBroken = false;
});

test("addresses that DNS tells in parts leave nobody out", async () => {
  // One server for each, so that each is told all parts in turns.
  await using first = await openDnsServer();
  await using second = await openDnsServer();
  await using third = await openDnsServer();
  const servers = [first, second, third];
  const [port = 0] = await findFreePorts(1);
  const hosts = servers.map((_, n) => `127.0.0.${n + 1}`);
  const news: FleetNews[] = [];
  const onNews = (each: FleetNews): void => void news.push(each);
  const members: Member[] = [];
  for (const [n, { zone, resolver }] of servers.entries()) {
    zone.set(
      "mesh.test",
      hosts.map((address) => ({ type: "A", ttl: 0, address })),
    );
    const registry = dnsRegistry({ host: "mesh.test", port, resolver });
    const own = { workMs: 1, listen: { host: `127.0.0.${n + 1}`, port }, onNews };
    members.push(await join(registry, `n${n}`, own));
  }
  for (const member of members) await sees(member, 3);
  for (const dns of servers) dns.rotates = true;
  const before = first.asked;
  // For two kinds, once a second or so.
  await until(() => first.asked > before + 14, { what: "it has asked often", timeoutMs: 30_000 });
  const left = news.filter(({ kind }) => kind === "left");
  assert.deepEqual(
    left.map(({ record }) => record.node),
    [],
  );
  for (const member of members) await sees(member, 3);
});

test("nodes find each other by SRV records, each with its port", async () => {
  await using dns = await openDnsServer();
  const [one = 0, two = 0] = await findFreePorts(2);
  dns.zone.set("node.test", [{ type: "A", ttl: 60, address: "127.0.0.1" }]);
  dns.zone.set(
    "_mesh._tcp.test",
    [one, two].map((port) => ({ type: "SRV", ttl: 60, target: "node.test", port })),
  );
  const registry = () => dnsRegistry({ host: "_mesh._tcp.test", resolver: dns.resolver });
  await join(registry(), "back", { workMs: 1, listen: { port: one } });
  const front = await join(registry(), "front", { listen: { port: two } });
  await sees(front, 1);
  assert.equal((await clientOf(front).sell({ n: 1 })).by, "back");
});
