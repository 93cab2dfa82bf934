/** Lifecycles in a whole node on memory engines: an owner, its events, and a replica. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import {
  applyChange,
  changeHandlers,
  createSeededRandom,
  defineContract,
  defineLifecycle,
  defineService,
  onChanges,
  t,
  trackChanges,
} from "@banyan/kernel";
import type { ChangeOf, Random, ServiceTools } from "@banyan/kernel";
import { FakeClock, seedOf, until } from "@banyan/testbed";
import fc from "fast-check";
import { openNode } from "./node.ts";
import { flagsOf } from "./sample-node.test.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const account = t.Object({
  id: t.String(),
  name: t.String(),
  tags: t.Optional(t.Array(t.Object({ text: t.String() }))),
  passwordHash: t.Secret(),
});
const life = defineLifecycle("account", account, { key: "id", hidden: ["passwordHash"] });
const accounts = defineContract("accounts", {
  ...head,
  stores: { ...life.stores },
  events: { ...life.events },
});
const desk = defineContract("desk", {
  ...head,
  stores: { ...life.replica },
  subscriptions: { ...onChanges(accounts, life) },
});
type Told = ChangeOf<typeof life>;
type Tracking = ReturnType<
  typeof trackChanges<"account", typeof account.properties, "passwordHash">
>;

let owner: ServiceTools<typeof accounts>;
let replica: ServiceTools<typeof desk>;
const clock = new FakeClock();

/** Runs one change of the owner; answers what it told, whether or not it was committed. */
async function track(work: (tracked: Tracking) => unknown): Promise<Told[]> {
  const told: Told[] = [];
  await owner.transaction(async (tx) => {
    told.length = 0;
    const { stores } = tx;
    const publish: typeof tx.publish = (event, payload, options) => {
      told.push(payload);
      return tx.publish(event, payload, options);
    };
    await work(trackChanges(life, { stores, publish }, clock));
  });
  return told;
}

const apply = (event: Told) => replica.transaction((tx) => applyChange(life, tx, event));

interface World extends AsyncDisposable {
  readonly owner: ServiceTools<typeof accounts>;
  readonly replica: ServiceTools<typeof desk>;
}

async function openWorld(more: { readonly clock?: FakeClock } = {}): Promise<World> {
  let ownerTools: World["owner"] | undefined;
  let replicaTools: World["replica"] | undefined;
  const node = await openNode({
    services: [
      defineService(accounts, (tools) => {
        ownerTools = tools;
        return {};
      }),
      defineService(desk, (tools) => {
        replicaTools = tools;
        return { subscriptions: { ...changeHandlers(life, tools.transaction) } };
      }),
    ],
    inMemory: true,
    config: { flags: flagsOf({ "/http/enabled": false }) },
    ...more,
  });
  assert(ownerTools !== undefined && replicaTools !== undefined);
  return {
    owner: ownerTools,
    replica: replicaTools,
    [Symbol.asyncDispose]: () => node.close(),
  };
}

let world: World;
before(async () => {
  world = await openWorld();
  ({ owner, replica } = world);
});
after(() => world[Symbol.asyncDispose]());

