/** The relay between an outbox in memory and a bus that is what the test makes of it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError, systemRandom } from "@banyan/kernel";
import { openMemoryEngine } from "@banyan/state";
import type { EngineOutbox } from "@banyan/state";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import fc from "fast-check";
import { BusCapability } from "./bus.ts";
import type { Bus, BusPublishOptions, OutgoingMessage } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { lyingBus } from "./liars/lying-bus.ts";
import { openMemoryBus } from "./memory.ts";
import { OutboxRelay } from "./outbox-relay.ts";

const options = { leaseMs: 10_000, pollMs: 1000, waitingMax: 1000 };

type Publish = (
  messages: readonly OutgoingMessage[],
  options: BusPublishOptions,
) => Promise<void> | void;

class World {
  readonly clock = new FakeClock();
  readonly log = createRecordingLog();
  readonly engine = openMemoryEngine({ clock: this.clock });
  /** Ids that the bus took, in their order. */
  readonly taken: string[] = [];
  /** What the bus does instead of taking everything; it throws what it does not take. */
  onPublish: Publish = () => undefined;
  /** What the bus offers besides. */
  readonly offers: BusCapability[] = [];

  get outbox(): EngineOutbox {
    return this.engine.outbox ?? assert.fail("the memory engine has an outbox");
  }

  relay(by: string, changes: Partial<EngineOutbox> = {}): OutboxRelay {
    const { clock, log, outbox } = this;
    const changed: EngineOutbox = {
      ride: (...given) => outbox.ride(...given),
      claim: (claim) => outbox.claim(claim),
      remove: (ids) => outbox.remove(ids),
      release: (holder) => outbox.release(holder),
      setAside: (id, reason) => outbox.setAside(id, reason),
      status: () => outbox.status(),
      ...changes,
    };
    const bus = this.#bus();
    const ports = { outbox: changed, engine: "memory", bus, by, clock, random: systemRandom, log };
    return new OutboxRelay({ ...ports, options });
  }

  async commit(relay: OutboxRelay, ...messages: OutgoingMessage[]): Promise<void> {
    const riders = [relay.stage(messages)];
    const outcome = await this.engine.transact?.({ checks: [], changes: [], riders });
    assert.equal(outcome?.kind, "committed");
  }

  /** Lets everything run that waits for no time. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  #bus(): Bus {
    const { clock, offers } = this;
    const honest = openMemoryBus({ clock });
    return lyingBus(honest, {
      capabilities: new Set([...honest.capabilities, ...offers]),
      publish: async (given, how = {}) => {
        const messages = [given].flat();
        try {
          await this.onPublish(messages, how);
        } catch (error) {
          const accepted = error instanceof BanyanError ? error.details?.["accepted"] : 0;
          this.taken.push(...messages.slice(0, Number(accepted ?? 0)).map(({ id }) => id));
          throw error;
        }
        this.taken.push(...messages.map(({ id }) => id));
      },
    });
  }
}

function message(id: string, more: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const headers = { source: "shop" };
  return { id, topic: "shop.sold", timestampMs: 1, body: { id }, headers, ...more };
}

function full(accepted: number): Error {
  return messagingErrors.MESSAGING_BUFFER_FULL("No room.", { details: { accepted } });
}

test("what was committed reaches the bus in the order of the commits, and is removed", async () => {
  const world = new World();
  const relay = world.relay("a");
  relay.start();
  await world.settle();
  await Promise.all(["1", "2", "3"].map((id) => world.commit(relay, message(id))));
  await world.commit(relay, message("4"), message("5"));
  await world.settle();
  assert.deepEqual(world.taken, ["1", "2", "3", "4", "5"]);
  assert.deepEqual(await world.outbox.status(), { waiting: 0, aside: 0 });
  assert.deepEqual(relay.status, { waiting: 0, aside: 0, relayed: 5, failed: 0 });
  assert.equal(relay.isQuiet, true);
  await relay.close({ drainMs: 0 });
});

test("a message arrives as it was staged, with its key, delay, priority and headers", async () => {
  const world = new World();
  world.offers.push(BusCapability.Priority);
  const seen: OutgoingMessage[] = [];
  world.onPublish = (messages) => void seen.push(...messages);
  const relay = world.relay("a");
  relay.start();
  const deliverAtMs = world.clock.nowMs() + 60_000;
  const headers = { source: "shop", principal: "account:1", "tenant-id": "7" };
  const more = { headers, orderingKey: "k", deliverAtMs, priority: 9 };
  const sent = message("1", { ...more, body: { text: "ü\u0000" } });
  await world.commit(relay, sent);
  await world.settle();
  assert.deepEqual(seen, [sent]);
  await relay.close({ drainMs: 0 });
});

test("nothing is relayed before the start", async () => {
  const world = new World();
  const relay = world.relay("a");
  await world.commit(relay, message("1"));
  await world.clock.advance(60_000);
  assert.deepEqual(world.taken, []);
  relay.start();
  await world.settle();
  assert.deepEqual(world.taken, ["1"]);
  await relay.close({ drainMs: 0 });
});

test("what a dead process left is relayed when its lease is over, and not before", async () => {
  const world = new World();
  await world.commit(world.relay("dead"), message("1"), message("2"));
  const relay = world.relay("b");
  relay.start();
  await world.clock.advance(options.leaseMs - 1);
  assert.deepEqual(world.taken, []);
  await world.clock.advance(options.pollMs + 1);
  assert.deepEqual(world.taken, ["1", "2"]);
  await relay.close({ drainMs: 0 });
});

test("a bus that is full gets the rest later, in order, and nothing twice", async () => {
  const world = new World();
  const relay = world.relay("a");
  let room = 2;
  world.onPublish = (messages) => {
    if (messages.length > room) {
      const accepted = room;
      room = 0;
      throw full(accepted);
    }
    room -= messages.length;
  };
  relay.start();
  await world.commit(relay, ...["1", "2", "3", "4", "5"].map((id) => message(id)));
  await world.settle();
  assert.deepEqual([world.taken, relay.isQuiet], [["1", "2"], true]);
  await world.clock.advance(20_000);
  assert.deepEqual(world.taken, ["1", "2"]);
  assert.equal(relay.health().kind, "degraded");
  room = 10;
  await world.clock.advance(6000);
  assert.deepEqual(world.taken, ["1", "2", "3", "4", "5"]);
  assert.equal(relay.health().kind, "healthy");
  const said = world.log.lines.map(({ level }) => level);
  assert.deepEqual(said, ["warn", "info"]);
  await relay.close({ drainMs: 0 });
});

test("what the bus refuses for good, or nobody can read, holds up nobody", async () => {
  const world = new World();
  const relay = world.relay("a");
  world.onPublish = (messages) => {
    if (messages.every(({ id }) => id !== "2")) return;
    throw messagingErrors.MESSAGING_BODY_TOO_LARGE("Too large by now.");
  };
  const broken = world.outbox.ride(["no letter"], { by: "a", leaseMs: 1 });
  await world.engine.transact?.({ checks: [], changes: [], riders: [broken] });
  await world.commit(relay, message("1"), message("2"), message("3"));
  relay.start();
  await world.settle();
  assert.deepEqual(world.taken, ["1", "3"]);
  assert.deepEqual(await world.outbox.status(), { waiting: 0, aside: 2 });
  assert.deepEqual(relay.health(), {
    kind: "degraded",
    reason: '2 events are set aside in the outbox: the column "aside" says why',
  });
  const [unread, refused] = world.log.lines.map(({ fields }) => fields);
  assert.deepEqual([unread?.["row"], unread?.["eventId"]], ["1", undefined]);
  assert.deepEqual([refused?.["eventId"], refused?.["topic"]], ["2", "shop.sold"]);
  await relay.close({ drainMs: 0 });
});

test("a removal that fails is made up for without a second publish", async () => {
  const world = new World();
  let failures = 3;
  const relay = world.relay("a", {
    remove: (ids) => {
      if (failures === 0) return world.outbox.remove(ids);
      failures -= 1;
      throw new Error("the server is away");
    },
  });
  relay.start();
  await world.commit(relay, message("1"), message("2"));
  await world.clock.advance(10_000);
  assert.deepEqual([world.taken, failures], [["1", "2"], 0]);
  assert.deepEqual(await world.outbox.status(), { waiting: 0, aside: 0 });
  await relay.close({ drainMs: 0 });
});

test("an outcome that is not known is published again under the same id", async () => {
  const world = new World();
  const relay = world.relay("a");
  let isUnknown = true;
  const seen: string[] = [];
  world.onPublish = (messages) => {
    seen.push(...messages.map(({ id }) => id));
    if (!isUnknown) return;
    isUnknown = false;
    throw messagingErrors.MESSAGING_OUTCOME_UNKNOWN("Who knows.");
  };
  relay.start();
  await world.commit(relay, message("1"));
  await world.clock.advance(1000);
  assert.deepEqual(seen, ["1", "1"]);
  // Once is no news; a few times in a row are.
  assert.deepEqual([world.log.lines, relay.health().kind], [[], "healthy"]);
  await relay.close({ drainMs: 0 });
});

test("rows that another's look had locked for a moment are looked for again soon", async () => {
  const world = new World();
  let isLocked = true;
  const relay = world.relay("a", {
    claim: (claim) => (isLocked ? [] : world.outbox.claim(claim)),
  });
  relay.start();
  await world.settle();
  await world.commit(relay, message("1"));
  await world.settle();
  isLocked = false;
  await world.clock.advance(options.pollMs / 2);
  assert.deepEqual(world.taken, ["1"]);
  await relay.close({ drainMs: 0 });
});

test("a message that cannot be published, or one too many, is refused at once", async () => {
  const world = new World();
  const relay = world.relay("a");
  const tooLarge = message("1", { body: { text: "x".repeat(2 ** 21) } });
  assert.throws(() => relay.stage([tooLarge]), { code: "MESSAGING_BODY_TOO_LARGE" });
  assert.throws(() => relay.stage([message("1", { topic: "a..b" })]), {
    code: "MESSAGING_MESSAGE_INVALID",
  });
  const many = Array.from({ length: options.waitingMax }, (_, n) => message(`m${n}`));
  await world.commit(relay, ...many);
  assert.throws(() => relay.stage([message("1")]), { code: "MESSAGING_BUFFER_FULL" });
  await relay.close({ drainMs: 0 });
});

test("a close relays what is there, and gives the rest back in time", async () => {
  const world = new World();
  const relay = world.relay("a");
  relay.start();
  await world.settle();
  await world.commit(relay, message("1"));
  await relay.close({ drainMs: 1000 });
  assert.deepEqual(world.taken, ["1"]);

  const stuck = world.relay("b");
  world.onPublish = (_messages, { signal }) =>
    new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(full(0)), { once: true });
    });
  stuck.start();
  await world.settle();
  await world.commit(stuck, message("2"));
  await world.settle();
  let isClosed = false;
  const closing = stuck.close({ drainMs: 500 }).then(() => {
    isClosed = true;
  });
  await world.clock.advance(499);
  assert.equal(isClosed, false);
  await world.clock.advance(1);
  await closing;
  world.onPublish = () => undefined;
  const next = world.relay("c");
  next.start();
  await world.settle();
  assert.deepEqual(world.taken, ["1", "2"]);
  await next.close({ drainMs: 0 });
});

const faultKinds = ["none", "full", "unknown", "claim", "remove", "ends", "dies"] as const;
type Fault = (typeof faultKinds)[number];

/** Processes after each other, each with a relay that meets the next fault of a list. */
class Lives {
  readonly world = new World();
  readonly committed: string[] = [];
  readonly dead = new Set<string>();
  readonly #faults: Fault[];
  #by = "life-0";
  #relay: OutboxRelay;

