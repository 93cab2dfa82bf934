/**
 * Reads the registry again and again, and hands the readings on as batches.
 *
 * What it owns: the timer of the next reading, and the parts of the last one that were not handed
 * out yet.
 *
 * I1. Only the last reading is held: its values hold those of the one before. Points of an earlier
 *     one that were not sent are dropped and counted.
 * I2. Readings do not pile up: a slow receiver gets fewer of them.
 */

import type { CancelTimer, Clock } from "@banyan/kernel";
import type { DeliveryRecord } from "./delivery-record.ts";
import type { BatchSource, ExportBatch } from "./batch-sender.ts";
import { reasonOf } from "./transport.ts";

/** What fits into one request. */
export interface ReadingPart {
  readonly points: number;
  encode(): Uint8Array;
}

export interface MetricsReaderOptions {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly record: DeliveryRecord;
  /** What must be asked for before they are read. Must not reject. */
  readonly prepare?: (() => Promise<void>) | undefined;
  /** All metrics, now. */
  readonly read: () => ReadingPart[];
  readonly onDue: () => void;
}

export class MetricsReader implements BatchSource {
  readonly #options: MetricsReaderOptions;
  #parts: ReadingPart[] = [];
  /** Counts readings: a batch of an earlier one is outdated. */
  #reading = 0;
  #pointsUnderWay = 0;
  #cancelTimer: CancelTimer | undefined;
  #isClosed = false;

  constructor(options: MetricsReaderOptions) {
    this.#options = options;
    this.#arm();
  }

  /** Points held. */
  get size(): number {
    return this.#parts.reduce((sum, { points }) => sum + points, this.#pointsUnderWay);
  }

  /** Reads now. */
  flush(): void {
    const { read, record } = this.#options;
    const left = this.size - this.#pointsUnderWay;
    if (left > 0) record.dropped(left);
    this.#parts = [];
    this.#reading += 1;
    try {
      this.#parts = read();
    } catch (error) {
      // The registry keeps broken callbacks to itself; what is left is a metric we cannot say.
      record.failed(0, `Metrics could not be read: ${reasonOf(error)}`);
    }
  }

  /** Reads once more, for what was counted since the last time. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.flush();
  }

  next(): ExportBatch | undefined {
    this.#pointsUnderWay = 0;
    const reading = this.#reading;
    for (let part = this.#parts.shift(); part !== undefined; part = this.#parts.shift()) {
      const body = this.#encode(part);
      if (body === undefined) continue;
      this.#pointsUnderWay = part.points;
      return { body, items: part.points, isOutdated: () => this.#reading !== reading };
    }
    return undefined;
  }

  clear(): number {
    const { size } = this;
    this.#parts = [];
    this.#pointsUnderWay = 0;
    return size;
  }

  /** `undefined` when it cannot be said; its points are counted then. */
  #encode(part: ReadingPart): Uint8Array | undefined {
    try {
      return part.encode();
    } catch (error) {
      // Whoever made an exemplar that is none must not end the process.
      this.#options.record.failed(part.points, `Metrics cannot be encoded: ${reasonOf(error)}`);
      return undefined;
    }
  }

  #arm(): void {
    const { clock, intervalMs, prepare } = this.#options;
    this.#cancelTimer = clock.setTimer(intervalMs, () => {
      this.#arm();
      if (prepare === undefined) this.#readNow();
      else void prepare().then(() => this.#readNow());
    });
  }

  #readNow(): void {
    if (this.#isClosed) return; // while it was prepared: the last reading was made already
    this.flush();
    this.#options.onDue();
  }
}
