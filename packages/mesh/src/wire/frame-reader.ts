/**
 * Frames out of the bytes of a socket.
 *
 * What it owns: the bytes of a frame that is not whole yet, the one frame that it shows.
 *
 * R1. A frame is shown once, whole, in its order; it and its bytes are the reader's again when the
 *     taker returns.
 * R2. A length out of bounds is refused before a byte of the frame is kept.
 */

import { frameBytesMax, headBytes } from "./protocol.ts";

/** A frame that has come. */
export interface Frame {
  readonly type: number;
  /** Number of the call. */
  readonly call: number;
  /** What belongs to it is from `start` to `end`. */
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

const nothing: Buffer = Buffer.alloc(0);
const lengthBytes = 4;
const leastBytes = headBytes - lengthBytes;

export class FrameReader {
  readonly #take: (frame: Frame) => void;
  /** The same for all: a frame for each would cost as much as reading it. */
  readonly #frame: { -readonly [Key in keyof Frame]: Frame[Key] } = {
    type: 0,
    call: 0,
    bytes: nothing,
    start: 0,
    end: 0,
  };
  #rest: Buffer = nothing;
  #wantedBytes = 0;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** What may follow a length; less before a peer is known. */
  bytesMax: number;

  constructor(take: (frame: Frame) => void, bytesMax = frameBytesMax) {
    this.#take = take;
    this.bytesMax = bytesMax;
  }

  /** @throws RangeError for a length that no frame has */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#wantedBytes > 0) {
      this.#pieces.push(chunk);
      this.#pieceBytes += chunk.length;
      if (this.#pieceBytes < this.#wantedBytes) return;
      bytes = Buffer.concat(this.#pieces, this.#pieceBytes);
      this.#pieces = [];
      this.#pieceBytes = 0;
      this.#wantedBytes = 0;
    } else if (this.#rest.length > 0) {
      bytes = Buffer.concat([this.#rest, chunk]);
    }
    this.#rest = nothing;
    this.#read(bytes);
  }

  #read(bytes: Buffer): void {
    const frame = this.#frame;
    let at = 0;
    while (bytes.length - at >= lengthBytes) {
      const length = bytes.readUInt32LE(at);
      if (length < leastBytes || length > this.bytesMax) {
        throw new RangeError(
          `a frame of ${length} bytes; ${leastBytes} to ${this.bytesMax} may be`,
        );
      }
      const end = at + lengthBytes + length;
      if (end > bytes.length) {
        this.#keep(bytes.subarray(at), end - at);
        return;
      }
      // Indices are within the frame: its length was just held against its head.
      frame.type = bytes[at + 4] ?? 0;
      frame.call = bytes.readUInt32LE(at + 5);
      frame.bytes = bytes;
      frame.start = at + headBytes;
      frame.end = end;
      this.#take(frame);
      at = end;
    }
    this.#rest = at === bytes.length ? nothing : bytes.subarray(at);
  }

  /** The beginning of a frame: joined once, when the rest of it is there. */
  #keep(bytes: Buffer, wantedBytes: number): void {
    this.#wantedBytes = wantedBytes;
    this.#pieces = [bytes];
    this.#pieceBytes = bytes.length;
  }
}

/** What a frame says as JSON. @throws SyntaxError */
export function jsonOf({ bytes, start, end }: Frame): unknown {
  return JSON.parse(bytes.toString("utf8", start, end));
}

/** A byte of a frame. @throws RangeError where it has no such */
export function byteAt({ bytes, start, end }: Frame, index: number): number {
  const byte = start + index < end ? bytes[start + index] : undefined;
  if (byte === undefined) throw new RangeError("a frame that ends too early");
  return byte;
}
