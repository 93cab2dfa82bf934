/**
 * A conversation between two nodes, byte for byte (docs/reference/mesh-wire.md): what each side
 * writes, and what the other makes of exactly these bytes. A node of another version, or of another
 * language, reads and writes the same.
 */

import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { BanyanError } from "@banyan/kernel";
import { CallRuntime, kernelErrors } from "@banyan/kernel/internal";
import type { CallContext, CallInit } from "@banyan/kernel/internal";
import { FakeClock, until } from "@banyan/testbed";
import type { InstanceRecord } from "../instance-record.ts";
import type { Endpoint } from "../mesh.ts";
import { isUndone } from "../undone.ts";
import { FrameReader, jsonOf } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { introduce, isProof, parseIntroduction, proofOf } from "./handshake.ts";
import type { Introduction } from "./handshake.ts";
import { FrameType } from "./protocol.ts";
import { WireLink } from "./wire-link.ts";

const clock = new FakeClock({ monotonicMs: 1000 });
const runtime = new CallRuntime({ clock });
const hex = (text: string): string => Buffer.from(text).toString("hex");

/** A frame by hand: its length, then the parts. */
function golden(type: string, call: string, rest: string): string {
  const length = Buffer.alloc(4);
  length.writeUInt32LE((type.length + call.length + rest.length) / 2);
  return length.toString("hex") + type + call + rest;
}

interface Asked {
  readonly operation: string;
  readonly request: unknown;
  readonly init: CallInit;
}

interface Heard {
  readonly asked: Asked[];
  readonly abouts: unknown[];
  goodbyes: number;
}

/** What the provider does with each call, in their order. */
type Work = () => unknown;

function openSide(peer: string, works: Work[]) {
  const chunks: Buffer[] = [];
  const duplex = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  const heard: Heard = { asked: [], abouts: [], goodbyes: 0 };
  const endpointOf = (operation: string, kind: "unary" | "stream"): Endpoint => {
    if (operation === "shop.none") throw unknown();
    return {
      name: operation,
      kind,
      invoke: async (request, init) => {
        heard.asked.push({ operation, request, init });
        return works.shift()?.();
      },
      async *invokeStream(request, init) {
        heard.asked.push({ operation, request, init });
        for (let frame = works.shift(); frame !== undefined; frame = works.shift()) yield frame();
      },
    };
  };
  const link = new WireLink({
    // Of a socket a link uses what every duplex has.
    socket: duplex as Socket,
    writer: new FrameWriter(duplex),
    peer,
    runtime,
    callsMax: 10,
    messageBytesMax: 1_000_000,
    outgoingBytesMax: 1_000_000,
    resolve: (operation, kind) => endpointOf(operation, kind),
    onClose: () => undefined,
    onAbout: (record) => heard.abouts.push(record),
    onGoodbye: () => (heard.goodbyes += 1),
  });
  const reader = new FrameReader((frame) => link.take(frame));
  return {
    link,
    heard,
    hear: (bytes: string) => reader.push(Buffer.from(bytes, "hex")),
    /** What it has written since this was asked before. */
    async said(): Promise<string> {
      let bytes = "";
      do {
        await new Promise(setImmediate);
        bytes += Buffer.concat(chunks.splice(0)).toString("hex");
      } while (chunks.length > 0);
      return bytes;
    },
  };
}

function open() {
  const works: Work[] = [];
  const caller = openSide("shop.1", []);
  const provider = openSide("till.1", works);
  /** What one side says is this and nothing else; and the other hears it. */
  const says = async (who: "caller" | "provider", ...frames: readonly string[]): Promise<void> => {
    const [from, to] = who === "caller" ? [caller, provider] : [provider, caller];
    assert.equal(await from.said(), frames.join(""));
    to.hear(frames.join(""));
  };
  return { caller, provider, works, says };
}

function unknown(): BanyanError {
  return kernelErrors.OPERATION_UNKNOWN("There is none.", { details: { near: "sell" } });
}

/** As much of a call as crosses. */
function callOf(own: Partial<CallContext> = {}): CallContext {
  const call = {
    caller: "till",
    principal: { kind: "account", id: "ada" },
    deadlineMs: 2500,
    remainingMs: () => 1500,
    ...own,
  };
  return call as CallContext; // that is all that is read of it
}

function awaiting() {
  const told: unknown[] = [];
  const errors: BanyanError[] = [];
  return {
    told,
    errors,
    answered: (value: unknown): void => void told.push(value),
    failed: (error: BanyanError): void => {
      errors.push(error);
      told.push([error.code, error.message]);
    },
  };
}

const outgoing = { operation: "shop.sell", call: callOf(), text: '{"n":1}', credit: undefined };
const whoCalls = (number: number): string => {
  const principal = '{"kind":"account","id":"ada"}';
  const said = `{"number":${number},"caller":"till","principal":${principal}}`;
  return golden("04", "00000000", hex(said));
};
const definitions = [
  golden("04", "00000000", hex('{"number":0,"operation":"shop.sell"}')),
  whoCalls(0),
];
const request = "0000" + "0000" + "01" + "dc050000" + hex('{"n":1}');
const flag = { more: "00", last: "01", none: "03" };

