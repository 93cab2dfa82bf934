/** Networks and nodes that take what is sent to them slowly, or not at all. */

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { until } from "@banyan/testbed";
import { FrameType } from "./protocol.ts";
import {
  ask,
  definitions,
  dial,
  frame,
  insider,
  linkOf,
  openShop,
  provideShop,
} from "./sample-peer.test.ts";
import { openTownNode } from "./sample-wire.test.ts";

const megabyte = 1_000_000;

/** A network that lets so many bytes through to the server as a test says, and all of the rest. */
async function openThrottle(to: number) {
  let mayPass = 0;
  let passed = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on("error", () => undefined);
      one.on("close", () => other.destroy());
    }
    far.pipe(near);
    const pass = (): void => {
      for (;;) {
        const chunk: Buffer | null = mayPass > 0 ? near.read() : null;
        if (chunk === null) return;
        mayPass -= chunk.length;
        passed += chunk.length;
        far.write(chunk);
      }
    };
    near.on("readable", pass);
    server.on("more", pass);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // It listens on TCP, so its address is one.
    port: (server.address() as AddressInfo).port,
    passed: () => passed,
    let(bytes: number) {
      mayPass += bytes;
      server.emit("more");
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const large = { messageBytesMax: 64 * megabyte, outgoingBytesMax: 200 * megabyte };
const small = { messageBytesMax: 2 * megabyte, outgoingBytesMax: 2 * megabyte };

/** A buyer that reaches its seller over such a network. */
async function openSlowShop(bounds = large) {
  const world = await openShop(bounds, bounds);
  const throttle = await openThrottle(world.port);
  const record = world.town.records.get("seller");
  assert(record !== undefined);
  world.town.tell({ ...record, port: throttle.port });
  throttle.let(100_000);
  await world.stillServes();
  const { buyer, seller, clock } = world;
  return {
    ...world,
    throttle,
    /** Some of it comes through in each heartbeat, and what the seller says in all of them. */
    async beat(bytes: number, isOver: () => boolean) {
      await clock.advance(600);
      throttle.let(bytes);
      const comes = (): boolean =>
        linkOf(seller.peers, "buyer").silentMs(clock.monotonicMs()) === 0 || isOver();
      await until(comes, { what: "some of it comes through" });
      await clock.advance(400);
      // It says something in each second one at least.
      const heard = (): boolean =>
        linkOf(buyer.peers, "seller").silentMs(clock.monotonicMs()) < 2000;
      await until(heard, { what: "the seller says something" });
    },
    async [Symbol.asyncDispose]() {
      await throttle[Symbol.asyncDispose]();
      await world[Symbol.asyncDispose]();
    },
  };
}

test("a request that takes forty heartbeats to get through is answered", async () => {
  await using world = await openSlowShop();
  const { client, throttle } = world;
  let answered = 0;
  const pad = "x".repeat(12 * megabyte);
  const long = client.fetch({ bytes: 1, pad }, { timeoutMs: 600_000 });
  void long.then(() => (answered += 1));
  for (let beats = 0; answered === 0 && beats < 100; beats += 1)
    await world.beat(300_000, () => answered > 0);
  assert.deepEqual(await long, { text: "x" });
  assert(throttle.passed() > 12 * megabyte);
});

test("a node that leaves finishes a request of which it had read the beginning", async () => {
  await using world = await openSlowShop();
  const { client, seller, throttle } = world;
  const said: string[] = [];
  let passed = 0;
  const pad = "x".repeat(12 * megabyte);
  const long = client.fetch({ bytes: 1, pad }, { timeoutMs: 600_000 });
  void long.then(() => said.push("answered"));
  await world.beat(300_000, () => false);
  void seller.peers.leave("it stops").then(() => {
    said.push("left");
    passed = throttle.passed();
  });
  for (let beats = 0; said.length < 2 && beats < 100; beats += 1) {
    await world.beat(megabyte, () => said.length > 0);
  }
  assert.deepEqual(await long, { text: "x" });
  await until(() => said.length === 2, { what: "it has left, and has answered" });
  assert(passed > 12 * megabyte, `it had read ${passed} bytes`);
});

test("a small call is answered while a long one is on its way", async () => {
  await using world = await openSlowShop();
  const { client, throttle } = world;
  const pad = "x".repeat(60 * megabyte);
  const long = client.fetch({ bytes: 1, pad }, { timeoutMs: 600_000 });
  let answered = 0;
  void long.then(() => (answered += 1));
  const small = client.sell({ n: 1 }, { timeoutMs: 600_000 });
  let passed = Infinity;
  void small.then(() => (passed = throttle.passed()));
  for (let beats = 0; answered === 0 && beats < 100; beats += 1)
    await world.beat(2 * megabyte, () => answered > 0);
  await long;
  // Behind what the kernels had of the long one already: some megabytes.
  assert(passed < 30 * megabyte, `${passed} bytes went first`);
});

/** So many requests of 0.9 MB at once; what has become of each. */
function sendMany({ client }: Pick<Awaited<ReturnType<typeof openShop>>, "client">, count: number) {
  const ends: string[] = [];
  const pad = "x".repeat(0.9 * megabyte);
  const calls = Array.from({ length: count }, async () => {
    try {
      ends.push((await client.fetch({ bytes: 1, pad }, { timeoutMs: 5000 })).text);
    } catch (error) {
      ends.push(isBanyanError(error) ? error.code : "?");
    }
  });
  return { ends, all: Promise.all(calls) };
}

test("calls that find a full connection wait until there is room", async () => {
  await using world = await openSlowShop(small);
  const { ends, all } = sendMany(world, 10);
  const link = linkOf(world.buyer.peers, "seller");
  await until(() => link.isFull && !link.hasRoom, { what: "it is full" });
  assert.deepEqual(ends, []);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(link.queuedBytes < 4 * megabyte, `${link.queuedBytes} bytes are to be written`);
  world.throttle.let(100 * megabyte);
  await all;
  assert.deepEqual(
    ends,
    Array.from({ length: 10 }, () => "x"),
  );
  await until(() => link.hasRoom, { what: "nobody waits" });
});

test("a call waits for room no longer than it may take, and then nothing is done", async () => {
  await using world = await openSlowShop(small);
  const { ends, all } = sendMany(world, 8);
  for (let beats = 0; beats < 6; beats += 1) await world.beat(100_000, () => false);
  await all;
  assert.deepEqual(new Set(ends), new Set(["CALL_DEADLINE_EXCEEDED"]));
  world.throttle.let(100 * megabyte);
  await world.stillServes();
  assert.equal(world.seller.runtime.inFlight, 0);
});

test("where much waits for room already, more is refused at once", async () => {
  await using world = await openSlowShop(small);
  const { ends, all } = sendMany(world, 30);
  await until(() => ends.length > 0, { what: "some are refused" });
  assert.deepEqual(new Set(ends), new Set(["MESH_PEER_UNREACHABLE"]));
  const refused = ends.length;
  assert(refused >= 18 && refused <= 21, `${refused} were refused`);
  world.throttle.let(100 * megabyte);
  await all;
  assert.equal(ends.filter((end) => end === "x").length, 30 - refused);
});

test("who gave up while it waited for room makes room for others", async () => {
  await using world = await openSlowShop(small);
  const over = new AbortController();
  const pad = "x".repeat(0.9 * megabyte);
  const send = (signal?: AbortSignal): Promise<unknown> =>
    world.client.fetch({ bytes: 1, pad }, { timeoutMs: 60_000, signal });
  const sent = Array.from({ length: 3 }, () => send());
  const given = Array.from({ length: 8 }, () => send(over.signal).catch(() => "given up"));
  const link = linkOf(world.buyer.peers, "seller");
  await until(() => link.isFull && !link.hasRoom, { what: "it is full" });
  over.abort();
  assert.deepEqual(new Set(await Promise.all(given)), new Set(["given up"]));
  const others = Array.from({ length: 8 }, () => send());
  world.throttle.let(100 * megabyte);
  await Promise.all([...sent, ...others]);
});

test("calls that wait for room at a node that leaves go elsewhere", async () => {
  await using world = await openSlowShop(small);
  const { ends, all } = sendMany(world, 11);
  const link = linkOf(world.buyer.peers, "seller");
  await until(() => link.isFull && !link.hasRoom, { what: "it is full" });
  // Also the kernels have had what they take.
  await new Promise((resolve) => setTimeout(resolve, 100));
  const other = await openTownNode(world.town, "other", { clock: world.clock, ...small });
  provideShop(other);
  void world.seller.peers.leave("it stops");
  await until(() => ends.length > 0, { what: "some are answered elsewhere" });
  assert.deepEqual(new Set(ends), new Set(["x"]));
  world.throttle.let(100 * megabyte);
  await all;
  assert.deepEqual(new Set(ends), new Set(["x"]));
  await other.mesh.close();
});

test("calls that wait for room end with the connection", async () => {
  await using world = await openSlowShop(small);
  const { ends, all } = sendMany(world, 8);
  const link = linkOf(world.buyer.peers, "seller");
  await until(() => link.isFull && !link.hasRoom, { what: "it is full" });
  await world.throttle[Symbol.asyncDispose]();
  await all;
  const codes = new Set(ends);
  assert.deepEqual(codes, new Set(["MESH_OUTCOME_UNKNOWN", "SERVICE_UNAVAILABLE"]));
});

test("who takes nothing of what waits for it is hung up on, though it talks", async () => {
  await using world = await openShop({
    messageBytesMax: 8 * megabyte,
    outgoingBytesMax: 100 * megabyte,
  });
  const { socket, ended } = await insider(world.port, { messageBytesMax: 8 * megabyte });
  for (const said of definitions) socket.write(said);
  socket.pause();
  for (let call = 1; call <= 5; call += 1) socket.write(ask(2, call, 7 * megabyte));
  const { peers } = world.seller;
  const link = linkOf(peers, "mole");
  const nowMs = (): number => world.clock.monotonicMs();
  await until(() => link.stalledMs(nowMs() + 1) === 1, { what: "it waits" });
  let beats = 0;
  for (; !link.isClosed && beats < 30; beats += 1) {
    socket.write(frame(FrameType.Ping, 0, Buffer.alloc(0)));
    await until(() => link.isClosed || link.silentMs(nowMs()) < 1000, { what: "it is heard" });
    await world.clock.advance(1000);
    await world.stillServes();
  }
  assert(link.isClosed, "it is still there");
  assert(beats >= 10, `it had ${beats} heartbeats`);
  socket.resume();
  await ended;
});

test("closing waits a second for who takes nothing, and not for who is not known", async () => {
  const world = await openShop({
    messageBytesMax: 8 * megabyte,
    outgoingBytesMax: 100 * megabyte,
  });
  const { socket, ended } = await insider(world.port, { messageBytesMax: 8 * megabyte });
  for (const said of definitions) socket.write(said);
  socket.pause();
  for (let call = 1; call <= 5; call += 1) socket.write(ask(2, call, 7 * megabyte));
  const link = linkOf(world.seller.peers, "mole");
  await until(() => link.stalledMs(Infinity) > 0, { what: "it waits" });
  const stranger = dial(world.port);
  await new Promise((resolve) => stranger.socket.once("connect", resolve));
  let isClosed = false;
  const closing = world.seller.peers.close().then(() => (isClosed = true));
  await stranger.ended;
  for (let seconds = 0; !isClosed && seconds < 12; seconds += 1) {
    await world.clock.advance(1000);
    await new Promise(setImmediate);
  }
  await closing;
  socket.resume();
  await ended;
  await world[Symbol.asyncDispose]();
});

test("what was answered goes out whole before a connection ends", async () => {
  const world = await openShop({
    messageBytesMax: 8 * megabyte,
    outgoingBytesMax: 100 * megabyte,
  });
  const { socket, ended, answers } = await insider(world.port, { messageBytesMax: 8 * megabyte });
  for (const said of definitions) socket.write(said);
  socket.pause();
  for (let call = 1; call <= 5; call += 1) socket.write(ask(2, call, 7 * megabyte));
  const link = linkOf(world.seller.peers, "mole");
  await until(() => link.isFull || link.stalledMs(Infinity) > 0, { what: "it waits" });
  await until(() => world.seller.runtime.inFlight === 0, { what: "all are answered" });
  const closing = world.seller.peers.close();
  socket.resume();
  await ended;
  await closing;
  assert.equal(answers.filter((answer) => /^33 \d+ \u0001/.test(answer)).length, 5);
  await world[Symbol.asyncDispose]();
});

test("closing ends a connection that is being opened at once", async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  // It listens on TCP, so its address is one.
  const { port } = silent.address() as AddressInfo;
  const world = await openShop();
  const connected = new Promise((resolve) => silent.once("connection", resolve));
  const dialling = world.buyer.peers.dial({ node: "silent", host: "127.0.0.1", port });
  const refused = assert.rejects(dialling, { code: "CLOSED" });
  await connected;
  await world.buyer.peers.close();
  await refused;
  await world[Symbol.asyncDispose]();
  await new Promise((resolve) => silent.close(resolve));
});
