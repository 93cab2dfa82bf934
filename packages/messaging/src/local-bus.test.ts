import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import type { OutgoingMessage } from "./bus.ts";
import { describeBus, openJournaled, TestDisk, testUnavailable } from "./conformance.ts";
import { deadLetter } from "./failure.ts";
import { group, ids, World } from "./journaled-world.test.ts";
import { localBusCapabilities } from "./local-bus.ts";

for (const delayMs of [0, 3]) {
  describeBus({
    name: `local bus with a journal that takes ${delayMs} ms`,
    capabilities: [...localBusCapabilities],
    restarts: true,
    open: async () => {
      const clock = new FakeClock();
      return openJournaled(new TestDisk({ clock, delayMs }), clock);
    },
  });
}

describe("a local bus with a journal", () => {
  test("delivers nothing before it is safe", async () => {
    const world = new World({ delayMs: 50 });
    const seen = await world.subscribe();
    const live = await world.subscribe(undefined, { name: "live", delivery: "broadcast" });
    let isSafe = false;
    const publishing = world.bus.publish(world.message()).then(() => {
      isSafe = true;
    });
    await world.clock.advance(49);
    assert.deepEqual([isSafe, seen, live], [false, [], []]);
    await world.clock.advance(1);
    await publishing;
    await world.clock.settle();
    assert.deepEqual([seen.length, live.length], [1, 1]);
  });

  test("refuses what cannot be kept, delivers it to nobody and gives the room back", async () => {
    const world = new World();
    const seen = await world.subscribe(undefined, { bufferMax: 1 });
    world.failing("append");
    for (const _ of [1, 2, 3]) {
      const refused = world.bus.publish(world.message());
      await assert.rejects(refused, { code: "MESSAGING_UNAVAILABLE" });
    }
    await assert.rejects(world.bus.check(), { code: "MESSAGING_UNAVAILABLE" });
    world.failing();
    await world.bus.check();
    const message = world.message();
    await world.soon(world.bus.publish(message));
    await world.clock.advance(10);
    assert.deepEqual(seen, [message.id]);
    const { published } = await world.bus.status();
    assert.equal(published, 1);
  });

  test("writes nothing for a topic that only broadcasts, or nobody, listens to", async () => {
    const world = new World();
    const live = await world.subscribe(undefined, { delivery: "broadcast" });
    world.failing("append");
    await world.bus.publish([world.message(), { ...world.message(), topic: "no.body" }]);
    await world.clock.advance(10);
    assert.equal(live.length, 1);
    assert.equal((await world.bus.status()).unrouted, 1);
  });

  test("gives what was handled again after a restart when that could not be recorded", async () => {
    const world = new World();
    await world.subscribe();
    world.failing("acknowledge");
    await world.soon(world.bus.publish(world.message()));
    await world.clock.advance(10);
    const report = await world.soon(world.bus.close({ drainMs: 0 }));
    assert.deepEqual(report, { unhandled: 1, lost: 0 });
    await world.restart();
    const seen = await world.subscribe();
    await world.clock.advance(10);
    assert.deepEqual(seen, ["m1"]);
  });

  test("forgets a message only when its letter is safe", async () => {
    const world = new World();
    const seen = await world.subscribe(() => {
      throw deadLetter("No.");
    });
    world.failing("bury");
    await world.soon(world.bus.publish(world.message()));
    await world.clock.advance(5000);
    assert.deepEqual((await world.bus.deadLetters.list()).letters, []);
    assert.equal((await world.bus.status()).deadLettered, 0);
    world.failing();
    await world.clock.advance(60_000);
    const { letters } = await world.bus.deadLetters.list();
    assert.deepEqual(ids(letters.map(({ message }) => message)), ["m1"]);
    assert.deepEqual(seen, ["m1"], "the handler was not asked again");
    await world.restart();
    assert.deepEqual(await world.subscribe(), []);
  });

  test("keeps a message whose letter could not be kept for the next run", async () => {
    const world = new World();
    await world.subscribe(() => {
      throw deadLetter("No.");
    });
    world.failing("bury");
    await world.soon(world.bus.publish(world.message()));
    await world.clock.advance(10);
    const report = await world.soon(world.bus.close({ drainMs: 0 }));
    assert.deepEqual(report, { unhandled: 1, lost: 0 });
    await world.restart();
    world.failing();
    const seen = await world.subscribe();
    await world.clock.advance(10);
    assert.deepEqual(seen, ["m1"]);
  });

  test("leaves a letter where it is when redriving it fails", async () => {
    const world = new World();
    let isBroken = true;
    const seen = await world.subscribe(() => {
      if (isBroken) throw deadLetter("No.");
    });
    await world.soon(world.bus.publish(world.message()));
    await world.clock.advance(10);
    isBroken = false;
    const [letter] = (await world.bus.deadLetters.list()).letters;
    assert(letter !== undefined);
    world.failing("redrive");
    await assert.rejects(world.bus.deadLetters.redrive([letter.id]), {
      code: "MESSAGING_UNAVAILABLE",
    });
    world.failing();
    assert.deepEqual(
      await Promise.all([1, 2].map(() => world.bus.deadLetters.redrive([letter.id]))),
      [1, 0],
    );
    await world.clock.advance(10);
    assert.deepEqual(seen, ["m1", "m1"]);
    const { subscriptions } = await world.bus.status();
    assert.equal(subscriptions[0]?.buffered, 0);
  });

  test("drops the oldest dead letters beyond deadLettersMax, logged and counted", async () => {
    const world = new World({ deadLettersMax: 2 });
    await world.subscribe(() => {
      throw deadLetter("No.");
    });
    for (const message of world.messages(3)) await world.soon(world.bus.publish(message));
    await world.clock.advance(10);
    const { letters } = await world.bus.deadLetters.list();
    assert.deepEqual(ids(letters.map(({ message }) => message)), ["m2", "m3"]);
    assert.equal((await world.bus.status()).deadLettersDropped, 1);
  });

  test("keeps a group whose removal failed, and what it holds", async () => {
    const world = new World();
    const subscription = await world.bus.subscribe(group, () => undefined);
    await subscription.close();
    await world.bus.publish(world.messages(2));
    world.failing("removeGroup");
    await assert.rejects(world.bus.removeGroup(group.name), { code: "MESSAGING_UNAVAILABLE" });
    await world.bus.publish(world.message());
    world.failing();
    assert.equal(await world.bus.removeGroup(group.name), 3);
  });

  test("opens a group once when two members come at the same time", async () => {
    const world = new World({ delayMs: 20 });
    const handled: string[] = [];
    const joining = [1, 2].map(() =>
      world.bus.subscribe(group, ({ message }) => void handled.push(message.id)),
    );
    await world.soon(Promise.all(joining));
    await world.soon(world.bus.publish(world.messages(4)));
    await world.clock.advance(100);
    assert.deepEqual(handled.toSorted(), ["m1", "m2", "m3", "m4"]);
    const { subscriptions } = await world.bus.status();
    assert.deepEqual(
      subscriptions.map(({ members }) => members),
      [2],
    );
  });

  test("closes with what it holds counted, and hands the journal everything first", async () => {
    const world = new World({ delayMs: 30 });
    await world.subscribe();
    const publishing = world.bus.publish(world.messages(5));
    const report = await world.soon(world.bus.close({ drainMs: 1000 }));
    await publishing;
    assert.deepEqual(report, { unhandled: 0, lost: 0 });
    await world.restart();
    assert.deepEqual(await world.subscribe(), []);
  });
});

