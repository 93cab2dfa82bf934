/** What a local bus does while its journal is slow or takes no writes, and right after. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Subscription } from "./bus.ts";
import { testUnavailable } from "./conformance.ts";
import { deadLetter } from "./failure.ts";
import { group, World } from "./journaled-world.test.ts";

async function ownStatus(world: World): Promise<Record<string, number>> {
  const { expired, deadLettered, subscriptions } = await world.bus.status();
  const { buffered = -1, retrying = -1, delayed = -1 } = subscriptions[0] ?? {};
  return { expired, deadLettered, buffered, retrying, delayed };
}

describe("while the journal takes no writes", () => {
  test("nothing of a group is handed out, and nothing is handled twice after it", async () => {
    const world = new World();
    const spec = { ordered: true, concurrency: 1 };
    const seen = await world.subscribe(() => world.clock.sleep(10), spec);
    const live = await world.subscribe(undefined, { topic: "clock.live", delivery: "broadcast" });
    const batch = world.messages(5).map((message) => ({ ...message, orderingKey: "a" }));
    const later = { ...world.message(), deliverAtMs: world.clock.nowMs() + 1000 };
    await world.soon(world.bus.publish([...batch, later]));
    world.disk.failWith = testUnavailable;
    await world.clock.advance(200);
    const before = seen.length;
    assert(before > 0 && before < 5, `${before} were handled`);
    assert.equal(world.journal.takesWrites, false);
    assert(world.journal.unacknowledged > 0);
    await world.bus.publish({ ...world.message(), topic: "clock.live" });
    await world.clock.advance(60_000);
    assert.equal(seen.length, before);
    assert.equal(live.length, 1, "a broadcast needs no journal");
    world.failing();
    await world.clock.advance(60_000);
    assert.deepEqual(seen, ["m1", "m2", "m3", "m4", "m5", "m6"]);
    assert.equal(world.journal.unacknowledged, 0);
    assert.equal(world.disk.groups.get(1)?.rows.size, 0);
    const told = world.log.lines.filter(({ message }) => message.startsWith("the journal takes"));
    assert.deepEqual(
      told.map(({ level }) => level),
      ["error", "info"],
      "told once when it begins, once when it ends",
    );
    await world.restart();
    assert.deepEqual(await world.subscribe(undefined, spec), []);
  });

  test("a member that joins then is given its messages when it is over", async () => {
    const world = new World();
    const { close } = await world.soon(world.bus.subscribe(group, () => undefined));
    await close();
    await world.soon(world.bus.publish(world.messages(3)));
    world.disk.failWith = testUnavailable;
    await assert.rejects(world.bus.publish(world.message()), { code: "MESSAGING_UNAVAILABLE" });
    const seen = await world.subscribe();
    await world.clock.advance(1000);
    assert.deepEqual(seen, []);
    world.failing();
    await world.clock.advance(1000);
    assert.deepEqual(seen, ["m1", "m2", "m3"]);
  });
});

describe("a retention sweep of a journal's group", () => {
  const spec = { ...group, retentionMs: 1000 };

  test("does not keep its messages from a member that joins meanwhile", async () => {
    const world = new World({ delayMs: 50 });
    const { close } = await world.soon(world.bus.subscribe(spec, () => undefined));
    await world.soon(close());
    const expire = world.journal.expire.bind(world.journal);
    const seen: string[] = [];
    let joined: Promise<Subscription> | undefined;
    world.journal.expire = (of, options) => {
      const expiring = expire(of, options);
      joined ??= world.bus.subscribe(spec, ({ message }) => void seen.push(message.id));
      return expiring;
    };
    await world.soon(world.bus.publish(world.messages(3)));
    for (let step = 0; step < 50 && joined === undefined; step += 1) await world.clock.advance(20);
    assert(joined !== undefined, "no sweep came");
    await joined;
    await world.clock.advance(200);
    assert.deepEqual(seen, ["m1", "m2", "m3"]);
  });

  test("drops from memory and journal the same, wherever it stands", async () => {
    const world = new World();
    const backoff = { initialMs: 30_000, maxMs: 30_000, jitter: "none" } as const;
    const failing = (): never => {
      throw new Error("not now");
    };
    const { close } = await world.bus.subscribe({ ...spec, backoff }, failing);
    const [first, ...others] = world.messages(3000);
    assert(first !== undefined);
    // The clock was an hour ahead for a moment.
    const young = { ...first, timestampMs: first.timestampMs + 3_600_000 };
    await world.soon(world.bus.publish([young, ...others]));
    await world.clock.advance(200);
    await world.soon(close());
    await world.clock.advance(2000);
    const { expired, buffered, retrying } = await ownStatus(world);
    assert.deepEqual([expired, buffered, retrying], [2999, 1, 0]);
    assert.equal(world.disk.groups.get(1)?.rows.size, 1);
    const seen = await world.subscribe(undefined, spec);
    await world.clock.advance(40_000);
    assert.deepEqual(seen, ["m1"]);
    assert.deepEqual(await world.soon(world.bus.close()), { unhandled: 0, lost: 0 });
  });

  test("leaves alone what is given up and could not be buried yet", async () => {
    const world = new World();
    const { close } = await world.bus.subscribe(spec, () => {
      throw deadLetter("No.");
    });
    world.failing("bury");
    await world.soon(world.bus.publish(world.message()));
    await world.clock.advance(10);
    await world.soon(close());
    await world.clock.advance(5000);
    world.failing();
    await world.clock.advance(60_000);
    const { expired, deadLettered, buffered } = await ownStatus(world);
    assert.deepEqual([expired, deadLettered, buffered], [0, 1, 0]);
    assert.deepEqual(await world.soon(world.bus.close()), { unhandled: 0, lost: 0 });
  });
});

describe("while delayed messages are woken slowly", () => {
  for (const isRefused of [false, true]) {
    const how = isRefused ? "fails" : "succeeds";
    test(`few pages are read, and all is handled when it ${how}`, async () => {
      const world = new World();
      const { journal, clock } = world;
      const wake = journal.wake.bind(journal);
      journal.wake = async (options) => {
        const places = isRefused ? [] : await wake(options);
        await clock.sleep(300);
        if (isRefused) throw testUnavailable();
        return places;
      };
      const read = journal.read.bind(journal);
      let reads = 0;
      journal.read = (of, after, limit) => {
        reads += 1;
        return read(of, after, limit);
      };
      const seen = await world.subscribe(undefined, { concurrency: 1 });
      await world.soon(world.bus.publish({ ...world.message(), deliverAtMs: clock.nowMs() + 100 }));
      await clock.advance(110);
      for (let sent = 0; sent < 200; sent += 1) {
        await world.bus.publish(world.message());
        await clock.advance(1);
      }
      assert.deepEqual(seen, [], "nothing passes them");
      assert(reads <= 3, `${reads} pages were read`);
      await clock.advance(200);
      const late = isRefused ? [] : ["m1"];
      const others = Array.from({ length: 200 }, (_, n) => `m${n + 2}`);
      assert.deepEqual(seen, [...late, ...others]);
    });
  }

  test("a group whose removal fails meanwhile gets them too", async () => {
    const world = new World();
    const { journal, clock } = world;
    journal.removeGroup = async () => {
      await clock.sleep(200);
      throw testUnavailable();
    };
    const { close } = await world.bus.subscribe(group, () => undefined);
    await close();
    await world.soon(world.bus.publish({ ...world.message(), deliverAtMs: clock.nowMs() + 100 }));
    const removing = world.bus.removeGroup(group.name);
    await assert.rejects(world.soon(removing), { code: "MESSAGING_UNAVAILABLE" });
    const { buffered, delayed } = await ownStatus(world);
    assert.deepEqual([buffered, delayed], [1, 0]);
    const seen = await world.subscribe();
    await clock.advance(50);
    assert.deepEqual(seen, ["m1"]);
  });
});
