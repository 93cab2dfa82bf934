/**
 * Off means off: a call of a node whose telemetry is switched off allocates what it allocates on a
 * pipeline that has never heard of telemetry. Measured in processes of their own, whose young
 * generation is so large that nothing is collected meanwhile. Run with an argument, this file is
 * such a process.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, defineService, t } from "@banyan/kernel";
import { CallRuntime, listOperations, OperationRunner } from "@banyan/kernel/internal";
import type { Handler } from "@banyan/kernel/internal";
import { createLocalMesh } from "@banyan/mesh";
import { openMemoryEngine, openStore } from "@banyan/state";
import { spawnNode } from "@banyan/testbed";
import { openNode } from "./node.ts";
import { flagsOf } from "./sample-node.test.ts";

const calls = 40_000;

const desk = defineContract("desk", {
  summary: "Reads.",
  version: "1.0.0",
  stores: { notes: { durability: "ephemeral", value: t.Object({ n: t.Integer() }) } },
  operations: {
    read: { summary: "Read.", access: "anonymous", response: t.Object({ n: t.Integer() }) },
  },
});

interface Reader {
  read(request: object): Promise<unknown>;
}

/** The same contract on the parts of a node put together by hand. */
async function openBare(): Promise<Reader> {
  const notes = await openStore(openMemoryEngine(), {
    scope: "desk",
    name: "notes",
    spec: desk.spec.stores.notes,
  });
  const handler: Handler = async () => ({ n: (await notes.get("a"))?.n ?? 0 });
  const mesh = createLocalMesh();
  const runtime = new CallRuntime();
  const runners = listOperations(desk.spec.operations).map(
    (operation) => new OperationRunner(desk, operation, { handler, runtime }),
  );
  mesh.provide({ contract: desk, runners });
  return mesh.client(desk, { caller: "program" });
}

async function openReal(settings: Readonly<Record<string, unknown>>): Promise<Reader> {
  const service = defineService(desk, ({ stores: { notes } }) => ({
    operations: { read: async () => ({ n: (await notes.get("a"))?.n ?? 0 }) },
  }));
  const config = { flags: flagsOf({ "/http/enabled": false, ...settings }) };
  const node = await openNode({ services: [service], inMemory: true, config });
  return node.client(desk);
}

const switchedOff = { "/telemetry/metrics/enabled": false, "/telemetry/traces/enabled": false };
const modes: Readonly<Record<string, () => Promise<Reader>>> = {
  bare: openBare,
  off: () => openReal(switchedOff),
  on: () => openReal({}),
};

const [, , mode] = process.argv;
if (mode === undefined) describeAllocation();
else await measure(mode);

async function measure(name: string): Promise<void> {
  const reader = await modes[name]?.();
  assert(reader !== undefined);
  const run = async (): Promise<void> => {
    for (let call = 0; call < calls; call += 1) await reader.read({});
  };
  // The compiler and timers of the process allocate as well, so the least of many is the call's.
  let bytes = Infinity;
  for (let round = 0; round < 10; round += 1) {
    // A collection in the middle of a round would pass for calls that allocate less.
    collect();
    const before = process.memoryUsage().heapUsed;
    await run();
    const grown = process.memoryUsage().heapUsed - before;
    if (grown > 0) bytes = Math.min(bytes, grown / calls);
  }
  process.stdout.write(`bytes ${bytes.toFixed(1)}\n`);
  process.exit(0);
}

function collect(): void {
  assert(globalThis.gc !== undefined, "started with --expose-gc");
  globalThis.gc();
}

async function bytesOf(name: string): Promise<number> {
  const semiSpace = ["--min-semi-space-size=512", "--max-semi-space-size=512"];
  // Compiled where it runs: what a busy machine compiles later would be another program.
  const flags = ["--conditions=source", "--expose-gc", "--no-concurrent-recompilation"].concat(
    semiSpace,
  );
  await using child = spawnNode(import.meta.filename, [name], { execArgv: flags });
  const { match } = await child.waitForLine(/^bytes (-?[0-9.]+)$/, { timeoutMs: 60_000 });
  return Number(match[1]);
}

function describeAllocation(): void {
  test("a call allocates nothing for telemetry that is switched off", async (context) => {
    // What the compiler spares differs from run to run by more than an object.
    let [bare, off] = [Infinity, Infinity];
    for (let tries = 0; tries < 6 && !(Math.abs(off - bare) < 12); tries += 1) {
      bare = Math.min(bare, await bytesOf("bare"));
      off = Math.min(off, await bytesOf("off"));
    }
    const on = await bytesOf("on");
    context.diagnostic(`bytes allocated by a call: bare ${bare}, off ${off}, on ${on}`);
    assert.ok(bare > 100, "something was collected meanwhile, so nothing was measured");
    // The smallest object is 16 bytes; what is left below is the timer's and the compiler's.
    assert.ok(Math.abs(off - bare) < 12, `off ${off}, bare ${bare}`);
    assert.ok(on > off + 40, "switched on it must be seen, or this test sees nothing");
  });
}
