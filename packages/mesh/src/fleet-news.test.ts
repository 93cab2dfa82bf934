/** Several nodes with real sockets: what each hears of the others. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort, openTcpProxy, until } from "@banyan/testbed";
import type { Registry } from "./registry.ts";
import type { FleetNews } from "./roster.ts";
import { clientOf, createRegistry, join, sees } from "./sample-fleet.test.ts";
import type { HealthReport } from "./status-watch.ts";

/** The news that a node was told. */
function createNews() {
  const news: FleetNews[] = [];
  const all = (): string[] =>
    news.map(({ kind, record, reason }) => [kind, record.node, reason].join(" ").trim());
  const hears = (what: string): Promise<boolean> =>
    until(() => all().includes(what), { what: `"${what}" is heard` });
  return { onNews: (one: FleetNews) => void news.push(one), news, all, hears };
}

/** The registry as one node has it, who can be cut off from it. */
function cuttable(registry: Registry): Registry & { isCut: boolean } {
  const ask = (): void => {
    if (cut.isCut) throw new Error("the registry is away");
  };
  const cut: Registry & { isCut: boolean } = {
    isCut: false,
    async write(record, leaseMs) {
      ask();
      await registry.write(record, leaseMs);
    },
    async list() {
      ask();
      return registry.list();
    },
    async changes() {
      ask();
      return registry.changes();
    },
    async changed() {
      ask();
      await registry.changed();
    },
    mapping: () => registry.mapping(),
  };
  return cut;
}

test("who joins and leaves in order is told to all, by one of them", async () => {
  const registry = createRegistry();
  const [one, two] = [createNews(), createNews()];
  await join(registry, "one", { workMs: 1, onNews: one.onNews });
  await join(registry, "two", { workMs: 1, onNews: two.onNews });
  const third = createNews();
  const guest = await join(registry, "guest", { workMs: 1, onNews: third.onNews });
  for (const each of [one, two, third]) await each.hears("joined guest");
  await guest.fleet.close();
  for (const each of [one, two, third]) await each.hears("left guest graceful");
  const all = [...one.news, ...two.news, ...third.news].filter(
    ({ record }) => record.node === "guest",
  );
  const tellers = (kind: FleetNews["kind"]): number =>
    all.filter((each) => each.kind === kind && each.isTeller).length;
  assert.deepEqual([tellers("joined"), tellers("left")], [1, 1]);
  assert(third.news.some(({ kind, isTeller }) => kind === "left" && isTeller));
});

test("who is called and then gone without a word is unreachable, and not called", async () => {
  const registry = createRegistry();
  const own = cuttable(registry);
  const news = createNews();
  // Its lease outlives this test.
  const victim = await join(own, "victim", { workMs: 1, heartbeatMs: 20_000 });
  const front = await join(registry, "front", { onNews: news.onNews });
  await sees(front, 1);
  await clientOf(front).look({});
  own.isCut = true;
  await victim.fleet.close();
  await news.hears("left victim unreachable");
  assert.equal(front.fleet.mesh.isAvailable("shop"), false);
  await front.fleet.refresh();
  assert.equal(front.fleet.mesh.isAvailable("shop"), false, "nothing new was heard of it");
});

test("a connection that is cut and can be opened again is opened, without news", async () => {
  const registry = createRegistry();
  const news = createNews();
  const port = await freePort();
  await using proxy = await openTcpProxy({ to: { host: "127.0.0.1", port } });
  const where = { listen: { port }, advertise: { port: proxy.port } };
  const back = await join(registry, "back", { workMs: 1, ...where });
  const front = await join(registry, "front", { onNews: news.onNews, heartbeatMs: 20_000 });
  await sees(front, 1);
  await clientOf(front).look({});
  proxy.cut();
  await proxy.heal();
  // Long before it would read the list again.
  await until(async () => (await clientOf(front).look({})).by === "back", {
    what: "it is called again",
  });
  assert.deepEqual(news.all(), []);
  await back.fleet.close();
});

test("who is cut off from the registry is called by whom it is connected to", async () => {
  const registry = createRegistry();
  const own = cuttable(registry);
  const [near, far] = [createNews(), createNews()];
  // Before there is anybody to introduce itself to: it is connected to nobody.
  const other = await join(registry, "other", { onNews: far.onNews });
  const back = await join(own, "back", { workMs: 1 });
  const front = await join(registry, "front", { onNews: near.onNews });
  await sees(front, 1);
  await sees(other, 1);
  await clientOf(front).look({});
  own.isCut = true;
  await far.hears("left back expired");
  await front.fleet.refresh();
  assert.equal((await clientOf(front).look({})).by, "back");
  assert.deepEqual(near.all(), [], "to whom it is connected it is there");
  own.isCut = false;
  await sees(other, 1);
  await back.fleet.close();
  await near.hears("left back graceful");
});

test("a node that is degraded by its host is told of, and that it is well again", async () => {
  const registry = createRegistry();
  let report: HealthReport = { status: "degraded", issues: ["it warms up"] };
  const news = createNews();
  await join(registry, "front", { onNews: news.onNews });
  await join(registry, "back", { workMs: 1, health: () => report });
  await news.hears("degraded back");
  report = { status: "up", issues: [] };
  await news.hears("recovered back");
  assert.deepEqual(news.all(), ["joined back", "degraded back", "recovered back"]);
});
