/**
 * Random histories against a model of ten lines: whatever sequence of commands, the engine answers
 * as the model does. This finds what nobody thought of putting into a named check.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { isBanyanError } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import { StateCapability } from "../engine.ts";
import type { Transactor } from "../transaction.ts";
import type { StateCheck, Subject } from "./harness.ts";
import { allKeys, byBytes } from "./harness.ts";

interface Kept {
  readonly value: unknown;
  readonly etag: string;
  readonly expiresAt: number;
  readonly revision: number;
}

/** What the engine should be: a map, a clock, and the etags that were ever given out. */
class Model {
  readonly entries = new Map<string, Kept>();
  readonly etags = new Set<string>();
  now = 0;

  live(key: string): Kept | undefined {
    const kept = this.entries.get(key);
    return kept !== undefined && this.now < kept.expiresAt ? kept : undefined;
  }

  keep(key: string, value: unknown, written: { etag: string; expiresAt: number }): void {
    assert(!this.etags.has(written.etag), `the etag ${written.etag} was used before`);
    this.etags.add(written.etag);
    const revision = (this.live(key)?.revision ?? 0) + 1;
    this.entries.set(key, { value, revision, ...written });
  }

  keys(prefix: string): string[] {
    const living = [...this.entries.keys()].filter((key) => this.live(key) !== undefined);
    return living.filter((key) => key.startsWith(prefix)).sort(byBytes);
  }
}

interface World {
  readonly store: Store<unknown>;
  /** Where the engine has transactions. */
  readonly transact: Transactor<{ readonly store: Store<unknown> }> | undefined;
  readonly model: Model;
  readonly subject: Subject;
}

type Command = (world: World) => Promise<void>;

const keys = fc.constantFrom(
  "a",
  "A",
  "a ",
  "ab",
  "a%",
  "a_",
  "é",
  "e\u0301",
  "\uFFFD",
  "\u{1F600}",
);
const values = fc.oneof(
  { weight: 4, arbitrary: fc.integer() },
  { weight: 1, arbitrary: fc.json({ maxDepth: 2 }).map((text): unknown => JSON.parse(text)) },
);
const ttls = fc.option(fc.constantFrom(1, 5, 20, 1000), { nil: undefined, freq: 2 });

function conditionOf(model: Model, key: string, kind: number) {
  if (kind === 0) return { options: {}, holds: true };
  const live = model.live(key);
  if (kind === 1) return { options: { ifAbsent: true }, holds: live === undefined };
  if (kind === 2) return { options: { ifMatch: live?.etag ?? "none" }, holds: live !== undefined };
  // Any etag of the past that is not the present one.
  const stale = [...model.etags].find((etag) => etag !== live?.etag) ?? "none";
  return { options: { ifMatch: stale }, holds: false };
}

async function settles<T>(promise: Promise<T>, holds: boolean): Promise<T | undefined> {
  try {
    const value = await promise;
    assert(holds, "a condition that does not hold was accepted");
    return value;
  } catch (error) {
    if (holds || !isBanyanError(error, "STATE_VERSION_CONFLICT")) throw error;
    return undefined;
  }
}

const sets = fc
  .record({ key: keys, value: values, ttlMs: ttls, kind: fc.nat(3) })
  .map(({ key, value, ttlMs, kind }): Command => async ({ store, model, subject }) => {
    const { options, holds } = conditionOf(model, key, kind);
    const life = subject.expires ? ttlMs : undefined;
    const etag = await settles(store.set(key, value, { ...options, ttlMs: life }), holds);
    if (etag === undefined) return;
    model.keep(key, value, { etag, expiresAt: model.now + (life ?? Infinity) });
  });

const setManys = fc
  .uniqueArray(fc.tuple(keys, values), { selector: ([key]) => key, maxLength: 4 })
  .map((entries): Command => async ({ store, model }) => {
    const etags = await store.setMany(entries);
    assert.equal(etags.length, entries.length);
    for (const [index, [key, value]] of entries.entries()) {
      model.keep(key, value, { etag: etags[index] ?? "", expiresAt: Infinity });
    }
  });

