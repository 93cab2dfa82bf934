/** Nodes that agree: which groups there are, how much they hold, who waits for room. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "amqplib";
import { systemClock } from "@banyan/kernel";
import type { Bus, SubscriptionStatus } from "@banyan/messaging";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { codeOf, group, message, numberOf, numbers } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);

/** A retry that nobody lives to see. */
const slowly = { initialMs: 60_000, maxMs: 60_000, jitter: "none" } as const;

type Open = () => Promise<Bus>;

interface World {
  readonly server: RabbitmqServer;
  readonly namespace: string;
}

describe("nodes that agree", { concurrency: 2 }, () => {
  let opening: Promise<RabbitmqServer> | undefined;
  let users = 0;
  let namespaces = 0;

  function onServer(title: string, work: (open: Open, world: World) => Promise<void>): void {
    users += 1;
    test(title, { skip, timeout: 120_000 }, async () => {
      const server = await (opening ??= openRabbitmq());
      const namespace = `agree-${(namespaces += 1)}`;
      try {
        await work(() => openRabbitmqBus({ url: server.url, namespace }), { server, namespace });
      } finally {
        users -= 1;
        if (users === 0) await server[Symbol.asyncDispose]();
      }
    });
  }

  onServer("what waits counts in every node, also when the one that sent it to wait ends", waits);
  onServer("a group that is removed while a member comes has the member, or is gone", removals);
  onServer("of two that remove a group at once one counts what it held", bothRemove);
  onServer("a publish that waits for a group goes on when another node removes it", letGo);
  onServer("what a retention looks at counts no attempt, whoever looks how often", retention);
  onServer("a member whose connection was away opens a removed group again", returns);
});

async function statusOf(bus: Bus, name: string): Promise<SubscriptionStatus | undefined> {
  const { subscriptions } = await bus.status();
  return subscriptions.find((each) => each.name === name);
}

async function waits(open: Open): Promise<void> {
  await using publisher = await open();
  const spec = { ...group, bufferMax: 3, backoff: slowly };
  {
    await using member = await open();
    await member.subscribe(spec, () => {
      throw new Error("not now");
    });
    await until(async () => (await statusOf(publisher, group.name)) !== undefined, {
      what: "The publisher knows the group",
    });
    await publisher.publish(message(0));
    await publisher.publish(message(1));
    await publisher.publish(message(2, { deliverAtMs: systemClock.nowMs() + 60_000 }));
    await until(
      async () => {
        const { retrying, delayed } = (await statusOf(publisher, group.name)) ?? {};
        return retrying === 2 && delayed === 1;
      },
      { what: "The publisher counts what waits" },
    );
    await using late = await open();
    await until(async () => (await statusOf(late, group.name))?.retrying === 2, {
      what: "A node that joins counts it too",
    });
  }
  const full = publisher.publish(message(3), { timeoutMs: 2000 });
  assert.equal(await codeOf(full), "MESSAGING_BUFFER_FULL");
  const status = await statusOf(publisher, group.name);
  assert.deepEqual([status?.members, status?.retrying, status?.delayed], [0, 2, 1]);
  assert.equal(await publisher.removeGroup(group.name), 3);
}

async function removals(open: Open): Promise<void> {
  await using one = await open();
  await using two = await open();
  const seen: number[] = [];
  const names = numbers(14).map((round) => `till.${round}`);
  for (const [round, name] of names.entries()) {
    const spec = { ...group, name, topic: `shop.${round}` };
    await (await one.subscribe(spec, () => undefined)).close();
    await until(async () => (await statusOf(two, name)) !== undefined, { what: "Both know it" });
    const removing = codeOf(one.removeGroup(name));
    // The removal is somewhere on its way when the member comes.
    await systemClock.sleep(round * 10);
    await two.subscribe(spec, (delivery) => void seen.push(numberOf(delivery.message)));
    await two.publish({ ...message(round), topic: spec.topic }, { mandatory: true });
    assert(["done", "MESSAGING_SUBSCRIPTION_CONFLICT"].includes(await removing));
  }
  await until(() => seen.length >= names.length, {
    what: "What a member was there for is handled",
  });
  assert.deepEqual(
    seen.toSorted((a, b) => a - b),
    numbers(names.length),
  );
  await using third = await open();
  for (const bus of [one, two, third]) {
    const { subscriptions } = await bus.status();
    const alive = subscriptions.filter(({ members }) => members === 1);
    assert.deepEqual(alive.map(({ name }) => name).toSorted(), names.toSorted());
  }
}

