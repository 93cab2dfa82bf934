/** What happens to events when the server dies, freezes, runs full, or is changed by hand. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect } from "amqplib";
import { systemClock } from "@banyan/kernel";
import {
  createTestCertificates,
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
  publishSurely,
  quick,
  topic,
} from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import type { RabbitmqOptions } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
describe("a RabbitMQ that fails", { concurrency: 3 }, () => {
  for (const how of ["killed", "stopped"] as const) {
    test(`10 000 messages outlive a server that is ${how} under load`, { skip }, async () => {
      await using server = await openRabbitmq();
      await using bus = await openRabbitmqBus(quick(server.url));
      const seen = new Set<number>();
      await bus.subscribe({ ...group, concurrency: 100 }, ({ message: handled }) => {
        seen.add(numberOf(handled));
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
      const gate = Promise.withResolvers<undefined>();
      await bus.subscribe({ ...group, concurrency: 10 }, async ({ message: handled }) => {
        await gate.promise;
        seen.push(numberOf(handled));
      });
      await bus.publish(numbers(30).map((n) => message(n)));
      await server.raiseAlarm(alarm);
      const startMs = performance.now();
      const ends = await Promise.all([31, 32, 33].map((n) => codeOf(bus.publish(message(n)))));
      const named = ["MESSAGING_UNAVAILABLE", "MESSAGING_OUTCOME_UNKNOWN"];
      for (const end of ends) assert(named.includes(end), end);
      assert.equal(await codeOf(bus.publish(message(34))), "MESSAGING_UNAVAILABLE");
      assert(performance.now() - startMs < 3000, "two deadlines of half a second");
      const words = new RegExp(alarm);
      await assert.rejects(bus.check(), { code: "MESSAGING_UNAVAILABLE", message: words });
      const { outbound } = await bus.status();
      assert.equal(outbound?.connected, false);
      assert.match(outbound.blocked ?? "", words);
      // Who handles is not who publishes: acknowledgements go on, and more is delivered for them.
      gate.resolve(undefined);
      await until(() => seen.length >= 30, { what: "The backlog is handled meanwhile" });
      await until(async () => (await bus.status()).subscriptions[0]?.buffered === 0, {
        what: "It is acknowledged",
      });
      await bus.publish(message(35), { mode: "enqueue" });
      await server.clearAlarm(alarm);
      await until(() => seen.includes(35), { what: "The enqueued one is handled" });
      await bus.publish(message(36));
      await until(() => seen.includes(36), { what: "It goes on" });
      await bus.check();
      assert.equal((await bus.status()).outbound?.blocked, undefined);
    });
  }

  test(
    "a frozen server leaves the outcome unknown, and all goes on when it thaws",
    { skip },
    async () => {
      await using server = await openRabbitmq();
      await using bus = await openRabbitmqBus({ ...quick(server.url), publishTimeoutMs: 400 });
      const seen: number[] = [];
      await bus.subscribe(group, ({ message: handled }) => void seen.push(numberOf(handled)));
      server.pause();
      const sent = numbers(50);
      const ends = await Promise.all(sent.map((n) => codeOf(bus.publish(message(n)))));
      assert.deepEqual(new Set(ends), new Set(["MESSAGING_OUTCOME_UNKNOWN"]));
      const status = await bus.status();
      assert.equal(status.subscriptions.length, 1, "a status does not wait for the server");
      server.resume();
      await until(() => new Set(seen).size === sent.length, {
        what: "All that was sent is handled after all",
      });
      server.pause();
      await until(async () => (await bus.status()).outbound?.connected === false, {
        what: "The silence is noticed",
        timeoutMs: 10_000,
      });
      assert.equal(await codeOf(bus.publish(message(102))), "MESSAGING_UNAVAILABLE");
      server.resume();
      const works = async (): Promise<boolean> =>
        (await codeOf(bus.publish(message(103)))) === "done";
      await until(works, { what: "It is connected again", timeoutMs: 20_000 });
      await until(() => seen.includes(103), { what: "It is handled" });
      assert(!seen.includes(102), "what was withdrawn is not handled");
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
    await bus.subscribe(spec, ({ message: handled }) => void seen.push(numberOf(handled)));
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
    await bus.check();
    await bus.publish(message(81), { mode: "enqueue" });
    await until(() => seen.includes(81), { what: "It takes again" });
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
      async () => {
        const code = await codeOf(bus.publish(message(2), { mode: "enqueue" }));
        return code === "MESSAGING_BUFFER_FULL";
      },
      {
        what: "It is too old",
        timeoutMs: 5000,
        everyMs: 200,
      },
    );
    assert.equal(await codeOf(bus.check()), "MESSAGING_BUFFER_FULL");
    assert.equal(await codeOf(bus.publish(message(3))), "MESSAGING_BUFFER_FULL");
    await server.start();
    await until(async () => (await codeOf(bus.check())) === "done", { what: "It takes again" });
    await bus.publish(message(4));
  });

  test("a stranger's message that is no JSON is a dead letter at once", { skip }, async () => {
    await using server = await openRabbitmq();
    await using bus = await openRabbitmqBus({ url: server.url });
    const seen: number[] = [];
    await bus.subscribe(
      { ...group, concurrency: 1 },
      ({ message: handled }) => void seen.push(numberOf(handled)),
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
      const refused = async (options: RabbitmqOptions): Promise<string> => {
        const startMs = performance.now();
        // At once: long before a server that is not there would be given up.
        const code = await codeOf(
          openRabbitmqBus({ url, tls, connectTimeoutMs: 60_000, ...options }),
        );
        assert(performance.now() - startMs < 10_000, "at once");
        return code;
      };
      const foreign = { ca: certificates.foreignCa };
      assert.equal(await refused({ tls: foreign }), "RABBITMQ_CERTIFICATE_REFUSED");
      assert.equal(await refused({ password: "wrong" }), "RABBITMQ_REFUSED");
      assert.equal(await refused({ vhost: "nowhere" }), "RABBITMQ_REFUSED");
    },
  );

  test("a server that is not there is named when the patience is over", { skip }, async () => {
    const startMs = performance.now();
    const opening = openRabbitmqBus({ url: "amqp://127.0.0.1:1", connectTimeoutMs: 300 });
    assert.equal(await codeOf(opening), "RABBITMQ_UNREACHABLE");
    const tookMs = performance.now() - startMs;
    assert(tookMs >= 295 && tookMs < 3000, `${tookMs} ms`);
  });
});