  constructor(faults: readonly Fault[]) {
    this.#faults = [...faults];
    this.#relay = this.#start();
    this.world.onPublish = (messages) => {
      if (this.#meets("none")) return;
      if (this.#meets("full")) throw full(messages.length >> 1);
      if (this.#meets("unknown")) throw messagingErrors.MESSAGING_OUTCOME_UNKNOWN("Who knows.");
    };
  }

  async commit(count: number): Promise<void> {
    const { world, committed } = this;
    const ids = Array.from({ length: count }, (_, n) => `e${committed.length + n}`);
    committed.push(...ids);
    await world.commit(this.#relay, ...ids.map((id) => message(id)));
    await world.clock.advance(10);
    if (this.#meets("dies")) this.dead.add(this.#by);
    else if (this.#meets("ends")) await this.#relay.close({ drainMs: 0 });
    else return;
    this.#relay = this.#start();
  }

  /** Nothing fails any more. */
  async end(): Promise<void> {
    this.#faults.length = 0;
    await this.world.clock.advance(30_000);
    await this.#relay.close({ drainMs: 0 });
  }

  #start(): OutboxRelay {
    const { outbox } = this.world;
    // Each has a name of its own, as processes do.
    const by = `life-${Number(this.#by.slice(5)) + 1}`;
    this.#by = by;
    const relay = this.world.relay(by, {
      claim: (claim) => {
        if (this.dead.has(by)) return [];
        this.#fail("claim");
        return outbox.claim(claim);
      },
      remove: (ids) => {
        this.#fail("remove");
        return outbox.remove(ids);
      },
    });
    relay.start();
    return relay;
  }

  #fail(kind: Fault): void {
    if (this.#meets(kind)) throw new Error(kind);
  }

  #meets(kind: Fault): boolean {
    return this.#faults[0] === kind && this.#faults.shift() !== undefined;
  }
}

test("whatever fails on the way, every event is told, in the order of its process", async () => {
  const faults = fc.array(fc.constantFrom(...faultKinds, "none"), { maxLength: 30 });
  const commits = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 10 });
  const property = fc.asyncProperty(faults, commits, async (met, counts) => {
    const lives = new Lives(met);
    for (const count of counts) await lives.commit(count);
    await lives.end();
    const { world, committed, dead } = lives;
    const told = [...new Set(world.taken)];
    // What a dead process left is late, and may be overtaken.
    if (dead.size > 0) assert.deepEqual(told.toSorted(), committed.toSorted());
    else assert.deepEqual(told, committed);
    assert.deepEqual(await world.outbox.status(), { waiting: 0, aside: 0 });
  });
  await fc.assert(property, { numRuns: 200 });
});