const updates = fc.tuple(keys, values).map(([key, value]): Command => async ({ store, model }) => {
  const live = model.live(key);
  const change = (current: unknown): unknown => {
    assert.deepEqual(current, live?.value);
    return [value];
  };
  assert.deepEqual(await store.update(key, change), [value]);
  const etag = (await store.getEntry(key))?.etag ?? assert.fail("it was just written");
  model.keep(key, [value], { etag, expiresAt: live?.expiresAt ?? Infinity });
});

const deletes = fc
  .record({ key: keys, kind: fc.constantFrom(0, 2, 3) })
  .map(({ key, kind }): Command => async ({ store, model }) => {
    const { options, holds } = conditionOf(model, key, kind);
    const existed = await settles(store.delete(key, options), holds);
    if (existed === undefined) return;
    assert.equal(existed, model.live(key) !== undefined);
    model.entries.delete(key);
  });

const deleteManys = fc
  .array(keys, { maxLength: 5 })
  .map((list): Command => async ({ store, model }) => {
    const there = new Set(list.filter((key) => model.live(key) !== undefined));
    assert.equal(await store.deleteMany(list), there.size);
    for (const key of list) model.entries.delete(key);
  });

const reads = fc.array(keys, { maxLength: 5 }).map((list): Command => async (world) => {
  const { store, model, subject } = world;
  const expected = list.flatMap((key) => {
    const live = model.live(key);
    if (live === undefined) return [];
    const { value, etag, revision } = live;
    return [{ key, value, etag, revision: subject.has("revisions") ? revision : undefined }];
  });
  const found = (await store.getMany(list)).map(({ key, value, etag, ...rest }) => {
    return { key, value, etag, revision: "revision" in rest ? rest.revision : undefined };
  });
  assert.deepEqual(found, expected);
  for (const key of list) {
    assert.deepEqual(await store.get(key), model.live(key)?.value);
    assert.equal(await store.has(key), model.live(key) !== undefined);
  }
});

type Step =
  | { readonly kind: "get"; readonly key: string }
  | { readonly kind: "delete"; readonly key: string }
  | { readonly kind: "update"; readonly key: string; readonly value: unknown }
  | {
      readonly kind: "set";
      readonly key: string;
      readonly value: unknown;
      readonly ttlMs: number | undefined;
    };

/** What one run has read and written, as the model sees it; a key that it deleted has no value. */
type Draft = Map<string, { readonly value: unknown; readonly expiresAt: number } | undefined>;

async function take(step: Step, draft: Draft, world: World & { tx: RunStore }): Promise<void> {
  const { tx, model, subject } = world;
  const { key } = step;
  const seen = draft.has(key) ? draft.get(key) : model.live(key);
  const kept = seen?.expiresAt ?? Infinity;
  if (step.kind === "get") {
    assert.deepEqual(await tx.get(key), seen?.value);
    assert.equal(await tx.has(key), seen !== undefined);
    draft.set(key, seen);
  } else if (step.kind === "delete") {
    tx.delete(key);
    draft.set(key, undefined);
  } else if (step.kind === "update") {
    const change = (current: unknown): unknown => {
      assert.deepEqual(current, seen?.value);
      return [step.value];
    };
    assert.deepEqual(await tx.update(key, change), [step.value]);
    draft.set(key, { value: [step.value], expiresAt: kept });
  } else {
    const ttlMs = subject.expires ? step.ttlMs : undefined;
    tx.set(key, step.value, { ttlMs });
    draft.set(key, { value: step.value, expiresAt: model.now + (ttlMs ?? Infinity) });
  }
}

type RunStore = Parameters<Parameters<NonNullable<World["transact"]>>[0]>[0]["stores"]["store"];

const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("get" as const), key: keys }),
  fc.record({ kind: fc.constant("delete" as const), key: keys }),
  fc.record({ kind: fc.constant("update" as const), key: keys, value: values }),
  fc.record({ kind: fc.constant("set" as const), key: keys, value: values, ttlMs: ttls }),
);

