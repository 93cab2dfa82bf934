/**
 * Spans that wait to be sent, and when a batch of them is due.
 *
 * What it owns: the spans, the timer of the oldest, and the count of those that were handed out as
 * a batch and are not done with.
 * What may interrupt it: `add`, in any turn.
 *
 * I1. At most `queueMax` spans are held, those in a batch included. What comes beyond is dropped
 *     and counted.
 * I2. A batch is due when `batchMax` spans wait, when the oldest has waited `intervalMs`, or when
 *     somebody says so. It has at most `batchMax` spans and, with more than one, at most
 *     `bytesMax` bytes.
 * I3. Adding costs a push: nothing is encoded then.
 */

import type { CancelTimer, Clock } from "@banyan/kernel";
import type { SpanRecord } from "../span.ts";
import type { DeliveryRecord } from "./delivery-record.ts";
import type { BatchSource, ExportBatch } from "./batch-sender.ts";
import { reasonOf } from "./transport.ts";

export interface SpanQueueOptions {
  readonly queueMax: number;
  readonly batchMax: number;
  readonly intervalMs: number;
  /** Of one request; what is larger no receiver takes. */
  readonly bytesMax: number;
  readonly clock: Clock;
  readonly record: DeliveryRecord;
  readonly encode: (spans: readonly SpanRecord[]) => Uint8Array;
  readonly onDue: () => void;
}

export class SpanQueue implements BatchSource {
  readonly #options: SpanQueueOptions;
  readonly #waiting: SpanRecord[] = [];
  #underWay = 0;
  /** How many of those that wait, from the first on, need not be joined by more. */
  #due = 0;
  #cancelTimer: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: SpanQueueOptions) {
    this.#options = options;
  }

  /** Spans held (I1). */
  get size(): number {
    return this.#waiting.length + this.#underWay;
  }

  add(spans: readonly SpanRecord[]): void {
    const { queueMax, batchMax, record, onDue } = this.#options;
    const room = this.#isClosed ? 0 : queueMax - this.size;
    const taken = spans.length <= room ? spans : spans.slice(0, room);
    if (taken.length < spans.length) record.dropped(spans.length - taken.length);
    if (taken.length === 0) return;
    for (const span of taken) this.#waiting.push(span);
    if (this.#waiting.length >= batchMax) onDue();
    else this.#arm();
  }

  /** All that wait are due now. */
  flush(): void {
    this.#due = this.#waiting.length;
  }

  /** Takes no more; all that wait are due now. */
  close(): void {
    this.#isClosed = true;
    this.flush();
    this.#disarm();
  }

  next(): ExportBatch | undefined {
    this.#underWay = 0;
    for (let limit = this.#options.batchMax; ;) {
      const count = Math.min(limit, this.#countDue());
      if (count === 0) break;
      const body = this.#encode(count);
      if (body !== undefined && body.length <= this.#options.bytesMax) {
        this.#take(count);
        this.#underWay = count;
        return { body, items: count, isOutdated: () => false };
      }
      if (body !== undefined && count > 1) {
        limit = Math.ceil(count / 2);
        continue;
      }
      this.#take(count);
      if (body !== undefined) this.#refuse(count, `A span of ${body.length} bytes is too large.`);
    }
    if (this.#waiting.length > 0) this.#arm();
    return undefined;
  }

  clear(): number {
    const { size } = this;
    this.#disarm();
    this.#waiting.length = 0;
    this.#underWay = 0;
    this.#due = 0;
    return size;
  }

  #countDue(): number {
    const { batchMax } = this.#options;
    return this.#waiting.length >= batchMax ? batchMax : this.#due;
  }

  /** `undefined` when they cannot be said; they are counted then. */
  #encode(count: number): Uint8Array | undefined {
    try {
      return this.#options.encode(this.#waiting.slice(0, count));
    } catch (error) {
      // A record that is not what its type says must not stop those behind it.
      this.#refuse(count, `Spans could not be encoded: ${reasonOf(error)}`);
      return undefined;
    }
  }

  #refuse(count: number, reason: string): void {
    this.#options.record.failed(count, reason);
  }

  #take(count: number): void {
    this.#waiting.splice(0, count);
    this.#due = Math.max(0, this.#due - count);
    if (this.#waiting.length === 0) this.#disarm();
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined || this.#isClosed) return;
    const { clock, intervalMs, onDue } = this.#options;
    this.#cancelTimer = clock.setTimer(intervalMs, () => {
      this.#cancelTimer = undefined;
      this.flush();
      onDue();
    });
  }

  #disarm(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}
