/**
 * Acknowledged means committed: a child process writes and tells each write when it is
 * acknowledged; it is killed at random moments; what was told must be there.
 */

import assert from "node:assert/strict";
import { t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import type { StateEngine } from "../engine.ts";
import { openStore } from "../open-store.ts";
import { loadClientOf, stepsOf, WriteLedger } from "./write-load.ts";
import type { LoadClient } from "./write-load.ts";

/** A process that calls `writeUntilKilled`; those of the testbed fit. */
export interface CrashChild extends AsyncDisposable {
  readonly lines: readonly { readonly text: string }[];
  waitForLine(pattern: RegExp): Promise<unknown>;
  killAtRandom(kill: { seed: number; minMs: number; maxMs: number }): Promise<{
    readonly signal: string | null;
  }>;
}

export interface CrashSuite {
  /** On the same tables as the children. */
  readonly engine: StateEngine;
  readonly kills: number;
  readonly seed: number;
  spawn(writer: string): CrashChild;
  /** Waits until the server has noticed that a child is gone. */
  untilAlone(): Promise<unknown>;
}

/** What a child does. */
export async function writeUntilKilled(engine: StateEngine, writer: string): Promise<void> {
  const client = await clientOf(engine);
  process.stdout.write("ready\n");
  for (const step of stepsOf(writer)) {
    await step.run(client);
    // A pipe is written synchronously: what is told has been acknowledged, nothing is buffered.
    process.stdout.write("ack\n");
  }
}

/** Kills one child after the other; what each was told must be there, from then on. */
export async function surviveKills(suite: CrashSuite): Promise<void> {
  const client = await clientOf(suite.engine);
  const ledger = new WriteLedger();
  for (let kill = 1; kill <= suite.kills; kill += 1) {
    const writer = `round${kill}`;
    await using child = suite.spawn(writer);
    await child.waitForLine(/^ready$/);
    const { signal } = await child.killAtRandom({ seed: suite.seed + kill, minMs: 5, maxMs: 120 });
    assert.equal(signal, "SIGKILL", "a child ended by itself");
    const told = child.lines.filter(({ text }) => text === "ack").length;
    await suite.untilAlone();
    await noteAll(ledger, client, { writer, told });
    assert.deepEqual(await ledger.misses(client.store), []);
  }
  assert(ledger.acknowledged > 0, "no child wrote anything before it was killed");
}

/** What was told is done; the next one may be, and is done once if it can be asked again. */
async function noteAll(
  ledger: WriteLedger,
  client: LoadClient,
  { writer, told }: { readonly writer: string; readonly told: number },
): Promise<void> {
  let at = 0;
  for (const step of stepsOf(writer)) {
    if (at === told) {
      if (step.isRepeatable) await step.run(client);
      ledger.note(step, step.isRepeatable ? "written" : "unknown");
      return;
    }
    ledger.note(step, "written");
    at += 1;
  }
}

async function clientOf(engine: StateEngine): Promise<LoadClient> {
  const capabilities = ["transaction"];
  const spec = { value: t.Integer(), durability: "durable", capabilities } as const;
  const store: Store<number> = await openStore(engine, { scope: "crash", name: "test", spec });
  return loadClientOf(engine, store);
}
