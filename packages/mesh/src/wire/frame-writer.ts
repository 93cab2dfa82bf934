/**
 * Frames into a socket: all of a turn of the event loop in one write, or in a few where it is much,
 * so that the other side begins while this one still writes.
 *
 * What it owns: the batch that is being filled, the batches that the socket has not taken yet, the
 * long payloads that are on their way.
 *
 * W1. Frames go out in the order in which they were written; pieces of a long payload when there is
 *     room for them, at any place behind the frame that begins it.
 * W2. Bytes of a batch are written over only when the socket has let go of the whole of it.
 * W3. The socket has little at a time: of what it was given it tells only when all was taken, and a
 *     slow network would look like one that stands still.
 * W4. A frame that was begun and not finished, since what it says could not be written, is none.
 */

import type { Writable } from "node:stream";
import { LongPayloads } from "./long-payloads.ts";
import type { LongPayload } from "./long-payloads.ts";
import { headBytes, PayloadFlag } from "./protocol.ts";

const batchBytes = 65_536;
/**
 * So much is not held back until the turn ends: some 25 small calls. Half of it costs more writes
 * than it gains, and without it 64 callers and their provider take turns in standing still.
 */
const flushBytes = 4096;
/** In a turn that says much, such as that of a stream, each piece is twice the one before. */
const flushBytesMax = 32_768;
/** Batches that are kept for later. */
const sparesMax = 2;
/** The socket is given no more while it has so much (W3); a quarter of a second at 1 MB/s. */
const takingBytesMax = 262_144;

interface Batch {
  readonly bytes: Buffer;
  /** Writes of it that the socket has not let go of. */
  writing: number;
}

/** What the socket is to be given. */
interface Written {
  readonly batch: Batch;
  readonly bytes: Buffer;
}

export class FrameWriter {
  readonly #socket: Writable;
  readonly #spares: Batch[] = [];
  #current: Batch = newBatch(batchBytes);
  /** Its bytes, which every write goes to. */
  #batch: Buffer = this.#current.bytes;
  /** What the socket has been given ends here. */
  #given = 0;
  #end = 0;
  /** Where the frame that is being written begins. */
  #start = 0;
  /** It has begun, and has not ended. */
  #isOpen = false;
  #flushAt = flushBytes;
  #isDue = false;
  #queuedBytes = 0;
  /** Of them the socket has so many. */
  #takingBytes = 0;
  /** What it is given next. */
  readonly #waiting: Written[] = [];
  readonly #longs = new LongPayloads();
  /** So many bytes were written, without the pieces of long payloads. */
  #endBytes = 0;
  /** Told when the socket has taken some of what waited, or something waits anew. */
  onProgress: () => void = () => undefined;
  /** Something went out since this was last set. */
  hasSpoken = false;
  #isEnding = false;
  #isClosed = false;

  constructor(socket: Writable) {
    this.#socket = socket;
  }

  /** Bytes that the socket has not taken yet. */
  get queuedBytes(): number {
    return this.#queuedBytes + this.#longs.bytes + this.#end - this.#given;
  }

  /** Begins a frame; at most `bytes` will follow its head. */
  begin(type: number, call: number, bytes: number): void {
    this.#room(headBytes + bytes);
    this.#start = this.#end;
    this.#isOpen = true;
    this.#batch[this.#end + 4] = type;
    this.#batch.writeUInt32LE(call, this.#end + 5);
    this.#end += headBytes;
  }

  u8(value: number): void {
    this.#batch[this.#end] = value;
    this.#end += 1;
  }

  u16(value: number): void {
    this.#end = this.#batch.writeUInt16LE(value, this.#end);
  }

  u32(value: number): void {
    this.#end = this.#batch.writeUInt32LE(value, this.#end);
  }

  /** Answers how many bytes it was. */
  text(value: string): number {
    const bytes = this.#batch.write(value, this.#end, "utf8");
    this.#end += bytes;
    return bytes;
  }

  /** A text of at most 255 bytes behind its length in one byte. */
  short(value: string): void {
    const at = this.#end;
    this.#end += 1;
    this.#batch[at] = this.text(value);
  }

  hex(value: string, bytes: number): void {
    this.#batch.write(value, this.#end, bytes, "hex");
    this.#end += bytes;
  }

  bytes(from: Buffer): void {
    this.#end += from.copy(this.#batch, this.#end);
  }

