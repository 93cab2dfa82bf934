/** Where calls go while one of several instances is in trouble. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { systemClock, systemRandom } from "@banyan/kernel";
import {
  CallRuntime,
  kernelErrors,
  listOperations,
  OperationRunner,
} from "@banyan/kernel/internal";
import type { Handler } from "@banyan/kernel/internal";
import { FakeClock, until } from "@banyan/testbed";
import { InstanceLoad } from "./balancer.ts";
import { clientOf, createRegistry, join, sees, shop } from "./sample-fleet.test.ts";
import type { Member } from "./sample-fleet.test.ts";

/** Has the shop run by a handler of the test's own. */
async function provide(member: Member, handler: Handler): Promise<void> {
  const { fleet, runtime } = member;
  const runners = listOperations(shop.spec.operations).map(
    (operation) => new OperationRunner(shop, operation, { handler, runtime }),
  );
  fleet.mesh.provide({ contract: shop, runners });
  await fleet.settled();
}

function instanceOf(member: Member, node: string): string {
  const found = member.fleet.instances().find((record) => record.node === node);
  assert(found !== undefined);
  return found.instance;
}

/** Calls one after the other; what came of them: `by b` → 3, `INTERNAL` → 1. */
async function tallyOf(calls: number, call: () => Promise<{ by: string }>) {
  const tally: Record<string, number> = {};
  for (let n = 0; n < calls; n += 1) {
    const came = await call().then(
      ({ by }) => `by ${by}`,
      (error: unknown) => (error as { code: string }).code,
    );
    tally[came] = (tally[came] ?? 0) + 1;
  }
  return tally;
}

const isHeld = (): Promise<never> => new Promise(() => undefined);

test("who has no room left is passed by, and costs nobody a call", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  const full = await join(registry, "full", { runtime: new CallRuntime({ inFlightMax: 3 }) });
  await provide(full, isHeld);
  await join(registry, "free", { workMs: 1 });
  await sees(front, 2);
  const { fleet } = front;
  const hog = fleet.clientOf(shop, instanceOf(front, "full"), { caller: "test" });
  const held = [1, 2, 3].map(() => hog.sell({ n: 1 }).catch(() => undefined));
  await until(() => full.runtime.inFlight === 3, { what: "there is no room" });
  const tally = await tallyOf(100, () => clientOf(front).sell({ n: 1 }));
  assert.deepEqual(tally, { "by free": 100 });
  await full.fleet.close();
  await Promise.all(held);
});

test("where all are full the caller is told so, and few were asked", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  let asked = 0;
  for (const name of ["one", "two", "three", "four", "five"]) {
    const runtime = new CallRuntime({ inFlightMax: 0 });
    runtime.enter = () => {
      asked += 1;
      throw kernelErrors.CALL_LIMIT_REACHED("It is full.");
    };
    await provide(await join(registry, name, { runtime }), () => ({ by: name }));
  }
  await sees(front, 5);
  await assert.rejects(clientOf(front).sell({ n: 1 }), { code: "CALL_LIMIT_REACHED" });
  assert.equal(asked, 3);
});

test("a handler that says that it is full is not run again elsewhere", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  let runs = 0;
  for (const name of ["one", "two"]) {
    await provide(await join(registry, name), () => {
      runs += 1;
      throw kernelErrors.CALL_LIMIT_REACHED("Whom it called is full.");
    });
  }
  await sees(front, 2);
  await assert.rejects(clientOf(front).sell({ n: 1 }), { code: "CALL_LIMIT_REACHED" });
  assert.equal(runs, 1);
});

test("who fails at once draws no calls for being fast", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  for (const name of ["one", "two"]) await join(registry, name, { workMs: 5 });
  await provide(await join(registry, "broken"), () => {
    throw new TypeError("there is no database");
  });
  await sees(front, 3);
  const tally = await tallyOf(300, () => clientOf(front).sell({ n: 1 }));
  // A third would be its share, two thirds is what being fast gave it.
  assert((tally["INTERNAL"] ?? 0) < 60, JSON.stringify(tally));
});

test("what an instance costs: failures of its own weigh the more the more there are", async () => {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const load = new InstanceLoad(clock);
  const see = (error?: Parameters<InstanceLoad["ended"]>[0]): number => {
    load.began();
    load.ended(error, error === undefined ? 10 : undefined);
    return load.cost;
  };
  const good = see();
  assert.equal(see(kernelErrors.REQUEST_INVALID("No.")), good, "the caller's own fault");
  assert.equal(see(kernelErrors.CALL_CANCELLED("No.")), good);
  const once = see(kernelErrors.INTERNAL("No."));
  assert(once > good && once < good * 2, `${once}`);
  for (let n = 0; n < 30; n += 1) see(kernelErrors.INTERNAL("No."));
  assert(load.cost > good * 1000, `${load.cost}`);
  await clock.advance(60_000);
  assert(load.cost < 1, "it is tried again");
});