describe("An owner that tracks its changes", () => {
  test("tells each with its commit, and a replica follows", async () => {
    const ada = { id: "a-1", name: "Ada", passwordHash: "one" };
    const [created] = await track((tracked) => tracked.set(ada));
    assert.deepEqual(created, {
      change: "created",
      version: clock.nowMs(),
      state: { id: "a-1", name: "Ada", tags: undefined },
    });
    const renamed = { ...ada, name: "Ada L.", tags: [{ text: "poet" }] };
    const [updated] = await track((tracked) => tracked.set(renamed));
    assert.deepEqual(updated, {
      change: "updated",
      version: clock.nowMs() + 1,
      state: { id: "a-1", name: "Ada L.", tags: [{ text: "poet" }] },
      changedFields: ["name", "tags"],
    });
    assert.deepEqual(await owner.stores.account.get("a-1"), renamed);
    await untilReplica("a-1", { id: "a-1", name: "Ada L.", tags: [{ text: "poet" }] });
    const [deleted] = await track((tracked) => tracked.delete("a-1", "closed"));
    assert.deepEqual(deleted, {
      change: "deleted",
      version: clock.nowMs() + 2,
      state: updated?.state,
      reason: "closed",
    });
    assert.equal(await owner.stores.account.get("a-1"), undefined);
    await untilReplica("a-1", undefined);
  });

  test("tells nothing where nothing changed that others see", async () => {
    const value = { id: "a-2", name: "Bea", tags: [{ text: "x" }], passwordHash: "one" };
    await track((tracked) => tracked.set(value));
    assert.deepEqual(await track((tracked) => tracked.set(structuredClone(value))), []);
    assert.deepEqual(await track((tracked) => tracked.set({ ...value, passwordHash: "two" })), []);
    assert.equal((await owner.stores.account.get("a-2"))?.passwordHash, "two");
    assert.deepEqual(await track((tracked) => tracked.delete("nobody")), []);
    assert.deepEqual(await track((tracked) => tracked.tell("nobody")), []);
  });

  test("writes nothing and tells nobody when its transaction fails", async () => {
    const value = { id: "a-3", name: "Cy", passwordHash: "one" };
    const failing = track(async (tracked) => {
      await tracked.set(value);
      throw new Error("no");
    });
    await assert.rejects(failing, /no/);
    // What its schema does not know is refused as well, before anything is told.
    const unknown = track((tracked) => tracked.set({ ...value, nmae: "Cy" } as typeof value));
    await assert.rejects(unknown, { code: "STATE_VALUE_INVALID" });
    await track((tracked) => tracked.set({ ...value, id: "a-4" }));
    await untilReplica("a-4", { id: "a-4", name: "Cy" });
    assert.equal(await replica.stores.accountVersions.get("a-3"), undefined);
    assert.equal(await owner.stores.accountVersions.get("a-3"), undefined);
  });

  test("orders what is written at once to one key by its calls", async () => {
    const value = { id: "a-5", name: "1", passwordHash: "" };
    const told = await track((tracked) =>
      Promise.all([
        tracked.set(value),
        tracked.set({ ...value, name: "2" }),
        tracked.delete("a-5"),
        tracked.set({ ...value, name: "3" }),
      ]),
    );
    const first = clock.nowMs();
    assert.deepEqual(
      told.map(({ change, version, state }) => [change, version, state.name]),
      [
        ["created", first, "1"],
        ["updated", first + 1, "2"],
        ["deleted", first + 2, "2"],
        ["created", first + 3, "3"],
      ],
    );
    await untilReplica("a-5", { id: "a-5", name: "3" });
    assert.deepEqual(await owner.stores.account.get("a-5"), { ...value, name: "3" });
  });

  test("tells an entity from before its time to a replica that has none of it", async () => {
    await owner.stores.account.set("a-6", { id: "a-6", name: "Eve", passwordHash: "x" });
    const [told] = await track((tracked) => tracked.tell("a-6"));
    assert.deepEqual(told, {
      change: "updated",
      version: clock.nowMs(),
      changedFields: [],
      state: { id: "a-6", name: "Eve", tags: undefined },
    });
    await untilReplica("a-6", { id: "a-6", name: "Eve" });
    // What was written untold is mended as well.
    await owner.stores.account.set("a-6", { id: "a-6", name: "Eve L.", passwordHash: "x" });
    await track((tracked) => tracked.tell("a-6"));
    await untilReplica("a-6", { id: "a-6", name: "Eve L." });
  });
});

