/**
 * Broadcasts that are away for a while, fall behind, or end. Run with arguments, this file is a
 * process that has one.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "amqplib";
import type { Bus, DeadLetter } from "@banyan/messaging";
import {
  createRecordingLog,
  findReasonToSkip,
  openRabbitmq,
  openTcpProxy,
  rabbitmqPrograms,
  spawnNode,
  until,
} from "@banyan/testbed";
import type { RabbitmqServer, RecordingLog, TcpProxy } from "@banyan/testbed";
import { message, numberOf, numbers, quick, topic } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import type { RabbitmqOptions } from "./index.ts";

const each = { name: "each.sold", topic, delivery: "broadcast" } as const;
const missed = /queue of a broadcast was gone/;
const full = /a broadcast holds as many messages as it may/;

const [, , url, namespace] = process.argv;

if (url === undefined || namespace === undefined) await describeBroadcasts();
else {
  const bus = await openRabbitmqBus({ url, namespace, broadcastKeptMs: 1000 });
  await bus.subscribe(each, () => undefined);
  console.log("subscribed");
}

interface World {
  readonly server: RabbitmqServer;
  readonly namespace: string;
  readonly log: RecordingLog;
  /** Its connections are those of the bus through it. */
  readonly proxy: TcpProxy;
  /** Publishes, and is never cut off. */
  readonly bus: Bus;
  /** Another node; through the proxy. */
  openCuttable(options?: RabbitmqOptions): Promise<Bus>;
  /** Names of queues, without the namespace. */
  queues(): Promise<readonly string[]>;
}

async function describeBroadcasts(): Promise<void> {
  const skip = await findReasonToSkip(rabbitmqPrograms);
  if (skip !== false) {
    test("broadcasts on RabbitMQ", { skip }, () => undefined);
    return;
  }
  let opening: Promise<RabbitmqServer> | undefined;
  let users = 0;
  const onServer = (title: string, work: (world: World) => Promise<void>): void => {
    users += 1;
    const own = `each-${users}`;
    test(title, { timeout: 60_000 }, async () => {
      const server = await (opening ??= openRabbitmq());
      try {
        await inWorld(server, own, work);
      } finally {
        users -= 1;
        if (users === 0) await server[Symbol.asyncDispose]();
      }
    });
  };
  describe("broadcasts on RabbitMQ", { concurrency: 3 }, () => {
    onServer("what is published while the connection of a broadcast is away comes after it", away);
    onServer("a broadcast that is away for too long starts anew, and says so", awayForTooLong);
    onServer("the queue of a process that is killed deletes itself", killed);
    onServer("a broadcast that is closed leaves nothing behind", closed);
    onServer("what a broadcast had no room for is a dead letter that says so", overflow);
    onServer("a redrive goes to who is there, and stays a letter where nobody is", redrive);
    onServer("nobody else can take from the queue of a broadcast", nobodyElse);
    test("what a broadcast has not handled outlives a restart of the server", restart);
  });
}

async function inWorld(
  server: RabbitmqServer,
  own: string,
  work: (world: World) => Promise<void>,
): Promise<void> {
  const log = createRecordingLog();
  const options = { ...quick(server.url), heartbeatS: 5, namespace: own, log };
  await using proxy = await openTcpProxy({ to: { host: server.host, port: server.port } });
  await using bus = await openRabbitmqBus(options);
  await work({
    server,
    namespace: own,
    log,
    proxy,
    bus,
    openCuttable: (more = {}) =>
      openRabbitmqBus({ ...options, ...more, url: proxy.urlOf(server.url) }),
    queues: async () =>
      (await server.queues())
        .map(({ name }) => name)
        .filter((name) => name.startsWith(`${own}.`))
        .map((name) => name.slice(own.length + 1)),
  });
}

function has(log: RecordingLog, words: RegExp): boolean {
  return log.lines.some(({ message: said }) => words.test(said));
}