describe("the window onto the journal", () => {
  test("reads back in order what had no room in memory, each once, however it comes", async () => {
    const world = new World({ delayMs: 2 });
    const reads: number[] = [];
    const read = world.journal.read.bind(world.journal);
    world.journal.read = (of, after, limit) => {
      const page = read(of, after, limit);
      reads.push(page.length);
      return page;
    };
    const seen = await world.subscribe(
      async () => {
        await world.bus.status();
      },
      { concurrency: 1 },
    );
    const all = world.messages(6000);
    // In pieces of all sizes, while the queue is being handled.
    let from = 0;
    for (let size = 1; from < all.length; size = (size * 7) % 997) {
      void world.bus.publish(all.slice(from, from + size));
      from += size;
      if (size % 3 === 0) await world.clock.advance(1);
    }
    for (let step = 0; step < 500 && seen.length < all.length; step += 1) {
      await world.clock.advance(5);
    }
    assert.deepEqual(seen, ids(all));
    assert(reads.length > 0, "nothing was ever left behind");
    await world.clock.advance(50);
    const { subscriptions } = await world.bus.status();
    assert.equal(subscriptions[0]?.buffered, 0);
    assert.equal(world.disk.groups.get(1)?.rows.size, 0);
  });

  test("delivers nothing that its publisher does not know safe yet", async () => {
    const world = new World({ delayMs: 5 });
    const { close } = await world.soon(world.bus.subscribe(group, () => undefined));
    await close();
    await world.soon(world.bus.publish(world.messages(10)));
    const rider = world.bus.stage?.([world.message()]);
    assert(rider !== undefined);
    // The commit is on the disk before the bus is told.
    (rider.load as () => void)();
    const seen = await world.subscribe();
    await world.clock.advance(50);
    assert.equal(seen.length, 10, "delivered before it was told that it is safe");
    rider.committed();
    await world.clock.advance(50);
    assert.deepEqual(seen.at(-1), "m11");
    assert.equal(seen.length, 11);
  });

  test("goes on after the journal could not be read for a while", async () => {
    const world = new World();
    const { close } = await world.bus.subscribe(group, () => undefined);
    await close();
    await world.bus.publish(world.messages(5));
    const read = world.journal.read.bind(world.journal);
    world.journal.read = () => {
      throw testUnavailable();
    };
    const seen = await world.subscribe();
    await world.clock.advance(100);
    assert.deepEqual(seen, []);
    assert((await world.bus.status()).subscriptions[0]?.buffered === 5);
    world.journal.read = read;
    await world.clock.advance(2000);
    assert.equal(seen.length, 5);
  });
});