test("hello, proof and welcome are on the wire as the page has them", () => {
  const random = { bytes: (count: number) => new Uint8Array(count).fill(7) };
  const limits = { callsMax: 10, messageBytesMax: 1000 };
  // Of the random source an introduction uses bytes alone.
  const one = random as Parameters<typeof introduce>[1];
  const caller = introduce({ cluster: "banyan", node: "till.1", ...limits }, one);
  const callee: Introduction = { ...caller, node: "shop.1" };
  const nonce = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
  const said =
    '{"protocol":"banyan-mesh","versions":[1],"cluster":"banyan","node":"till.1",' +
    `"nonce":"${nonce}","callsMax":10,"messageBytesMax":1000}`;
  assert.equal(JSON.stringify(caller), said);
  assert.deepEqual(parseIntroduction(JSON.parse(said)), caller);
  const secret = "a secret of at least 32 characters";
  const proofs = {
    caller: "B03avhNSG_6J152CG43lCkL4mcs7qRar2sYJwXH6LZs",
    callee: "kqcCicUqPrrqfNKhIWkM7PkLSbcba00FgD0REmwvrHc",
  };
  for (const role of ["caller", "callee"] as const) {
    assert.equal(proofOf(secret, role, { caller, callee }), proofs[role]);
    assert(isProof(proofs[role], proofOf(secret, role, { caller, callee })));
  }
});

for (const [what, type, value] of [
  ["hello", FrameType.Hello, { protocol: "banyan-mesh" }],
  ["proof", FrameType.Proof, { proof: "x" }],
  ["welcome", FrameType.Welcome, { proof: "" }],
] as const) {
  test(`a frame of ${what} is JSON behind its head`, async () => {
    const chunks: Buffer[] = [];
    const duplex = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => (chunks.push(Buffer.from(chunk)), done()),
    });
    new FrameWriter(duplex).json(type, 0, value);
    await until(() => chunks.length > 0, { what: "it goes out" });
    const bytes = Buffer.concat(chunks);
    assert.equal(bytes.toString("hex"), golden(`0${type}`, "00000000", hex(JSON.stringify(value))));
    const read: unknown[] = [];
    new FrameReader((frame) => read.push([frame.type, jsonOf(frame)])).push(bytes);
    assert.deepEqual(read, [[type, value]]);
  });
}

test("a call: names once, then a request and its answer", async () => {
  const { caller, provider, works, says } = open();
  const first = awaiting();
  works.push(() => ({ ok: true }));
  caller.link.send(outgoing, first);
  await says("caller", ...definitions, golden("10", "01000000", request));
  const [asked] = provider.heard.asked;
  assert.equal(asked?.operation, "shop.sell");
  assert.deepEqual(asked.request, { n: 1 });
  assert.equal(asked.init.timeoutMs, 1500);
  assert.equal(asked.init.caller, "till");
  assert.deepEqual(asked.init.principal, { kind: "account", id: "ada" });
  await says("provider", golden("20", "01000000", flag.last + hex('{"ok":true}')));
  assert.deepEqual(first.told, [{ ok: true }]);
  const second = awaiting();
  works.push(() => undefined);
  caller.link.send(
    { ...outgoing, call: callOf({ deadlineMs: Infinity }), text: undefined },
    second,
  );
  await says("caller", whoCalls(1), golden("10", "02000000", "0000" + "0100" + "03" + "ffffffff"));
  assert.equal(provider.heard.asked[1]?.init.timeoutMs, Infinity);
  await says("provider", golden("20", "02000000", flag.none));
  assert.deepEqual(second.told, [undefined]);
});

test("a call that fails, and one that was refused before its handler", async () => {
  const { caller, works, says } = open();
  const told = awaiting();
  works.push(() => {
    throw unknown();
  });
  caller.link.send(outgoing, told);
  await says("caller", ...definitions, golden("10", "01000000", request));
  const failure =
    '{"kind":"not_found","code":"OPERATION_UNKNOWN","message":"There is none.","details":{"near":"sell"},"retryable":false';
  await says("provider", golden("22", "01000000", hex(`${failure}}`)));
  assert.deepEqual(told.told, [["OPERATION_UNKNOWN", "There is none."]]);
  const refused = awaiting();
  caller.link.send({ ...outgoing, operation: "shop.none" }, refused);
  await says(
    "caller",
    golden("04", "00000000", hex('{"number":1,"operation":"shop.none"}')),
    golden("10", "02000000", `0100${request.slice(4)}`),
  );
  await says("provider", golden("22", "02000000", hex(`${failure},"undone":true}`)));
  assert.deepEqual(refused.told, [["OPERATION_UNKNOWN", "There is none."]]);
  assert(refused.errors.every((error) => isUndone(error)));
  assert(!told.errors.some((error) => isUndone(error)));
});

