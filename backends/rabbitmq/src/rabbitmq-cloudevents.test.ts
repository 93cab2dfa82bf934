/** CloudEvents on the wire: what strangers see, what they may send, and fleets that are mixed. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect } from "amqplib";
import type { ConfirmChannel, ConsumeMessage, Options } from "amqplib";
import type { Bus, DeadLetter, Message } from "@banyan/messaging";
import {
  findReasonToSkip,
  openRabbitmq,
  openTcpProxy,
  rabbitmqPrograms,
  until,
} from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { group, message, numberOf, topic } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";
import type { MessageFormat } from "./index.ts";
import { contentOf, propertiesOf } from "./wire.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const formats: readonly MessageFormat[] = ["plain", "cloudevents"];
const timestampMs = Date.UTC(2026, 0, 31, 9, 30, 0, 250);
const time = "2026-01-31T09:30:00.250Z";

/** Attributes as a stranger may write them. */
function attributes(prefix: string, fields: Readonly<Record<string, unknown>> = {}) {
  const all = { specversion: "1.0", id: "1", source: "/till/7", type: "com.shop.sold", ...fields };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given.map(([name, value]) => [prefix + name, value]));
}

/** As the JSON format has it. */
function envelope(fields: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(JSON.stringify(attributes("", fields)));
}

const json = "application/json";
const structured = "application/cloudevents+json; charset=utf-8";

