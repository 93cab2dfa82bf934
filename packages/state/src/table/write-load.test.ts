/** The ledger of a load sees what it is for: one lost, half done or doubled write of any kind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { openMemoryEngine } from "../memory.ts";
import { openStore } from "../open-store.ts";
import { loadClientOf, stepsOf, WriteLedger } from "./write-load.ts";
import type { LoadStep } from "./write-load.ts";

const steps = [...stepsOf("writer").take(30)];

async function openLoad() {
  const engine = openMemoryEngine();
  const capabilities = ["transaction"];
  const spec = { value: t.Integer(), durability: "ephemeral", capabilities } as const;
  const store: Store<number> = await openStore(engine, { scope: "load", name: "test", spec });
  return { ledger: new WriteLedger(), client: loadClientOf(engine, store) };
}

/** What the ledger misses after all steps, each done and noted unless `of` says otherwise. */
async function missesOf(of: (step: LoadStep) => { times?: number; told?: "unknown" }) {
  const { ledger, client } = await openLoad();
  for (const step of steps) {
    const { times = 1, told = "written" } = of(step);
    for (let time = 0; time < times; time += 1) await step.run(client);
    ledger.note(step, told);
  }
  return ledger.misses(client.store);
}

test("nothing is missed where nothing was lost, and what is unknown may be either", async () => {
  assert.deepEqual(await missesOf(() => ({})), []);
  for (const lost of steps) {
    const misses = missesOf((step) => (step === lost ? { times: 0, told: "unknown" } : {}));
    assert.deepEqual(await misses, []);
    const kept = missesOf((step) => (step === lost ? { told: "unknown" } : {}));
    assert.deepEqual(await kept, []);
  }
});

test("each acknowledged write is missed when it was lost", async () => {
  for (const [at, lost] of steps.entries()) {
    const misses = await missesOf((step) => (step === lost ? { times: 0 } : {}));
    assert.notDeepEqual(misses, [], `step ${at}`);
  }
});

test("half a batch, a count done twice and a refused write that was done are seen", async () => {
  const { ledger, client } = await openLoad();
  const [first, , batch] = steps;
  assert(first !== undefined && batch !== undefined);
  await first.run(client);
  ledger.note(first, "unavailable");
  assert.deepEqual(await ledger.misses(client.store), ["writer-1-a is 1 instead of nothing"]);
  await client.store.delete("writer-1-a");
  ledger.note(batch, "unknown");
  assert.deepEqual(await ledger.misses(client.store), []);
  await client.store.set("writer-1-c", 1);
  assert.equal((await ledger.misses(client.store)).length, 1);
  const [, , , , , , , , count] = steps;
  const doubled = await missesOf((step) => (step === count ? { times: 2 } : {}));
  assert.deepEqual(doubled, ["writer-count-a is 4 instead of 3"]);
});