describe("A replica", () => {
  test("passes over what is older than a deletion, and takes what is newer", async () => {
    const event = (version: number, name: string): Told => ({
      change: "updated",
      version,
      changedFields: [],
      state: { id: "r-1", name },
    });
    const gone: Told = { change: "deleted", version: 5, state: { id: "r-1", name: "x" } };
    assert.equal(await apply(gone), "applied");
    assert.equal(await apply(event(4, "late")), "stale");
    assert.equal(await apply(gone), "stale");
    assert.equal(await replica.stores.account.has("r-1"), false);
    assert.equal(await apply(event(6, "again")), "applied");
    assert.deepEqual(await replica.stores.account.get("r-1"), { id: "r-1", name: "again" });
  });

  test("forgets with its owner what was deleted, when nobody can come late any more", async () => {
    const time = new FakeClock();
    await using other = await openWorld({ clock: time });
    const value = { id: "r-3", name: "Ada", passwordHash: "x" };
    await other.owner.transaction(async (tx) => {
      const tracked = trackChanges(life, tx, time);
      await tracked.set(value);
      await tracked.delete("r-3");
    });
    await other.replica.transaction((tx) =>
      applyChange(life, tx, {
        change: "deleted",
        version: 1e15,
        state: { id: "r-3", name: "Ada" },
      }),
    );
    const remembered = (): Promise<boolean[]> =>
      Promise.all([
        other.owner.stores.accountVersions.has("r-3"),
        other.replica.stores.accountVersions.has("r-3"),
      ]);
    await time.advance(30 * 86_400_000 - 1000);
    assert.deepEqual(await remembered(), [true, true]);
    await time.advance(2000);
    assert.deepEqual(await remembered(), [false, false]);
    await other.owner.transaction(async (tx) => {
      const told = await trackChanges(life, tx, time).set(value);
      assert.ok(told);
    });
    const again = await other.owner.stores.accountVersions.get("r-3");
    assert.equal(again?.version, time.nowMs());
  });

  test("takes an event once in `once`, with what else the handler writes", async () => {
    const state = { id: "r-2", name: "Ada" };
    const event = { change: "created", version: 1, state, eventId: "e-1" } as const;
    const outcomes: string[] = [];
    const handle = () =>
      replica.once(event, async (tx) => outcomes.push(await applyChange(life, tx, event)), {
        as: "by hand",
      });
    assert.deepEqual([await handle(), await handle()], ["done", "duplicate"]);
    assert.deepEqual(outcomes, ["applied"]);
    assert.deepEqual(await replica.stores.account.get("r-2"), state);
  });

  test("ends equal to its owner, whatever came in whatever order and twice", async () => {
    let runs = 0;
    const property = fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.nat(),
      (steps, seed) => {
        runs += 1;
        return playHistory(`p-${runs}-`, steps, createSeededRandom(seed));
      },
    );
    await fc.assert(property, { seed: seedOf(), numRuns: 150 });
  });
});

/** What the owner does next, and by how much its clock is off before: other nodes have others. */
const step = fc.record({
  kind: fc.constantFrom("set", "set", "set", "delete", "tell"),
  key: fc.constantFrom("a", "b"),
  name: fc.constantFrom("Ada", "Bea", "Cy"),
  tag: fc.option(fc.constantFrom("x", "y"), { nil: undefined }),
  passwordHash: fc.constantFrom("one", "two"),
  jumpMs: fc.integer({ min: -5000, max: 5000 }),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

async function playHistory(prefix: string, steps: readonly Step[], random: Random): Promise<void> {
  const told: Told[] = [];
  for (const { kind, key, name, tag, passwordHash, jumpMs } of steps) {
    const id = prefix + key;
    const tags = tag === undefined ? {} : { tags: [{ text: tag }] };
    clock.jumpWallClock(jumpMs);
    const more = await track((tracked) => {
      if (kind === "delete") return tracked.delete(id);
      return kind === "tell" ? tracked.tell(id) : tracked.set({ id, name, ...tags, passwordHash });
    });
    told.push(...more);
  }
  assert.ok(!JSON.stringify(told).includes("passwordHash"));
  // Beside what the bus delivers: the same again in any order, some of it several times at once.
  const deliveries = [...told, ...told, ...told]
    .map((event) => ({ event, place: random.next() }))
    .toSorted((one, other) => one.place - other.place);
  const handedOver: Promise<unknown>[] = [];
  for (const { event, place } of deliveries) {
    const handling = apply(event);
    if (place < 0.5) await handling;
    else handedOver.push(handling);
  }
  await Promise.all(handedOver);
  const { entries } = await owner.stores.account.scan({ prefix });
  const seen = entries.map(({ key, value: { passwordHash: _, ...state } }) => [key, state]);
  const copies = (await replica.stores.account.scan({ prefix })).entries;
  assert.deepEqual(
    copies.map(({ key, value }) => [key, value]),
    seen,
  );
}

async function untilReplica(key: string, expected: object | undefined): Promise<void> {
  const look = async (): Promise<boolean> =>
    isDeepStrictEqual(await replica.stores.account.get(key), expected);
  await until(look, { what: `That the replica has ${JSON.stringify(expected)}` });
}
