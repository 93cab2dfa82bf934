/** What a local bus does with what an earlier run kept, and that no crash loses anything. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "@banyan/kernel";
import { seedOf } from "@banyan/testbed";
import type { Delivery } from "./bus.ts";
import { group, World } from "./journaled-world.test.ts";

describe("messages that an earlier run kept", () => {
  test("are recorded as begun before their handler runs", async () => {
    const world = new World({ delayMs: 5 });
    const { close } = await world.soon(world.bus.subscribe(group, () => undefined));
    await close();
    await world.soon(world.bus.publish(world.message()));
    await world.restart();
    let recorded: number | undefined;
    await world.subscribe(() => {
      recorded = world.journal.read(1, -1, 1)[0]?.attempt;
    });
    await world.clock.advance(50);
    assert.equal(recorded, 1);
  });

  test("are not handled while that cannot be recorded, and are soon after", async () => {
    const world = new World();
    const { close } = await world.bus.subscribe(group, () => undefined);
    await close();
    await world.bus.publish(world.messages(3));
    await world.restart();
    world.failing("progress");
    const seen = await world.subscribe();
    await world.clock.advance(200);
    assert.deepEqual(seen, []);
    world.failing();
    await world.clock.advance(2000);
    assert.deepEqual(new Set(seen), new Set(["m1", "m2", "m3"]));
    assert.equal(seen.length, 3);
  });

  test("become dead letters when ten processes died of them; the others are handled", async () => {
    const world = new World();
    await world.subscribe();
    await world.bus.publish(world.messages(0));
    const { close } = await world.bus.subscribe(
      { ...group, name: "reader.dying" },
      () => undefined,
    );
    await close();
    const all = world.messages(20);
    await world.bus.publish(all);
    let deaths = 0;
    const handled = new Set<string>();
    for (let run = 0; run < 20; run += 1) {
      await world.crash();
      let isDead = false;
      const handler = async ({ message }: Delivery): Promise<void> => {
        if (isDead) return new Promise(() => undefined);
        if (message.id === "m7") {
          isDead = true;
          world.journal.kill();
          deaths += 1;
          return new Promise(() => undefined);
        }
        await world.bus.status();
        if (!isDead) handled.add(message.id);
      };
      await world.subscribe(handler, { name: "reader.dying", concurrency: 4 });
      await world.clock.advance(100);
      if (!isDead) break;
    }
    assert.equal(deaths, 10);
    const { letters } = await world.bus.deadLetters.list();
    assert.deepEqual(
      letters.map(({ message, reason, attempts }) => [message.id, reason, attempts]),
      [["m7", "lease-lost", 10]],
    );
    assert.equal(handled.size, 19);
  });

  test("that a close takes from their handler are not counted as deaths", async () => {
    const world = new World();
    const { close } = await world.bus.subscribe(group, () => undefined);
    await close();
    await world.bus.publish(world.message());
    for (let run = 0; run < 12; run += 1) {
      await world.restart();
      const seen = await world.subscribe(() => new Promise(() => undefined));
      await world.clock.advance(20);
      assert.deepEqual(seen, ["m1"], `run ${run}`);
    }
    assert.deepEqual((await world.bus.deadLetters.list()).letters, []);
  });
});

const seed = seedOf();

test(`no acknowledged publish is lost in any crash (seed ${seed})`, async () => {
  for (let round = 0; round < 12; round += 1) {
    await playCrashes(createSeededRandom(seed + round));
  }
});

/** Publishes, handles, fails and dies at random; in the end each safe message was handled. */
async function playCrashes(random: { next(): number }): Promise<void> {
  const below = (max: number): number => Math.floor(random.next() * max);
  const world = new World({ delayMs: below(4) * 3 });
  const safe = new Set<string>();
  const handled = new Set<string>();
  let isHealed = false;
  const spec = { retriesMax: 1000, concurrency: 1 + below(6) };
  const handler = async ({ message }: Delivery): Promise<void> => {
    const { journal } = world;
    if (!isHealed && random.next() < 0.2) throw new Error("not yet");
    if (!isHealed && random.next() < 0.5) await world.clock.sleep(below(20));
    if (!journal.isDead) handled.add(message.id);
  };
  await world.subscribe(handler, spec);
  for (let step = 0; step < 60; step += 1) {
    const what = below(10);
    if (what === 0) {
      await world.crash();
      await world.subscribe(handler, spec);
    } else if (what < 6) {
      const batch = world.messages(1 + below(below(5) === 0 ? 400 : 5)).map((message) => {
        const deliverAtMs = world.clock.nowMs() + below(100);
        return below(4) === 0 ? { ...message, deliverAtMs } : message;
      });
      const keep = (): void => {
        for (const { id } of batch) safe.add(id);
      };
      world.bus.publish(batch).then(keep, () => undefined);
    } else await world.clock.advance(below(30));
  }
  isHealed = true;
  for (let step = 0; step < 400; step += 1) {
    const { subscriptions } = await world.bus.status();
    const left = subscriptions.map(({ buffered, running, retrying, delayed }) => {
      return buffered + running + retrying + delayed;
    });
    if (left.every((count) => count === 0)) break;
    await world.clock.advance(20);
  }
  const lost = [...safe].filter((id) => !handled.has(id));
  assert.deepEqual(lost, []);
  assert.deepEqual((await world.bus.deadLetters.list()).letters, []);
  await world.soon(world.bus.close({ drainMs: 0 }));
}
