/** A node of the tests, and peers of it that say byte for byte what a test likes. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { defineContract, systemRandom, t } from "@banyan/kernel";
import type { Contract } from "@banyan/kernel";
import { OperationRunner, listOperations } from "@banyan/kernel/internal";
import type { Handler } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { FrameReader } from "./frame-reader.ts";
import { introduce, proofOf } from "./handshake.ts";
import type { Identity, Introduction } from "./handshake.ts";
import type { Peers } from "./peers.ts";
import { FrameType } from "./protocol.ts";
import { openTownNode, secret, Town } from "./sample-wire.test.ts";
import type { TownNode } from "./sample-wire.test.ts";
import type { WireLink } from "./wire-link.ts";

const selling = {
  summary: "Sells.",
  version: "1.0.0",
  operations: {
    sell: { summary: "Sell.", request: t.Object({ n: t.Integer() }), response: t.Object({}) },
    wait: { summary: "Wait.", response: t.Object({}) },
    fetch: {
      summary: "Hand over much.",
      request: t.Object({ bytes: t.Integer(), pad: t.Optional(t.String()) }),
      response: t.Object({ text: t.String() }),
    },
    tail: {
      summary: "Frame after frame.",
      request: t.Object({ bytes: t.Integer() }),
      stream: t.Object({ text: t.String() }),
    },
  },
};

export const shop = defineContract("shop", selling);
/** Another one, of another node. */
export const kiosk = defineContract("kiosk", selling);

export function provideShop(
  { mesh, runtime }: TownNode,
  contract: Pick<typeof shop, "spec"> & Contract = shop,
): void {
  const handlers: Readonly<Record<string, Handler>> = {
    sell: () => ({}),
    wait: () => new Promise(() => undefined),
    // The shape of both requests, which the contract holds them to.
    fetch: (request) => ({ text: "x".repeat((request as { bytes: number }).bytes) }),
    async *tail(request, { signal }) {
      try {
        for (;;) yield { text: "x".repeat((request as { bytes: number }).bytes) };
      } finally {
        // Who ends when it is told to, and not before.
        if (!signal.aborted) await once(signal, "abort");
      }
    },
  };
  const runners = listOperations(contract.spec.operations).map((operation) => {
    const handler = handlers[operation.name];
    assert(handler !== undefined);
    return new OperationRunner(contract, operation, { handler, runtime });
  });
  mesh.provide({ contract, runners });
}

type NodeOptions = Parameters<typeof openTownNode>[2];

export async function openShop(own: NodeOptions = {}, ofBuyer: NodeOptions = {}) {
  const town = new Town();
  const clock = new FakeClock({ monotonicMs: 1000 });
  const seller = await openTownNode(town, "seller", { clock, ...own });
  provideShop(seller);
  const buyer = await openTownNode(town, "buyer", { clock, ...ofBuyer });
  const client = buyer.mesh.client(shop, { caller: "buyer" });
  const port = town.records.get("seller")?.port ?? 0;
  return {
    town,
    clock,
    seller,
    buyer,
    client,
    port,
    /** A good neighbour is served all the while. */
    stillServes: async () => assert.deepEqual(await client.sell({ n: 1 }), {}),
    async [Symbol.asyncDispose]() {
      await buyer.mesh.close();
      await seller.mesh.close();
    },
  };
}

export const limits = { callsMax: 9, messageBytesMax: 999_999 };

export function dial(port: number): { socket: Socket; ended: Promise<void> } {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  return { socket, ended };
}

export function frame(type: number, call: number, body: Buffer | object): Buffer {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  const head = Buffer.alloc(9);
  head.writeUInt32LE(5 + bytes.length);
  head[4] = type;
  head.writeUInt32LE(call, 5);
  return Buffer.concat([head, bytes]);
}

/** Somebody who knows the secret, and says what he likes from then on. */
export async function insider(port: number, own: Partial<Identity> = {}) {
  const { socket, ended } = dial(port);
  const who = { cluster: "test", node: "mole", ...limits, ...own };
  const introduction = introduce(who, systemRandom);
  const answers: string[] = [];
  const welcome = Promise.withResolvers<void>();
  const reader = new FrameReader(({ type, call, bytes, start, end }) => {
    const text = bytes.toString("utf8", start, end);
    if (type === FrameType.Hello) {
      // The callee's introduction, as it is.
      const callee = JSON.parse(text) as Introduction;
      const proof = proofOf(secret, "caller", { caller: introduction, callee });
      socket.write(frame(FrameType.Proof, 0, { proof }));
    } else if (type === FrameType.Welcome) welcome.resolve();
    else answers.push(`${type} ${call} ${text}`);
  });
  socket.on("data", (chunk: Buffer) => reader.push(chunk));
  socket.write(frame(FrameType.Hello, 0, introduction));
  await welcome.promise;
  return { socket, ended, answers };
}

export const requestHead = (operation: number, context: number): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUInt16LE(operation, 0);
  head.writeUInt16LE(context, 2);
  head[4] = 1;
  head.writeUInt32LE(60_000, 5);
  return head;
};
export const definitions = [
  frame(FrameType.Define, 0, { number: 0, operation: "shop.wait" }),
  frame(FrameType.Define, 0, { number: 0, principal: { kind: "anonymous" }, caller: "mole" }),
  frame(FrameType.Define, 0, { number: 1, operation: "shop.sell" }),
  frame(FrameType.Define, 0, { number: 2, operation: "shop.fetch" }),
  frame(FrameType.Define, 0, { number: 3, operation: "shop.tail" }),
];

/** The link of a node to another one. */
export function linkOf({ links }: Peers, peer: string): WireLink {
  const link = [...links].find((each) => each.peer === peer);
  assert(link !== undefined, `there is no link to ${peer}`);
  return link;
}

/** An operation of `definitions`, asked for so many bytes. */
export function ask(operation: number, call: number, bytes: number): Buffer {
  const request = Buffer.from(JSON.stringify({ bytes }));
  return frame(FrameType.Request, call, Buffer.concat([requestHead(operation, 0), request]));
}

/** The same with so many bytes of its own, in pieces. */
export function askAtLength(operation: number, call: number, bytes: number): Buffer {
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