async function away({ bus, proxy, openCuttable, log }: World): Promise<void> {
  await using other = await openCuttable();
  const seen = new Set<number>();
  await other.subscribe(each, ({ message: sent }) => void seen.add(numberOf(sent)));
  await bus.publish(message(0));
  await until(() => seen.has(0), { what: "One before" });
  for (const round of [1, 2]) {
    proxy.cut();
    await until(async () => (await other.status()).outbound?.connected === false, {
      what: "It is cut off",
    });
    const sent = numbers(20).map((n) => round * 100 + n);
    await bus.publish(sent.map((n) => message(n, n % 2 === 0 ? {} : { orderingKey: "a" })));
    await proxy.heal();
    await until(() => sent.every((n) => seen.has(n)), { what: "All that came meanwhile" });
  }
  assert(!has(log, missed), "something is said to be missed");
}

async function awayForTooLong({ bus, proxy, openCuttable, log, queues }: World): Promise<void> {
  await using other = await openCuttable({ broadcastKeptMs: 1000 });
  const seen: number[] = [];
  await other.subscribe(each, ({ message: sent }) => void seen.push(numberOf(sent)));
  proxy.cut();
  const isThere = async (): Promise<boolean> =>
    (await queues()).some((name) => name.startsWith("live."));
  assert(await isThere());
  await until(async () => !(await isThere()), { what: "The server has deleted it" });
  await bus.publish(message(1));
  assert(!has(log, missed));
  await proxy.heal();
  await until(() => has(log, missed), { what: "It says that something may be missed" });
  await until(isThere, { what: "It is there again" });
  await until(
    async () => {
      await bus.publish(message(2));
      return seen.includes(2);
    },
    { what: "What comes later arrives", everyMs: 50 },
  );
  assert(!seen.includes(1));
}

async function killed({ server, namespace: own, queues }: World): Promise<void> {
  const lives = async (): Promise<readonly string[]> =>
    (await queues()).filter((name) => /^(?:live|again)\./.test(name));
  await using child = spawnNode(import.meta.filename, [server.url, own]);
  await child.waitForLine(/^subscribed$/, { timeoutMs: 20_000 });
  assert.equal((await lives()).length, 2);
  await child.kill();
  await until(async () => (await lives()).length === 0, { what: "Both are gone" });
}

async function closed({ bus, openCuttable, queues }: World): Promise<void> {
  await using other = await openCuttable();
  const before = await queues();
  const spec = { ...each, topic: "#", concurrency: 1, retriesMax: 0 };
  const tails = await Promise.all(
    numbers(5).map((n) =>
      (n % 2 === 0 ? bus : other).subscribe({ ...spec, name: `node.tail-${n}` }, () => undefined),
    ),
  );
  const kept = await bus.subscribe(each, () => undefined);
  await bus.publish(numbers(50).map((n) => message(n)));
  assert.equal((await queues()).length, before.length + 12);
  await Promise.all(tails.map((tail) => tail.close({ drainMs: 0 })));
  assert.equal((await queues()).length, before.length + 2);
  await kept.close();
  assert.deepEqual(await queues(), before);
}

