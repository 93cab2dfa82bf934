/**
 * The client reads the headers of a message by recursion. Some thousand levels end its connection,
 * and the server delivers the message again, for ever. So what the client cannot read is replaced
 * before it looks.
 */

import { own } from "./own-headers.ts";

/** A connection of the client. */
interface Held {
  readonly connection: object;
}

/** What the client does not show: bytes that it has not read as frames, and the next frame. */
interface FrameReader {
  rest: Buffer;
  recvFrame: () => unknown;
}

/** Tables and arrays within each other; the client manages some 4000, depending on its stack. */
export const headerLevelsMax = 64;

/** A frame: type, channel, size of the payload, the payload, and an end. */
const payloadAt = 7;
const contentHeader = 2;
const frameEnd = 0xce;

/** The payload of a content header: class, weight, size of the body, flags, properties. */
const flagsAt = payloadAt + 12;
const propertiesAt = flagsAt + 2;
const hasContentType = 0x8000;
const hasContentEncoding = 0x4000;
const hasHeaders = 0x2000;

/** Bytes of each type of value that has always as many. */
const fixedSizes: ReadonlyMap<string, number> = new Map(
  Object.entries({ t: 1, b: 1, B: 1, s: 2, u: 2, I: 4, i: 4, f: 4, l: 8, d: 8, T: 8, D: 5, V: 0 }),
);

/**
 * From here on headers that the client cannot read are one that says so: `x-banyan-damage`. A
 * client that keeps its bytes elsewhere is left alone.
 */
export function guardHeaders({ connection }: Held): void {
  if (!isFrameReader(connection)) return;
  const receive = connection.recvFrame.bind(connection);
  // Called once more by the client itself whenever more bytes have come.
  connection.recvFrame = (): unknown => {
    connection.rest = withReadableHeaders(connection.rest);
    return receive();
  };
}

function isFrameReader(connection: object): connection is FrameReader {
  return (
    "rest" in connection &&
    Buffer.isBuffer(connection.rest) &&
    "recvFrame" in connection &&
    typeof connection.recvFrame === "function"
  );
}

/** The bytes themselves, unless they begin with a whole frame whose headers cannot be read. */
export function withReadableHeaders(bytes: Buffer): Buffer {
  if (bytes.length < propertiesAt || bytes[0] !== contentHeader) return bytes;
  const end = payloadAt + bytes.readUInt32BE(3);
  if (bytes.length <= end || bytes[end] !== frameEnd) return bytes;
  const sizeAt = headersAt(bytes);
  if (sizeAt === undefined || sizeAt + 4 > end) return bytes;
  const from = sizeAt + 4;
  const to = from + bytes.readUInt32BE(sizeAt);
  if (to > end) return bytes;
  const fault = faultOf(bytes, from, to);
  if (fault === undefined) return bytes;
  const table = tableOf(own.damage, fault);
  const head = Buffer.from(bytes.subarray(0, from));
  head.writeUInt32BE(end - payloadAt - (to - from) + table.length, 3);
  head.writeUInt32BE(table.length, sizeAt);
  return Buffer.concat([head, table, bytes.subarray(to)]);
}

/** Where the size of the headers stands. */
function headersAt(bytes: Buffer): number | undefined {
  const flags = bytes.readUInt16BE(flagsAt);
  if ((flags & hasHeaders) === 0) return undefined;
  let at = propertiesAt;
  if ((flags & hasContentType) !== 0) at += 1 + (bytes[at] ?? 0);
  if ((flags & hasContentEncoding) !== 0) at += 1 + (bytes[at] ?? 0);
  return at;
}

/** Why the client cannot read this table. Not by recursion: that is what is guarded against. */
function faultOf(bytes: Buffer, from: number, to: number): string | undefined {
  const outer: { readonly end: number; readonly isTable: boolean }[] = [];
  let [at, end, isTable] = [from, to, true];
  for (;;) {
    while (at === end) {
      const left = outer.pop();
      if (left === undefined) return undefined;
      ({ end, isTable } = left);
    }
    if (isTable) at += 1 + (bytes[at] ?? 0); // the name
    if (at >= end) return broken;
    const type = String.fromCharCode(bytes[at] ?? 0);
    at += 1;
    const fixedSize = fixedSizes.get(type);
    if (fixedSize !== undefined) at += fixedSize;
    else {
      if (at + 4 > end) return broken;
      const size = bytes.readUInt32BE(at);
      at += 4;
      if (type === "F" || type === "A") {
        if (at + size > end) return broken;
        if (outer.length === headerLevelsMax) return tooDeep;
        outer.push({ end, isTable });
        [end, isTable] = [at + size, type === "F"];
      } else if (type === "S" || type === "x") at += size;
      else return `A header has a value of type "${type}", which is not known.`;
    }
  }
}

const broken = "The headers are no AMQP table.";
const tooDeep = `The headers are nested deeper than ${headerLevelsMax} levels.`;

/** The inside of a table that has one text. */
function tableOf(name: string, text: string): Buffer {
  const bytes = Buffer.from(`.${name}S....${text}`);
  bytes.writeUInt8(name.length, 0);
  bytes.writeUInt32BE(Buffer.byteLength(text), name.length + 2);
  return bytes;
}
