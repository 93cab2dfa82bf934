import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createIdSource, systemRandom } from "@banyan/kernel";
import type { IdempotencyLedger, IdempotencyOutcome } from "@banyan/kernel/internal";
import { memoryState, openStore } from "@banyan/state";
import { FakeClock, seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { createIdempotencyLedger, idempotencyRecord, retentionMs } from "./idempotency.ts";
import { eventually, openSample, post } from "./sample-node.test.ts";

const claim = { scope: "a.b operator key", requestDigest: "digest" };

async function openWorld() {
  const clock = new FakeClock();
  const ids = createIdSource(clock, systemRandom);
  const log = { debug: no, info: no, warn: no, error: no, child: () => log };
  const engine = await memoryState.openState({ directory: ".", clock, log });
  const spec = { value: idempotencyRecord, durability: "ephemeral", expires: true } as const;
  const store = await openStore(engine, {
    scope: "node",
    name: "i",
    spec,
    clock,
    random: systemRandom,
  });
  const ledgerOf = (boot: string): IdempotencyLedger =>
    createIdempotencyLedger({ store, ids, boot });
  const sharedOf = (boot: string): IdempotencyLedger =>
    createIdempotencyLedger({ store, ids, boot, lease: { clock, leaseMs: 9000 } });
  const ledgerWith = (own: FakeClock, boot: string): IdempotencyLedger =>
    createIdempotencyLedger({ store, ids, boot, lease: { clock: own, leaseMs: 9000 } });
  return {
    clock,
    store,
    ids,
    ledgerOf,
    sharedOf,
    ledgerWith,
    [Symbol.asyncDispose]: () => engine.close(),
  };
}

function no(): void {
  // A log that nobody reads.
}

function tokenOf(outcome: IdempotencyOutcome): string {
  assert(outcome.kind === "new", `expected a new claim, not ${outcome.kind}`);
  return outcome.token;
}

describe("The ledger", () => {
  test("gives a claim to one, and its answer to all who ask later", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    const token = tokenOf(await ledger.begin(claim));
    assert.deepEqual(await ledger.begin(claim), { kind: "in-progress" });
    await ledger.complete(claim, token, { text: "done" });
    assert.deepEqual(await ledger.begin(claim), { kind: "done", response: { text: "done" } });
  });

  test("that nodes share holds a claim of another node while its handler runs", async () => {
    await using world = await openWorld();
    const [one, two] = [world.sharedOf("one"), world.sharedOf("two")];
    const token = tokenOf(await one.begin(claim));
    for (let passed = 0; passed < 60; passed += 1) {
      await world.clock.advance(1000);
      assert.deepEqual(await two.begin(claim), { kind: "in-progress" }, `after ${passed} s`);
    }
    await one.complete(claim, token, 1);
    await world.clock.advance(60_000);
    assert.deepEqual(await two.begin(claim), { kind: "done", response: 1 });
  });

  test("that nodes share frees the claim of a node that died when its lease is over", async () => {
    await using world = await openWorld();
    const dead = await openWorld();
    const two = world.sharedOf("two");
    // Made by a node whose clock stands: it renews nothing any more.
    const one = world.ledgerWith(dead.clock, "one");
    tokenOf(await one.begin(claim));
    await world.clock.advance(8000);
    assert.deepEqual(await two.begin(claim), { kind: "in-progress" });
    await world.clock.advance(1001);
    const token = tokenOf(await two.begin(claim));
    await two.complete(claim, token, 2);
    assert.deepEqual(await one.begin(claim), { kind: "done", response: 2 });
    await dead[Symbol.asyncDispose]();
  });

  test("knows an answer of nothing from no answer", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    await ledger.complete(claim, tokenOf(await ledger.begin(claim)), undefined);
    assert.deepEqual(await ledger.begin(claim), { kind: "done", response: undefined });
  });

  test("refuses a key with another request, answered or not", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    const token = tokenOf(await ledger.begin(claim));
    const other = { ...claim, requestDigest: "other" };
    assert.deepEqual(await ledger.begin(other), { kind: "other-request" });
    await ledger.complete(claim, token, 1);
    assert.deepEqual(await ledger.begin(other), { kind: "other-request" });
  });

  test("keeps scopes apart", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    tokenOf(await ledger.begin(claim));
    tokenOf(await ledger.begin({ ...claim, scope: "a.b account:1 key" }));
  });

  test("frees a claim whose handler failed", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    await ledger.abandon(claim, tokenOf(await ledger.begin(claim)));
    tokenOf(await ledger.begin(claim));
    await ledger.abandon(claim, "somebody else's token");
    assert.deepEqual(await ledger.begin(claim), { kind: "in-progress" });
  });

  test("holds a claim as long as its handler runs, however long that is", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    const token = tokenOf(await ledger.begin(claim));
    await world.clock.advance(3_600_000);
    assert.deepEqual(await ledger.begin(claim), { kind: "in-progress" });
    await ledger.complete(claim, token, 1);
    assert.deepEqual(await ledger.begin(claim), { kind: "done", response: 1 });
  });

  test("after a restart keeps answers and voids claims whose handlers are gone", async () => {
    await using world = await openWorld();
    const before = world.ledgerOf("one");
    await before.complete(claim, tokenOf(await before.begin(claim)), 1);
    const open = { ...claim, scope: "open" };
    tokenOf(await before.begin(open));
    const later = world.ledgerOf("two");
    assert.deepEqual(await later.begin(claim), { kind: "done", response: 1 });
    tokenOf(await later.begin(open));
    assert.deepEqual(await later.begin(open), { kind: "in-progress" });
  });

  test("an answer that could not be recorded is not run for again", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    const token = tokenOf(await ledger.begin(claim));
    // No store takes a function.
    await assert.rejects(ledger.complete(claim, token, () => 1));
    assert.deepEqual(await ledger.begin(claim), { kind: "in-progress" });
  });

  test("records an answer though its claim is renewed at that moment", async () => {
    await using world = await openWorld();
    const { store, ids, clock } = world;
    let renewals = 2;
    const renewed: typeof store = Object.create(store, {
      getEntry: {
        value: async (key: string) => {
          const entry = await store.getEntry(key);
          if (entry === undefined || renewals === 0) return entry;
          renewals -= 1;
          await store.set(key, entry.value, { ifMatch: entry.etag, ttlMs: 9000 });
          return entry;
        },
      },
      set: { value: store.set.bind(store) },
    });
    const lease = { clock, leaseMs: 9000 };
    const ledger = createIdempotencyLedger({ store: renewed, ids, boot: "one", lease });
    const token = tokenOf(await ledger.begin(claim));
    await ledger.complete(claim, token, "done");
    assert.equal(renewals, 0);
    assert.deepEqual(await ledger.begin(claim), { kind: "done", response: "done" });
  });

  for (const lease of [true, false]) {
    const title = lease ? "at its next renewal, or when" : "when";
    test(`an answer that could not be recorded is, ${title} somebody asks`, async () => {
      await using world = await openWorld();
      const { store, ids, clock } = world;
      let isAway = false;
      const set: typeof store.set = async (...how) => {
        if (isAway) throw new Error("the store is away");
        return store.set(...how);
      };
      const failing: typeof store = Object.create(store, {
        getEntry: { value: store.getEntry.bind(store) },
        set: { value: set },
      });
      const how = { store: failing, ids, boot: "one" };
      const ledger = createIdempotencyLedger(
        lease ? { ...how, lease: { clock, leaseMs: 9000 } } : how,
      );
      const token = tokenOf(await ledger.begin(claim));
      isAway = true;
      await assert.rejects(ledger.complete(claim, token, "done"), /the store is away/);
      assert.deepEqual(await ledger.begin(claim), { kind: "in-progress" });
      isAway = false;
      if (lease) {
        await clock.advance(3000);
        const answered = await world.ledgerOf("two").begin(claim);
        assert.deepEqual(answered, { kind: "done", response: "done" });
      }
      assert.deepEqual(await ledger.begin(claim), { kind: "done", response: "done" });
    });
  }

  test("the first recorded answer stays", async () => {
    await using world = await openWorld();
    const before = world.ledgerOf("one");
    const slow = tokenOf(await before.begin(claim));
    const later = world.ledgerOf("two");
    await later.complete(claim, tokenOf(await later.begin(claim)), "second run");
    await before.complete(claim, slow, "first run");
    assert.deepEqual(await later.begin(claim), { kind: "done", response: "second run" });
  });

  test("forgets an answer after its time", async () => {
    await using world = await openWorld();
    const ledger = world.ledgerOf("one");
    await ledger.complete(claim, tokenOf(await ledger.begin(claim)), 1);
    await world.clock.advance(retentionMs - 1);
    assert.equal((await ledger.begin(claim)).kind, "done");
    await world.clock.advance(1);
    tokenOf(await ledger.begin(claim));
  });

  test("runs a handler at most once at a time, whatever the interleaving", async () => {
    const seed = seedOf();
    const step = fc.record({ who: fc.nat(3), fails: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { maxLength: 12 }),
        async (scheduler, steps) => {
          await using world = await openWorld();
          const ledger = world.ledgerOf("one");
          let running = 0;
          const answers: number[] = [];
          const ask = async (fails: boolean): Promise<void> => {
            await scheduler.schedule(Promise.resolve());
            const outcome = await ledger.begin(claim);
            if (outcome.kind === "done") assert.deepEqual(outcome.response, answers[0]);
            if (outcome.kind !== "new") return;
            assert.equal(answers.length, 0, "an answered call ran again");
            running += 1;
            assert.equal(running, 1);
            await scheduler.schedule(Promise.resolve());
            running -= 1;
            if (fails) {
              await ledger.abandon(claim, outcome.token);
              return;
            }
            answers.push(answers.length);
            await ledger.complete(claim, outcome.token, answers[0]);
          };
          const all = Promise.all(steps.map(({ fails }) => ask(fails)));
          await scheduler.waitFor(all);
        },
      ),
      { seed, numRuns: 100 },
    );
  });
});