async function overflow({ bus, openCuttable, log, queues }: World): Promise<void> {
  await using other = await openCuttable();
  const gate = Promise.withResolvers<undefined>();
  const seen: number[] = [];
  const spec = { ...each, bufferMax: 10, concurrency: 1 };
  await other.subscribe(spec, async ({ message: sent }) => {
    seen.push(numberOf(sent));
    await gate.promise;
  });
  await bus.publish(message(0));
  await until(() => seen.length === 1, { what: "The first is being handled" });
  assert(!(await queues()).includes("dead.each.sold"), "there is a queue without a letter");
  const headers = { source: "shop", "x-shop-till": "7" };
  const sent = numbers(40).map((n) =>
    message(n + 1, n % 2 === 0 ? { headers } : { headers, orderingKey: "till 7" }),
  );
  await bus.publish(sent);
  const letters = await until(
    async (): Promise<readonly DeadLetter[] | undefined> => {
      const page = await bus.deadLetters.list({ subscription: each.name });
      return page.letters.length === 30 ? page.letters : undefined;
    },
    { what: "All that fell out" },
  );
  // The oldest, each as it was published.
  const byNumber = letters.toSorted((a, b) => numberOf(a.message) - numberOf(b.message));
  assert.deepEqual(
    byNumber.map((letter) => letter.message),
    sent.slice(0, 30).map((one) => ({ orderingKey: undefined, ...one })),
  );
  for (const letter of letters) {
    assert.deepEqual(
      [letter.subscription, letter.delivery, letter.reason, letter.attempts, letter.error.code],
      [each.name, "broadcast", "buffer-full", 0, "MESSAGING_BUFFER_FULL"],
    );
  }
  // Each by the node that wrote it.
  const isCounted = async (): Promise<boolean> =>
    (await bus.status()).deadLettered + (await other.status()).deadLettered === 30;
  await until(isCounted, { what: "All are counted" });
  const lines = log.lines.filter(({ message: said }) => full.test(said));
  assert(lines.length > 0 && lines.length < 10, `${lines.length} lines for one burst`);
  gate.resolve(undefined);
  await until(() => seen.length === 11, { what: "The others are handled" });
  // Redriven, it comes once more, and as it was.
  const [first] = byNumber;
  assert.equal(await bus.deadLetters.redrive([first?.id ?? ""]), 1);
  await until(() => seen.at(-1) === 1, { what: "The redriven one" });
  assert.deepEqual(
    (await queues()).filter((name) => name.startsWith("dead.")),
    ["dead.each.sold"],
  );
}

async function redrive({ bus, proxy, openCuttable, queues }: World): Promise<void> {
  await using other = await openCuttable();
  const seen: [n: number, attempt: number][] = [];
  let isBroken = true;
  await other.subscribe({ ...each, retriesMax: 0 }, ({ message: sent, attempt }) => {
    seen.push([numberOf(sent), attempt]);
    if (isBroken) throw new Error("not today");
  });
  await bus.publish(message(7));
  const letter = await until(async () => (await bus.deadLetters.list()).letters[0], {
    what: "A letter",
  });
  proxy.cut();
  await until(async () => !(await queues()).some((name) => name.startsWith("again.")), {
    what: "The server knows that it is away",
  });
  assert.equal(await bus.deadLetters.redrive([letter.id]), 0, "nobody is there to handle it");
  assert.equal((await bus.deadLetters.get(letter.id))?.id, letter.id);
  isBroken = false;
  await proxy.heal();
  await until(async () => (await bus.deadLetters.redrive([letter.id])) === 1, {
    what: "It is back",
  });
  await until(() => seen.length === 2, { what: "It is handled" });
  assert.deepEqual(seen, [
    [7, 1],
    [7, 1],
  ]);
}

async function nobodyElse({ bus, server, queues, namespace: own }: World): Promise<void> {
  const seen: number[] = [];
  await bus.subscribe(each, ({ message: sent }) => void seen.push(numberOf(sent)));
  const name = (await queues()).find((queue) => queue.startsWith("live."));
  const connection = await connect(server.url);
  try {
    const channel = await connection.createChannel();
    channel.on("error", () => undefined);
    await assert.rejects(
      channel.consume(`${own}.${name}`, () => undefined),
      { code: 403 },
    );
  } finally {
    await connection.close();
  }
  await bus.publish(message(1));
  await until(() => seen.length === 1, { what: "It has its message" });
}

async function restart(): Promise<void> {
  await using server = await openRabbitmq();
  const log = createRecordingLog();
  await using bus = await openRabbitmqBus({ ...quick(server.url), log });
  const started: number[] = [];
  const handled = new Set<number>();
  const gate = Promise.withResolvers<undefined>();
  await bus.subscribe({ ...each, concurrency: 1 }, async ({ message: sent }) => {
    started.push(numberOf(sent));
    await gate.promise;
    handled.add(numberOf(sent));
  });
  await bus.publish(numbers(5).map((n) => message(n)));
  await until(() => started.length === 1, { what: "The first is being handled" });
  await server.syncDeclared();
  await server.restart();
  gate.resolve(undefined);
  await until(() => handled.size === 5, { what: "All are handled", timeoutMs: 30_000 });
  assert(!has(log, missed));
}
