/** A connection on which more waits to be taken than may. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "@banyan/testbed";
import { FrameType, PayloadFlag, RequestFlag } from "./protocol.ts";
import {
  ask,
  askAtLength,
  definitions,
  frame,
  insider,
  kiosk,
  linkOf,
  openShop,
  provideShop,
  requestHead,
} from "./sample-peer.test.ts";

const megabyte = 1_000_000;

/** A shop with more than enough waiting for an insider who takes nothing of it. */
async function openFullShop({ callsMax = 50 } = {}) {
  const bounds = { messageBytesMax: 8 * megabyte, outgoingBytesMax: 10 * megabyte };
  const world = await openShop({ ...bounds, callsMax });
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

test("a link that is full again when it is read again is still read", async () => {
  await using world = await openFullShop({ callsMax: 100 });
  const { socket, link } = world;
  for (let call = 10; call <= 49; call += 1) socket.write(ask(2, call, 4 * megabyte));
  socket.write(Buffer.concat(Array.from({ length: 22_000 }, (_, n) => ask(2, 100 + n, 1))));
  await until(() => link.silentMs(Infinity) === 0, { what: "it is not read any more" });
  let taken = 0;
  socket.on("data", (chunk: Buffer) => {
    taken += chunk.length;
    if (taken > 35 * megabyte) socket.pause();
  });
  socket.resume();
  await until(() => link.isFull && taken > 35 * megabyte, { what: "it is full again" });
  await until(() => link.silentMs(Infinity) > 0, { what: "it is read again" });
  await world.isRead();
  assert(link.silentMs(Infinity) > 0, "it is not read any more");
});

test("what waited for room is begun a few at a time", async () => {
  await using world = await openFullShop({ callsMax: 300 });
  const { socket, link, answered } = world;
  for (let call = 10; call <= 209; call += 1) socket.write(ask(2, call, 4 * megabyte));
  await world.isRead();
  let taken = 0;
  const take = (chunk: Buffer): void => {
    taken += chunk.length;
    if (taken > 30 * megabyte) socket.pause();
  };
  socket.on("data", take);
  socket.resume();
  await until(() => taken > 30 * megabyte, { what: "some of it is taken" });
  await until(() => link.stalledMs(Infinity) > 0 && link.isFull, { what: "it waits again" });
  await new Promise((resolve) => setTimeout(resolve, 50));
  const { queuedBytes } = link;
  assert(queuedBytes < 60 * megabyte, `${queuedBytes} bytes wait`);
  socket.off("data", take);
  socket.resume();
  await until(() => answered().length === 209, { what: "all are answered", timeoutMs: 30_000 });
});

test("what waits for room when the connection is closed is refused, and was not done", async () => {
  await using world = await openFullShop();
  const { socket, seller, ended, answered, failed } = world;
  for (let call = 10; call <= 14; call += 1) socket.write(ask(2, call, 1));
  const begun = askAtLength(2, 15, 100_000);
  socket.write(begun.subarray(0, 50_000));
  await world.isRead();
  const closing = seller.peers.close();
  socket.resume();
  await ended;
  await closing;
  assert.equal(answered().length, 9);
  const numbers = failed().map(
    (said) => /^34 (\d+) .*NODE_DRAINING.*"undone":true/.exec(said)?.[1],
  );
  assert.deepEqual(numbers, ["10", "11", "12", "13", "14", "15"]);
});

/** A request of a stream, without credit; in one frame, or so that its payload is still to come. */
function askStream(call: number, isWhole: boolean): Buffer {
  const head = requestHead(3, 0);
  head[4] = RequestFlag.Stream | (isWhole ? PayloadFlag.Last : 0);
  const body = Buffer.from(isWhole ? '{"bytes":1}' : "");
  return frame(FrameType.Request, call, Buffer.concat([head, Buffer.from([0, 0]), body]));
}

const threeMore = (call: number): Buffer =>
  frame(FrameType.Credit, call, Buffer.from([3, 0, 0, 0]));

test("credit that comes before its stream can begin is kept", async () => {
  await using world = await openFullShop();
  const { socket, answers, answered } = world;
  socket.write(Buffer.concat([askStream(30, true), threeMore(30)]));
  socket.write(Buffer.concat([askStream(31, false), threeMore(31)]));
  const rest = Buffer.concat([Buffer.from([PayloadFlag.Last]), Buffer.from('{"bytes":1}')]);
  socket.write(frame(FrameType.RequestMore, 31, rest));
  await world.isRead();
  socket.resume();
  const frames = (call: number): number =>
    answers.filter((said) => said.startsWith(`${FrameType.Item} ${call} `)).length;
  await until(() => answered().length === 9, { what: "there is room" });
  await until(() => frames(30) === 3 && frames(31) === 3, { what: "the frames come" });
});

test("a request that is not whole at its deadline is over", async () => {
  await using world = await openShop();
  const mole = await insider(world.port);
  for (const said of definitions) mole.socket.write(said);
  const head = requestHead(2, 0);
  head[4] = 0;
  head.writeUInt32LE(3500, 5);
  mole.socket.write(frame(FrameType.Request, 1, head));
  const link = linkOf(world.seller.peers, "mole");
  let hasLeft = false;
  for (let halves = 0; halves < 10; halves += 1) {
    await world.clock.advance(500);
    mole.socket.write(frame(FrameType.Ping, 0, Buffer.alloc(0)));
    await until(() => link.silentMs(world.clock.monotonicMs()) === 0, { what: "it is read" });
    if (halves !== 2) continue;
    void world.seller.peers.leave("it stops").then(() => (hasLeft = true));
    mole.socket.write(frame(FrameType.Pong, 0, Buffer.alloc(0)));
  }
  await until(() => hasLeft, { what: "nobody waits for it" });
  const failed = mole.answers.filter((said) => said.startsWith("34 1 "));
  assert.match(failed.join(), /CALL_DEADLINE_EXCEEDED.*could not begin within 3500 ms/);
  mole.socket.destroy();
});

test("of the deadline of a request in pieces is left what its pieces left", async () => {
  await using world = await openShop();
  const mole = await insider(world.port);
  for (const said of definitions) mole.socket.write(said);
  const head = requestHead(0, 0);
  head[4] = 0;
  head.writeUInt32LE(2000, 5);
  mole.socket.write(frame(FrameType.Request, 1, head));
  const link = linkOf(world.seller.peers, "mole");
  mole.socket.write(frame(FrameType.Ping, 0, Buffer.alloc(0)));
  await until(() => mole.answers.length === 1, { what: "its beginning is read" });
  await world.clock.advance(900);
  mole.socket.write(frame(FrameType.RequestMore, 1, Buffer.from("\u0001{}")));
  await until(() => world.seller.runtime.inFlight === 1, { what: "it runs" });
  await world.clock.advance(1300);
  await until(() => mole.answers.some((said) => said.startsWith("34 1 ")), { what: "it ends" });
  assert(!link.isClosed);
  mole.socket.destroy();
});

test("pieces without a byte, and a million of one, end the connection", async () => {
  await using world = await openShop();
  for (const piece of [Buffer.from([0]), Buffer.from([0, 32])]) {
    const mole = await insider(world.port);
    for (const said of definitions) mole.socket.write(said);
    const head = requestHead(2, 0);
    head[4] = 0;
    mole.socket.write(frame(FrameType.Request, 1, head));
    const one = frame(FrameType.RequestMore, 1, piece);
    mole.socket.write(Buffer.concat(Array.from({ length: 20_000 }, () => one)));
    await mole.ended;
    await world.stillServes();
  }
});

test("more than a thousand long answers at once are no flood", async () => {
  const bounds = { messageBytesMax: 65_536, outgoingBytesMax: 100 * megabyte };
  await using world = await openShop({ ...bounds, callsMax: 2000 }, bounds);
  await world.stillServes();
  const calls = Array.from({ length: 1100 }, () => world.client.fetch({ bytes: 60_000 }));
  for (const { text } of await Promise.all(calls)) assert.equal(text.length, 60_000);
});
