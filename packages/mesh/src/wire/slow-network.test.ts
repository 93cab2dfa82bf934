/** Networks and nodes that take what is sent to them slowly, or not at all. */

import assert from "node:assert/strict";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import { until } from "@banyan/testbed";
import type { Peers } from "./peers.ts";
import { FrameType } from "./protocol.ts";
import {
  definitions,
  dial,
  frame,
  insider,
  kiosk,
  openShop,
  provideShop,
  requestHead,
} from "./sample-peer.test.ts";
import type { WireLink } from "./wire-link.ts";

const megabyte = 1_000_000;

function linkOf({ links }: Peers, peer: string): WireLink {
  const link = [...links].find((each) => each.peer === peer);
  assert(link !== undefined, `there is no link to ${peer}`);
  return link;
}

/** An operation of `definitions`, asked for so many bytes. */
function ask(operation: number, call: number, bytes: number): Buffer {
  const request = Buffer.from(JSON.stringify({ bytes }));
  return frame(FrameType.Request, call, Buffer.concat([requestHead(operation, 0), request]));
}

/** The same with so many bytes of its own, in pieces. */
function askAtLength(operation: number, call: number, bytes: number): Buffer {
  const request = Buffer.from(JSON.stringify({ bytes: 1, pad: "x".repeat(bytes) }));
  const head = requestHead(operation, 0);
  head[4] = 0;
  const frames = [frame(FrameType.Request, call, head)];
  for (let at = 0; at < request.length; at += 60_000) {
    const isLast = at + 60_000 >= request.length ? 1 : 0;
    const piece = Buffer.concat([Buffer.from([isLast]), request.subarray(at, at + 60_000)]);
    frames.push(frame(FrameType.RequestMore, call, piece));
  }
  return Buffer.concat(frames);
}

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

