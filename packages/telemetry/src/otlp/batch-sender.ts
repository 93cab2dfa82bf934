/**
 * Sends batches of one signal, one after the other, and tries again what may yet succeed.
 *
 * What it owns: the batch under way, its request, and the wait before it is tried again.
 * What may interrupt it: the answer, the time limit, `flush` (cuts a wait short that nobody asked
 * for), `close` and its end.
 *
 * I1. One request is in flight, or one wait, or nothing. A batch is never sent beside another.
 * I2. Only what may succeed is sent again: as often as fits into `giveUpAfterMs`, then it is given
 *     up, so that a batch that a receiver can never digest does not hold the others for good.
 * I3. A wait that the receiver asked for is kept, up to `askedMaxMs`; others grow and are spread.
 * I4. Nothing is encoded, compressed or sent in the turn of whoever starts it.
 * I5. Every item of a batch is counted once: sent, rejected or failed. After the end only `close`
 *     counts.
 */

import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { backoffMs } from "@banyan/kernel";
import type { Clock, Random } from "@banyan/kernel";
import type { DeliveryRecord } from "./delivery-record.ts";
import type { ExportAnswer } from "./export-answer.ts";
import type { OtlpSignal } from "./otlp-target.ts";
import type { Transport } from "./transport.ts";
import { reasonOf } from "./transport.ts";

/** What one request carries. */
export interface ExportBatch {
  /** Encoded, not compressed. */
  readonly body: Uint8Array;
  /** Spans or points in it. */
  readonly items: number;
  /** Newer data say the same; trying again is not worth it. */
  isOutdated(): boolean;
}

/** Where batches come from. */
export interface BatchSource {
  /** The next one that is due; `undefined` for none. The one before is done with. Never throws. */
  next(): ExportBatch | undefined;
  /** Forgets what it holds and what is not done with; answers how many items. */
  clear(): number;
}

export interface BatchSenderOptions {
  readonly signal: OtlpSignal;
  readonly source: BatchSource;
  readonly transport: Transport;
  readonly record: DeliveryRecord;
  readonly isGzip: boolean;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

type SenderState =
  | { readonly kind: "idle" }
  | { readonly kind: "sending"; readonly abort: AbortController }
  | {
      readonly kind: "waiting";
      readonly isAsked: boolean;
      /** Monotonic. */
      readonly untilMs: number;
      readonly wake: () => void;
    }
  | { readonly kind: "closed" };

/** The way to the end: what is left is sent. */
interface Closing {
  /** Monotonic. */
  readonly deadlineMs: number;
  /** It worked until now, so that a failure is worth another try. */
  readonly isPatient: boolean;
}

const backoff = { initialMs: 1000, maxMs: 30_000 }; // as the collector's own exporters
const giveUpAfterMs = 300_000; // as the collector's own exporters
const askedMaxMs = 300_000; // a receiver that wants more is as good as gone
const holdMs = 2 ** 31 - 1;

const compress = promisify(gzip);

export class BatchSender {
  readonly #options: BatchSenderOptions;
  #state: SenderState = { kind: "idle" };
  /** Tries that failed since the last that did not. */
  #failures = 0;
  #closing: Closing | undefined;
  /** Those who wait until nothing is due or a try failed. */
  readonly #waiters: (() => void)[] = [];
  readonly #ended = Promise.withResolvers<void>();

  constructor(options: BatchSenderOptions) {
    this.#options = options;
  }

