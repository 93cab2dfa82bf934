/**
 * A call through the pipeline alone, without a client: `{ name }` → `{ text, count }`.
 *
 *     node --conditions=source packages/kernel/bench/call.bench.ts
 *
 * What runs around the handler: deadline, limits, async context, copies both ways, and validation
 * unless the mode is `trusted`. The floor is the same async handler awaited bare.
 */

import { OperationRunner } from "../src/call/pipeline.ts";
import { CallRuntime } from "../src/call/runtime.ts";
import { defineContract } from "../src/contract/contract.ts";
import { t } from "../src/schema/t.ts";

const rounds = 15;
const callsPerRound = 60_000;

const spec = {
  summary: "Greet.",
  request: t.Object({ name: t.String() }),
  response: t.Object({ text: t.String(), count: t.Integer() }),
};
const greeter = defineContract("greeter", {
  summary: "Greets.",
  version: "1.0.0",
  operations: { greet: spec },
});
const operation = { segments: ["greet"], name: "greet", spec };
// Requests were parsed by the schema above.
const greet = async (request: unknown): Promise<unknown> => ({
  text: (request as { name: string }).name,
  count: 1,
});
const runtime = new CallRuntime();
const runner = new OperationRunner(greeter, operation, { handler: greet, runtime });
const principal = { kind: "service", id: "bench" } as const;

const cases: readonly (readonly [string, () => Promise<unknown>])[] = [
  ["bare async function", () => greet({ name: "Ada" })],
  ...(["tolerant", "trusted"] as const).map((mode) => {
    const init = { mode, principal, caller: "bench" } as const;
    return [mode, () => runner.invoke({ name: "Ada" }, init)] as const;
  }),
];

/** CPU time, not wall time: the rest of the machine is not what is measured. */
async function callsPerSecond(call: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  for (let n = 0; n < callsPerRound; n += 1) await call();
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
  console.log(`${name.padEnd(20)} ${text.join(" ")}  k calls/s (slowest, median, fastest round)`);
}
