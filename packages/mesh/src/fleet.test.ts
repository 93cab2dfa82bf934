/** Several nodes with real sockets: who is there, draining, death, placement. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { defineContract, systemClock, t } from "@banyan/kernel";
import {
  CallContext,
  CallRuntime,
  kernelErrors,
  listOperations,
  OperationRunner,
  toBanyanError,
} from "@banyan/kernel/internal";
import { until } from "@banyan/testbed";
import type { Mapping } from "./instance-record.ts";
import { openFleet } from "./open-fleet.ts";
import { clientOf, createRegistry, join, sees, shop } from "./sample-fleet.test.ts";

const counter = defineContract("counter", {
  summary: "Counts.",
  version: "1.0.0",
  operations: { count: { summary: "Count.", stream: t.Object({ n: t.Integer() }) } },
});

test("calls are shared out among the instances, and the busy ones get fewer", async () => {
  const registry = createRegistry();
  const quick = await join(registry, "quick", { workMs: 1 });
  const slow = await join(registry, "slow", { workMs: 30 });
  const front = await join(registry, "front");
  await sees(front, 2);
  const client = clientOf(front);
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let n = 0; n < 20; n += 1) await client.sell({ n });
    }),
  );
  assert.equal(quick.handled + slow.handled, 320);
  assert(slow.handled > 0, "one of them got nothing");
  assert(quick.handled > slow.handled * 3, `${quick.handled} and ${slow.handled}`);
});

test("three nodes are restarted in turn under load, and no call fails", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  const olds = await Promise.all(
    ["a", "b", "c"].map((name) => join(registry, name, { workMs: 5 })),
  );
  await sees(front, 3);
  const client = clientOf(front);
  const failures: unknown[] = [];
  let calls = 0;
  let isOver = false;
  const load = Array.from({ length: 16 }, async () => {
    while (!isOver) {
      calls += 1;
      // Not idempotent: a call that was begun may not be begun again.
      await client.sell({ n: calls }).catch((error: unknown) => failures.push(error));
    }
  });
  for (const old of olds) {
    await old.fleet.drain();
    await old.fleet.close();
    await join(registry, "again", { workMs: 5 });
  }
  isOver = true;
  await Promise.all(load);
  assert.deepEqual(failures, []);
  assert(calls > 200, `${calls} calls`);
});

test("a node that dies fails the calls that it runs, and no other", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  const victim = await join(registry, "victim", { workMs: 20 });
  await join(registry, "other", { workMs: 20 });
  await sees(front, 2);
  const client = clientOf(front);
  const failed: { atMs: number; code: string }[] = [];
  let isOver = false;
  const load = Array.from({ length: 16 }, async (_, index) => {
    while (!isOver) {
      const call = index % 2 === 0 ? client.sell({ n: index }) : client.look({});
      await call.catch((error: unknown) => {
        const { code } = toBanyanError(error);
        failed.push({ atMs: systemClock.monotonicMs(), code: `${index % 2} ${code}` });
      });
    }
  });
  await systemClock.sleep(100);
  const diedAtMs = systemClock.monotonicMs();
  // As `kill -9` looks from the other side: the sockets are gone, nobody says goodbye.
  await victim.fleet.close();
  await systemClock.sleep(1500);
  isOver = true;
  await Promise.all(load);
  assert(
    failed.every(({ code }) => code === "0 MESH_OUTCOME_UNKNOWN"),
    JSON.stringify(failed),
  );
  assert(failed.every(({ atMs }) => atMs - diedAtMs < 1000));
  assert(failed.length <= 16);
});

test("a service goes where the mapping says, and an older mapping changes nothing", async () => {
  const registry = createRegistry();
  await join(registry, "blue", { workMs: 1, app: "blue" });
  await join(registry, "green", { workMs: 1, app: "green" });
  const front = await join(registry, "front");
  const client = clientOf(front);
  const place = async (mapping: Mapping): Promise<void> => {
    registry.mapped = mapping;
    await registry.changed();
  };
  const goesTo = async (by: string): Promise<void> => {
    await until(
      () =>
        client.look({}).then(
          (answer) => answer.by === by,
          () => false,
        ),
      {
        what: `it goes to ${by}`,
      },
    );
  };
  await place({ epoch: "1", version: 1, apps: { shop: "blue" } });
  await goesTo("blue");
  await place({ epoch: "1", version: 2, apps: { shop: "green" } });
  await goesTo("green");
  await place({ epoch: "1", version: 1, apps: { shop: "blue" } });
  await systemClock.sleep(700);
  assert.equal((await client.look({})).by, "green");
  // Whoever counts has begun anew.
  await place({ epoch: "2", version: 1, apps: { shop: "blue" } });
  await goesTo("blue");
});

test("ten thousand calls at once are answered, each with its own answer", async () => {
  const registry = createRegistry();
  const back = await join(registry, "back", { workMs: 5 });
  const front = await join(registry, "front");
  await sees(front, 1);
  const client = clientOf(front);
  const answers = await Promise.all(Array.from({ length: 10_000 }, (_, n) => client.sell({ n })));
  assert.equal(answers.length, 10_000);
  assert.equal(back.handled, 10_000);
});

test("a fleet without a secret is refused with how to make one", async () => {
  const opening = openFleet({ node: "x", registry: createRegistry(), runtime: new CallRuntime() });
  await assert.rejects(opening, { code: "MESH_OPTIONS_INVALID", message: /openssl rand -hex 32/ });
});

test("a call ends by its deadline and with its caller while a connection is opened", async () => {
  const registry = createRegistry();
  const silent = createServer(() => undefined); // takes connections, and says nothing
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  // It listens on TCP, so its address is one.
  const { port } = silent.address() as AddressInfo;
  const services = { shop: "1.0.0" };
  const who = { instance: "mute", node: "mute", app: "banyan", services } as const;
  const mute = { ...who, status: "up", issues: [] } as const;
  await registry.write({ ...mute, host: "127.0.0.1", port }, 60_000);
  const front = await join(registry, "front");
  await sees(front, 1);
  const client = clientOf(front);
  const startedMs = systemClock.monotonicMs();
  const late = client.sell({ n: 1 }, { timeoutMs: 150 });
  await assert.rejects(late, { code: "CALL_DEADLINE_EXCEEDED" });
  const gone = new AbortController();
  const withdrawn = client.sell({ n: 2 }, { signal: gone.signal });
  gone.abort();
  await assert.rejects(withdrawn, { code: "CALL_CANCELLED" });
  assert(systemClock.monotonicMs() - startedMs < 2000);
  silent.close();
});

test("a node that may not call itself in process calls itself over the wire", async () => {
  const registry = createRegistry();
  const alone = await join(registry, "alone", { workMs: 1, inProcess: false });
  await sees(alone, 1);
  assert.deepEqual(await clientOf(alone).sell({ n: 1 }), { by: "alone" });
});

test("an error whose details are too long for a frame arrives without them", async () => {
  const registry = createRegistry();
  const back = await join(registry, "back");
  const details = { text: "x".repeat(200_000) };
  const fail = (): never => {
    throw kernelErrors.SERVICE_UNAVAILABLE("Not now.", { details });
  };
  const runners = listOperations(shop.spec.operations).map(
    (operation) => new OperationRunner(shop, operation, { handler: fail, runtime: back.runtime }),
  );
  back.fleet.mesh.provide({ contract: shop, runners });
  await back.fleet.settled();
  const front = await join(registry, "front");
  await sees(front, 1);
  for (const n of [1, 2]) {
    await assert.rejects(clientOf(front).sell({ n }), {
      code: "SERVICE_UNAVAILABLE",
      details: undefined,
    });
  }
});

test("who is too long to be said refuses its own calls, and no other", async () => {
  const registry = createRegistry();
  await join(registry, "back", { workMs: 1 });
  const front = await join(registry, "front");
  await sees(front, 1);
  const client = clientOf(front);
  await client.look({});
  const permissions = Array.from({ length: 5000 }, (_, n) => `permission.number.${n}`);
  const principal = { kind: "account", id: "eve", permissions } as const;
  const call = new CallContext(
    { service: "test", name: "test.stand", timeoutMs: 5000 },
    front.runtime,
    { mode: "tolerant", principal, caller: "test" },
  );
  for (const n of [1, 2]) {
    await assert.rejects(client.sell({ n }, { call }), { code: "MESH_MESSAGE_TOO_LONG" });
  }
  assert.deepEqual(await client.look({}), { by: "back" });
});

test("frames come ahead as far as they may, no further, each once and in order", async () => {
  const registry = createRegistry();
  const back = await join(registry, "back");
  let made = 0;
  const count = async function* (): AsyncGenerator<{ n: number }> {
    for (made = 0; made < 1000;) {
      made += 1;
      yield { n: made };
    }
  };
  const runners = listOperations(counter.spec.operations).map(
    (operation) =>
      new OperationRunner(counter, operation, { handler: count, runtime: back.runtime }),
  );
  back.fleet.mesh.provide({ contract: counter, runners });
  await back.fleet.settled();
  for (const streamAhead of [1, 2, 3, 64, 256]) {
    const front = await join(registry, "front", { streamAhead });
    const known = (): boolean => front.fleet.mesh.isAvailable("counter");
    await until(known, { what: "the counter is known" });
    const frames = front.fleet.mesh.client(counter, { caller: "test" }).count({});
    let taken = 0;
    let most = 0;
    for await (const { n } of frames) {
      taken += 1;
      assert.equal(n, taken);
      most = Math.max(most, made - taken);
      // One that is held is taken, and the next one is made for its place.
      assert(made <= taken + streamAhead, `${made} were made, ${taken} taken`);
      if (taken === 1) await until(() => made >= streamAhead, { what: "frames come ahead" });
    }
    assert.equal(taken, 1000);
    assert(most > 0 || streamAhead === 1, "none came ahead");
  }
});

test("what a node runs itself is called elsewhere once it is placed in another app", async () => {
  const registry = createRegistry();
  const both = await join(registry, "both", { workMs: 1 });
  await join(registry, "away", { workMs: 1, app: "warehouse" });
  await sees(both, 2);
  const client = clientOf(both);
  assert.equal((await client.sell({ n: 1 })).by, "both");
  registry.mapped = { epoch: "1", version: 1, apps: { shop: "warehouse" } };
  await registry.changed();
  await until(() => both.fleet.mapping().version === 1, { what: "the mapping is read" });
  assert.equal((await client.sell({ n: 2 })).by, "away");
  assert.equal(both.handled, 1);
});

test("of two versions that run, a caller reaches the one that it was built against", async () => {
  const registry = createRegistry();
  const old = await join(registry, "old", { workMs: 1 });
  const next = defineContract("shop", { ...shop.spec, version: "2.1.0" });
  const recent = await join(registry, "recent");
  const [operation] = listOperations(next.spec.operations ?? {});
  assert(operation !== undefined);
  const handler = async (): Promise<{ by: string }> => ({ by: "recent" });
  const runner = new OperationRunner(next, operation, { handler, runtime: recent.runtime });
  recent.fleet.mesh.provide({ contract: next, runners: [runner] });
  const front = await join(registry, "front");
  await sees(front, 2);
  const client = clientOf(front);
  for (let n = 0; n < 20; n += 1) assert.equal((await client.sell({ n })).by, "old");
  const nextClient = front.fleet.mesh.client(next, { caller: "test" });
  for (let n = 0; n < 20; n += 1) assert.equal((await nextClient.sell({ n })).by, "recent");
  await old.fleet.close();
  await sees(front, 1);
  await assert.rejects(client.sell({ n: 1 }), {
    code: "SERVICE_UNAVAILABLE",
    message: /"shop" runs as 2\.1\.0, which test, built against 1\.0\.0, cannot call/,
  });
});
