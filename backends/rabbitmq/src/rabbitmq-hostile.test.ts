/** What strangers may send, and what handlers may throw: nothing of it holds up the others. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "amqplib";
import type { ConfirmChannel } from "amqplib";
import { kernelErrors } from "@banyan/kernel/internal";
import { systemClock } from "@banyan/kernel";
import type { Bus, DeadLetter } from "@banyan/messaging";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { codeOf, group, message, numberOf, topic } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import { streamOf } from "./one-write.ts";

const soon = { initialMs: 5, maxMs: 20, jitter: "none" } as const;
const skip = await findReasonToSkip(rabbitmqPrograms);

describe("a hostile world", { concurrency: 3, skip }, () => {
  let server: RabbitmqServer;
  before(async () => {
    server = await openRabbitmq();
  });
  after(() => server[Symbol.asyncDispose]());

  function open(namespace: string): Promise<Bus> {
    return openRabbitmqBus({ url: server.url, namespace });
  }

  async function asStranger(work: (channel: ConfirmChannel) => void): Promise<void> {
    const connection = await connect(server.url);
    const channel = await connection.createConfirmChannel();
    work(channel);
    await channel.waitForConfirms();
    await connection.close();
  }

  function letters(bus: Bus, count: number): Promise<readonly DeadLetter[]> {
    return until(
      async () => {
        const page = await bus.deadLetters.list({ subscription: group.name });
        return page.letters.length >= count && page.letters;
      },
      { what: `${count} dead letters`, timeoutMs: 20_000 },
    );
  }

  test("headers of ours that a stranger made up hold up nobody", async () => {
    const namespace = "forged";
    await using bus = await open(namespace);
    const seen: number[] = [];
    await bus.subscribe({ ...group, retriesMax: 1, concurrency: 1, backoff: soon }, (delivery) => {
      if (delivery.message.headers["x-boom"] !== undefined) throw new Error("boom");
      seen.push(numberOf(delivery.message));
    });
    const many = Array.from({ length: 64 }, (_, n) => [`cloudEvents:a${n}`, "x".repeat(985)]);
    const forged: readonly Record<string, unknown>[] = [
      { "x-banyan-priority": 300 },
      { "x-banyan-topic": "t".repeat(40_000) },
      { "cloudEvents:specversion": "1.0", ...Object.fromEntries(many) },
    ];
    await asStranger((channel) => {
      for (const [n, headers] of forged.entries()) {
        const all = { ...headers, "x-boom": 1 };
        const properties = { messageId: `forged${n}`, headers: all };
        channel.publish(`${namespace}.events`, topic, Buffer.from('{"n":0}'), properties);
      }
      channel.publish(`${namespace}.events`, topic, Buffer.from('{"n":7}'), { messageId: "good" });
    });
    await until(() => seen.length === 1, { what: "The good one is handled", timeoutMs: 20_000 });
    assert.deepEqual(seen, [7]);
    await letters(bus, forged.length);
  });

  test("letters that the server wrote are all on the pages, and each is taken alone", async () => {
    const namespace = "served";
    await using bus = await open(namespace);
    await (await bus.subscribe(group, () => undefined)).close();
    await asStranger((channel) => {
      for (let n = 0; n < 5; n += 1) {
        const content = Buffer.from(JSON.stringify({ n: n < 3 ? n : 3 })); // two are the same
        channel.publish(`${namespace}.events`, topic, content, { expiration: "1" });
      }
    });
    await letters(bus, 5);
    const found: DeadLetter[] = [];
    let after: string | undefined;
    do {
      const page = await bus.deadLetters.list({ subscription: group.name, limit: 2, after });
      found.push(...page.letters);
      after = page.next;
    } while (after !== undefined);
    assert.equal(new Set(found.map(({ id }) => id)).size, 5);
    assert.equal(await bus.deadLetters.discard([found[0]?.id ?? ""]), 1);
    assert.equal((await letters(bus, 4)).length, 4);
  });

  test("an error whose details cannot be carried costs its message nothing", async () => {
    await using bus = await open("details");
    const loop: Record<string, unknown> = {};
    loop["self"] = loop;
    const details = [loop, { text: "x".repeat(70_000) }, { big: 1n }, { fine: true }];
    const seen: number[] = [];
    await bus.subscribe({ ...group, retriesMax: 0, concurrency: 2 }, ({ message: sent }) => {
      const n = numberOf(sent);
      const unfit = details[n];
      if (unfit === undefined) return void seen.push(n);
      throw kernelErrors.SERVICE_UNAVAILABLE("No.", { details: unfit });
    });
    await bus.publish([0, 1, 2, 3, 4, 5].map((n) => message(n)));
    const dead = await letters(bus, 4);
    await until(() => seen.length === 2, { what: "The others are handled" });
    const byNumber = dead.toSorted((a, b) => numberOf(a.message) - numberOf(b.message));
    assert.deepEqual(byNumber.at(-1)?.error.details, { fine: true });
    for (const letter of byNumber.slice(0, 3)) {
      assert.equal(typeof letter.error.details?.["leftOut"], "string");
    }
  });

  test("a body too deep for anybody is a dead letter, and can be discarded", async () => {
    await using bus = await open("deep");
    const exchange = "deep.events";
    const seen: number[] = [];
    await bus.subscribe(group, ({ message: sent }) => void seen.push(numberOf(sent)));
    const deep = "[".repeat(200_000) + "]".repeat(200_000);
    await asStranger((channel) => {
      channel.publish(exchange, topic, Buffer.from(deep));
      channel.publish(exchange, topic, Buffer.from('{"n":1}'));
    });
    await until(() => seen.includes(1), { what: "The good one is handled" });
    const [letter] = await letters(bus, 1);
    assert.equal(letter?.reason, "unreadable");
    assert.equal(await bus.deadLetters.redrive([letter.id]), 1, "its body goes as it came");
    const [again] = await letters(bus, 1);
    assert.equal(await bus.deadLetters.discard([again?.id ?? ""]), 1);
  });

  test("headers nested too deep for the client are a dead letter, and hold up nobody", async () => {
    await using bus = await open("nested");
    const exchange = "nested.events";
    const seen: number[] = [];
    await bus.subscribe(group, ({ message: sent }) => void seen.push(numberOf(sent)));
    const connection = await connect(server.url);
    const channel = await connection.createChannel();
    // The client cannot write such headers either. Its first channel is number 1.
    streamOf(connection)?.write(nestedMessage(exchange));
    channel.publish(exchange, topic, Buffer.from('{"n":1}'));
    await channel.close();
    await connection.close();
    await until(() => seen.includes(1), { what: "The good one is handled" });
    const [letter] = await letters(bus, 1);
    assert.equal(letter?.reason, "unreadable");
    assert.match(letter.error.message, /nested deeper than 64 levels/);
    assert.equal(letter.message.id, "deep");
    assert.deepEqual(letter.message.headers, { source: "unknown" });
    assert.equal(await bus.deadLetters.redrive([letter.id]), 1);
    const [again] = await letters(bus, 1);
    assert.equal(again?.reason, "unreadable", "its headers are not made up");
    assert.deepEqual(seen, [1]);
  });

  test("headers too large beside ours do not keep a message from dying", async () => {
    await using bus = await open("headers");
    const exchange = "headers.events";
    const seen: number[] = [];
    await bus.subscribe({ ...group, retriesMax: 0 }, ({ message: sent }) => {
      const n = numberOf(sent);
      if (n === 0) throw new Error("never");
      seen.push(n);
    });
    const many = Object.fromEntries(
      Array.from({ length: 65 }, (_, n) => [`h${n}`, "x".repeat(995)]),
    );
    await asStranger((channel) => {
      channel.publish(exchange, topic, Buffer.from('{"n":0}'), { headers: many, messageId: "big" });
      channel.publish(exchange, topic, Buffer.from('{"n":1}'), { correlationId: "order 7" });
    });
    await until(() => seen.includes(1), { what: "The good one is handled" });
    const [letter] = await letters(bus, 1);
    assert.deepEqual(letter?.message.headers, { source: "unknown" });
    assert.equal(letter.message.id, "big");
  });

  test("a stranger's correlation_id reaches the handler", async () => {
    await using bus = await open("correlation");
    const exchange = "correlation.events";
    const seen: (string | undefined)[] = [];
    await bus.subscribe(group, ({ message: { headers } }) => void seen.push(headers.correlationId));
    await asStranger((channel) => {
      channel.publish(exchange, topic, Buffer.from("{}"), { correlationId: "order 7" });
    });
    await until(() => seen.length === 1, { what: "It arrives" });
    assert.deepEqual(seen, ["order 7"]);
  });

  test("what AMQP cannot carry is refused before anything of its batch is sent", async () => {
    await using bus = await open("carry");
    const seen: number[] = [];
    await bus.subscribe(group, ({ message: sent }) => void seen.push(numberOf(sent)));
    const long = message(1, { topic: "t".repeat(253), orderingKey: "till 7" });
    assert.equal(await codeOf(bus.publish([message(0), long])), "MESSAGING_MESSAGE_INVALID");
    const early = message(2, { timestampMs: -1000 });
    await bus.publish(early);
    await until(() => seen.includes(2), { what: "One from before 1970" });
    assert.deepEqual(seen, [2]);
    const wide = { ...group, name: "wide", topic: "t".repeat(253) };
    const subscribing = bus.subscribe(wide, () => undefined);
    assert.equal(await codeOf(subscribing), "MESSAGING_SUBSCRIPTION_INVALID");
  });

  test("a group that becomes ordered while it is published to loses nothing", async () => {
    await using bus = await open("becomes");
    await using publisher = await open("becomes");
    const first = await bus.subscribe(group, () => undefined);
    await first.close();
    const sent: number[] = [];
    let isDone = false;
    const publishing = (async () => {
      for (let n = 0; !isDone; n += 1) {
        await publisher.publish(message(n, { orderingKey: `till ${n % 40}` }));
        sent.push(n);
      }
    })();
    const seen = new Set<number>();
    await bus.subscribe({ ...group, ordered: true }, ({ message: delivered }) => {
      seen.add(numberOf(delivered));
    });
    isDone = true;
    await publishing;
    await until(() => sent.every((n) => seen.has(n)), { what: "All are handled" });
  });

  test("a partition deleted under slow handlers costs no message of the others", async () => {
    await using bus = await open("partition");
    const prefix = `partition.group.${group.name}`;
    const handled = new Set<number>();
    const started: number[] = [];
    const spec = { ...group, ordered: true, concurrency: 8 };
    await bus.subscribe(spec, async ({ message: delivered }) => {
      started.push(numberOf(delivered));
      await systemClock.sleep(400);
      handled.add(numberOf(delivered));
    });
    const numbers = Array.from({ length: 40 }, (_, n) => n);
    await bus.publish(numbers.map((n) => message(n, { orderingKey: `till ${n}` })));
    await until(() => handled.size > 4, { what: "Some are handled" });
    await server.deleteQueue(`${prefix}:0`);
    // What was in that one is gone with it; of the others none may be.
    const left = numbers.filter((n) => partitionOf(`till ${n}`) !== 0);
    await until(() => left.every((n) => handled.has(n)), {
      what: "All of the other partitions are handled",
      timeoutMs: 20_000,
    });
    assert.deepEqual((await bus.deadLetters.list()).letters, []);
    const ofOthers = started.filter((n) => left.includes(n));
    assert.equal(ofOthers.length, left.length, "its loss started others again");
  });
});

/** The frames of a message on channel 1 that has arrays within each other as a header. */
function nestedMessage(exchange: string): Buffer {
  const levels = 4500;
  const arrays = Buffer.alloc(5 * levels, "A....");
  for (let at = 0; at < arrays.length; at += 5) {
    arrays.writeUInt32BE(arrays.length - at - 5, at + 1);
  }
  const table = Buffer.concat([shortText("deep"), arrays]);
  const body = Buffer.from('{"n":0}');
  const head = Buffer.alloc(18);
  head.writeUInt16BE(60, 0);
  head.writeUInt32BE(body.length, 8);
  head.writeUInt16BE(0x2080, 12); // headers and message_id
  head.writeUInt32BE(table.length, 14);
  const publish = [Buffer.from([0, 60, 0, 40, 0, 0]), shortText(exchange), shortText(topic)];
  return Buffer.concat([
    frame(1, Buffer.concat([...publish, Buffer.from([0])])),
    frame(2, Buffer.concat([head, table, shortText("deep")])),
    frame(3, body),
  ]);
}

function shortText(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

function frame(type: number, payload: Buffer): Buffer {
  const head = Buffer.from([type, 0, 1, 0, 0, 0, 0]);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
}

/** FNV-1a modulo 64 slots, 8 partitions: as it is on the wire. */
function partitionOf(key: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return (hash % 64) % 8;
}