  /** Something is due. */
  start(): void {
    if (this.#state.kind === "idle") void this.#run();
  }

  /**
   * Resolves when nothing is due any more or a try failed; at once while a wait is on that the
   * receiver asked for. Keeps the process alive that long.
   */
  async flush(): Promise<void> {
    this.start();
    const state = this.#state;
    if (state.kind === "closed" || (state.kind === "waiting" && state.isAsked)) return;
    const release = this.#options.clock.setTimer(holdMs, () => undefined, { keepAlive: true });
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve);
      if (state.kind === "waiting") state.wake();
    });
    release();
  }

  /** Sends what is due until then; what is left after that is counted as failed. */
  async close(deadlineMs: number): Promise<void> {
    const { clock, source, record } = this.#options;
    this.#closing = { deadlineMs, isPatient: record.state !== "failing" };
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
    const cancel = clock.setTimer(leftMs, () => this.#end(), { keepAlive: true });
    this.start();
    const state = this.#state;
    if (state.kind === "waiting") {
      if (!state.isAsked) state.wake();
      else if (state.untilMs >= deadlineMs) this.#end();
    }
    await this.#ended.promise;
    cancel();
    record.leftBehind(source.clear());
  }

  async #run(): Promise<void> {
    const { source, record } = this.#options;
    this.#state = { kind: "sending", abort: new AbortController() };
    await nextTurn(); // I4
    while (!this.#isClosed()) {
      const batch = source.next();
      if (batch === undefined) break;
      try {
        await this.#deliver(batch);
      } catch (error) {
        // Neither the transport nor the record throws: it could not be compressed.
        record.failed(batch.items, reasonOf(error));
      }
    }
    if (this.#closing !== undefined) this.#end();
    else this.#state = { kind: "idle" };
    this.#settle();
  }

  async #deliver(batch: ExportBatch): Promise<void> {
    const { clock, record, isGzip } = this.#options;
    const body = isGzip ? await compress(batch.body) : batch.body;
    const sinceMs = clock.monotonicMs();
    while (!this.#isClosed()) {
      const answer = await this.#send(body);
      if (this.#isClosed()) return;
      if (answer.kind !== "again") {
        this.#failures = 0;
        if (answer.kind === "refused") record.failed(batch.items, answer.reason);
        else record.accepted(batch.items, answer.rejected, answer.message);
        return;
      }
      this.#failures += 1;
      record.attemptFailed(answer.reason);
      this.#settle();
      await this.#waitAfter(answer.afterMs);
      if (this.#isClosed()) return;
      // I2
      if (batch.isOutdated() || clock.monotonicMs() - sinceMs >= giveUpAfterMs) {
        record.failed(batch.items, answer.reason);
        return;
      }
    }
  }

  async #send(body: Uint8Array): Promise<ExportAnswer> {
    const { transport, signal, clock, timeoutMs } = this.#options;
    const abort = new AbortController();
    this.#state = { kind: "sending", abort };
    const expired = new Error(`No answer came within ${timeoutMs} ms.`);
    const cancel = clock.setTimer(timeoutMs, () => abort.abort(expired));
    const answer = await transport.send({ signal, body }, abort.signal);
    cancel();
    return answer;
  }

  /** I3. While closing, only a wait that is worth it and ends in time; else it is the end. */
  async #waitAfter(askedMs: number | undefined): Promise<void> {
    const { clock, random } = this.#options;
    const isAsked = askedMs !== undefined;
    // Grows also where the receiver asks for no time at all.
    const ownMs = backoffMs(this.#failures, random, backoff);
    const waitMs = Math.max(Math.min(askedMs ?? 0, askedMaxMs), ownMs);
    const untilMs = clock.monotonicMs() + waitMs;
    if (this.#closing !== undefined) {
      const { deadlineMs, isPatient } = this.#closing;
      if (untilMs >= deadlineMs || !(isPatient || isAsked)) {
        this.#end();
        return;
      }
    }
    await new Promise<void>((resolve) => {
      const cancel = clock.setTimer(waitMs, resolve);
      const wake = (): void => {
        cancel();
        resolve();
      };
      this.#state = { kind: "waiting", isAsked, untilMs, wake };
    });
  }

  #end(): void {
    const state = this.#state;
    this.#state = { kind: "closed" };
    if (state.kind === "sending") state.abort.abort(new Error("The exporter was closed."));
    if (state.kind === "waiting") state.wake();
    this.#settle();
    this.#ended.resolve();
  }

  /** A function, because the state changes during every `await`. */
  #isClosed(): boolean {
    return this.#state.kind === "closed";
  }

  #settle(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