test("a stream with a trace, a key and a correlation id, its frames, credit and end", async () => {
  const { caller, provider, works, says } = open();
  const frames: unknown[] = [];
  works.push(
    () => ({ n: 1 }),
    () => ({ n: 2 }),
  );
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const spanId = "b7ad6b7169203331";
  const trace = { traceId, spanId, sampled: true, random: true, state: "v=1" };
  const call = callOf({ traceBelow: trace, idempotencyKey: "k1", correlationId: "ö7" });
  caller.link.send(
    { ...outgoing, call, credit: 1 },
    { ...awaiting(), item: (value) => frames.push(value), ended: () => frames.push("end") },
  );
  await says(
    "caller",
    ...definitions,
    golden(
      "10",
      "01000000",
      "0000" +
        "0000" +
        "3d" +
        "dc050000" +
        traceId +
        spanId +
        "03" +
        "0300763d31" +
        "026b31" +
        "0300c3b637" +
        "0100" +
        hex('{"n":1}'),
    ),
  );
  await says("provider", golden("23", "01000000", flag.last + hex('{"n":1}')));
  const init = provider.heard.asked[0]?.init;
  assert.deepEqual(init?.trace, trace);
  assert.equal(init.idempotencyKey, "k1");
  assert.equal(init.correlationId, "ö7");
  caller.link.credit(1, 2);
  await says("caller", golden("13", "01000000", "02000000"));
  await says(
    "provider",
    golden("23", "01000000", flag.last + hex('{"n":2}')),
    golden("24", "01000000", ""),
  );
  assert.deepEqual(frames, [{ n: 1 }, { n: 2 }, "end"]);
});

test("what is given up is cancelled, as a failure or because its consumer has enough", async () => {
  const { caller, works, says } = open();
  works.push(
    () => new Promise(() => undefined),
    () => new Promise(() => undefined),
  );
  caller.link.send(outgoing, awaiting());
  caller.link.send(outgoing, awaiting());
  await says(
    "caller",
    ...definitions,
    golden("10", "01000000", request),
    golden("10", "02000000", request),
  );
  caller.link.giveUp(1, false);
  caller.link.giveUp(2, true);
  await says("caller", golden("12", "01000000", "00"), golden("12", "02000000", "01"));
  await says("provider");
});

test("a request and an answer that are too long for a frame come in pieces", async () => {
  const { caller, provider, works, says } = open();
  const told = awaiting();
  const text = JSON.stringify("x".repeat(69_998)); // two quotes and these
  works.push(() => "y".repeat(69_998));
  caller.link.send({ ...outgoing, text }, told);
  const x = "78".repeat(31_999);
  await says(
    "caller",
    ...definitions,
    golden("10", "01000000", "0000" + "0000" + flag.more + "dc050000"),
    golden("11", "01000000", flag.more + "22" + x),
    golden("11", "01000000", flag.more + "78" + x),
    golden("11", "01000000", flag.last + "78".repeat(5999) + "22"),
  );
  assert.equal(provider.heard.asked[0]?.request, "x".repeat(69_998));
  const y = "79".repeat(31_999);
  await says(
    "provider",
    golden("20", "01000000", flag.more),
    golden("21", "01000000", flag.more + "22" + y),
    golden("21", "01000000", flag.more + "79" + y),
    golden("21", "01000000", flag.last + "79".repeat(5999) + "22"),
  );
  assert.deepEqual(told.told, ["y".repeat(69_998)]);
});

test("ping and pong, goodbye, and what a node says of itself", async () => {
  const { caller, provider, says } = open();
  caller.link.ping();
  await says("caller", golden("30", "00000000", ""));
  await says("provider", golden("31", "00000000", ""));
  const read = caller.link.goodbye("it is draining");
  await says(
    "caller",
    golden("32", "00000000", hex('{"reason":"it is draining"}')),
    golden("30", "00000000", ""),
  );
  assert.equal(provider.heard.goodbyes, 1);
  await says("provider", golden("31", "00000000", ""));
  await read;
  const record: InstanceRecord = {
    instance: "till.1",
    node: "till",
    app: "banyan",
    host: "10.0.0.7",
    port: 4810,
    services: { till: "1.0.0" },
    status: "up",
    issues: [],
  };
  caller.link.about(undefined);
  caller.link.about(record);
  await says(
    "caller",
    golden("33", "00000000", hex("null")),
    golden("33", "00000000", hex(JSON.stringify(record))),
  );
  assert.equal(JSON.stringify(provider.heard.abouts), JSON.stringify([undefined, record]));
});

test("a call on a connection that has ended is refused, and was not done", () => {
  const { caller } = open();
  caller.link.close(new Error("it hung up"));
  assert.throws(() => caller.link.send(outgoing, awaiting()), isUndone);
});
