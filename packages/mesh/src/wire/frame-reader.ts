/**
 * Frames out of the bytes of a socket.
 *
 * What it owns: the bytes of a frame that is not whole yet.
 *
 * R1. A frame is handed on once, whole, in its order; its bytes are the reader's again when the
 *     taker returns.
 * R2. A length out of bounds is refused before a byte of the frame is kept.
 */

import { frameBytesMax, headBytes } from "./protocol.ts";

/** Takes a frame: what belongs to it is `bytes` from `start` to `end`. */
export type TakeFrame = (
  type: number,
  call: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

const nothing = Buffer.alloc(0);
const lengthBytes = 4;
const leastBytes = headBytes - lengthBytes;

export class FrameReader {
  readonly #take: TakeFrame;
  #rest: Buffer = nothing;
  #wantedBytes = 0;
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  /** What may follow a length; less before a peer is known. */
  bytesMax: number;

  constructor(take: TakeFrame, bytesMax = frameBytesMax) {
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
        this.#keep(bytes, at, end - at);
        return;
      }
      // Indices are within the frame: its length was just held against its head.
      const type = bytes[at + 4] ?? 0;
      this.#take(type, bytes.readUInt32LE(at + 5), bytes, at + headBytes, end);
      at = end;
    }
    this.#rest = at === bytes.length ? nothing : bytes.subarray(at);
  }

  /** The beginning of a frame: joined once, when the rest of it is there. */
  #keep(bytes: Buffer, at: number, wantedBytes: number): void {
    this.#wantedBytes = wantedBytes;
    this.#pieces = [bytes.subarray(at)];
    this.#pieceBytes = bytes.length - at;
  }
}
