/** What happens to events when the server dies, freezes, runs full, or is changed by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "amqplib";
import { systemClock, systemIds } from "@banyan/kernel";
import type { Bus, OutgoingMessage } from "@banyan/messaging";
import {
  createTestCertificates,
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
  until,
} from "@banyan/testbed";
import { openRabbitmqBus } from "./index.ts";
import type { RabbitmqOptions } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const topic = "shop.sold";
const group = { name: "till.sold", topic, delivery: "group" } as const;

function message(n: number, fields: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const headers = { source: "shop" };
  return { id: systemIds.uuid(), topic, timestampMs: Date.now(), body: { n }, headers, ...fields };
}

function numberOf(body: unknown): number {
  assert(typeof body === "object" && body !== null && "n" in body);
  return Number(body.n);
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** Publishes until it is accepted, as a publisher does that must not lose it. */
async function publishSurely(bus: Bus, sent: OutgoingMessage): Promise<void> {
  const ends: string[] = [];
  for (let tries = 0; tries < 50; tries += 1) {
    const end = await codeOf(bus.publish(sent));
    if (end === "done") return;
    ends.push(end);
  }
  assert.fail(`it was never accepted: ${ends.join(", ")}`);
}

function quick(url: string): RabbitmqOptions {
  return { url, heartbeatS: 1, publishTimeoutMs: 2000 };
}

