/** Payloads: JSON in one piece, or in several when it is long. */

import type { BanyanError } from "@banyan/kernel";
import { meshErrors } from "../errors.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { partialMessagesMax, PayloadFlag, pieceBytes } from "./protocol.ts";

/** How a payload is put into frames. */
export interface PayloadFrames {
  /** Begins the first frame: everything before the payload's bytes. */
  readonly first: (flags: number, bytes: number) => void;
  /** Type of the frames behind it. */
  readonly more: number;
  readonly call: number;
  /** Told when a long one has gone out. */
  readonly onSent?: (() => void) | undefined;
}

/** Writes a payload of as many frames as it takes. `undefined`: there is none. */
export function writePayload(
  writer: FrameWriter,
  text: string | undefined,
  { first, more, call, onSent }: PayloadFrames,
): void {
  if (text === undefined) {
    first(PayloadFlag.Last | PayloadFlag.None, 0);
    writer.finish();
    return;
  }
  if (fitsFrame(text)) {
    first(PayloadFlag.Last, text.length * 3);
    writer.text(text);
    writer.finish();
    return;
  }
  // The head goes at once, in its order with other frames; the payload as there is room.
  first(0, 0);
  writer.finish();
  writer.long({ more, call, bytes: Buffer.from(text, "utf8"), onSent });
}

/** Whatever is in it: a UTF-16 unit is at most three bytes of UTF-8. */
export function fitsFrame(text: string): boolean {
  return text.length * 3 <= pieceBytes;
}

/** Counted in bytes of UTF-8, as the other side does; seldom, since few come near. */
export function isLonger(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && Buffer.byteLength(text, "utf8") > bytesMax;
}

/** Keeping a piece costs so much at least; the frame that begins a payload costs what it has. */
const pieceCostBytes = 256;

/** Payloads that come in pieces, by the number of their call: all of them together are bounded. */
export class PartialPayloads<Of> {
  readonly #all = new Map<number, { readonly of: Of; readonly payload: PartialPayload }>();
  readonly #messageBytesMax: number;
  #bytes = 0;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  get size(): number {
    return this.#all.size;
  }

  has(call: number): boolean {
    return this.#all.has(call);
  }

  /** What a payload that has begun to come is of. */
  of(call: number): Of | undefined {
    return this.#all.get(call)?.of;
  }

  *[Symbol.iterator](): Iterator<readonly [call: number, of: Of]> {
    for (const [call, { of }] of this.#all) yield [call, of];
  }

  begin(call: number, of: Of, piece: Buffer): void {
    this.delete(call);
    const payload = new PartialPayload();
    this.#all.set(call, { of, payload });
    this.#keep(payload, piece, 0);
  }

  /** The whole of it, with its last piece. @throws RangeError for more than may come in pieces */
  add(call: number, piece: Buffer, isLast: boolean): { of: Of; text: string } | undefined {
    const partial = this.#all.get(call);
    if (partial === undefined) return undefined; // nobody waits for it any more
    this.#keep(partial.payload, piece, pieceCostBytes);
    if (!isLast) return undefined;
    this.delete(call);
    return { of: partial.of, text: partial.payload.text() };
  }

  delete(call: number): void {
    const partial = this.#all.get(call);
    if (partial === undefined) return;
    this.#all.delete(call);
    this.#bytes -= partial.payload.cost;
  }

  clear(): void {
    this.#all.clear();
    this.#bytes = 0;
  }

  #keep(payload: PartialPayload, piece: Buffer, costAtLeast: number): void {
    const cost = Math.max(piece.length, costAtLeast);
    payload.add(piece, cost);
    this.#bytes += cost;
    if (payload.bytes > this.#messageBytesMax) throw new RangeError("a message that is too long");
    // The last piece may be short.
    if (this.#bytes > (this.#messageBytesMax + pieceCostBytes) * partialMessagesMax) {
      throw new RangeError("too much in pieces");
    }
  }
}

/** A payload that comes in pieces. */
class PartialPayload {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #cost = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes that it takes here, about. */
  get cost(): number {
    return this.#cost;
  }

  /** Keeps a copy: the bytes of a frame are the reader's. */
  add(piece: Buffer, cost: number): void {
    this.#pieces.push(Buffer.from(piece));
    this.#bytes += piece.length;
    this.#cost += cost;
  }

  text(): string {
    return Buffer.concat(this.#pieces, this.#bytes).toString("utf8");
  }
}

/** Refuses what is longer than the mesh carries. */
export function tooLong(what: string, max: number): BanyanError {
  return meshErrors.MESH_MESSAGE_TOO_LONG(
    `${what} is longer than ${max} bytes, which is what mesh.messageBytesMax allows; ` +
      "send less, or a stream.",
  );
}