/** A buyer that reaches its seller over such a network. */
async function openSlowShop() {
  const large = { messageBytesMax: 64 * megabyte, outgoingBytesMax: 200 * megabyte };
  const world = await openShop(large, large);
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

/** A shop with more than enough waiting for an insider who takes nothing of it. */
async function openFullShop() {
  const bounds = { messageBytesMax: 8 * megabyte, outgoingBytesMax: 10 * megabyte };
  const world = await openShop({ ...bounds, callsMax: 50 });
  const mole = await insider(world.port, { messageBytesMax: 8 * megabyte });
  const { socket, answers } = mole;
  for (const said of definitions) socket.write(said);
  socket.pause();
  for (let call = 1; call <= 9; call += 1) socket.write(ask(2, call, 4 * megabyte));
  const link = linkOf(world.seller.peers, "mole");
  await until(() => link.isFull, { what: "too much waits" });
  return {
    ...world,
    ...mole,
    link,
    /** Numbers of what was answered whole, in their order. */
    answered: () => answers.flatMap((said) => /^3[23] (\d+) \u0001/.exec(said)?.[1] ?? []),
    failed: () => answers.filter((said) => said.startsWith(`${FrameType.Failure} `)),
    /** What was written before has been read. */
    async isRead() {
      await world.clock.advance(500);
      socket.write(frame(FrameType.Ping, 0, Buffer.alloc(0)));
      const { clock } = world;
      await until(() => link.silentMs(clock.monotonicMs()) === 0, { what: "it is read" });
    },
    async [Symbol.asyncDispose]() {
      socket.destroy();
      await world[Symbol.asyncDispose]();
    },
  };
}

test("what is asked while too much waits runs when that was taken, in its order", async () => {
  await using world = await openFullShop();
  const { socket, seller, answered, failed } = world;
  const { inFlight } = seller.runtime;
  for (let call = 10; call <= 39; call += 1) socket.write(ask(2, call, 1));
  socket.write(frame(FrameType.Cancel, 20, Buffer.from([0])));
  await world.isRead();
  await world.stillServes();
  assert.equal(seller.runtime.inFlight, inFlight);
  socket.resume();
  await until(() => answered().length === 38, { what: "all but the cancelled one are answered" });
  const parked = answered().filter((number) => Number(number) >= 10);
  const wanted = Array.from({ length: 30 }, (_, n) => String(n + 10));
  assert.deepEqual(
    parked,
    wanted.filter((number) => number !== "20"),
  );
  assert.deepEqual(failed(), []);
});

test("what waits for room counts as running, and its deadline goes on", async () => {
  await using world = await openFullShop();
  const { socket, answered, failed } = world;
  // 50 may run: of 60 that are asked for, ten are one too many.
  for (let call = 10; call <= 69; call += 1) {
    const asked = ask(2, call, 1);
    asked.writeUInt32LE(call === 10 ? 3000 : 60_000, 14);
    socket.write(asked);
  }
  await world.isRead();
  let hasLeft = false;
  const leaving = world.seller.peers.leave("it stops").then(() => (hasLeft = true));
  socket.write(frame(FrameType.Pong, 0, Buffer.alloc(0)));
  for (let halves = 0; halves < 8; halves += 1) await world.isRead();
  assert.equal(hasLeft, false);
  socket.resume();
  await until(() => answered().length + failed().length === 69, { what: "all have ended" });
  await leaving;
  const refused = failed().filter((said) => said.includes("CALL_LIMIT_REACHED"));
  assert(refused.length >= 10 && refused.length <= 19, `${refused.length} were refused`);
  const late = failed().filter((said) => said.includes("CALL_DEADLINE_EXCEEDED"));
  assert.equal(late.length, 1);
  assert.match(late[0] ?? "", /^34 10 .*nothing was done/);
  assert.equal(refused.length, failed().length - 1);
});

test("of requests that wait for room there is no more than may wait to be written", async () => {
  await using world = await openFullShop();
  const { socket, answered, failed } = world;
  for (let call = 10; call <= 13; call += 1) socket.write(askAtLength(2, call, 4 * megabyte));
  socket.write(ask(2, 14, 1));
  await world.isRead();
  socket.resume();
  await until(() => answered().length + failed().length === 14, { what: "all have ended" });
  assert.equal(failed().length, 2);
  for (const [n, said] of failed().entries()) {
    assert(said.startsWith(`34 ${n + 12} `) && said.includes("CALL_LIMIT_REACHED"), said);
    assert.match(said, /More than 10000000 bytes wait for this peer to take them/);
  }
  assert(answered().includes("14"));
});

test("two nodes that have too much waiting for each other read on", async () => {
  const bounds = { messageBytesMax: 8 * megabyte, outgoingBytesMax: 10 * megabyte };
  await using world = await openShop(bounds, bounds);
  provideShop(world.buyer, kiosk);
  const back = world.seller.mesh.client(kiosk, { caller: "seller" });
  await world.stillServes();
  assert.deepEqual(await back.sell({ n: 1 }), {});
  const calls = Array.from({ length: 9 }, () => [
    world.client.fetch({ bytes: 4 * megabyte }),
    back.fetch({ bytes: 4 * megabyte }),
  ]);
  let ended = 0;
  const all = calls.flat().map((call) => call.finally(() => (ended += 1)));
  await until(() => ended === all.length, { what: "all are answered", timeoutMs: 20_000 });
  for (const { text } of await Promise.all(all)) assert.equal(text.length, 4 * megabyte);
});

test("a link that was not read during a flood is read again when that was taken", async () => {
  await using world = await openFullShop();
  const { socket, link, answered, failed } = world;
  const flood = Array.from({ length: 22_000 }, (_, n) => ask(2, 100 + n, 1));
  socket.write(Buffer.concat(flood));
  await until(() => link.silentMs(Infinity) === 0, { what: "it is not read any more" });
  await world.stillServes();
  socket.resume();
  await until(() => answered().length + failed().length === 22_009, {
    what: "all are answered",
    timeoutMs: 20_000,
  });
  const before = answered().length;
  for (let call = 1; call <= 10; call += 1) {
    socket.write(ask(2, call, 1));
    await until(() => answered().length === before + call, { what: "it is read" });
  }
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
