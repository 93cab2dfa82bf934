/** Random writes of several callers, while the line to the server fails at random. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { endOf, openLossyClient, recover, turns } from "./lost-reply-bench.ts";
import type { LossyClient, LossyProxy, LostReplySuite } from "./lost-reply-bench.ts";

const keys = ["a", "b", "c"] as const;
type Key = (typeof keys)[number];
const increment = (count: number | undefined): number => (count ?? 0) + 1;

/** What one caller does. */
interface Step {
  readonly kind: "set" | "add" | "addTwo" | "plain";
  readonly key: Key;
  /** Asked for at once on both nodes. */
  readonly isTwice: boolean;
  readonly id: string;
}

interface Fault {
  readonly kind: "dropReplies" | "cut" | "stall";
  /** Turns of the event loop before it, and while it lasts. */
  readonly waits: number;
  readonly lasts: number;
}

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom("set" as const, "add" as const, "addTwo" as const, "plain" as const),
    key: fc.constantFrom(...keys),
    isTwice: fc.boolean(),
  }),
  { minLength: 20, maxLength: 60 },
);
const faults = fc.array(
  fc.record({
    kind: fc.constantFrom("dropReplies" as const, "cut" as const, "stall" as const),
    waits: fc.nat(400),
    lasts: fc.integer({ min: 20, max: 400 }),
  }),
  { minLength: 2, maxLength: 6 },
);

/** With an operationId a write counts once, also where it is asked for again; without, perhaps. */
export async function assertCounted(suite: LostReplySuite): Promise<void> {
  let round = 0;
  let lost = 0;
  const property = fc.asyncProperty(steps, faults, async (plan, trouble) => {
    round += 1;
    await using one = await openLossyClient(suite, `counted-${round}`);
    await using two = await openLossyClient(suite, `counted-${round}`);
    const history = new History(suite, [one, two]);
    const left = plan.map((step, at): Step => ({ ...step, id: `${round}-${at}` }));
    const callers = Array.from({ length: 3 }, async () => {
      for (let step = left.shift(); step !== undefined; step = left.shift()) {
        await history.take(step);
      }
    });
    for (const fault of trouble) await make(suite.proxy, fault);
    await Promise.all(callers);
    await recover(suite, one);
    await history.assertTrue();
    lost += history.lost;
  });
  await fc.assert(property, { seed: suite.seed, numRuns: 10, endOnFailure: true });
  assert(lost > 0, "the faults hit nobody, so nothing was shown");
}

/** What was asked and answered on a store that two nodes share. */
class History {
  readonly #suite: LostReplySuite;
  readonly #clients: readonly [LossyClient, LossyClient];
  /** What was answered to whom added to a key: each number once, where each write counts once. */
  readonly #answers = new Map<Key, number[]>(keys.map((key) => [key, []]));
  readonly #etags = new Map<string, number | string>();
  #certain = 0;
  #unknown = 0;
  /** Asks that did not end in an answer. */
  lost = 0;

  constructor(suite: LostReplySuite, clients: readonly [LossyClient, LossyClient]) {
    this.#suite = suite;
    this.#clients = clients;
  }

  async take(step: Step): Promise<void> {
    const [one, two] = this.#clients;
    if (step.kind === "plain") {
      const { kind } = await endOf(() => one.store.update("plain", increment));
      if (kind === "done") this.#certain += 1;
      if (kind === "unknown") this.#unknown += 1;
      if (kind !== "done") this.lost += 1;
      return;
    }
    const asking = [this.#ask(one, step), ...(step.isTwice ? [this.#ask(two, step)] : [])];
    const [answer = [], ...others] = await Promise.all(asking);
    for (const other of others) assert.deepEqual(other, answer, `the answers of ${step.id}`);
    for (const [at, key] of addedBy(step).entries()) {
      this.#answers.get(key)?.push(Number(answer[at]));
    }
    if (step.kind === "set") this.#etags.set(`set-${step.id}`, answer[0] ?? "");
  }

  async assertTrue(): Promise<void> {
    const [{ store }] = this.#clients;
    for (const [key, told] of this.#answers) {
      const inOrder = told.toSorted((a, b) => a - b);
      const each = told.map((_, at) => at + 1);
      assert.deepEqual(inOrder, each, `the answers of ${key}`);
      assert.equal((await store.get(key)) ?? 0, told.length, `the sum of ${key}`);
    }
    const set = await store.getMany([...this.#etags.keys()]);
    const etags = set.map(({ key, etag }) => [key, etag] as const);
    assert.deepEqual(new Map(etags), this.#etags);
    const sum = (await store.get("plain")) ?? 0;
    const [least, most] = [this.#certain, this.#certain + this.#unknown];
    assert(sum >= least && sum <= most, `${sum} is not from ${least} to ${most}`);
  }

  /** Unavailable: nothing was written. Unknown: nobody knows. Asking again settles both. */
  async #ask(client: LossyClient, step: Step): Promise<readonly (number | string)[]> {
    const { until } = this.#suite;
    let end = await endOf(() => write(client, step));
    await until(async () => {
      if (end.kind === "done") return true;
      this.lost += 1;
      end = await endOf(() => write(client, step));
      return end.kind === "done";
    }, `the end of ${step.id}`);
    assert(end.kind === "done");
    return end.answer;
  }
}

function addedBy({ kind, key }: Step): readonly Key[] {
  if (kind === "add") return [key];
  return kind === "addTwo" ? [key, nextKey(key)] : [];
}

async function write(
  { store, transact }: LossyClient,
  { kind, key, id: operationId }: Step,
): Promise<readonly (number | string)[]> {
  if (kind === "set") return [await store.set(`set-${operationId}`, 1, { operationId })];
  if (kind === "add") return [await store.update(key, increment, { operationId })];
  return transact(
    async ({ stores }) => [
      await stores.store.update(key, increment),
      await stores.store.update(nextKey(key), increment),
    ],
    { operationId },
  );
}

function nextKey(key: Key): Key {
  return keys[(keys.indexOf(key) + 1) % keys.length] ?? key;
}

async function make(proxy: LossyProxy, { kind, waits, lasts }: Fault): Promise<void> {
  await turns(waits);
  proxy[kind]();
  await turns(lasts);
  await proxy.heal();
}
