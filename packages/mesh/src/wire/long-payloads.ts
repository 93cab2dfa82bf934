/**
 * Payloads that are too long for a frame: a few of them go out in turn, piece by piece, the others
 * wait behind those.
 *
 * What it owns: what of them has not gone out yet.
 *
 * G1. At most `partialMessagesMax` have begun and not ended: the other side keeps no more.
 */

import { partialMessagesMax } from "./protocol.ts";

/** What follows the frame that begins a payload. */
export interface LongPayload {
  /** Type of the frames. */
  readonly more: number;
  readonly call: number;
  readonly bytes: Buffer;
  /** Told when the last piece has been written. */
  readonly onSent?: (() => void) | undefined;
}

export interface Piece extends LongPayload {
  readonly isLast: boolean;
}

/** Far less than a frame may have: what is small waits for no more. Two of them fit a batch. */
const turnBytes = 32_000;

interface Sending {
  readonly payload: LongPayload;
  /** It begins where so many bytes have gone out: behind its first frame. */
  readonly from: number;
  at: number;
}

export class LongPayloads {
  readonly #all: Sending[] = [];
  #bytes = 0;
  #turn = 0;

  get size(): number {
    return this.#all.length;
  }

  /** Bytes that have not gone out. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @param from - bytes of the connection that have to go out before it */
  add(payload: LongPayload, from: number): void {
    this.#all.push({ payload, from, at: 0 });
    this.#bytes += payload.bytes.length;
  }

  /** The next piece of whose turn it is, where `goneBytes` have gone out. */
  next(goneBytes: number): Piece | undefined {
    const inTurn = this.#turn < partialMessagesMax ? this.#all[this.#turn] : undefined;
    const isDue = inTurn !== undefined && inTurn.from <= goneBytes;
    const turn = isDue ? this.#turn : 0;
    const sending = isDue ? inTurn : this.#all[0];
    // They came in this order, so none of the others may go either.
    if (sending === undefined || sending.from > goneBytes) return undefined;
    const { payload, at } = sending;
    const bytes = payload.bytes.subarray(at, at + turnBytes);
    sending.at += bytes.length;
    this.#bytes -= bytes.length;
    const isLast = sending.at === payload.bytes.length;
    // Who comes after one that has ended is where that one was.
    this.#turn = isLast ? turn : turn + 1;
    if (isLast) this.#all.splice(turn, 1);
    return { ...payload, bytes, isLast };
  }

  drop(more: number, call: number): void {
    const index = this.#all.findIndex(
      ({ payload }) => payload.call === call && payload.more === more,
    );
    const [dropped] = index === -1 ? [] : this.#all.splice(index, 1);
    if (dropped !== undefined) this.#bytes -= dropped.payload.bytes.length - dropped.at;
  }

  clear(): void {
    this.#all.length = 0;
    this.#bytes = 0;
  }
}