describe("An idempotency key over HTTP", () => {
  const key = (value: string): Record<string, string> => ({ "idempotency-key": value });

  test("makes asking again safe", async () => {
    await using sample = await openSample();
    const first = await post([sample.url, "/sample/greet"], '{"name":"Ada"}', key("k1"));
    const again = await post([sample.url, "/sample/greet"], '{"name":"Ada"}', key("k1"));
    assert.deepEqual(again.body, first.body);
    const other = await post([sample.url, "/sample/greet"], '{"name":"Bob"}', key("k1"));
    assert.equal(other.status, 400);
    assert.equal(other.body["code"], "IDEMPOTENCY_KEY_REUSED");
    const fresh = await post([sample.url, "/sample/greet"], '{"name":"Ada"}', key("k2"));
    assert.equal(fresh.body["count"], 2);
  });

  test("asked again while the first runs is a conflict with Retry-After", async () => {
    await using sample = await openSample();
    const first = post([sample.url, "/sample/hang"], "{}", key("k"));
    await eventually(() => sample.probe.calls.length === 1);
    const again = await post([sample.url, "/sample/hang"], "{}", key("k"));
    assert.equal(again.status, 409);
    assert.equal(again.body["code"], "IDEMPOTENCY_IN_PROGRESS");
    assert.equal(again.headers.get("retry-after"), "1");
    sample.probe.release();
    assert.equal((await first).status, 204);
    assert.equal((await post([sample.url, "/sample/hang"], "{}", key("k"))).status, 204);
    assert.equal(sample.probe.calls.length, 1);
  });

  test("of a call that failed may be used again", async () => {
    await using sample = await openSample();
    assert.equal(
      (await post([sample.url, "/sample/greet"], '{"name":"shy"}', key("k"))).status,
      412,
    );
    assert.equal(
      (await post([sample.url, "/sample/greet"], '{"name":"shy"}', key("k"))).status,
      412,
    );
    assert.equal(sample.probe.calls.length, 2);
  });

  test("asked fifty times at once counts once", async () => {
    await using sample = await openSample();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () =>
        post([sample.url, "/sample/greet"], '{"name":"Ada"}', key("k")),
      ),
    );
    const counts = answers.filter(({ status }) => status === 200).map(({ body }) => body["count"]);
    assert.ok(counts.length >= 1);
    assert.ok(counts.every((count) => count === 1));
    assert.ok(answers.every(({ status }) => status === 200 || status === 409));
  });
});