  /** Ends the frame; it goes out when the code that runs has ended. */
  finish(): void {
    this.#isOpen = false;
    this.#batch.writeUInt32LE(this.#end - this.#start - 4, this.#start);
    if (this.#end - this.#given >= this.#flushAt) {
      this.flush();
      this.#flushAt = Math.min(this.#flushAt * 2, flushBytesMax);
    }
    if (this.#isDue) return;
    this.#isDue = true;
    process.nextTick(this.#flushDue);
  }

  /** A frame without anything behind its head. */
  bare(type: number, call: number): void {
    this.begin(type, call, 0);
    this.finish();
  }

  /** A frame of JSON. */
  json(type: number, call: number, value: unknown): void {
    const text = JSON.stringify(value);
    this.begin(type, call, text.length * 3);
    this.text(text);
    this.finish();
  }

  /**
   * The rest of a payload that is too long for a frame, behind the frame that begins it. Frames
   * that are written later go out between its pieces.
   */
  long(payload: LongPayload): void {
    if (this.#isClosed || this.#isEnding) return;
    this.flush();
    this.#longs.add(payload, this.#endBytes);
    this.#giveMore();
  }

  /** Nobody waits for a long payload any more. */
  drop(more: number, call: number): void {
    this.#longs.drop(more, call);
  }

  /** What was written goes out now, for whoever waits for it meanwhile. */
  flush(): void {
    if (this.#isClosed) this.#end = this.#given;
    else if (this.#isOpen) this.#discard();
    if (this.#end === this.#given) return;
    this.#endBytes += this.#end - this.#given;
    const hasRoom = this.#takingBytes < takingBytesMax && this.#waiting.length === 0;
    this.#goOn(hasRoom);
  }

  /** Nothing is written any more; the socket ends when it has taken what was. */
  end(): void {
    this.#isEnding = true;
    this.flush();
    this.#endIfTaken();
  }

  /** Nothing goes out any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
    this.#longs.clear();
  }

  /** What was written goes to the socket, or waits for its turn. */
  #goOn(now: boolean): void {
    const batch = this.#current;
    const bytes = batch.bytes.subarray(this.#given, this.#end);
    this.#given = this.#end;
    if (this.#queuedBytes === 0) this.onProgress();
    this.#queuedBytes += bytes.length;
    this.hasSpoken = true;
    batch.writing += 1;
    if (now) this.#give(batch, bytes);
    else this.#waiting.push({ batch, bytes });
  }

  #give(batch: Batch, bytes: Buffer): void {
    this.#takingBytes += bytes.length;
    this.#socket.write(bytes, () => {
      this.#takingBytes -= bytes.length;
      this.#queuedBytes -= bytes.length;
      batch.writing -= 1;
      if (batch.writing === 0) this.#release(batch);
      if (this.#waiting.length > 0 || this.#longs.size > 0) this.#giveMore();
      this.onProgress();
      this.#endIfTaken();
    });
  }

  /** Frames that wait and pieces take turns, so that neither waits for all of the other. */
  #giveMore(): void {
    while (this.#takingBytes < takingBytesMax) {
      const next = this.#waiting.shift();
      if (next !== undefined) this.#give(next.batch, next.bytes);
      const isGiven = this.#writePiece();
      if (next === undefined && !isGiven) return;
    }
  }

  #writePiece(): boolean {
    if (this.#longs.size === 0) return false;
    this.flush();
    const waitingBytes = this.#queuedBytes - this.#takingBytes;
    const piece = this.#longs.next(this.#endBytes - waitingBytes);
    if (piece === undefined) return false;
    const { more, call, bytes, isLast, onSent } = piece;
    this.begin(more, call, 1 + bytes.length);
    this.u8(isLast ? PayloadFlag.Last : 0);
    this.bytes(bytes);
    this.#batch.writeUInt32LE(this.#end - this.#start - 4, this.#start);
    this.#isOpen = false;
    this.#goOn(true);
    if (isLast) onSent?.();
    return true;
  }

  #endIfTaken(): void {
    if (!this.#isEnding || this.#isClosed || this.queuedBytes > 0) return;
    this.#isClosed = true;
    this.#socket.end();
  }

  readonly #flushDue = (): void => {
    this.#isDue = false;
    this.#flushAt = flushBytes;
    this.flush();
  };

  /** The socket has let go of it (W2). */
  #release(batch: Batch): void {
    if (batch === this.#current) {
      if (this.#given !== this.#end) return;
      this.#given = 0;
      this.#end = 0;
    } else if (batch.bytes.length === batchBytes && this.#spares.length < sparesMax) {
      this.#spares.push(batch);
    }
  }

  /** W4 */
  #discard(): void {
    this.#isOpen = false;
    this.#end = this.#start;
  }

  /** Makes room for a whole frame: in this batch, or in another one. */
  #room(bytes: number): void {
    if (this.#isOpen) this.#discard();
    if (this.#batch.length - this.#end >= bytes) return;
    this.flush();
    const spare = bytes <= batchBytes ? this.#spares.pop() : undefined;
    this.#current = spare ?? newBatch(Math.max(bytes, batchBytes));
    this.#batch = this.#current.bytes;
    this.#given = 0;
    this.#end = 0;
  }
}

function newBatch(bytes: number): Batch {
  return { bytes: Buffer.allocUnsafeSlow(bytes), writing: 0 };
}
