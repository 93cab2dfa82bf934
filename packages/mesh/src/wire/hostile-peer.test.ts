/** Peers that lie, babble, flood or fall silent: they lose their connection, nobody else does. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { defineContract, systemRandom, t } from "@banyan/kernel";
import { anonymous } from "@banyan/kernel/internal";
import { FakeClock, seedOf, until } from "@banyan/testbed";
import { FrameReader } from "./frame-reader.ts";
import { introduce, proofOf } from "./handshake.ts";
import type { Introduction } from "./handshake.ts";
import { FrameType, PayloadFlag, RequestFlag } from "./protocol.ts";
import {
  definitions,
  dial,
  frame,
  insider,
  limits,
  openShop,
  provideShop,
  requestHead,
  shop,
} from "./sample-peer.test.ts";
import { openTownNode, secret, Town } from "./sample-wire.test.ts";

const strangers: readonly (readonly [what: string, said: Buffer])[] = [
  ["speaks HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")],
  ["sends a frame of four gigabytes", Buffer.from("ffffffff0100000000", "hex")],
  ["sends no JSON", frame(FrameType.Hello, 0, Buffer.from("{"))],
  ["introduces nobody", frame(FrameType.Hello, 0, {})],
  ["calls before it is known", frame(FrameType.Request, 1, Buffer.alloc(20))],
  ["proves before it is asked", frame(FrameType.Proof, 0, { proof: "x" })],
  ["sends more than an introduction", Buffer.alloc(6000, 1)],
];

for (const [what, said] of strangers) {
  test(`who ${what} is hung up on, and the others are served`, async () => {
    await using world = await openShop();
    const { socket, ended } = dial(world.port);
    socket.write(said);
    await ended;
    await world.stillServes();
  });
}

test("who says nothing is hung up on after five seconds", async () => {
  await using world = await openShop();
  const { socket, ended } = dial(world.port);
  await new Promise((resolve) => socket.once("connect", resolve));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await world.clock.advance(5001);
  await ended;
  await world.stillServes();
});

test("of those who say nothing a hundred of one address stay, and shut out nobody", async () => {
  await using world = await openShop();
  const crowd: ReturnType<typeof dial>[] = [];
  let gone = 0;
  const come = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n += 1) {
      const one = dial(world.port);
      void one.ended.then(() => (gone += 1));
      crowd.push(one);
      await new Promise((resolve) => one.socket.once("connect", resolve));
    }
  };
  await come(150);
  await until(() => gone >= 50, { what: "those who were here longest are hung up on" });
  assert.equal(gone, 50);
  await Promise.all(crowd.slice(0, 50).map(({ ended }) => ended));
  const known = await insider(world.port);
  await come(100);
  await until(() => gone === 150, { what: "the next are" });
  assert(!known.socket.destroyed, "who has proved itself is no stranger");
  for (const { socket } of [...crowd, known]) socket.destroy();
  await until(() => gone === 250, { what: "all are gone" });
  await world.stillServes();
});

const wrongs: readonly (readonly [
  what: string,
  own: Parameters<typeof openTownNode>[2],
  said: RegExp,
])[] = [
  ["another secret", { secret: "another secret, just as long" }, /hung up|secret/],
  ["another cluster", { cluster: "other" }, /hung up|cluster/],
];

for (const [what, own, said] of wrongs) {
  test(`a node with ${what} is refused by name on both sides`, async () => {
    const town = new Town();
    const clock = new FakeClock({ monotonicMs: 1000 });
    const seller = await openTownNode(town, "seller", { clock });
    provideShop(seller);
    const buyer = await openTownNode(town, "buyer", { clock, ...own });
    const client = buyer.mesh.client(shop, { caller: "buyer" });
    await assert.rejects(client.sell({ n: 1 }), (error: Error & { code?: string }) => {
      assert.match(error.code ?? "", /^MESH_PEER_(?:REFUSED|UNREACHABLE)$/);
      assert.match(error.message, said);
      return true;
    });
    await buyer.mesh.close();
    await seller.mesh.close();
  });
}

const breaches: readonly (readonly [what: string, said: Buffer])[] = [
  ["a type of frame that there is not", frame(99, 1, Buffer.alloc(0))],
  ["a number that was not defined", frame(FrameType.Request, 1, requestHead(9, 9))],
  ["a request that ends in its head", frame(FrameType.Request, 1, Buffer.alloc(3))],
  ["a definition of nothing", frame(FrameType.Define, 0, { number: 4 })],
  ["a definition far out", frame(FrameType.Define, 0, { number: 1e9, operation: "x.y" })],
  ["a payload without flags", frame(FrameType.Answer, 1, Buffer.alloc(0))],
];

for (const [what, said] of breaches) {
  test(`a node that sends ${what} loses its connection alone`, async () => {
    await using world = await openShop();
    const { socket, ended } = await insider(world.port);
    socket.write(said);
    await ended;
    await world.stillServes();
  });
}

test("a request that is no JSON is refused, and the connection goes on", async () => {
  await using world = await openShop();
  const { socket, answers } = await insider(world.port);
  for (const said of definitions) socket.write(said);
  const ask = (text: string): Buffer => Buffer.concat([requestHead(1, 0), Buffer.from(text)]);
  socket.write(frame(FrameType.Request, 1, ask("{oops")));
  socket.write(frame(FrameType.Request, 2, ask('{"n":1}')));
  await until(() => answers.length === 2, { what: "both are answered" });
  assert.match(answers[0] ?? "", /^34 1 .*REQUEST_INVALID/);
  assert.match(answers[1] ?? "", /^32 2 .*\{\}$/);
  socket.destroy();
});

test("more calls than may run at once are refused by name", async () => {
  await using world = await openShop({ callsMax: 10 });
  const { socket, answers } = await insider(world.port);
  for (const said of definitions) socket.write(said);
  for (let call = 1; call <= 50; call += 1) {
    socket.write(
      frame(FrameType.Request, call, Buffer.concat([requestHead(0, 0), Buffer.from("{}")])),
    );
  }
  await until(() => answers.length === 40, { what: "the others are refused" });
  assert(answers.every((answer) => answer.includes("CALL_LIMIT_REACHED")));
  assert.equal(world.seller.runtime.inFlight, 10);
  await world.stillServes();
  socket.destroy();
  await until(() => [...world.seller.peers.links].length === 1, { what: "its link is gone" });
});

test("a message that is too long in pieces ends the connection before it is whole", async () => {
  await using world = await openShop({ messageBytesMax: 100_000 });
  const { socket, ended } = await insider(world.port);
  for (const said of definitions) socket.write(said);
  const head = requestHead(1, 0);
  head[4] = 0;
  socket.write(frame(FrameType.Request, 1, Buffer.concat([head, Buffer.alloc(60_000, 32)])));
  socket.write(
    frame(FrameType.RequestMore, 1, Buffer.concat([Buffer.from([0]), Buffer.alloc(60_000, 32)])),
  );
  await ended;
  await world.stillServes();
});

test("a call of a stream without credit is aborted when its consumer gives up", async () => {
  await using world = await openShop();
  const { socket, answers } = await insider(world.port);
  for (const said of definitions) socket.write(said);
  const head = requestHead(3, 0);
  head[4] = PayloadFlag.Last | RequestFlag.Stream;
  const ask = Buffer.concat([head, Buffer.from([0, 0]), Buffer.from('{"bytes":1}')]);
  socket.write(frame(FrameType.Request, 1, ask));
  socket.write(frame(FrameType.Credit, 1, Buffer.from([1, 0, 0, 0])));
  await until(() => answers.length === 1, { what: "a frame" });
  assert.equal(world.seller.runtime.inFlight, 1);
  socket.write(frame(FrameType.Cancel, 1, Buffer.from([0])));
  await until(() => world.seller.runtime.inFlight === 0, { what: "it ends" });
  await world.stillServes();
  socket.destroy();
});

test("who gives credit without end and takes nothing holds up nobody", async () => {
  await using world = await openShop();
  const { socket, ended, answers } = await insider(world.port);
  for (const said of definitions) socket.write(said);
  const head = requestHead(3, 0);
  head[4] = PayloadFlag.Last | RequestFlag.Stream;
  const ask = Buffer.concat([head, Buffer.from([1, 0]), Buffer.from('{"bytes":1000}')]);
  socket.write(frame(FrameType.Request, 1, ask));
  await until(() => world.seller.runtime.inFlight === 1, { what: "it runs" });
  socket.pause();
  socket.write(frame(FrameType.Credit, 1, Buffer.from([255, 255, 255, 255])));
  const linkOf = () => [...world.seller.peers.links].find(({ peer }) => peer === "mole");
  await until(() => linkOf()?.isFull === true, { what: "much waits" });
  await world.stillServes();
  socket.resume();
  await until(() => answers.length > 5000, { what: "it goes on when some was taken" });
  await world.stillServes();
  socket.destroy();
  await ended;
  await until(() => world.seller.runtime.inFlight === 0, { what: "it ends" });
});

test("who takes nothing is not read any more, and hung up on in the end", async () => {
  await using world = await openShop({ outgoingBytesMax: 10_000 });
  const { socket, ended } = await insider(world.port);
  socket.pause();
  for (const said of definitions) socket.write(said);
  const one = Buffer.concat([requestHead(1, 0), Buffer.from('{"n":"x"}')]);
  let call = 0;
  // Each is refused, which is an answer that nobody takes.
  const flood = setInterval(() => {
    for (let n = 0; n < 500 && socket.writable; n += 1) {
      call += 1;
      socket.write(frame(FrameType.Request, call, one));
    }
  }, 1);
  for (let second = 0; second < 60 && !socket.destroyed; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    await world.clock.advance(1000);
    await world.stillServes();
    if ([...world.seller.peers.links].every(({ peer }) => peer !== "mole")) break;
  }
  clearInterval(flood);
  assert(
    [...world.seller.peers.links].every(({ peer }) => peer !== "mole"),
    "it is still there",
  );
  socket.resume();
  socket.destroy();
  await ended;
});

/** A casino that a buyer of the shop calls, and that answers each request as the test says. */
async function openCasino(answer: (socket: Socket, call: number) => void) {
  const own = introduce({ cluster: "test", node: "liar", ...limits }, systemRandom);
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    let caller: Introduction | undefined;
    const reader = new FrameReader(({ type, call, bytes, start, end }) => {
      if (type === FrameType.Hello) {
        // The caller's introduction, as it is.
        caller = JSON.parse(bytes.toString("utf8", start, end)) as Introduction;
        socket.write(frame(FrameType.Hello, 0, own));
      } else if (type === FrameType.Proof && caller !== undefined) {
        const proof = proofOf(secret, "callee", { caller, callee: own });
        socket.write(frame(FrameType.Welcome, 0, { proof }));
      } else if (type === FrameType.Request) answer(socket, call);
    });
    socket.on("data", (chunk: Buffer) => reader.push(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on TCP
  const world = await openShop();
  const what = { instance: "liar", node: "liar", app: "banyan", host: "127.0.0.1", port } as const;
  world.town.tell({ ...what, services: { casino: "1.0.0" }, status: "up", issues: [] });
  return {
    ...world,
    casino: world.buyer.mesh.client(casino, { caller: "buyer" }),
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const casino = defineContract("casino", {
  summary: "Takes.",
  version: "1.0.0",
  operations: {
    play: { summary: "Play.", response: t.Object({}) },
    watch: { summary: "Watch.", stream: t.Object({}) },
  },
});

test("a node whose answers are nonsense fails its own calls alone", async () => {
  await using world = await openCasino((socket) => socket.write(Buffer.alloc(100, 7)));
  await assert.rejects(world.casino.play({}), { code: "MESH_OUTCOME_UNKNOWN" });
  await world.stillServes();
});

test("a node that gives frames of a stream without credit loses its connection alone", async () => {
  const item = Buffer.concat([Buffer.from([PayloadFlag.Last]), Buffer.from("{}")]);
  let ended: Promise<unknown> | undefined;
  await using world = await openCasino((socket, call) => {
    ended ??= new Promise((resolve) => socket.once("close", resolve));
    for (let n = 0; n < 3; n += 1) socket.write(frame(FrameType.Item, call, item));
  });
  const frames = world.casino.watch({})[Symbol.asyncIterator]();
  assert.deepEqual(await frames.next(), { done: false, value: {} });
  await until(() => ended !== undefined, { what: "it was asked" });
  await ended;
  await world.stillServes();
});

test("a failure that is no JSON fails the call that it is of as well", async () => {
  await using world = await openCasino((socket, call) => {
    socket.write(frame(FrameType.Failure, call, Buffer.from("{oops")));
  });
  await assert.rejects(world.casino.play({}), { code: "MESH_OUTCOME_UNKNOWN" });
  await world.stillServes();
});

test("a node that keeps many answers in pieces loses its connection alone", async () => {
  let ended: Promise<unknown> | undefined;
  // Each is shorter than a message may be, and none ends.
  const piece = Buffer.alloc(60_001);
  await using world = await openCasino((socket, call) => {
    ended ??= new Promise((resolve) => socket.once("close", resolve));
    socket.write(frame(FrameType.Answer, call, piece));
    for (let n = 0; n < 14; n += 1) socket.write(frame(FrameType.AnswerMore, call, piece));
  });
  const calls = Array.from({ length: 6 }, () => world.casino.play({}));
  const settled = await Promise.allSettled(calls);
  assert(settled.every(({ status }) => status === "rejected"));
  await ended;
  await world.stillServes();
});

const about = {
  instance: "mole",
  node: "mole",
  app: "banyan",
  host: "h",
  port: 1,
  services: { shop: "1.0.0" },
  status: "up",
  issues: [],
};
const lies: readonly (readonly [what: string, said: Buffer | object])[] = [
  ["no JSON", Buffer.from("{oops")],
  ["no record", { hello: 1 }],
  ["the record of another", { ...about, instance: "buyer" }],
  ["a port that is none", { ...about, port: 1e9 }],
];

for (const [what, said] of lies) {
  test(`a node that says of itself ${what} loses its connection alone`, async () => {
    const heard: unknown[] = [];
    await using world = await openShop({ onAbout: (_, record) => void heard.push(record) });
    const { socket, ended } = await insider(world.port);
    socket.write(frame(FrameType.About, 0, said));
    await ended;
    assert.deepEqual(heard, []);
    await world.stillServes();
  });
}

test("a record that is longer than a frame may be ends the connection unread", async () => {
  await using world = await openShop();
  const { socket, ended } = await insider(world.port);
  socket.write(frame(FrameType.About, 0, { ...about, issues: ["x".repeat(100_000)] }));
  await ended;
  await world.stillServes();
});

test("a node that talks only of itself is hung up on, one that does at times is not", async () => {
  const heard: unknown[] = [];
  await using world = await openShop({ onAbout: (_, record) => void heard.push(record) });
  const { socket, ended } = await insider(world.port);
  const one = frame(FrameType.About, 0, { ...about, more: "x".repeat(60_000) });
  for (let second = 0; second < 10; second += 1) {
    for (let n = 0; n < 10; n += 1) socket.write(one);
    const count = (second + 1) * 10;
    await until(() => heard.length === count, { what: "it is heard" });
    await world.clock.advance(1000);
  }
  for (let n = 0; n < 40; n += 1) socket.write(one);
  await ended;
  assert(heard.length < 140);
  await world.stillServes();
});

test("whatever a known node babbles, nobody else is harmed", async () => {
  await using world = await openShop();
  const property = fc.asyncProperty(
    fc.array(
      fc.record({
        type: fc.constantFrom(4, 16, 17, 18, 19, 32, 33, 34, 35, 36, 48, 49, 50, 51, 77),
        call: fc.integer({ min: 0, max: 4 }),
        body: fc.uint8Array({ maxLength: 60 }),
      }),
      { minLength: 1, maxLength: 20 },
    ),
    async (said) => {
      const { socket } = await insider(world.port);
      for (const one of definitions) socket.write(one);
      for (const { type, call, body } of said) socket.write(frame(type, call, Buffer.from(body)));
      await new Promise((resolve) => setTimeout(resolve, 2));
      await world.stillServes();
      socket.destroy();
    },
  );
  await fc.assert(property, { seed: seedOf(), numRuns: 60 });
});

test("a frame that cannot be written breaks its own call, and not the connection", async () => {
  await using world = await openShop();
  const { buyer, client, clock } = world;
  const waiting = client.wait({}, { timeoutMs: 60_000 }).catch((error: unknown) => error);
  await world.stillServes();
  // No contract says so: 65 535 is the most that a request can carry.
  const most = { kind: "stream", streamAhead: 70_000 } as const;
  const tail = buyer.mesh.endpoint({ service: "shop", name: "shop.tail", ...most });
  const init = { mode: "tolerant", principal: anonymous, caller: "buyer" } as const;
  const frames = tail.invokeStream({ bytes: 1 }, init)[Symbol.asyncIterator]();
  // In the turn of one that goes out with what was written.
  await Promise.all([
    world.stillServes(),
    assert.rejects(frames.next(), { code: "INTERNAL" }),
    world.stillServes(),
  ]);
  await world.stillServes();
  await clock.advance(60_100);
  assert.match(String(await waiting), /was not finished within 60000 ms/);
});
