/** Payloads: JSON in one piece, or in several when it is long. */

import type { BanyanError } from "@banyan/kernel";
import { meshErrors } from "../errors.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { PayloadFlag, pieceBytes } from "./protocol.ts";

/** How a payload is put into frames. */
export interface PayloadFrames {
  /** Begins the first frame: everything before the payload's bytes. */
  readonly first: (flags: number, bytes: number) => void;
  /** Type of the frames behind it. */
  readonly more: number;
  readonly call: number;
}

/** Writes a payload of as many frames as it takes. `undefined`: there is none. */
export function writePayload(
  writer: FrameWriter,
  text: string | undefined,
  { first, more, call }: PayloadFrames,
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
  const bytes = Buffer.from(text, "utf8");
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    const flags = at + pieceBytes >= bytes.length ? PayloadFlag.Last : 0;
    if (at === 0) first(flags, piece.length);
    else {
      writer.begin(more, call, 1 + piece.length);
      writer.u8(flags);
    }
    writer.bytes(piece);
    writer.finish();
  }
}

/** Whatever is in it: a UTF-16 unit is at most three bytes of UTF-8. */
export function fitsFrame(text: string): boolean {
  return text.length * 3 <= pieceBytes;
}

/** Counted in bytes of UTF-8, as the other side does; seldom, since few come near. */
export function isLonger(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && Buffer.byteLength(text, "utf8") > bytesMax;
}

/** A payload that comes in pieces. */
export class PartialPayload {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps a copy: the bytes of a frame are the reader's. */
  add(piece: Buffer): void {
    this.#pieces.push(Buffer.from(piece));
    this.#bytes += piece.length;
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
