/**
 * What becomes of messages whose process is killed, or told to end, while it handles them. Run with
 * arguments, this file is that process.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import type { Bus, DeadLetter } from "@banyan/messaging";
import {
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
  spawnNode,
  until,
} from "@banyan/testbed";
import type { Child, RabbitmqServer } from "@banyan/testbed";
import { group, message, numberOf } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import type { QueueType } from "./index.ts";

/** So many processes may die of a message. */
const DEATHS = 10;
const PATIENCE_MS = 20_000;

const [, , role, url = "", namespace = "", type] = process.argv;
const queueType: QueueType = type === "classic" ? "classic" : "quorum";
/** Where a classic queue counts what came back: by putting it before all others. */
const priorities = queueType === "classic";

if (role === undefined) await describeProcesses();
else if (role === "hang") await hang();
else await finishOnSigterm();

/** Handles nothing to its end; says what it got. */
async function hang(): Promise<void> {
  const bus = await openRabbitmqBus({ url, namespace, queueType, priorities });
  await bus.subscribe({ ...group, concurrency: 4 }, async (delivery) => {
    console.log(`got ${numberOf(delivery.message)} attempt ${delivery.attempt}`);
    await systemClock.sleep(600_000);
  });
}

/** Takes half a second for each; a SIGTERM closes the bus, and that is all. */
async function finishOnSigterm(): Promise<void> {
  const bus = await openRabbitmqBus({ url, namespace, queueType, priorities });
  process.once("SIGTERM", () => {
    console.log("told to end");
    void bus.close().then(({ unhandled }) => console.log(`closed, unhandled ${unhandled}`));
  });
  await bus.subscribe({ ...group, concurrency: 1 }, async (delivery) => {
    console.log(`began ${numberOf(delivery.message)}`);
    await systemClock.sleep(500);
    console.log(`ended ${numberOf(delivery.message)}`);
  });
}

async function describeProcesses(): Promise<void> {
  const skip = await findReasonToSkip(rabbitmqPrograms);
  if (skip !== false) {
    test("processes that end while they handle messages", { skip }, () => undefined);
    return;
  }
  let opening: Promise<RabbitmqServer> | undefined;
  let users = 4;
  let namespaces = 0;
  const onServer = (
    title: string,
    work: (world: World) => Promise<void>,
    own: QueueType = "quorum",
  ): void => {
    test(title, async () => {
      const server = await (opening ??= openRabbitmq());
      try {
        await work({ server, namespace: `process-${(namespaces += 1)}`, queueType: own });
      } finally {
        users -= 1;
        if (users === 0) await server[Symbol.asyncDispose]();
      }
    });
  };
  describe("processes that end while they handle messages", { concurrency: 3 }, () => {
    onServer("what a killed process was handling goes to another as its second attempt", killed);
    onServer("a process that is told to end finishes what it handles, and only that", toldToEnd);
    for (const own of ["quorum", "classic"] as const) {
      const title = `on ${own} queues a message that ${DEATHS} processes die of is a dead letter`;
      onServer(title, poison, own);
    }
  });
}

interface World {
  readonly server: RabbitmqServer;
  readonly namespace: string;
  readonly queueType: QueueType;
}

function open({ server: { url: own }, ...options }: World): Promise<Bus> {
  return openRabbitmqBus({ ...options, url: own, priorities: options.queueType === "classic" });
}

function start(role: "hang" | "finish", world: World): Child {
  const args = [role, world.server.url, world.namespace, world.queueType];
  return spawnNode(import.meta.filename, args);
}

/** The group is there, and nobody is in it. */
async function makeGroup(bus: Bus): Promise<void> {
  await (await bus.subscribe(group, () => undefined)).close();
}

async function killed(world: World): Promise<void> {
  await using bus = await open(world);
  await makeGroup(bus);
  for (let n = 0; n < 10; n += 1) await bus.publish(message(n));
  await using child = start("hang", world);
  for (let n = 0; n < 4; n += 1) {
    await child.waitForLine(new RegExp(`^got ${n} attempt 1$`), { timeoutMs: PATIENCE_MS });
  }
  const attempts = new Map<number, number[]>();
  await bus.subscribe({ ...group, concurrency: 4 }, (delivery) => {
    const n = numberOf(delivery.message);
    attempts.set(n, [...(attempts.get(n) ?? []), delivery.attempt]);
  });
  await until(() => attempts.size === 6, { what: "The others are handled meanwhile" });
  assert.deepEqual(
    [...attempts.keys()].toSorted((a, b) => a - b),
    [4, 5, 6, 7, 8, 9],
  );
  await child.kill();
  await until(() => attempts.size === 10, { what: "Those of the killed one", timeoutMs: 5000 });
  for (const [n, own] of attempts) assert.deepEqual(own, n < 4 ? [2] : [1], `message ${n}`);
}

async function toldToEnd(world: World): Promise<void> {
  await using bus = await open(world);
  await makeGroup(bus);
  for (let n = 0; n < 3; n += 1) await bus.publish(message(n));
  await using child = start("finish", world);
  await child.waitForLine(/^began 0$/, { timeoutMs: PATIENCE_MS });
  child.signal("SIGTERM");
  const exit = await child.exited;
  assert.deepEqual(exit, { code: 0, signal: null });
  const said = child.stdout.trim().split("\n");
  assert.deepEqual(said, ["began 0", "told to end", "ended 0", "closed, unhandled 0"]);
  const seen: [n: number, attempt: number][] = [];
  await bus.subscribe({ ...group, concurrency: 1 }, (delivery) => {
    seen.push([numberOf(delivery.message), delivery.attempt]);
  });
  await bus.publish(message(3));
  await until(() => seen.length >= 3, { what: "The rest is handled" });
  assert.deepEqual(seen, [
    [1, 1],
    [2, 1],
    [3, 1],
  ]);
}

async function poison(world: World): Promise<void> {
  await using bus = await open(world);
  await makeGroup(bus);
  await bus.publish(message(666));
  for (let death = 1; death <= DEATHS; death += 1) {
    await using child = start("hang", world);
    const got = new RegExp(`^got 666 attempt ${death}$`);
    await child.waitForLine(got, { timeoutMs: PATIENCE_MS });
    await child.kill();
  }
  const seen: number[] = [];
  await bus.subscribe(group, (delivery) => void seen.push(numberOf(delivery.message)));
  await bus.publish(message(7));
  const [letter] = await until(
    async (): Promise<readonly DeadLetter[] | undefined> => {
      const { letters } = await bus.deadLetters.list();
      return letters.length > 0 ? letters : undefined;
    },
    { what: "A dead letter" },
  );
  assert.equal(letter?.reason, "lease-lost");
  assert.deepEqual([numberOf(letter.message), letter.attempts], [666, DEATHS]);
  await until(() => seen.length > 0, { what: "The other message" });
  assert.deepEqual(seen, [7]);
}
