/**
 * Protocol Buffers' wire format, written from the end to the front: whoever writes a message knows
 * its length when it comes to write it, so nothing is measured beforehand or moved afterwards.
 * Fields are therefore given in reverse, and each as content first, tag last.
 *
 * What it owns: one buffer, which doubles when it is full.
 *
 * I1. The last `length` bytes of the buffer are what was written; `finish` answers them.
 */

/** How a value stands on the wire. */
export const WireType = {
  Varint: 0,
  Fixed64: 1,
  Length: 2,
  Fixed32: 5,
} as const;
export type WireType = (typeof WireType)[keyof typeof WireType];

export class ProtobufWriter {
  #bytes: Buffer;
  #start: number;

  constructor(sizeBytes = 16 * 1024) {
    this.#bytes = Buffer.allocUnsafe(sizeBytes);
    this.#start = sizeBytes;
  }

  get length(): number {
    return this.#bytes.length - this.#start;
  }

  /** What was written. The writer is used up: the bytes are its own. */
  finish(): Buffer {
    return this.#bytes.subarray(this.#start);
  }

  tag(number: number, wire: WireType): void {
    this.varint(number * 8 + wire);
  }

  /** A whole number from 0 to 2^53. */
  varint(value: number): void {
    let sizeBytes = 1;
    for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) sizeBytes += 1;
    const at = this.#reserve(sizeBytes);
    let rest = value;
    for (let index = 0; index < sizeBytes - 1; index += 1) {
      this.#bytes[at + index] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[at + sizeBytes - 1] = rest;
  }

  /** A signed number: a negative one takes ten bytes, as two's complement of 64 bits. */
  signedVarint(value: number): void {
    if (value >= 0) {
      this.varint(value);
      return;
    }
    const bytes: number[] = [];
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
    bytes.push(Number(rest));
    this.#bytes.set(bytes, this.#reserve(bytes.length));
  }

  fixed32(value: number): void {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32LE(value, at);
  }

  fixed64(value: bigint): void {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64LE(value, at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#bytes.writeDoubleLE(value, at);
  }

  /** UTF-8 without its length; half a surrogate pair becomes U+FFFD. */
  text(value: string): void {
    const sizeBytes = Buffer.byteLength(value);
    const at = this.#reserve(sizeBytes);
    this.#bytes.write(value, at, sizeBytes, "utf8");
  }

  /** The bytes that hexadecimal digits stand for, without their length. */
  hex(digits: string): void {
    const sizeBytes = digits.length >>> 1;
    const at = this.#reserve(sizeBytes);
    const written = this.#bytes.write(digits, at, sizeBytes, "hex");
    // What is no digit ends the writing; the buffer's old content must not get out.
    this.#bytes.fill(0, at + written, at + sizeBytes);
  }

  /** Makes room in front of what is there; answers where it begins. */
  #reserve(sizeBytes: number): number {
    if (this.#start < sizeBytes) {
      const { length } = this;
      const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, length + sizeBytes));
      this.#bytes.copy(larger, larger.length - length, this.#start);
      this.#bytes = larger;
      this.#start = larger.length - length;
    }
    this.#start -= sizeBytes;
    return this.#start;
  }
}
