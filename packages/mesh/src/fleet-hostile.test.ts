/** What may go wrong between nodes without anybody being broken. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, systemClock, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { kernelErrors, listOperations, OperationRunner } from "@banyan/kernel/internal";
import type { Handler } from "@banyan/kernel/internal";
import { openMemoryEngine, openStore } from "@banyan/state";
import { createRecordingLog, FakeClock, freePort, until } from "@banyan/testbed";
import { InstanceLoad } from "./balancer.ts";
import type { Mapping } from "./instance-record.ts";
import { clientOf, createRegistry, join, sees } from "./sample-fleet.test.ts";
import type { Member } from "./sample-fleet.test.ts";
import { placeServices, registryOn } from "./store-registry.ts";
import type { RegistryEntry } from "./store-registry.ts";

const teller = defineContract("teller", {
  summary: "Tells.",
  version: "1.0.0",
  operations: {
    tell: {
      summary: "Tell so much.",
      request: t.Object({ length: t.Integer() }),
      response: t.Object({ text: t.String() }),
    },
    follow: { summary: "Tell again and again.", stream: t.Object({ n: t.Integer() }) },
  },
});

interface Handlers {
  readonly tell?: Handler;
  readonly follow?: Handler;
}

function provide({ fleet, runtime }: Member, handlers: Handlers): void {
  const none: Handler = () => undefined;
  const runners = listOperations(teller.spec.operations).map((operation) => {
    const { tell = none, follow = none } = handlers;
    const handler = operation.name === "tell" ? tell : follow;
    return new OperationRunner(teller, operation, { handler, runtime });
  });
  fleet.mesh.provide({ contract: teller, runners });
}

async function knows(member: Member, service = "teller"): Promise<void> {
  await until(() => member.fleet.mesh.isAvailable(service), { what: `${service} is known` });
}

test("a handler that fails as a node that drains does is not run again elsewhere", async () => {
  const registry = createRegistry();
  let runs = 0;
  for (const name of ["one", "two", "three"]) {
    provide(await join(registry, name), {
      tell() {
        runs += 1;
        throw kernelErrors.NODE_DRAINING("Whom it called drains.");
      },
    });
  }
  const front = await join(registry, "front");
  await knows(front);
  const client = front.fleet.mesh.client(teller, { caller: "test" });
  await assert.rejects(client.tell({ length: 1 }), { code: "NODE_DRAINING" });
  assert.equal(runs, 1);
});

test("an answer is counted in bytes; one too long is its call's failure alone", async () => {
  const registry = createRegistry();
  const messageBytesMax = 100_000;
  provide(await join(registry, "back", { messageBytesMax }), {
    // Three bytes each, as many as the contract's schema let through.
    tell: (request) => ({ text: "€".repeat((request as { length: number }).length) }),
  });
  const front = await join(registry, "front", { messageBytesMax });
  await knows(front);
  const client = front.fleet.mesh.client(teller, { caller: "test" });
  const long = client.tell({ length: 40_000 });
  const short = client.tell({ length: 2 });
  await assert.rejects(long, { code: "MESH_MESSAGE_TOO_LONG" });
  assert.equal((await short).text, "€€");
  assert.equal((await client.tell({ length: 33_000 })).text.length, 33_000);
});

test("who begins again at the address of its last run is not refused by itself", async () => {
  const registry = createRegistry();
  const port = await freePort();
  const services = { shop: "1.0.0" };
  const at = { app: "banyan", host: "127.0.0.1", port, services, issues: [] } as const;
  await registry.write({ instance: "lone.before", node: "lone", status: "up", ...at }, 60_000);
  const lone = await join(registry, "lone", { listen: { port }, workMs: 1 });
  assert.equal((await clientOf(lone).sell({ n: 1 })).by, "lone");
});

test("who has another secret is told so, whoever else does not answer", async () => {
  const registry = createRegistry();
  await join(registry, "back", { workMs: 1 });
  const services = { shop: "1.0.0" };
  const at = { app: "banyan", host: "127.0.0.1", port: 1, services, issues: [] } as const;
  await registry.write({ instance: "dead", node: "dead", status: "up", ...at }, 60_000);
  const opening = join(registry, "other", { secret: "a secret that no other node has got" });
  await assert.rejects(opening, { code: "MESH_PEER_REFUSED" });
});

test("a registry that comes back empty is told again at once by those who know", async () => {
  const engine = openMemoryEngine({ clock: systemClock });
  const spec = { durability: "ephemeral", value: t.Unknown(), expires: true } as const;
  const opened = await openStore(engine, { scope: "node", name: "mesh", spec });
  // Nobody else writes to it.
  const store = opened as Store<RegistryEntry>;
  const registry = registryOn(store);
  // A heartbeat that is far away: it is not what mends it.
  await join(registry, "back", { workMs: 1, heartbeatMs: 60_000 });
  const front = await join(registry, "front", { heartbeatMs: 60_000 });
  await sees(front, 1);
  const mapping = { epoch: "1", version: 3, apps: { lamp: "light" } };
  await placeServices(store, mapping);
  await until(() => front.fleet.mapping().version === 3, { what: "the mapping is read" });
  const { entries } = await store.scan({ limit: 1000 });
  for (const { key } of entries) await store.delete(key);
  const isWhole = async (): Promise<boolean> => (await registry.list()).length === 1;
  await until(isWhole, { what: "the instance has written itself anew" });
  await until(async () => (await registry.mapping()) !== undefined, { what: "it is placed" });
  assert.deepEqual(await registry.mapping(), mapping);
  assert.equal((await clientOf(front).sell({ n: 1 })).by, "back");
});

test("a registry that comes back with an older mapping is told the newer one again", async () => {
  const spec = { durability: "ephemeral", value: t.Unknown(), expires: true } as const;
  const opened = await openStore(openMemoryEngine(), { scope: "node", name: "mesh", spec });
  const store = opened as Store<RegistryEntry>; // nobody else writes to it
  const registry = registryOn(store);
  const log = createRecordingLog();
  const old = await join(registry, "old", { workMs: 1, log });
  const says = (member: Member): unknown => member.fleet.mapping().apps["lamp"];
  const mapping = (version: number, lamp: string): Mapping => ({
    epoch: "1",
    version,
    apps: { lamp },
  });
  await placeServices(store, mapping(1, "one"));
  const backup = await store.scan({ limit: 1000 });
  await placeServices(store, mapping(2, "two"));
  await until(() => says(old) === "two", { what: "it is read" });
  for (const { key, value } of backup.entries) await store.set(key, value);
  const isBack = async (): Promise<boolean> =>
    JSON.stringify(await registry.mapping()) === JSON.stringify(mapping(2, "two"));
  await until(isBack, { what: "the newer one is placed again" });
  const young = await join(registry, "young", { workMs: 1 });
  await until(() => says(young) === "two", { what: "who comes reads it" });
  // Somebody counted from the older one, before anybody looked.
  const key = backup.entries.find(({ value }) => value.kind === "mapping")?.key ?? "";
  await store.set(key, { kind: "mapping", mapping: mapping(2, "three") });
  await registry.changed();
  for (const member of [old, young]) {
    await until(() => says(member) === "three", { what: "all take what the registry says" });
  }
  const warned = log.lines.filter(({ message }) => /the same version/.test(message));
  assert.deepEqual(
    warned.map(({ fields }) => [fields["apps"], fields["before"]]),
    [[{ lamp: "three" }, { lamp: "two" }]],
  );
});

test("who was slow is tried again in time, and a failure is no proof of speed", async () => {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const slow = new InstanceLoad(clock);
  slow.began();
  slow.ended(undefined, 1500);
  assert(slow.cost > 1000);
  await clock.advance(30_000);
  assert(slow.cost < 1, `it still costs ${slow.cost}`);
  const broken = new InstanceLoad(clock);
  broken.began();
  broken.ended(undefined, 100);
  const before = broken.cost;
  for (let n = 0; n < 50; n += 1) {
    broken.began();
    broken.ended(undefined);
  }
  assert.equal(broken.cost, before);
});

test("a consumer that has enough ends a handler that is asked for frames ahead", async () => {
  const registry = createRegistry();
  const back = await join(registry, "back");
  let isEnded = false;
  provide(back, {
    async *follow(_request, { signal }) {
      try {
        yield { n: 1 };
        yield { n: 2 };
        await systemClock.sleep(60_000, { signal });
      } finally {
        isEnded = true;
      }
    },
  });
  const front = await join(registry, "front", { streamAhead: 10 });
  await knows(front);
  const client = front.fleet.mesh.client(teller, { caller: "test" });
  for await (const { n } of client.follow({})) if (n === 2) break;
  await until(() => isEnded, { what: "its finally has run" });
  await until(() => back.runtime.inFlight === 0, { what: "nothing runs" });
});
