/** Several nodes with real sockets: load, status, and whom that makes called last. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CallRuntime } from "@banyan/kernel/internal";
import { until } from "@banyan/testbed";
import { parseInstanceRecord } from "./instance-record.ts";
import type { InstanceRecord } from "./instance-record.ts";
import { openFleet } from "./open-fleet.ts";
import { clientOf, createRegistry, join, secret, sees } from "./sample-fleet.test.ts";
import type { Member } from "./sample-fleet.test.ts";
import type { HealthReport } from "./status-watch.ts";

test("a degraded instance is called only where no other that is up is left", async () => {
  const registry = createRegistry();
  let report: HealthReport = { status: "up", issues: [] };
  const weak = await join(registry, "weak", { workMs: 1, health: () => report });
  const strong = await join(registry, "strong", { workMs: 1 });
  const front = await join(registry, "front");
  await sees(front, 2);
  const client = clientOf(front);
  const statusOf = (member: Member): string | undefined =>
    front.fleet.instances().find(({ instance }) => instance === member.fleet.instance)?.status;
  report = { status: "degraded", issues: ["state:redis is away"] };
  await until(() => statusOf(weak) === "degraded", { what: "it is known to be degraded" });
  const known = front.fleet.instances().find(({ node }) => node === "weak");
  assert.deepEqual(known?.issues, report.issues);
  const before = weak.handled;
  for (let n = 0; n < 30; n += 1) assert.equal((await client.sell({ n })).by, "strong");
  assert.equal(weak.handled, before);
  assert.equal(front.fleet.mesh.isAvailable("shop"), true);
  await strong.fleet.close();
  await sees(front, 1);
  assert.equal((await client.sell({ n: 1 })).by, "weak");
  assert.equal(front.fleet.mesh.isAvailable("shop"), true);
  report = { status: "up", issues: [] };
  await until(() => statusOf(weak) === "up", { what: "it is well again" });
});

test("where those that are up cannot be reached, a degraded instance is called", async () => {
  const registry = createRegistry();
  const issues = ["always"];
  await join(registry, "weak", { workMs: 1, health: () => ({ status: "degraded", issues }) });
  const front = await join(registry, "front");
  const weakIsKnown = (): boolean =>
    front.fleet.instances().some(({ status }) => status === "degraded");
  await until(weakIsKnown, { what: "it is known to be degraded" });
  const services = { shop: "1.0.0" };
  const who = { instance: "gone", node: "gone", app: "banyan", services } as const;
  const gone = { ...who, host: "127.0.0.1", port: 1, status: "up", issues: [] } as const;
  await registry.write(gone, 60_000);
  await registry.changed();
  await sees(front, 2);
  assert.equal((await clientOf(front).sell({ n: 1 })).by, "weak");
});

test("the load of a node is measured, told with its heartbeat, and makes it degraded", async () => {
  const registry = createRegistry();
  // Any process takes more of its memory than that.
  const busy = await join(registry, "busy", { workMs: 1, loadMax: 1e-6 });
  const front = await join(registry, "front");
  const known = (): InstanceRecord | undefined =>
    front.fleet.instances().find(({ node }) => node === "busy");
  await until(() => known()?.status === "degraded", { what: "it is known to be degraded" });
  const { load } = known() ?? {};
  assert(load !== undefined);
  const { load: greatest, ...figures } = load;
  assert.equal(greatest, Math.max(...Object.values(figures)));
  assert(Object.values(load).every((share) => share >= 0 && share <= 1));
  assert(figures.memory > 0);
  assert.match(known()?.issues[0] ?? "", /^its load is high: /);
  assert(Math.abs((known()?.startedAtMs ?? 0) - Date.now()) < 60_000);
  await busy.fleet.drain();
  const beats = new Set<number>();
  const statuses = new Set<string | undefined>();
  const written = async (): Promise<InstanceRecord | undefined> => {
    const all = (await registry.list()).map(parseInstanceRecord);
    return all.find((record) => record?.node === "busy");
  };
  await until(
    async () => {
      const record = await written();
      statuses.add(record?.status);
      return beats.add(record?.renewedAtMs ?? 0).size > 2;
    },
    { what: "its heart has beaten twice" },
  );
  assert.deepEqual([...statuses], ["draining"], "whatever its load is");
});

test("a loadMax that is no share is refused with what to say", async () => {
  for (const loadMax of [0, -1, 80, Number.NaN]) {
    const runtime = new CallRuntime();
    const opening = openFleet({ node: "x", registry: createRegistry(), runtime, secret, loadMax });
    await assert.rejects(opening, { code: "MESH_OPTIONS_INVALID", message: /loadMax.*0\.8/ });
  }
});