describe("the retention of a group in a journal", () => {
  test("drops what a member left in memory and what was behind it, counted once", async () => {
    const world = new World();
    const spec = { ...group, retentionMs: 1000, concurrency: 2 };
    const stuck = (): Promise<void> => new Promise(() => undefined);
    const { close } = await world.bus.subscribe(spec, stuck);
    await world.soon(world.bus.publish(world.messages(1500)));
    await world.clock.advance(10);
    await world.soon(close({ drainMs: 0 }));
    await world.soon(world.bus.publish(world.messages(500)));
    world.failing("expire");
    await world.clock.advance(1500);
    assert(world.log.lines.some(({ message }) => message.includes("could not be dropped")));
    world.failing();
    await world.clock.advance(3000);
    const { subscriptions } = await world.bus.status();
    assert.equal(subscriptions[0]?.buffered, 0);
    assert.equal(world.disk.groups.get(1)?.rows.size, 0);
    await world.soon(world.bus.publish(world.messages(3)));
    const seen = await world.subscribe(undefined, spec);
    await world.clock.advance(50);
    assert.equal(seen.length, 3);
    assert.equal((await world.bus.status()).subscriptions[0]?.buffered, 0);
  });
});

describe("delayed messages in a journal", () => {
  const later = (world: World, ms: number): OutgoingMessage => {
    return { ...world.message(), deliverAtMs: world.clock.nowMs() + ms };
  };

  test("come within a minute of their time when the wall clock jumps forward", async () => {
    for (const delivery of ["group", "broadcast"] as const) {
      const world = new World();
      const seen = await world.subscribe(undefined, { delivery });
      await world.soon(world.bus.publish(later(world, 3_600_000)));
      world.clock.jumpWallClock(3_600_000);
      await world.clock.advance(60_050);
      assert.deepEqual(seen, ["m1"]);
    }
  });

  test("wait for the wall clock when that jumps back", async () => {
    for (const delivery of ["group", "broadcast"] as const) {
      const world = new World();
      const seen = await world.subscribe(undefined, { delivery });
      await world.soon(world.bus.publish(later(world, 30_000)));
      world.clock.jumpWallClock(-3_600_000);
      await world.clock.advance(3_000_000);
      assert.deepEqual(seen, [], "before its time");
      await world.clock.advance(700_000);
      assert.deepEqual(seen, ["m1"]);
    }
  });

  test("are woken as soon as the journal takes that again", async () => {
    const world = new World();
    const seen = await world.subscribe();
    await world.soon(world.bus.publish(later(world, 1000)));
    world.failing("wake");
    await world.clock.advance(10_000);
    assert.deepEqual(seen, []);
    world.failing();
    await world.clock.advance(60_000);
    assert.deepEqual(seen, ["m1"]);
  });

  test("are not passed by what is published while they are woken", async () => {
    const world = new World({ delayMs: 20 });
    const seen = await world.subscribe(undefined, { concurrency: 1 });
    await world.soon(world.bus.publish(later(world, 1000)));
    for (let step = 0; step < 30; step += 1) {
      await world.clock.advance(50);
      void world.bus.publish(world.message());
    }
    await world.clock.advance(500);
    assert.equal(seen.length, 31);
    assert.equal(new Set(seen).size, 31);
  });
});