/** Listens, takes what comes and says nothing: as a host behind a wire that has been cut. */
async function openHole(t: TestContext): Promise<number> {
  const hole = createServer((socket) => socket.on("error", () => undefined).resume());
  await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
  t.after(() => hole.close());
  // It listens on TCP.
  return (hole.address() as AddressInfo).port;
}

test("nobody waits for who does not answer while another is there", async (t) => {
  const registry = createRegistry();
  const services = { shop: "1.0.0" };
  const at = { app: "banyan", host: "127.0.0.1", services, issues: [] } as const;
  const port = await openHole(t);
  const write = async (renewedAtMs: number): Promise<void> => {
    for (const node of ["lost", "cut"]) {
      const record = { instance: node, node, status: "up", ...at, port, renewedAtMs } as const;
      await registry.write(record, 60_000);
    }
  };
  await write(1);
  await join(registry, "back", { workMs: 1 });
  // Draws the first that is listed, and takes it where both cost the same.
  const runtime = new CallRuntime({ random: { ...systemRandom, next: () => 0 } });
  const front = await join(registry, "front", { runtime });
  await sees(front, 3);
  assert.deepEqual(
    front.fleet.instances().map(({ node }) => node),
    ["lost", "cut", "back"],
  );
  // Neither while there is no connection at all, nor later, nor when it is heard of again.
  for (let n = 2; n < 30; n += 1) {
    assert.equal((await clientOf(front).sell({ n }, { timeoutMs: 1500 })).by, "back");
    if (n % 10 !== 0) continue;
    await write(n);
    await registry.changed();
    await systemClock.sleep(350);
  }
});

test("a call that is tried again has no more time than it had", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  const startedMs: number[] = [];
  const leftMs: number[] = [];
  const handler: Handler = (_request, call) => {
    if (call.operation === "shop.sell") return { by: "whoever" };
    startedMs.push(systemClock.monotonicMs());
    leftMs.push(call.remainingMs());
    return isHeld();
  };
  const [one, two] = [await join(registry, "one"), await join(registry, "two")];
  await provide(one, handler);
  await sees(front, 1);
  // With a connection that is there it is sent at once: no wait has counted its time.
  await clientOf(front).sell({ n: 1 });
  const asked = clientOf(front).look({}, { timeoutMs: 3000 });
  const failed = assert.rejects(asked, { code: "CALL_DEADLINE_EXCEEDED" });
  await until(() => leftMs.length === 1, { what: "the first has it" });
  await provide(two, handler);
  await sees(front, 2);
  await systemClock.sleep(500);
  void one.fleet.close();
  await until(() => leftMs.length === 2, { what: "the second has it" });
  const [first = 0, second = 0] = startedMs;
  const spentMs = (leftMs[0] ?? 0) - (leftMs[1] ?? 0);
  assert(spentMs > (second - first) * 0.9, `${spentMs} of ${second - first} ms were counted`);
  await failed;
});

test("what is known of an instance gives way: who is well again has its share", async () => {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const load = new InstanceLoad(clock);
  const see = (tookMs: number): void => {
    load.began();
    load.ended(undefined, tookMs);
  };
  for (let n = 0; n < 30; n += 1) see(2000);
  await clock.advance(20_000);
  see(1);
  assert(load.cost < 5, `${load.cost}`);
  for (let n = 0; n < 30; n += 1) see(2000);
  await clock.advance(20_000);
  load.began();
  load.ended(kernelErrors.INTERNAL("No."));
  assert(load.cost < 5, `a failure brings nothing back: ${load.cost}`);
});

test("calls that are refused before they begin are not in flight, nor sent", async () => {
  const registry = createRegistry();
  const front = await join(registry, "front");
  const back = await join(registry, "back", { workMs: 1 });
  await sees(front, 1);
  const client = clientOf(front);
  await client.sell({ n: 1 });
  const keys = ["k".repeat(256), "k".repeat(15_000), "with a space", "é"];
  for (const idempotencyKey of keys) {
    const code = "IDEMPOTENCY_KEY_INVALID";
    await assert.rejects(client.sell({ n: 1 }, { idempotencyKey }), { code });
  }
  for (let n = 0; n < 50; n += 1) {
    await assert.rejects(client.sell({ n: 1 }, { timeoutMs: -1 }), {
      code: "CALL_OPTIONS_INVALID",
    });
  }
  assert.equal(back.handled, 1);
  assert.equal((await client.sell({ n: 2 })).by, "back");
});