async function bothRemove(open: Open): Promise<void> {
  await using one = await open();
  await using two = await open();
  for (let round = 0; round < 3; round += 1) {
    const name = `till.${round}`;
    const member = await one.subscribe({ ...group, name, backoff: slowly }, () => {
      throw new Error("not now");
    });
    await one.publish([message(0), message(1)]);
    await until(async () => (await statusOf(two, name))?.retrying === 2, { what: "Two that wait" });
    await member.close();
    await one.publish([message(2), message(3), message(4)]);
    await until(async () => (await statusOf(two, name))?.buffered === 3, { what: "Three more" });
    const counts = await Promise.all([one.removeGroup(name), two.removeGroup(name)]);
    assert.deepEqual(
      counts.toSorted((a, b) => a - b),
      [0, 5],
    );
    for (const bus of [one, two]) {
      await until(async () => (await statusOf(bus, name)) === undefined, { what: "It is gone" });
    }
  }
}

async function letGo(open: Open): Promise<void> {
  await using one = await open();
  await using two = await open();
  await (await two.subscribe({ ...group, bufferMax: 1 }, () => undefined)).close();
  await until(async () => (await statusOf(one, group.name)) !== undefined, {
    what: "Both know it",
  });
  await one.publish(message(0));
  // Far more than a removal takes: it is that which lets them go.
  const waiting = numbers(3).map((n) => codeOf(one.publish(message(n), { timeoutMs: 60_000 })));
  await until(async () => (await one.status()).publishesWaiting === 3, { what: "All three wait" });
  assert.equal(await two.removeGroup(group.name), 1);
  assert.deepEqual(await Promise.all(waiting), ["done", "done", "done"]);
}

async function retention(open: Open): Promise<void> {
  await using one = await open();
  await using two = await open();
  const spec = { ...group, retentionMs: 20_000 };
  await (await one.subscribe(spec, () => undefined)).close();
  await one.publish(numbers(3).map((n) => message(n)));
  const deliverAtMs = systemClock.nowMs() + 3000;
  await two.publish(message(3, { deliverAtMs }));
  await systemClock.sleep(6000); // two nodes have looked several times each
  const attempts: number[] = [];
  await two.subscribe(spec, ({ attempt }) => void attempts.push(attempt));
  await until(() => attempts.length === 4, { what: "All are handled" });
  assert.deepEqual(attempts, [1, 1, 1, 1]);
}

async function returns(open: Open, world: World): Promise<void> {
  await using one = await open();
  await using two = await open();
  const seen: number[] = [];
  const spec = { ...group, concurrency: 2 };
  let finish = (): void => undefined;
  const first = new Promise<void>((resolve) => {
    finish = resolve;
  });
  await two.subscribe(spec, ({ message: handled }) => {
    seen.push(numberOf(handled));
    return first;
  });
  await two.publish(message(0));
  await until(() => seen.length === 1, { what: "One is in its handler" });
  await removeUnseen(world);
  await until(async () => (await statusOf(one, group.name))?.members === 1, {
    what: "It is there again, with its member",
  });
  finish();
  await one.publish(message(1), { mandatory: true });
  await until(() => seen.includes(1), { what: "The next message" });
  await until(async () => (await statusOf(two, group.name))?.running === 0, { what: "None runs" });
  await using third = await open();
  await until(async () => (await statusOf(third, group.name))?.members === 1, {
    what: "A node that reads the log knows it",
  });
}

/** What a node does that removes the group and sees no member of it. */
async function removeUnseen({ server, namespace }: World): Promise<void> {
  const connection = await connect(server.url);
  const channel = await connection.createConfirmChannel();
  await channel.prefetch(100);
  const registry = `${namespace}.registry`;
  const { promise, resolve } = Promise.withResolvers<string>();
  const options = { arguments: { "x-stream-offset": "first" } };
  await channel.consume(
    registry,
    (entry) => {
      const { kind, id }: { kind: string; id: string } = JSON.parse(String(entry?.content));
      if (kind === "group") resolve(id); // the first one opened it: its id is the life
    },
    options,
  );
  const removed = { kind: "removed", id: "by hand", name: group.name, life: await promise };
  await channel.deleteQueue(`${namespace}.group.${group.name}`);
  channel.sendToQueue(registry, Buffer.from(JSON.stringify(removed)));
  await channel.waitForConfirms();
  await connection.close();
}
