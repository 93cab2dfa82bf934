/** How outages end: what is refused, what is named, and what a close does while one lasts. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as connectTcp, createServer } from "node:net";
import { describe, test } from "node:test";
import { connect } from "amqplib";
import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { CancelTimer } from "@banyan/kernel";
import type { Bus } from "@banyan/messaging";
import {
  createRecordingLog,
  FakeClock,
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
  until,
} from "@banyan/testbed";
import {
  codeOf,
  group,
  message,
  numberOf,
  numbers,
  quick,
  topic,
} from "./conformance/fault-parts.ts";
import { openRabbitmqBus, resolveRabbitmqOptions } from "./index.ts";
import { Link } from "./link.ts";
import { Outbound } from "./outbound.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const enqueue = { mode: "enqueue" } as const;

async function untilAway(bus: Bus): Promise<void> {
  await until(async () => (await bus.status()).outbound?.connected === false, {
    what: "It is away",
  });
}

describe("an outage of RabbitMQ", { concurrency: 3 }, () => {
  test("ends the process only where the policy says so", { skip, timeout: 60_000 }, async () => {
    await using server = await openRabbitmq();
    const told: Error[] = [];
    const onFatal = (error: Error): void => void told.push(error);
    const patience = { ...quick(server.url), outboundAgeMaxMs: 1000 };
    await using going = await openRabbitmqBus({ ...patience, onFatal });
    await server.stop();
    await untilAway(going);
    await going.publish(message(1), enqueue);
    await until(async () => (await codeOf(going.check())) === "MESSAGING_BUFFER_FULL", {
      what: "It is too old",
    });
    assert.deepEqual(told, []);
    await server.start();
    await using stopping = await openRabbitmqBus({ ...patience, onFatal, outboundPolicy: "stop" });
    await server.kill();
    await untilAway(stopping);
    await stopping.publish(message(2), enqueue);
    await until(() => told.length > 0, { what: "It is told" });
    assert.equal(await codeOf(Promise.reject(told[0])), "RABBITMQ_OUTAGE");
    assert.equal(await codeOf(stopping.check()), "MESSAGING_BUFFER_FULL");
    await Promise.all([stopping.close({ drainMs: 0 }), going.close({ drainMs: 0 })]);
    assert.equal(told.length, 1);
  });

  test(
    "a close names all that was enqueued and not sent, in lines of a hundred",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      const log = createRecordingLog();
      const bus = await openRabbitmqBus({ ...quick(server.url), log });
      await server.stop();
      await untilAway(bus);
      const sent = numbers(250).map((n) => message(n));
      await bus.publish(sent, enqueue);
      assert.equal(await codeOf(bus.publish(message(251))), "MESSAGING_UNAVAILABLE");
      assert.deepEqual(await bus.close({ drainMs: 0 }), { unhandled: 0, lost: 250 });
      const lines = log.lines.filter(({ fields }) => "messages" in fields);
      assert.deepEqual(
        lines.map(({ level, fields: { from, to, of } }) => [level, from, to, of]),
        [
          ["error", 1, 100, 250],
          ["error", 101, 200, 250],
          ["error", 201, 250, 250],
        ],
      );
      assert.match(lines[0]?.message ?? "", /are lost: RabbitMQ did not take them/);
      assert.deepEqual(
        lines.flatMap(({ fields }) => fields["messages"]),
        sent.map(({ id }) => `${topic} ${id}`),
      );
      assert.deepEqual(
        log.lines.filter(({ message: said }) => said === "an enqueued message was not kept"),
        [],
      );
    },
  );

  test(
    "a close says of what was sent and not confirmed that it may be lost",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      const log = createRecordingLog();
      const bus = await openRabbitmqBus({ url: server.url, heartbeatS: 60, log });
      server.pause();
      const sent = message(1);
      await bus.publish(sent, enqueue);
      assert.deepEqual(await bus.close({ drainMs: 0 }), { unhandled: 0, lost: 1 });
      server.resume();
      const lines = log.lines.filter(({ fields }) => "messages" in fields);
      assert.deepEqual(
        lines.map(({ message: said, fields }) => [said, fields["messages"]]),
        [
          [
            "enqueued messages may be lost: RabbitMQ has not confirmed them",
            [`${topic} ${sent.id}`],
          ],
        ],
      );
    },
  );

  test(
    "a close that waits for the server ends when somebody has less patience",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      const bus = await openRabbitmqBus(quick(server.url));
      await server.stop();
      await untilAway(bus);
      await bus.publish(message(1), enqueue);
      const startMs = performance.now();
      const patient = bus.close({ drainMs: 300_000 });
      await systemClock.sleep(1); // by then it waits for the server
      assert.equal((await bus.close({ drainMs: 200 })).lost, 1);
      assert.equal((await patient).lost, 1);
      assert(performance.now() - startMs < 30_000, "it did not hurry");
    },
  );

  test(
    "what a full queue refuses is tried again in its order, and is as old as it is",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      await using bus = await openRabbitmqBus({ ...quick(server.url), publishTimeoutMs: 300 });
      const operator = await connect(server.url);
      await using stack = new AsyncDisposableStack();
      stack.defer(() => operator.close());
      const channel = await operator.createChannel();
      const bound = async (queue: string, args: object): Promise<void> => {
        await channel.assertQueue(queue, { arguments: args });
        await channel.bindQueue(queue, "banyan.events", topic);
      };
      await bound("audit", {});
      await bound("tiny", { "x-max-length": 1, "x-overflow": "reject-publish" });
      const tries: number[] = [];
      await channel.consume(
        "audit",
        (got) => void tries.push(Number(JSON.parse(String(got?.content)).n)),
        { noAck: true },
      );
      await bus.publish(message(0));
      for (const n of [1, 2, 3, 4]) await bus.publish(message(n), enqueue);
      await until(() => tries.length >= 21, { what: "They are tried five times" });
      const rounds = tries.slice(1, 21);
      assert.deepEqual(rounds, Array.from({ length: 5 }, () => [1, 2, 3, 4]).flat());
      // Whether it waits, is sent, or was refused a moment ago.
      let youngestMs = 0;
      for (let look = 0; look < 50; look += 1) {
        const { outbound } = await bus.status();
        assert(outbound !== undefined && outbound.oldestMs >= youngestMs, "it became younger");
        youngestMs = outbound.oldestMs;
        await systemClock.sleep(3);
      }
      // Nobody knows of a safe one, as the other queue has it.
      assert.equal(await codeOf(bus.publish(message(5))), "MESSAGING_OUTCOME_UNKNOWN");
      await channel.deleteQueue("tiny");
      await until(async () => (await bus.status()).published === 5, { what: "They are confirmed" });
      const { outbound, enqueueFailed } = await bus.status();
      assert.deepEqual([outbound?.waiting, outbound?.unconfirmed, enqueueFailed], [0, 0, 0]);
    },
  );

  test(
    "a message that the server finds too large ends by name and holds up no other",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq({ config: { max_message_size: "10000" } });
      const log = createRecordingLog();
      await using bus = await openRabbitmqBus({ ...quick(server.url), log });
      const seen = new Set<number>();
      await bus.subscribe(group, ({ message: got }) => void seen.add(numberOf(got)));
      const large = (n: number) => message(n, { body: { n, text: "x".repeat(20_000) } });
      for (const n of [0, 1, 2]) await bus.publish(n === 1 ? large(n) : message(n), enqueue);
      await bus.publish(message(3));
      assert.equal((await bus.status()).enqueueFailed, 1);
      await assert.rejects(bus.publish(large(4)), {
        code: "MESSAGING_BODY_TOO_LARGE",
        message: /has 20017 bytes; RabbitMQ takes 10000 \(its max_message_size\)/,
      });
      await bus.publish(message(5));
      await until(() => seen.size === 4, { what: "The others are handled" });
      assert.deepEqual([...seen], [0, 2, 3, 5]);
      // Once the maximum is known, the channel ends for no other.
      assert.deepEqual(
        log.lines.filter(({ level }) => level === "error").map(({ message: said }) => said),
        ["RabbitMQ ended the channel of publishes", "an enqueued message was not kept"],
      );
      await server.stop();
      await server.start();
      await until(async () => (await codeOf(bus.publish(message(6)))) === "done", {
        what: "It is back",
      });
      // To the new connection nothing was said of a maximum: it is found again, at once.
      assert.equal(await codeOf(bus.publish(large(7))), "MESSAGING_BODY_TOO_LARGE");
    },
  );

  test(
    "what ends the channel each time it is sent is sent with growing pauses",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      const connection = await connect(server.url);
      await using stack = new AsyncDisposableStack();
      stack.defer(() => connection.close());
      const pauses: number[] = [];
      class NotedClock extends FakeClock {
        override setTimer(...timer: Parameters<FakeClock["setTimer"]>): CancelTimer {
          pauses.push(timer[0]);
          return super.setTimer(...timer);
        }
      }
      const clock = new NotedClock();
      const limits = { countMax: 10, bytesMax: 1000, ageMaxMs: 1000 };
      const outbound = new Outbound({
        ...limits,
        clock,
        log: silentLog,
        random: { ...systemRandom, next: () => 0.5 },
        prepare: async (channel) => void (await channel.assertQueue("any")),
        failure: () => new Error("It is there."),
      });
      stack.defer(() => outbound.close());
      const send = (expiration: string): Promise<Error | undefined> => {
        const { promise, resolve } = Promise.withResolvers<Error | undefined>();
        const address = { exchange: "", routingKey: "any", content: Buffer.from("{}") };
        const onEnd = resolve;
        outbound.send({ ...address, properties: { expiration }, deadlineMs: Infinity, onEnd });
        return promise;
      };
      outbound.up(connection);
      assert.equal(await send("1000"), undefined);
      void send("never"); // 406: it is no number
      for (let round = 1; round <= 5; round += 1) {
        await until(() => pauses.length === round, { what: "The channel ended" });
        await clock.advance(pauses[round - 1] ?? 0);
      }
      for (const [at, pauseMs] of pauses.entries()) {
        assert(at === 0 || pauseMs >= 1.5 * (pauses[at - 1] ?? 0), `they are ${pauses.join()}`);
      }
    },
  );

  test(
    "a node whose publishes all end at their deadlines is stopped",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      const told: Error[] = [];
      const onFatal = (error: Error): void => void told.push(error);
      const patience = { outboundPolicy: "stop", outboundAgeMaxMs: 1000 } as const;
      const options = { ...quick(server.url), ...patience, publishTimeoutMs: 200 };
      await using bus = await openRabbitmqBus({ ...options, onFatal });
      await server.kill();
      await untilAway(bus);
      const ends = new Set<string>();
      await until(
        async () => {
          if (told.length === 0) ends.add(await codeOf(bus.publish(message(1))));
          return told.length > 0;
        },
        { what: "It is told" },
      );
      assert.deepEqual([...ends], ["MESSAGING_UNAVAILABLE"]);
      assert.equal(await codeOf(Promise.reject(told[0])), "RABBITMQ_OUTAGE");
    },
  );

  test(
    "a connection that is there after the close ends quietly, however it ends",
    { skip, timeout: 60_000 },
    async () => {
      await using server = await openRabbitmq();
      const { hostname, port, username, password } = new URL(server.url);
      // Passes everything on, but for the farewell: that is answered with a reset.
      const seen = Promise.withResolvers<undefined>();
      const relay = createServer((client) => {
        const upstream = connectTcp(Number(port), hostname);
        client.on("error", () => undefined).on("close", () => upstream.destroy());
        upstream.on("error", () => undefined).on("close", () => client.destroy());
        upstream.on("data", (chunk) => client.write(chunk));
        client.on("data", (chunk) => {
          if (chunk.includes(connectionClose)) {
            client.resetAndDestroy();
            seen.resolve(undefined);
          } else upstream.write(chunk);
        });
      }).listen(0, "127.0.0.1");
      await using stack = new AsyncDisposableStack();
      stack.defer(() => void relay.close());
      await once(relay, "listening");
      const address = relay.address();
      assert(typeof address === "object" && address !== null);
      const hosts = [`127.0.0.1:${address.port}`];
      const options = resolveRabbitmqOptions({ hosts, username, password, log: silentLog });
      const told: string[] = [];
      const listener = { onUp: () => told.push("up"), onDown: () => told.push("down") };
      const link = new Link(options, "late", listener);
      link.start();
      await link.close();
      await seen.promise;
      await systemClock.sleep(100);
      assert.deepEqual([told, link.connection], [[], undefined]);
    },
  );
});

/** Class 10, method 50. */
const connectionClose = Buffer.from([0, 10, 0, 50]);
