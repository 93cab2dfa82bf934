/**
 * What becomes of writes whose replies are lost, on a real server behind a real proxy: the same
 * sentences for every networked engine.
 *
 * A reply is lost at a chosen step: the proxy swallows what the server answers from the moment on
 * in which the n-th parcel of a write has left for it.
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { systemClock } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import { endOf, losing, openLossyClient, recover, turns } from "./lost-reply-bench.ts";
import type { LossyClient, LostReplySuite } from "./lost-reply-bench.ts";
import { assertCounted } from "./lost-reply-histories.ts";

export type { LossyProxy, LostReplySuite } from "./lost-reply-bench.ts";

/** Where a write is done; with an id it can be asked again. */
interface Place {
  readonly key: string;
  readonly operationId?: string;
  readonly signal?: AbortSignal;
}

type Write = (client: LossyClient, place: Place) => Promise<unknown>;

const PARCELS_MAX = 20; // a write of any engine is over by then
const increment = (count: number | undefined): number => (count ?? 0) + 1;

/** Every write there is, on a key that is there with the value 1. */
const writes: Readonly<Record<string, Write>> = {
  set: ({ store }, { key, ...more }) => store.set(key, 2, more),
  "set with a condition": async ({ store }, { key, ...more }) =>
    store.set(`${key}-made`, 2, { ...more, ifAbsent: true }),
  setMany: ({ store }, { key, ...more }) =>
    store.setMany(
      [
        [key, 2],
        [`${key}-more`, 2],
      ],
      more,
    ),
  delete: ({ store }, { key, ...more }) => store.delete(key, more),
  deleteMany: ({ store }, { key, ...more }) => store.deleteMany([key, `${key}-more`], more),
  update: ({ store }, { key, ...more }) => store.update(key, increment, more),
  transaction: ({ transact }, { key, ...more }) =>
    transact(({ stores }) => stores.store.update(key, increment), more),
};

const reads: Readonly<Record<string, Write>> = {
  get: ({ store }, { signal }) => store.get("there", { signal }),
  getMany: ({ store }, { signal }) => store.getMany(["there", "missing"], { signal }),
  has: ({ store }, { signal }) => store.has("there", { signal }),
  scan: ({ store }, { signal }) => store.scan({ signal }),
};

/** Registers the sentences with `node:test`. */
export function describeLostReplies(suite: LostReplySuite): void {
  void describe(`lost replies of ${suite.name}`, () => {
    for (const [name, write] of Object.entries(writes)) {
      void it(`of ${name} leave it undone, or its outcome is told to be unknown`, () =>
        assertTold(suite, name, write));
      void it(`of ${name} with an operationId are asked for again, and it is done once`, () =>
        assertRepeated(suite, name, write));
    }
    for (const [name, read] of Object.entries(reads)) {
      void it(`of ${name} are a server that is not available`, async () => {
        await using client = await openLossyClient(suite, `read-${name}`);
        const { kind } = await losing(suite.proxy, { parcel: 1 }, () =>
          read(client, { key: "there" }),
        );
        await recover(suite, client);
        assert.equal(kind, "unavailable");
      });
    }
    for (const [name, work] of Object.entries({ ...writes, ...reads })) {
      void it(`of ${name} hold it up no longer than while its caller has time`, () =>
        assertInTime(suite, name, work));
    }
    void it(`lost replies of ${suite.name} and cuts at random: operationIds count once`, () =>
      assertCounted(suite));
  });
}

/** With a reply lost at each of its steps; one of them is that of the commit. */
async function assertTold(suite: LostReplySuite, name: string, write: Write): Promise<void> {
  await using client = await openLossyClient(suite, `told-${name}`);
  const endings: string[] = [];
  for (let parcel = 1; parcel <= PARCELS_MAX; parcel += 1) {
    const key = `k${parcel}`;
    await client.store.set(key, 1);
    const { kind } = await losing(suite.proxy, { parcel }, () => write(client, { key }));
    await recover(suite, client);
    if (kind === "done") break;
    endings.push(kind);
  }
  assert(endings.includes("unknown"), `its endings were ${endings.join(", ")}`);
  // Before the commit was sent nothing is written, and that is known.
  assert(endings.lastIndexOf("unavailable") < endings.indexOf("unknown"), endings.join(", "));
}

async function assertRepeated(suite: LostReplySuite, name: string, write: Write): Promise<void> {
  await using client = await openLossyClient(suite, `once-${name}`);
  await using witness = await openLossyClient(suite, `once-${name}`);
  let lost = 0;
  for (let parcel = 1; parcel <= PARCELS_MAX; parcel += 1) {
    const [key, operationId] = [`k${parcel}`, `${name.replaceAll(" ", "-")}-${parcel}`];
    await client.store.set(key, 1);
    const ask = () => write(client, { key, operationId });
    const end = await losing(suite.proxy, { parcel, heals: true }, ask);
    assert.notEqual(end.kind, "unknown", "the store asks again by itself");
    await recover(suite, client);
    if (end.kind === "unavailable") lost += 1;
    const answer = end.kind === "done" ? end.answer : await ask();
    const left = await entriesOf(client.store);
    assert.deepEqual(await ask(), answer);
    assert.deepEqual(await write(witness, { key, operationId }), answer);
    assert.deepEqual(await entriesOf(client.store), left);
    if (name === "update" || name === "transaction") {
      assert.deepEqual([answer, await client.store.get(key)], [2, 2]);
    }
    if (!end.isHit) break;
  }
  assert(lost < PARCELS_MAX, "not one was done");
}

/** A server that says nothing, an engine that would wait for long, and callers with less time. */
async function assertInTime(suite: LostReplySuite, name: string, work: Write): Promise<void> {
  await using client = await openLossyClient(suite, `time-${name}`, 20_000);
  const reasons = [
    new DOMException("too late", "TimeoutError"),
    kernelErrors.CALL_DEADLINE_EXCEEDED("The call had no more time."),
  ];
  for (const reason of reasons) {
    for (const waited of [0, 1, 2, 300]) {
      const key = `k${waited}`;
      await client.store.set(key, 1);
      await client.store.deleteMany([`${key}-made`, `${key}-more`]);
      suite.proxy.stall();
      const time = new AbortController();
      const ending = endOf(() => work(client, { key, signal: time.signal }));
      await turns(waited);
      time.abort(reason);
      const startedMs = systemClock.monotonicMs();
      const { kind } = await ending;
      const lateMs = systemClock.monotonicMs() - startedMs;
      await recover(suite, client);
      assert(lateMs < 5000, `${name} answered ${lateMs} ms after the time was over`);
      if (kind === "overdue" && !(name in reads)) {
        const left = await client.store.getMany([key, `${key}-made`, `${key}-more`]);
        assert.deepEqual(
          left.map((entry) => [entry.key, entry.value]),
          [[key, 1]],
          "it was said that nothing was written",
        );
      }
      assert.notEqual(kind, "done");
      if (name in reads) assert.notEqual(kind, "unknown");
    }
  }
}

async function entriesOf(store: Store<number>): Promise<unknown> {
  return (await store.scan({ limit: 1000 })).entries;
}
