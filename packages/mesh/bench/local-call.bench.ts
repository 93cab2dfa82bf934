/**
 * An in-process call through a typed client: `{ name }` → `{ text, count }`, async handler.
 *
 *     node --conditions=source packages/mesh/bench/local-call.bench.ts
 *
 * The floor is an awaited async function that makes the same answer. What runs around ours: client,
 * routing, deadline, async context, copies both ways, validation unless it says `edge`.
 */

import { defineContract, t } from "@banyan/kernel";
import { CallRuntime, listOperations, OperationRunner } from "@banyan/kernel/internal";
import { createLocalMesh } from "../src/index.ts";
import type { LocalMeshOptions } from "../src/index.ts";

const rounds = 15;
const callsPerRound = 60_000;

const greeter = defineContract("greeter", {
  summary: "Greets.",
  version: "1.0.0",
  operations: {
    greet: {
      summary: "Greet.",
      request: t.Object({ name: t.String() }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
    },
    relay: {
      summary: "Calls greet.",
      request: t.Object({ name: t.String() }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
    },
  },
});

interface Answer {
  readonly text: string;
  readonly count: number;
}

const greet = async ({ name }: { name: string }): Promise<Answer> => ({ text: name, count: 1 });

function openClient(options: LocalMeshOptions) {
  const runtime = new CallRuntime();
  const mesh = createLocalMesh(options);
  const client = mesh.client(greeter, { caller: "bench" });
  const relay = (request: { name: string }): Promise<Answer> => client.greet(request);
  const handlers: Readonly<Record<string, typeof relay>> = { greet, relay };
  mesh.provide({
    contract: greeter,
    runners: listOperations(greeter.spec.operations).map((operation) => {
      const handler = handlers[operation.name] ?? greet;
      // Requests were parsed by the contract's schema.
      const run = (request: unknown): unknown => handler(request as { name: string });
      return new OperationRunner(greeter, operation, { handler: run, runtime });
    }),
  });
  return client;
}

type Case = readonly [name: string, call: (request: { name: string }) => Promise<Answer>];

const full = openClient({});
const edge = openClient({ validation: "edge" });
const cases: readonly Case[] = [
  ["bare async function", greet],
  ["client, validation full", (request) => full.greet(request)],
  ["client, validation edge", (request) => edge.greet(request)],
  ["client, full, own timeout", (request) => full.greet(request, { timeoutMs: 1000 })],
  ["two calls nested, full", (request) => full.relay(request)],
];

/** CPU time, not wall time: the rest of the machine is not what is measured. */
async function callsPerSecond(call: Case[1]): Promise<number> {
  const before = process.cpuUsage();
  let sum = 0;
  for (let n = 0; n < callsPerRound; n += 1) sum += (await call({ name: "Ada" })).count;
  if (sum !== callsPerRound) throw new Error("a call answered something else");
  const { user, system } = process.cpuUsage(before);
  return (callsPerRound / (user + system)) * 1e6;
}

const rates = new Map(cases.map(([name]) => [name, [] as number[]]));
for (let round = 0; round < rounds; round += 1) {
  for (const [name, call] of cases) {
    const rate = await callsPerSecond(call);
    if (round >= 3) rates.get(name)?.push(rate);
  }
}
for (const [name, measured] of rates) {
  const sorted = measured.sort((a, b) => a - b);
  const text = [0, sorted.length >> 1, sorted.length - 1].map((index) =>
    `${Math.round((sorted[index] ?? 0) / 1000)}`.padStart(6),
  );
  console.log(`${name.padEnd(26)} ${text.join(" ")}  k calls/s (slowest, median, fastest round)`);
}
