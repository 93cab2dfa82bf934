/** A DNS server on loopback that answers what a test says. */

import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";

const types = { A: 1, AAAA: 28, SRV: 33 } as const;
const codes = { none: 0, failed: 2, unknown: 3 } as const;

export interface DnsRecord {
  readonly type: keyof typeof types;
  readonly ttl: number;
  /** Of A: `127.0.0.2`. */
  readonly address?: string;
  /** Of SRV. */
  readonly target?: string;
  readonly port?: number;
}

export interface DnsServer extends AsyncDisposable {
  /** Asks this server alone. */
  readonly resolver: Resolver;
  /** By name; what is not here is no name. */
  readonly zone: Map<string, readonly DnsRecord[]>;
  /** It answers that it cannot. */
  isBroken: boolean;
  /** It cannot for this type alone. */
  brokenType: keyof typeof types | undefined;
  /** Each answer leaves out one record, another each time. */
  rotates: boolean;
  /** Questions so far. */
  asked: number;
}

export async function openDnsServer(): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const resolver = new Resolver({ timeout: 2000, tries: 1 });
  const server: DnsServer = {
    resolver,
    zone: new Map(),
    isBroken: false,
    brokenType: undefined,
    rotates: false,
    asked: 0,
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => socket.close(resolve));
    },
  };
  /** Answers so far, by type: two types are asked for in turns. */
  const turns = new Map<number, number>();
  socket.on("message", (question, { port, address }) => {
    server.asked += 1;
    const type = question.readUInt16BE(nameAt(question, 12).end);
    const turn = turns.get(type) ?? 0;
    turns.set(type, turn + 1);
    socket.send(answerTo(question, server, turn), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  resolver.setServers([`127.0.0.1:${socket.address().port}`]);
  return server;
}

function answerTo(question: Buffer, server: DnsServer, turn: number): Buffer {
  const { zone, rotates, brokenType } = server;
  const { name, end } = nameAt(question, 12);
  const type = question.readUInt16BE(end);
  const known = zone.get(name.toLowerCase());
  const isBroken = server.isBroken || (brokenType !== undefined && types[brokenType] === type);
  const code = isBroken ? codes.failed : known === undefined ? codes.unknown : codes.none;
  const all = isBroken ? [] : (known ?? []).filter((record) => types[record.type] === type);
  const found = rotates ? all.filter((_, n) => n !== turn % all.length) : all;
  const head = Buffer.alloc(12);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8180 | code, 2); // an answer, recursion wanted and available
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(found.length, 6);
  return Buffer.concat([head, question.subarray(12, end + 4), ...found.map(recordOf)]);
}

function recordOf(record: DnsRecord): Buffer {
  const data = dataOf(record);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0); // the name of the question
  head.writeUInt16BE(types[record.type], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt32BE(record.ttl, 6);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function dataOf({ type, address = "", target = "", port = 0 }: DnsRecord): Buffer {
  if (type === "A") return Buffer.from(address.split(".").map(Number));
  if (type === "AAAA") {
    const bytes = Buffer.alloc(16);
    bytes[15] = 1; // ::1
    return bytes;
  }
  const head = Buffer.alloc(6);
  head.writeUInt16BE(port, 4);
  const labels = target
    .split(".")
    .map((label) => [Buffer.from([label.length]), Buffer.from(label)]);
  return Buffer.concat([head, ...labels.flat(), Buffer.alloc(1)]);
}

function nameAt(bytes: Buffer, start: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = bytes.readUInt8(at); length > 0; length = bytes.readUInt8(at)) {
    labels.push(bytes.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 1 };
}
