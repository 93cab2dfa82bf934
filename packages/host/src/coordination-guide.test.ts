/** The service of docs/guides/coordination.md: the page shows this very code, and it runs here. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { defineContract, defineService, t } from "@banyan/kernel";
import { until } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";

const page = readFileSync(new URL("../../../docs/guides/coordination.md", import.meta.url), "utf8");
const own = readFileSync(import.meta.filename, "utf8");

// guide: contract
const treasury = defineContract("treasury", {
  summary: "Pays into accounts and closes them.",
  version: "1.0.0",
  stores: {
    balances: { durability: "durable", capabilities: ["transaction"], value: t.Integer() },
    closings: { durability: "durable", capabilities: ["transaction"], value: t.Integer() },
    tours: { durability: "durable", capabilities: ["transaction"], value: t.Integer() },
    settings: { durability: "durable", scoped: true, value: t.String() },
  },
  locks: {
    closing: { summary: "One closing of an account at a time." },
    rounds: { summary: "Which node makes the rounds." },
  },
  operations: {
    pay: {
      summary: "Pay into an account, once for each payment.",
      access: "anonymous",
      request: t.Object({
        paymentId: t.String({ pattern: "^[!-~]{1,64}$", description: "New for each payment." }),
        account: t.String({ minLength: 1 }),
        cents: t.Integer(),
      }),
      response: t.Object({ balance: t.Integer() }),
    },
    close: {
      summary: "Close an account.",
      access: "anonymous",
      request: t.Object({ account: t.String({ minLength: 1 }) }),
      response: t.Object({ outcome: t.Enum(["closed", "busy"]) }),
    },
    prefer: {
      summary: "Set an organisation's currency.",
      access: "anonymous",
      request: t.Object({ organisation: t.String({ minLength: 1 }), currency: t.String() }),
      response: t.Object({ etag: t.String() }),
    },
  },
});
// guide: end

// guide: service
const service = defineService(treasury, ({ stores, scopes, locks, transaction, clock }) => ({
  operations: {
    pay: ({ paymentId, account, cents }, { signal }) =>
      transaction(
        async (tx) => ({
          balance: await tx.stores.balances.update(account, (old = 0) => old + cents),
        }),
        { operationId: `pay-${paymentId}`, signal },
      ),

    async close({ account }, { signal }) {
      const asked = await locks.closing.acquire(account, { ttlMs: 30_000, waitMs: 1000, signal });
      if (asked.kind === "taken") return { outcome: "busy" };
      if (asked.kind === "unavailable") throw asked.error;
      await using lock = asked.lock; // given back at the end, however it ends
      const cents = (await stores.balances.get(account, { signal })) ?? 0;
      // … long work, which ends early when lock.signal aborts …
      await transaction((tx) => tx.stores.closings.set(account, cents), { under: lock, signal });
      return { outcome: "closed" };
    },

    async prefer({ organisation, currency }, { signal }) {
      const owner = `organisation:${organisation}`;
      await scopes.create(organisation, { owner, signal });
      const settings = await stores.settings.in(organisation, { owner, signal });
      return { etag: await settings.set("currency", currency, { signal }) };
    },
  },

  // On every node; on one of them at a time the rounds are made.
  async run(signal) {
    const candidate = locks.rounds.lead(
      async ({ lock, signal: term }) => {
        while (!term.aborted) {
          const walk = { under: lock, signal: term };
          await transaction((tx) => tx.stores.tours.update("all", (old = 0) => old + 1), walk);
          await clock.sleep(60_000, { signal: term }).catch(() => undefined);
        }
      },
      { signal },
    );
    await candidate.stopped;
  },
}));
// guide: end

function blockOf(name: string): string {
  return own.split(`// guide: ${name}\n`)[1]?.split("// guide: end\n")[0] ?? "";
}

test("the page shows the service that runs here", () => {
  for (const name of ["contract", "service"]) {
    const block = blockOf(name);
    assert.ok(block.length > 500);
    assert.ok(
      page.includes(`\`\`\`ts\n${block}\`\`\`\n`),
      `the ${name} of the page is another one`,
    );
  }
});

test("a payment counts once, an account is closed by one, a scope is its owner's", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const { pay, close, prefer } = node.client(treasury);
  const payment = { paymentId: "p-1", account: "ada", cents: 500 };
  const answers = [
    await pay(payment),
    await pay(payment),
    await pay({ ...payment, paymentId: "p-2" }),
  ];
  assert.deepEqual(
    answers.map(({ balance }) => balance),
    [500, 500, 1000],
  );
  const closed = await Promise.all([close({ account: "ada" }), close({ account: "ada" })]);
  assert.deepEqual(closed, [{ outcome: "closed" }, { outcome: "closed" }]);
  await prefer({ organisation: "42", currency: "EUR" });
  const { state } = node.client(nodeContract);
  const entry = await state.get({ store: "treasury/42.settings", key: "currency" });
  assert.equal(entry.value, "EUR");
  assert.equal((await state.get({ store: "treasury.closings", key: "ada" })).value, 1000);
  const toured = async (): Promise<boolean> => {
    const { value } = await state.get({ store: "treasury.tours", key: "all" });
    return value === 1;
  };
  await until(toured, { what: "The leader's first tour" });
});