describe("CloudEvents on RabbitMQ", { concurrency: 3, skip }, () => {
  let server: RabbitmqServer;
  before(async () => {
    server = await openRabbitmq();
  });
  after(() => server[Symbol.asyncDispose]());

  function open(namespace: string, format: MessageFormat): Promise<Bus> {
    return openRabbitmqBus({ url: server.url, namespace, format });
  }

  async function asStranger(
    work: (channel: ConfirmChannel) => unknown,
    url = server.url,
  ): Promise<void> {
    const connection = await connect(url);
    try {
      const channel = await connection.createConfirmChannel();
      await work(channel);
      await channel.waitForConfirms();
    } finally {
      await connection.close();
    }
  }

  /** Whatever is in a queue now; it stays there. */
  async function look(queue: string): Promise<readonly ConsumeMessage["properties"][]> {
    const found: ConsumeMessage["properties"][] = [];
    await asStranger(async (channel) => {
      for (let got = await channel.get(queue); got; got = await channel.get(queue)) {
        found.push(got.properties);
      }
    });
    return found;
  }

  function letters(bus: Bus, count: number): Promise<readonly DeadLetter[]> {
    return until(
      async () => {
        const page = await bus.deadLetters.list({ subscription: group.name });
        return page.letters.length === count && page.letters;
      },
      { what: `${count} dead letters`, timeoutMs: 20_000 },
    );
  }

  test("a stranger finds the attributes of the binding, and the payload alone", async () => {
    await using bus = await open("seen", "cloudevents");
    const sent = message(7, {
      id: "0197-7",
      timestampMs,
      orderingKey: "till 7",
      headers: { source: "shop", traceparent: "00-1-2-01" },
    });
    const odd = message(8, {
      id: "0197-8",
      timestampMs: 0.5,
      headers: { source: "our shop" },
    });
    await asStranger(async (channel) => {
      await channel.assertQueue("seen-here");
      for (const exchange of ["seen.keyed", "seen.events"]) {
        await channel.bindQueue("seen-here", exchange, `#.${topic}`);
      }
    });
    await bus.publish([sent, odd]);
    const [first, second] = await look("seen-here");
    assert.deepEqual(first?.headers, {
      "cloudEvents:specversion": "1.0",
      "cloudEvents:id": "0197-7",
      "cloudEvents:source": "shop",
      "cloudEvents:type": topic,
      "cloudEvents:time": time,
      "cloudEvents:partitionkey": "till 7",
      traceparent: "00-1-2-01",
    });
    assert.deepEqual([first.contentType, first.messageId], [json, "0197-7"]);
    assert.equal(second?.headers?.["cloudEvents:source"], "/our%20shop", "a URI reference");
    assert.equal(second.headers["cloudEvents:time"], "1970-01-01T00:00:00.000Z");
    assert.deepEqual(await look("seen-here"), [first, second]);
    await bus.subscribe(group, () => undefined);
    const attribute = message(9, { headers: { source: "shop", "cloudEvents:id": "x" } });
    await assert.rejects(bus.publish(attribute), { code: "MESSAGING_MESSAGE_INVALID" });
  });

  for (const format of formats) {
    test(`a node that writes ${format} reads what strangers write as CloudEvents`, async () => {
      const namespace = `read-${format}`;
      await using bus = await open(namespace, format);
      const seen = new Map<string, Message>();
      await bus.subscribe(group, ({ message: read }) => void seen.set(read.id, read));
      const body = { n: 7 };
      const text = Buffer.from(JSON.stringify(body));
      const envelopes = {
        envelope: { time, partitionkey: "till 7", subject: "a coat", level: 3, data: body },
        typed: { type: topic, datacontenttype: "text/xml", data: "<n>7</n>" },
        base64: { subject: null, data_base64: text.toString("base64") },
        empty: { time: "2026-01-31T10:30:00.25+01:00" },
      };
      await asStranger((channel) => {
        const send = (content: Buffer, options: Options.Publish): unknown =>
          channel.publish(`${namespace}.events`, topic, content, options);
        const own = { time, subject: "a coat", level: 3, partitionkey: "till 7" };
        for (const [prefix, id] of [
          ["cloudEvents:", "colon"],
          ["cloudEvents_", "line"],
        ] as const) {
          const headers = { ...attributes(prefix, { ...own, id }), traceparent: "00-1-2-01" };
          send(text, { contentType: json, messageId: "another", headers });
        }
        const seconds = { "!": "timestamp", value: timestampMs / 1000 - 0.25 };
        const timed = attributes("cloudEvents_", { id: "amqp time", time: seconds });
        send(Buffer.from("sold"), { contentType: "text/plain; charset=utf-8", headers: timed });
        for (const [id, fields] of Object.entries(envelopes)) {
          send(envelope({ ...fields, id }), { contentType: structured });
        }
      });
      await until(() => seen.size === 7, { what: "All are read" });
      const colon = {
        id: "colon",
        topic,
        timestampMs,
        body,
        orderingKey: "till 7",
        headers: {
          source: "/till/7",
          "ce-type": "com.shop.sold",
          "ce-subject": "a coat",
          "ce-level": "3",
          traceparent: "00-1-2-01",
        },
      };
      assert.deepEqual(seen.get("colon"), colon);
      assert.deepEqual(seen.get("line"), { ...colon, id: "line" });
      const { traceparent: _, ...headers } = colon.headers;
      assert.deepEqual(seen.get("envelope"), { ...colon, id: "envelope", headers });
      const rest = ["amqp time", "typed", "base64", "empty"].map((id) => seen.get(id));
      assert.deepEqual(
        rest.map((each) => [each?.body, each?.timestampMs]),
        [
          ["sold", timestampMs - 250],
          ["<n>7</n>", 0],
          [body, 0],
          [null, timestampMs],
        ],
      );
      assert.deepEqual(rest[1]?.headers, { source: "/till/7" });
    });
  }

  test("a malformed CloudEvent is an unreadable letter that says why", async () => {
    await using bus = await open("malformed", "plain");
    const seen: number[] = [];
    await bus.subscribe(group, ({ message: read }) => void seen.push(numberOf(read)));
    const good = Buffer.from('{"n":1}');
    const colon = (fields: Readonly<Record<string, unknown>>): Options.Publish => ({
      contentType: json,
      headers: attributes("cloudEvents:", fields),
    });
    const parts = (fields: Readonly<Record<string, unknown>>) =>
      [envelope({ data: { n: 1 }, ...fields }), { contentType: structured }] as const;
    const cases: readonly (readonly [RegExp, Buffer, Options.Publish])[] = [
      [/it has no id\./, good, colon({ id: undefined })],
      [/its id is empty, or no text\./, good, colon({ id: 7 })],
      [/its id has more than 255 bytes\./, good, colon({ id: "ü".repeat(128) })],
      [/its source is empty, or no text\./, good, colon({ source: "" })],
      [/its specversion is not 1\.0\./, good, colon({ specversion: "0.3" })],
      [/its time is not written as in /, good, colon({ time: "yesterday" })],
      [/its data is not JSON\./, Buffer.from("{"), colon({})],
      [
        /its data is neither JSON nor text in UTF-8\./,
        Buffer.from([0xff]),
        { ...colon({}), contentType: "application/octet-stream" },
      ],
      [/it has no type\./, ...parts({ type: null })],
      [/it has both data and data_base64\./, ...parts({ data_base64: "" })],
      [/its data_base64 is not Base64\./, ...parts({ data: undefined, data_base64: "?" })],
      [/it is no JSON object\./, Buffer.from("[]"), { contentType: structured }],
      [/it is no JSON object\./, Buffer.from("{"), { contentType: structured }],
      [
        /only application\/cloudevents\+json is read/,
        good,
        { contentType: "application/cloudevents+avro" },
      ],
      [
        /only application\/cloudevents\+json/,
        good,
        { contentType: "application/cloudevents-batch+json" },
      ],
    ];
    await asStranger((channel) => {
      for (const [at, [, content, options]] of cases.entries()) {
        const messageId = `case ${at}`;
        channel.publish("malformed.events", topic, content, { messageId, ...options });
      }
      channel.publish("malformed.events", topic, good, colon({}));
    });
    await until(() => seen.length === 1, { what: "The good one is handled" });
    const dead = await letters(bus, cases.length);
    for (const [at, [words, content]] of cases.entries()) {
      const letter = dead.find(({ error }) => words.test(error.message) && error.code !== "");
      assert(letter !== undefined, `no letter says ${words.source} (case ${at})`);
      assert.equal(letter.reason, "unreadable");
      const text = content.toString("utf8");
      assert(
        dead.some((each) => each.message.body === text),
        `case ${at} shows its text`,
      );
    }
    assert.equal(await bus.deadLetters.discard(dead.map(({ id }) => id)), cases.length);
  });

  test("in a mixed fleet a message keeps its format over waits, letters and redrives", async () => {
    await using plain = await open("mixed", "plain");
    await using events = await open("mixed", "cloudevents");
    const seen = new Map<string, Message[]>();
    const backoff = { initialMs: 150, maxMs: 150, jitter: "none" } as const;
    for (const bus of [plain, events]) {
      await bus.subscribe({ ...group, retriesMax: 1, backoff }, ({ message: read }) => {
        seen.set(read.id, [...(seen.get(read.id) ?? []), read]);
        throw new Error("not today");
      });
    }
    const headers = { source: "our shop", correlationId: "order 7", "x-till": "ü" };
    const fields = { headers, orderingKey: "till 7", timestampMs: 1.5 };
    const ofPlain = message(1, { ...fields, id: "plain" });
    const ofEvents = message(2, { ...fields, id: "events" });
    await plain.publish(ofPlain);
    await events.publish(ofEvents);
    await asStranger((channel) => {
      const content = envelope({ id: "stranger", data: { n: 3 } });
      const options = { contentType: structured, appId: "till", headers: { count: 70_000 } };
      channel.publish("mixed.events", topic, content, options);
    });
    const formatsOf = async (): Promise<readonly unknown[]> => {
      const dead = await look("mixed.dead.till.sold");
      const rows = dead.map(({ messageId, contentType, appId, headers: own }) => {
        const named = ["cloudEvents:id", "count", "source"].map((name): unknown => own?.[name]);
        return [String(messageId), contentType, appId, ...named];
      });
      return rows.toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    };
    const expected = [
      ["events", json, undefined, "events", undefined, undefined],
      ["plain", json, undefined, undefined, undefined, "our shop"],
      ["stranger", structured, "till", undefined, 70_000, undefined],
    ];
    for (const bus of [plain, events]) {
      const dead = await letters(bus, 3);
      assert.deepEqual(await formatsOf(), expected);
      for (const { message: kept, attempts } of dead) {
        assert.equal(attempts, 2);
        const [first, ...others] = seen.get(kept.id) ?? [];
        assert.deepEqual(kept, first);
        for (const again of others) assert.deepEqual(again, first);
      }
      assert.equal(await bus.deadLetters.redrive(dead.map(({ id }) => id)), 3);
    }
    await letters(plain, 3);
    assert.deepEqual(await formatsOf(), expected);
    assert.deepEqual(seen.get("plain")?.[5], ofPlain);
    assert.deepEqual(seen.get("events")?.[5], ofEvents);
    assert.deepEqual(seen.get("stranger")?.[5]?.headers, {
      source: "/till/7",
      "ce-type": "com.shop.sold",
      count: "70000",
    });
  });

  // The figures of decision 0062: they change with the format alone.
  test("a payload of 120 bytes takes so many bytes on the wire", async () => {
    await using proxy = await openTcpProxy({ to: { host: server.host, port: server.port } });
    const id = "0197f1a0-5c3e-7d2a-9b41-3f8e6c2d1a70";
    const data = { till: 7, piece: "coat", text: "" };
    const body = { ...data, text: "x".repeat(120 - JSON.stringify(data).length) };
    const sent = message(0, { id, topic, timestampMs, headers: { source: "shop" }, body });
    assert.equal(contentOf(sent).length, 120);
    const inEnvelope = { id, source: "shop", type: topic, time, datacontenttype: json, data: body };
    const sizes: number[] = [];
    await asStranger(
      async (channel) => {
        await channel.assertExchange("banyan.events", "topic");
        const measure = async (content: Buffer, options: Options.Publish): Promise<void> => {
          const before = proxy.bytesToServer;
          channel.publish("banyan.events", topic, content, options);
          await channel.waitForConfirms();
          sizes.push(proxy.bytesToServer - before);
        };
        for (const format of formats) await measure(contentOf(sent), propertiesOf(sent, format));
        const options = { contentType: "application/cloudevents+json", deliveryMode: 2 };
        await measure(envelope(inEnvelope), options);
      },
      `${proxy.urlOf(server.url)}?heartbeat=0`,
    );
    assert.deepEqual(sizes, [300, 449, 402]); // plain, binary, structured
  });
});