describe("a RabbitMQ that fails", { concurrency: 3 }, () => {
  for (const how of ["killed", "stopped"] as const) {
    test(`10 000 messages outlive a server that is ${how} under load`, { skip }, async () => {
      await using server = await openRabbitmq();
      await using bus = await openRabbitmqBus(quick(server.url));
      const seen = new Set<number>();
      await bus.subscribe({ ...group, concurrency: 100 }, ({ message: { body } }) => {
        seen.add(numberOf(body));
      });
      await server.syncDeclared();
      // RabbitMQ 3.10 itself does not find a queue again that it was killed seconds after making.
      await systemClock.sleep(how === "killed" ? 5000 : 0);
      let next = 0;
      const publisher = async (): Promise<void> => {
        while (next < 10_000) await publishSurely(bus, message(next++));
      };
      const publishing = Promise.all(Array.from({ length: 64 }, publisher));
      await until(() => seen.size > 2000, { what: "Some are handled", timeoutMs: 30_000 });
      await (how === "killed" ? server.kill() : server.stop());
      await server.start();
      const before = seen.size;
      await until(() => seen.size > before, { what: "Handling goes on", timeoutMs: 5000 });
      await publishing;
      await until(() => seen.size === 10_000, { what: "All are handled", timeoutMs: 60_000 });
    });
  }

  for (const alarm of ["memory", "disk"] as const) {
    test(`a ${alarm} alarm pushes back by the deadline, and nothing hangs`, { skip }, async () => {
      await using server = await openRabbitmq();
      await using bus = await openRabbitmqBus({ ...quick(server.url), publishTimeoutMs: 500 });
      const seen: number[] = [];
      await bus.subscribe(group, ({ message: { body } }) => void seen.push(numberOf(body)));
      await bus.publish(message(0));
      await server.raiseAlarm(alarm);
      const ends = await Promise.all([1, 2, 3].map((n) => codeOf(bus.publish(message(n)))));
      const named = ["MESSAGING_UNAVAILABLE", "MESSAGING_OUTCOME_UNKNOWN"];
      for (const end of ends) assert(named.includes(end), end);
      assert.equal(await codeOf(bus.publish(message(4))), "MESSAGING_UNAVAILABLE");
      assert.equal(await codeOf(bus.check()), "MESSAGING_UNAVAILABLE");
      const { outbound } = await bus.status();
      assert.deepEqual([outbound?.connected, outbound?.blocked !== undefined], [false, true]);
      await bus.publish(message(5), { mode: "enqueue" });
      await server.clearAlarm(alarm);
      await until(() => seen.includes(5), { what: "The enqueued one is handled" });
      await bus.publish(message(6));
      await until(() => seen.includes(6), { what: "It goes on" });
      await bus.check();
    });
  }

  test(
    "a frozen server leaves the outcome unknown, and all goes on when it thaws",
    { skip },
    async () => {
      await using server = await openRabbitmq();
      await using bus = await openRabbitmqBus({ ...quick(server.url), publishTimeoutMs: 400 });
      const seen: number[] = [];
      await bus.subscribe(group, ({ message: { body } }) => void seen.push(numberOf(body)));
      server.pause();
      assert.equal(await codeOf(bus.publish(message(1))), "MESSAGING_OUTCOME_UNKNOWN");
      const status = await bus.status();
      assert.equal(status.subscriptions.length, 1, "a status does not wait for the server");
      server.resume();
      await until(() => seen.includes(1), { what: "What was sent is handled after all" });
      server.pause();
      await until(async () => (await bus.status()).outbound?.connected === false, {
        what: "The silence is noticed",
        timeoutMs: 10_000,
      });
      assert.equal(await codeOf(bus.publish(message(2))), "MESSAGING_UNAVAILABLE");
      server.resume();
      const works = async (): Promise<boolean> =>
        (await codeOf(bus.publish(message(3)))) === "done";
      await until(works, { what: "It is connected again", timeoutMs: 20_000 });
      await until(() => seen.includes(3), { what: "It is handled" });
    },
  );

  test("a bus closes in time though its server is frozen", { skip }, async () => {
    await using server = await openRabbitmq();
    const bus = await openRabbitmqBus({ url: server.url, heartbeatS: 60 });
    await bus.subscribe(group, () => undefined);
    server.pause();
    const startMs = performance.now();
    await bus.close({ drainMs: 500 });
    assert(performance.now() - startMs < 8000);
    server.resume();
  });

  test("what is enqueued while the server is away arrives in its order", { skip }, async () => {
    await using server = await openRabbitmq();
    const options = { ...quick(server.url), outboundMax: 100 };
    await using bus = await openRabbitmqBus(options);
    const seen: number[] = [];
    const spec = { ...group, concurrency: 1 };
    await bus.subscribe(spec, ({ message: { body } }) => void seen.push(numberOf(body)));
    await server.syncDeclared();
    await server.stop();
    await until(async () => (await bus.status()).outbound?.connected === false, {
      what: "It is away",
    });
    for (let n = 0; n < 80; n += 1) await bus.publish(message(n), { mode: "enqueue" });
    const full = bus.publish(message(80), { mode: "enqueue" });
    assert.equal(await codeOf(full), "MESSAGING_BUFFER_FULL");
    const { outbound } = await bus.status();
    assert.deepEqual([outbound?.waiting, outbound?.unconfirmed, outbound?.limit], [80, 0, 100]);
    assert.equal(await codeOf(bus.check()), "MESSAGING_BUFFER_FULL");
    const nothing = bus.deadLetters.list();
    assert.equal(await codeOf(nothing), "MESSAGING_UNAVAILABLE");
    await server.start();
    await until(() => seen.length >= 80, { what: "They are handled", timeoutMs: 20_000 });
    const expected = Array.from({ length: 80 }, (_, n) => n);
    assert.deepEqual(seen, expected);
    await bus.publish(message(81));
    assert.deepEqual((await bus.deadLetters.list()).letters, []);
  });

  test("what has waited too long for the server is the last that is taken", { skip }, async () => {
    await using server = await openRabbitmq();
    await using bus = await openRabbitmqBus({ ...quick(server.url), outboundAgeMaxMs: 1000 });
    await server.stop();
    await until(async () => (await bus.status()).outbound?.connected === false, {
      what: "It is away",
    });
    await bus.publish(message(1), { mode: "enqueue" });
    await until(
      async () => (await codeOf(bus.publish(message(2), { mode: "enqueue" }))) !== "done",
      {
        what: "It is too old",
        timeoutMs: 5000,
        everyMs: 200,
      },
    );
    assert.equal(await codeOf(bus.check()), "MESSAGING_BUFFER_FULL");
  });

  test("a stranger's message that is no JSON is a dead letter at once", { skip }, async () => {
    await using server = await openRabbitmq();
    await using bus = await openRabbitmqBus({ url: server.url });
    const seen: number[] = [];
    await bus.subscribe(
      { ...group, concurrency: 1 },
      ({ message: { body } }) => void seen.push(numberOf(body)),
    );
    const stranger = await connect(server.url);
    const channel = await stranger.createConfirmChannel();
    channel.publish("banyan.events", topic, Buffer.from("{ no json"));
    channel.publish("banyan.events", topic, Buffer.from('{"n":7}'), {
      contentType: "application/json",
    });
    await channel.waitForConfirms();
    await stranger.close();
    await until(() => seen.includes(7), { what: "The good one is handled" });
    const letters = await until(
      async () => {
        const page = await bus.deadLetters.list({ subscription: group.name });
        return page.letters.length > 0 && page.letters;
      },
      { what: "The bad one is a dead letter" },
    );
    assert.deepEqual(
      letters.map(({ reason, message: { body } }) => [reason, body]),
      [["unreadable", "{ no json"]],
    );
  });

  test("what an operator deletes by hand is made again", { skip }, async () => {
    await using server = await openRabbitmq();
    await using bus = await openRabbitmqBus(quick(server.url));
    const seen: number[] = [];
    await bus.subscribe({ ...group, retriesMax: 0 }, ({ message: { body } }) => {
      const n = numberOf(body);
      if (n < 0) throw new Error("never");
      seen.push(n);
    });
    const arrives = async (n: number, what: string): Promise<void> => {
      await until(
        async () => {
          await publishSurely(bus, message(n));
          return seen.includes(n);
        },
        { what, timeoutMs: 15_000, everyMs: 100 },
      );
    };
    await arrives(1, "The first");
    await server.deleteQueue("banyan.group.till.sold");
    await arrives(2, "One after its queue was deleted");
    await server.deleteExchange("banyan.events");
    await arrives(3, "One after the exchange was deleted");
    await server.closeConnections();
    await arrives(4, "One after the connections were closed");
    await server.deleteQueue("banyan.dead.till.sold");
    await bus.publish(message(-1));
    await until(async () => (await bus.deadLetters.list()).letters.length > 0, {
      what: "A letter after its queue was deleted",
    });
    await server.deleteQueue("banyan.registry");
    await arrives(5, "One after the registry was deleted");
    await until(
      async () =>
        (await codeOf(bus.subscribe({ ...group, name: "new.group" }, () => undefined))) === "done",
      { what: "A new group", timeoutMs: 40_000 },
    );
  });

  test(
    "a certificate, a password or a virtual host that does not fit is refused at once",
    { skip },
    async () => {
      await using certificates = await createTestCertificates();
      await using server = await openRabbitmq({ tls: certificates });
      const { url } = server;
      const tls = { ca: certificates.ca };
      await using bus = await openRabbitmqBus({ url, tls });
      await bus.check();
      const refused = (options: RabbitmqOptions): Promise<string> => {
        return codeOf(openRabbitmqBus({ url, tls, ...options }));
      };
      const foreign = { ca: certificates.foreignCa };
      assert.equal(await refused({ tls: foreign }), "RABBITMQ_CERTIFICATE_REFUSED");
      assert.equal(await refused({ password: "wrong" }), "RABBITMQ_REFUSED");
      assert.equal(await refused({ vhost: "nowhere" }), "RABBITMQ_REFUSED");
    },
  );

  test("a server that is not there is named when the patience is over", { skip }, async () => {
    const opening = openRabbitmqBus({ url: "amqp://127.0.0.1:1", connectTimeoutMs: 300 });
    assert.equal(await codeOf(opening), "RABBITMQ_UNREACHABLE");
  });
});
