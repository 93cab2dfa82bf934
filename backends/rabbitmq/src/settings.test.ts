/** Each option of the bus is seen by its effect on a real server; decision 0064 has the list. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Bus, SubscribeSpec } from "@banyan/messaging";
import { createMetrics } from "@banyan/telemetry";
import {
  createRecordingLog,
  findReasonToSkip,
  openRabbitmq,
  openTcpProxy,
  rabbitmqPrograms,
  until,
} from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { codeOf, group, message, numberOf, numbers } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import type { RabbitmqOptions } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);

describe("settings of the RabbitMQ bus", { concurrency: 4, skip }, () => {
  let server: RabbitmqServer;
  let opened = 0;
  before(async () => {
    server = await openRabbitmq();
  });
  after(() => server[Symbol.asyncDispose]());

  /** In a namespace of its own, unless one is given. */
  function open(options: RabbitmqOptions): Promise<Bus> {
    const namespace = `set-${(opened += 1)}`;
    return openRabbitmqBus({ url: server.url, namespace, ...options });
  }

  /** Its group is there, and nobody is in it. */
  async function makeGroup(bus: Bus, spec: Partial<SubscribeSpec> = {}): Promise<void> {
    await (await bus.subscribe({ ...group, ...spec }, () => undefined)).close();
  }

  async function queueNames(namespace: string): Promise<string[]> {
    const queues = await server.queues();
    return queues.map(({ name }) => name).filter((name) => name.startsWith(`${namespace}.`));
  }

  async function deadNumbers(bus: Bus): Promise<number[]> {
    return (await bus.deadLetters.list()).letters.map((letter) => numberOf(letter.message));
  }

  /** One after the other, so that it is known which is the oldest. */
  async function die(bus: Bus, count: number): Promise<void> {
    for (let n = 0; n < count; n += 1) {
      const before = (await bus.status()).deadLettered;
      await bus.publish(message(n));
      await until(async () => (await bus.status()).deadLettered > before, { what: "It is dead" });
    }
  }

  function failAtOnce(bus: Bus): Promise<unknown> {
    return bus.subscribe({ ...group, retriesMax: 0 }, () => {
      throw new Error("never");
    });
  }

  test("The setting hosts: a member that is not there is passed over", async () => {
    const url = server.url.replace(/:\d+$/, ":1");
    const hosts = ["127.0.0.1:2", `${server.host}:${server.port}`];
    assert.equal(await codeOf(open({ url, connectTimeoutMs: 300 })), "RABBITMQ_UNREACHABLE");
    await using bus = await open({ url, hosts });
    await bus.check();
  });

  test("The settings username, password and vhost: they win over what url says", async () => {
    await server.ask(`ok = rabbit_vhost:add(<<"shop">>, <<"test">>),
      ok = rabbit_auth_backend_internal:add_user(<<"ada">>, <<"s3cret">>, <<"test">>),
      Set = fun(All) -> rabbit_auth_backend_internal:set_permissions(
        <<"ada">>, <<"shop">>, All, All, All, <<"test">>) end,
      Set(<<".*">>)`);
    const ada = { username: "ada", password: "s3cret" };
    assert.equal(await codeOf(open({ ...ada, password: "other" })), "RABBITMQ_REFUSED");
    assert.equal(await codeOf(open(ada)), "RABBITMQ_REFUSED", "she may not enter /");
    await using bus = await open({ ...ada, vhost: "shop" });
    await makeGroup(bus);
    const users = (await server.connections()).filter(({ user }) => user === "ada");
    assert.equal(users.length, 2);
    assert.equal(await server.ask('length(rabbit_amqqueue:list(<<"shop">>)) > 2'), "true");
  });

  test("the rights that the README names are enough, and one with less is told", async () => {
    const rights = String.raw`<<"^eve\\..*">>`;
    const writes = String.raw`<<"^(eve\\..*|amq\\.default)$">>`;
    await server.ask(`
      ok = rabbit_auth_backend_internal:add_user(<<"eve">>, <<"s3cret">>, <<"test">>),
      rabbit_auth_backend_internal:set_permissions(
        <<"eve">>, <<"/">>, ${rights}, ${rights}, ${rights}, <<"test">>)`);
    const eve = { username: "eve", password: "s3cret", namespace: "eve", connectTimeoutMs: 2000 };
    const less = open(eve);
    await assert.rejects(less, { code: "RABBITMQ_REFUSED", message: /write on amq\\.default/ });
    await server.ask(`rabbit_auth_backend_internal:set_permissions(
        <<"eve">>, <<"/">>, ${rights}, ${writes}, ${rights}, <<"test">>)`);
    await using bus = await open({ ...eve, connectTimeoutMs: 10_000 });
    const seen: number[] = [];
    await bus.subscribe({ ...group, ordered: true, retriesMax: 0 }, ({ message: sent }) => {
      seen.push(numberOf(sent));
      if (numberOf(sent) === 1) throw new Error("never");
    });
    await bus.subscribe({ ...group, name: "till.live", delivery: "broadcast" }, () => undefined);
    await bus.publish([0, 1, 2].map((n) => ({ ...message(n), orderingKey: "k" })));
    await until(async () => (await deadNumbers(bus)).length === 1, { what: "one is dead" });
    await until(() => seen.length === 3, { what: "all are handled" });
  });

  test("The setting namespace: two buses on one server hear nothing of each other", async () => {
    await using one = await open({ namespace: "one" });
    await using two = await open({ namespace: "two" });
    const seen: string[] = [];
    await one.subscribe(group, () => void seen.push("one"));
    await two.subscribe(group, () => void seen.push("two"));
    await one.publish(message(1));
    await until(() => seen.length > 0, { what: "It arrives" });
    await two.publish(message(1));
    await until(() => seen.length > 1, { what: "The other one arrives" });
    assert.deepEqual(seen, ["one", "two"]);
    const names = await queueNames("one");
    assert(names.includes("one.group.till.sold"), names.join());
  });

  for (const queueType of ["quorum", "classic"] as const) {
    test(`The setting queueType: groups and letters lie on ${queueType} queues`, async () => {
      const namespace = `type-${queueType}`;
      await using bus = await open({ namespace, queueType });
      await makeGroup(bus);
      const queues = await server.queues();
      const types = ["group", "dead"].map(
        (what) => queues.find(({ name }) => name === `${namespace}.${what}.till.sold`)?.type,
      );
      assert.deepEqual(types, [queueType, queueType]);
    });
  }

  test("The setting heartbeatS: the server is asked for that many seconds", async () => {
    const beats = async (): Promise<string> =>
      await server.ask(`lists:sort([T || [{timeout, T}] <-
        rabbit_networking:connection_info_all([timeout])])`);
    await using bus = await open({ heartbeatS: 37 });
    assert.match(await beats(), /37,37/);
    await bus.check();
  });

  test("The setting bufferMax: a group of this bus holds so many, unless it says so", async () => {
    await using bus = await open({ bufferMax: 3, publishTimeoutMs: 100 });
    await makeGroup(bus);
    await bus.publish(numbers(3).map((n) => message(n)));
    assert.equal(await codeOf(bus.publish(message(3))), "MESSAGING_BUFFER_FULL");
    await makeGroup(bus, { name: "other.sold", topic: "other", bufferMax: 4 });
    await bus.publish(numbers(4).map((n) => message(n, { topic: "other" })));
  });

  test("The setting bodySizeMax: a larger body is refused by name", async () => {
    await using bus = await open({ bodySizeMax: 100 });
    assert.equal(bus.bodySizeMax, 100);
    await bus.publish(message(1, { body: "x".repeat(90) }));
    const large = bus.publish(message(2, { body: "x".repeat(101) }));
    assert.equal(await codeOf(large), "MESSAGING_BODY_TOO_LARGE");
  });

  test("The setting publishTimeoutMs: room is waited for so long, and no longer", async () => {
    for (const publishTimeoutMs of [0, 700]) {
      await using bus = await open({ bufferMax: 1, publishTimeoutMs });
      await makeGroup(bus);
      await bus.publish(message(1), { timeoutMs: 5000 });
      const startMs = performance.now();
      assert.equal(await codeOf(bus.publish(message(2))), "MESSAGING_BUFFER_FULL");
      const tookMs = performance.now() - startMs;
      assert(tookMs >= publishTimeoutMs - 5 && tookMs < publishTimeoutMs + 4000, `${tookMs} ms`);
    }
  });

  test("The setting deadLettersMax: the oldest letter goes, whatever else waits", async () => {
    await using bus = await open({ deadLettersMax: 2 });
    await failAtOnce(bus);
    await makeGroup(bus, { name: "idle.sold" });
    await die(bus, 4);
    await until(async () => (await deadNumbers(bus)).length === 2, { what: "Two are left" });
    assert.deepEqual(await deadNumbers(bus), [2, 3]);
    const idle = (await bus.status()).subscriptions.find(({ name }) => name === "idle.sold");
    assert.equal(idle?.buffered, 4, "limits of letters are not those of groups");
  });

  test("The setting deadLettersMaxAgeMs: an old letter is gone, without it it stays", async () => {
    await using aging = await open({ deadLettersMaxAgeMs: 1500 });
    await using lasting = await open({});
    for (const bus of [lasting, aging]) {
      await failAtOnce(bus);
      await makeGroup(bus, { name: "idle.sold" });
      await die(bus, 1);
    }
    await until(async () => (await deadNumbers(aging)).length === 0, {
      what: "It is too old",
      timeoutMs: 20_000,
    });
    assert.deepEqual(await deadNumbers(lasting), [0]);
    const { subscriptions } = await aging.status();
    const idle = subscriptions.find(({ name }) => name === "idle.sold");
    assert.equal(idle?.buffered, 1, "groups keep what they hold");
  });

  test("The setting outboundBytesMax: at 80 % of it nothing more is taken", async () => {
    await using proxy = await openTcpProxy({ to: { host: server.host, port: server.port } });
    await using bus = await open({ url: proxy.urlOf(server.url), outboundBytesMax: 10_000 });
    proxy.cut();
    await until(async () => (await bus.status()).outbound?.connected === false, {
      what: "It is away",
    });
    const large = (n: number) => message(n, { body: "x".repeat(998) }); // 1000 with its quotes
    const ends: string[] = [];
    for (let n = 0; n < 10; n += 1)
      ends.push(await codeOf(bus.publish(large(n), { mode: "enqueue" })));
    assert.deepEqual(ends, [
      ...numbers(8).map(() => "done"),
      "MESSAGING_BUFFER_FULL",
      "MESSAGING_BUFFER_FULL",
    ]);
    const { outbound } = await bus.status();
    assert.deepEqual([outbound?.waiting, outbound?.bytes], [8, 8000]);
    await bus.close({ drainMs: 0 }); // with what nobody will take
  });

  test("The setting partitions: an ordered group has so many queues beside its own", async () => {
    await using bus = await open({ namespace: "parts", partitions: 3 });
    await makeGroup(bus, { ordered: true });
    const names = (await queueNames("parts")).filter((name) => /:\d+$/.test(name));
    assert.deepEqual(
      names.toSorted(),
      numbers(3).map((n) => `parts.group.till.sold:${n}`),
    );
  });

  test("The settings log and metrics: what goes wrong is told and counted there", async () => {
    const log = createRecordingLog();
    const metrics = createMetrics();
    await using bus = await open({ namespace: "told", log, metrics });
    await failAtOnce(bus);
    await die(bus, 1);
    const told = log.lines.find(({ fields }) => fields["subscription"] === group.name);
    assert.equal(told?.level, "error");
    const families = metrics.read().map(({ name }) => name);
    assert(families.includes("banyan_rabbitmq_connections"), families.join());
  });
});
