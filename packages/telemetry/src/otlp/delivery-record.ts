/**
 * How the delivery of one signal goes: counts, the last success and failure, and the few log lines
 * about it.
 *
 * I1. A failure is told when it begins and when it is over, not for each request, and at most once
 *     in `tellEveryMs`; so are rejections, with their number since the last telling.
 * I2. No value of a header is in a reason, whoever put it there.
 */

import type { Clock, Log } from "@banyan/kernel";

/** How it stands: nothing was tried yet, the last try succeeded, the last try failed. */
export type OtlpState = "idle" | "ok" | "failing";

/** The same for both signals: of spans, of points. */
export interface DeliveryCounts {
  readonly state: OtlpState;
  /** Taken by the receiver. */
  readonly sent: number;
  /** There was no room for, or came after the end. */
  readonly dropped: number;
  /** Could not be delivered: refused as a whole, given up, unsent at the end. */
  readonly failed: number;
  /** Refused one by one by a receiver that took the rest. */
  readonly rejected: number;
  /** Wall clock. */
  readonly lastSuccessAtMs: number | undefined;
  readonly lastFailureAtMs: number | undefined;
  readonly lastError: string | undefined;
}

export interface DeliveryRecordOptions {
  /** Where to, without anything secret. */
  readonly endpoint: string;
  /** Values that must not be told. */
  readonly secrets: readonly string[];
  readonly clock: Clock;
  /** Names the signal. */
  readonly log: Log;
}

const tellEveryMs = 60_000;
const reasonMax = 300; // characters; a page of HTML is no reason

export class DeliveryRecord {
  readonly #options: DeliveryRecordOptions;
  #state: OtlpState = "idle";
  #sent = 0;
  #dropped = 0;
  #failed = 0;
  #rejected = 0;
  #lastSuccessAtMs: number | undefined;
  #lastFailureAtMs: number | undefined;
  #lastError: string | undefined;
  /** Monotonic. Set while a failure is told and not over. */
  #failingSinceMs: number | undefined;
  #toldFailureAtMs = -Infinity;
  #toldRejectionAtMs = -Infinity;
  #rejectedUntold = 0;

  constructor(options: DeliveryRecordOptions) {
    this.#options = options;
  }

  get counts(): DeliveryCounts {
    return {
      state: this.#state,
      sent: this.#sent,
      dropped: this.#dropped,
      failed: this.#failed,
      rejected: this.#rejected,
      lastSuccessAtMs: this.#lastSuccessAtMs,
      lastFailureAtMs: this.#lastFailureAtMs,
      lastError: this.#lastError,
    };
  }

  get state(): OtlpState {
    return this.#state;
  }

  /** @param message of the receiver: why it rejected some, or a warning */
  accepted(count: number, rejected: number, message: string): void {
    const { clock, log, endpoint } = this.#options;
    const known = Math.min(rejected, count);
    this.#sent += count - known;
    this.#rejected += known;
    this.#state = "ok";
    this.#lastSuccessAtMs = clock.nowMs();
    if (this.#failingSinceMs !== undefined) {
      const failedForMs = Math.round(clock.monotonicMs() - this.#failingSinceMs);
      this.#failingSinceMs = undefined;
      const { dropped, failed } = this.counts;
      log.info("OTLP export works again", { endpoint, failedForMs, dropped, failed });
    }
    if (known > 0 || message !== "") this.#tellRejected(known, message);
  }

  /** The receiver refused it, or it was given up. */
  failed(count: number, reason: string): void {
    this.#failed += count;
    this.attemptFailed(reason);
  }

  /** It failed and will be tried again. */
  attemptFailed(reason: string): void {
    const { clock, log, endpoint } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#state = "failing";
    this.#lastFailureAtMs = clock.nowMs();
    this.#lastError = this.#clean(reason);
    if (this.#failingSinceMs !== undefined || nowMs - this.#toldFailureAtMs < tellEveryMs) return;
    this.#failingSinceMs = nowMs;
    this.#toldFailureAtMs = nowMs;
    log.warn("OTLP export fails", { endpoint, error: this.#lastError });
  }

  dropped(count: number): void {
    this.#dropped += count;
  }

  /** What was left when the exporter closed. */
  leftBehind(count: number): void {
    if (count === 0) return;
    this.#failed += count;
    const { log, endpoint } = this.#options;
    log.warn("OTLP exporter closed before all was sent", { endpoint, count });
  }

  #tellRejected(rejected: number, message: string): void {
    const { clock, log, endpoint } = this.#options;
    this.#rejectedUntold += rejected;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#toldRejectionAtMs < tellEveryMs) return;
    this.#toldRejectionAtMs = nowMs;
    const fields = { endpoint, rejected: this.#rejectedUntold, says: this.#clean(message) };
    this.#rejectedUntold = 0;
    const what = fields.rejected > 0 ? "OTLP receiver rejects a part" : "OTLP receiver warns";
    log.warn(what, fields);
  }

  /** I2. */
  #clean(reason: string): string {
    let text = reason;
    for (const secret of this.#options.secrets) text = text.replaceAll(secret, "[secret]");
    return text.length <= reasonMax ? text : `${text.slice(0, reasonMax)}…`;
  }
}

const secretMin = 6; // characters; less is a flag or a number, and would blank out half a sentence

/** The values of headers, and the words in them: `Bearer x` is two, the second is the secret. */
export function secretsOf(headers: Readonly<Record<string, string>>): string[] {
  const words = Object.values(headers).flatMap((value) => [value, ...value.split(/[\s,;]+/)]);
  return [...new Set(words)]
    .filter((word) => word.length >= secretMin)
    .sort((a, b) => b.length - a.length);
}