/** A run that is committed, that throws, or that somebody writes into the first time. */
const transactions = fc
  .record({
    list: fc.array(steps, { maxLength: 6 }),
    ending: fc.constantFrom("commit", "throw", "interfere"),
    victim: keys,
  })
  .map(({ list, ending, victim }): Command => async (world) => {
    const { store, model, transact } = world;
    if (transact === undefined) return;
    let draft: Draft = new Map();
    let runs = 0;
    const end = transact(async ({ stores }) => {
      runs += 1;
      draft = new Map();
      for (const step of list) await take(step, draft, { ...world, tx: stores.store });
      if (ending === "throw") throw new RangeError("on purpose");
      if (ending !== "interfere" || runs > 1) return;
      const etag = await store.set(victim, runs);
      model.keep(victim, runs, { etag, expiresAt: Infinity });
    });
    if (ending === "throw") {
      await assert.rejects(end, RangeError);
      return;
    }
    await end;
    const written = new Set(list.filter(({ kind }) => kind !== "get").map(({ key }) => key));
    for (const key of written) {
      const value = draft.get(key);
      const etag = (await store.getEntry(key))?.etag;
      assert.equal(etag !== undefined, value !== undefined);
      if (value === undefined || etag === undefined) model.entries.delete(key);
      else model.keep(key, value.value, { etag, expiresAt: value.expiresAt });
    }
  });

const scans = fc
  .record({
    prefix: fc.constantFrom("", "a", "A", "e", "\uFFFD", "z"),
    limit: fc.integer({ min: 1, max: 5 }),
  })
  .map((options): Command => async ({ store, model }) => {
    assert.deepEqual(await allKeys(store, options), model.keys(options.prefix));
  });

const waits = fc.constantFrom(1, 4, 5, 50).map((ms): Command => async ({ model, subject }) => {
  await subject.harness.advance(ms);
  model.now += ms;
});

const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: sets },
    { weight: 3, arbitrary: waits },
    { weight: 2, arbitrary: updates },
    { weight: 2, arbitrary: deletes },
    { weight: 2, arbitrary: reads },
    { weight: 2, arbitrary: scans },
    { weight: 1, arbitrary: setManys },
    { weight: 1, arbitrary: deleteManys },
    { weight: 2, arbitrary: transactions },
  ),
  { minLength: 1, maxLength: 25, size: "max" },
);

/** Code points of one to four bytes. (The library's own unit "binary" takes a second to build.) */
const characters = fc
  .oneof(
    fc.integer({ min: 1, max: 0x7f }),
    fc.integer({ min: 0x80, max: 0xd7ff }),
    fc.integer({ min: 0xe000, max: 0xffff }),
    fc.integer({ min: 0x10000, max: 0x10ffff }),
  )
  .map((point) => String.fromCodePoint(point));

export const modelChecks: readonly StateCheck[] = [
  {
    name: "any history of commands is answered as the model answers it",
    async run(subject) {
      let run = 0;
      const property = fc.asyncProperty(commands, async (history) => {
        run += 1;
        const wanted = [StateCapability.Revisions, StateCapability.Transaction] as const;
        const capabilities = wanted.filter((each) => subject.has(each));
        const store = await subject.store({ name: `history-${run}`, capabilities });
        const transact = subject.has("transaction") ? subject.transactor({ store }) : undefined;
        const world: World = { store, transact, model: new Model(), subject };
        for (const command of history) await command(world);
      });
      await fc.assert(property, { seed: subject.seed, numRuns: subject.runs });
    },
  },
  {
    name: "any keys are kept apart and come in byte order",
    async run(subject) {
      let run = 0;
      const text = fc.string({ unit: characters, minLength: 1, maxLength: 12 });
      const anyKeys = fc.uniqueArray(text, { maxLength: 20 });
      const property = fc.asyncProperty(anyKeys, async (list) => {
        run += 1;
        const store = await subject.store({ name: `keys-${run}` });
        await store.setMany(list.map((key) => [key, key] as const));
        const found = (await store.scan()).entries.map(({ key, value }) => [key, value]);
        assert.deepEqual(
          found,
          list.toSorted(byBytes).map((key) => [key, key]),
        );
      });
      await fc.assert(property, { seed: subject.seed, numRuns: subject.runs });
    },
  },
];
