/** Each option of a fleet, by its effect. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, t } from "@banyan/kernel";
import { listOperations, OperationRunner } from "@banyan/kernel/internal";
import type { Handler } from "@banyan/kernel/internal";
import { freePort, until } from "@banyan/testbed";
import { clientOf, createRegistry, join, sees } from "./sample-fleet.test.ts";
import type { Member } from "./sample-fleet.test.ts";

test("The option heartbeatMs: a record's lease is three of them, renewed in each", async () => {
  const registry = createRegistry();
  const leases: number[] = [];
  const noting = {
    ...registry,
    write: (record: Parameters<typeof registry.write>[0], leaseMs: number) => {
      leases.push(leaseMs);
      return registry.write(record, leaseMs);
    },
  };
  await join(noting, "one", { workMs: 1, heartbeatMs: 200 });
  await until(() => leases.length > 3, { what: "it is renewed" });
  assert.deepEqual(new Set(leases), new Set([600]));
});

test("The options listen and advertise: where it is, and what the others are told", async () => {
  const registry = createRegistry();
  const port = await freePort();
  const advertise = { host: "node.example", port: 7 };
  const { fleet } = await join(registry, "one", { workMs: 1, listen: { port }, advertise });
  assert.deepEqual(fleet.address, advertise);
  const other = await join(registry, "two");
  await sees(other, 1);
  const [{ host, port: told } = advertise] = other.fleet.instances();
  assert.deepEqual({ host, port: told }, advertise);
  await assert.rejects(join(registry, "three", { listen: { port } }), {
    code: "MESH_LISTEN_FAILED",
  });
});

test("The option cluster: nodes of another one are refused", async () => {
  const registry = createRegistry();
  await join(registry, "one", { workMs: 1, cluster: "red" });
  const front = await join(registry, "two", { cluster: "blue" });
  await sees(front, 1);
  await assert.rejects(clientOf(front).look({}), (error: Error & { code?: string }) => {
    assert.match(error.code ?? "", /^MESH_PEER_/);
    return true;
  });
});

test("The option callsMax: one call more for a peer is refused by name", async () => {
  const registry = createRegistry();
  await join(registry, "back", { workMs: 300, callsMax: 2 });
  const front = await join(registry, "front");
  await sees(front, 1);
  const client = clientOf(front);
  const calls = await Promise.allSettled([1, 2, 3].map((n) => client.sell({ n })));
  const codes = calls.map((call) => (call.status === "fulfilled" ? "ok" : call.reason.code));
  assert.deepEqual(codes, ["ok", "ok", "CALL_LIMIT_REACHED"]);
});

const lines = defineContract("lines", {
  summary: "Says lines.",
  version: "1.0.0",
  operations: {
    say: {
      summary: "Say.",
      request: t.Object({ text: t.String() }),
      response: t.Object({ length: t.Integer() }),
    },
    count: { summary: "Count.", stream: t.Object({ n: t.Integer() }) },
    countAhead: { summary: "Count.", stream: t.Object({ n: t.Integer() }), streamAhead: 8 },
    countInStep: { summary: "Count.", stream: t.Object({ n: t.Integer() }), streamAhead: 0 },
  },
});

function provideLines({ fleet, runtime }: Member): { asked: number } {
  const seen = { asked: 0 };
  async function* count(): AsyncGenerator<{ n: number }> {
    for (let n = 1; n <= 100; n += 1) {
      seen.asked += 1;
      yield { n };
    }
  }
  const handlers: Readonly<Record<string, Handler>> = {
    say: () => ({ length: 0 }),
    count,
    countAhead: count,
    countInStep: count,
  };
  const runners = listOperations(lines.spec.operations).map((operation) => {
    const handler = handlers[operation.name];
    assert(handler !== undefined);
    return new OperationRunner(lines, operation, { handler, runtime });
  });
  fleet.mesh.provide({ contract: lines, runners });
  return seen;
}

async function openLines(own: Parameters<typeof join>[2]) {
  const registry = createRegistry();
  const seen = provideLines(await join(registry, "back"));
  const front = await join(registry, "front", own);
  await until(() => front.fleet.mesh.isAvailable("lines"), { what: "it is known" });
  return { client: front.fleet.mesh.client(lines, { caller: "test" }), seen };
}

test("The option messageBytesMax: what is longer is refused unsent", async () => {
  const { client } = await openLines({ messageBytesMax: 100_000 });
  await client.say({ text: "x".repeat(90_000) });
  await assert.rejects(client.say({ text: "x".repeat(110_000) }), {
    code: "MESH_MESSAGE_TOO_LONG",
    message: /100000/,
  });
});

for (const [operation, streamAhead, most] of [
  ["count", 0, 1],
  ["count", 8, 8],
  ["countAhead", 0, 8],
  ["countInStep", 8, 1],
] as const) {
  const what = `at ${streamAhead} the handler of ${operation} is ${most} ahead`;
  test(`The option streamAhead: ${what}`, async () => {
    const { client, seen } = await openLines({ streamAhead });
    const frames = client[operation]({})[Symbol.asyncIterator]();
    await frames.next();
    await until(() => seen.asked >= most, { what: "it is as far as it may be" });
    await client.say({ text: "" }); // whatever came before it is there by now
    assert(seen.asked <= most + 1, `${seen.asked}`);
    await frames.return?.();
  });
}
