/**
 * One call of `publish`: its messages go out in their order, each when there is room for it, and the
 * call ends when all are confirmed or when it is clear how far it came.
 *
 * P1. What was accepted is a prefix: nothing behind a message that failed is sent any more, and what
 *     was sent before is waited for.
 */

import type { Clock } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { OutgoingMessage } from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { refusedAfter } from "@banyan/messaging/internal";
import type { Admission, Waiting } from "./admission.ts";
import type { Address, Outbound, Parcel } from "./outbound.ts";

export interface PublishingPorts {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly outbound: Outbound;
  readonly addressOf: (message: OutgoingMessage) => Address;
  readonly encode: (message: OutgoingMessage) => Pick<Parcel, "content" | "properties">;
  readonly confirmed: (message: OutgoingMessage, parcel: Parcel) => void;
}

export class Publishing implements Waiting {
  readonly #ports: PublishingPorts;
  readonly #messages: readonly OutgoingMessage[];
  readonly #deadlineMs: number;
  readonly #timeoutMs: number;
  readonly #parcels: Parcel[] = [];
  readonly #done = Promise.withResolvers<void>();
  #next = 0;
  #open = 0;
  #accepted = 0;
  #failure: Error | undefined = undefined;
  #isStopped = false;
  #cancelTimer: (() => void) | undefined = undefined;
  #unlisten: (() => void) | undefined = undefined;

  constructor(
    messages: readonly OutgoingMessage[],
    ports: PublishingPorts,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
  ) {
    this.#messages = messages;
    this.#ports = ports;
    this.#timeoutMs = timeoutMs;
    this.#deadlineMs = ports.clock.monotonicMs() + timeoutMs;
    if (signal !== undefined) this.#listen(signal);
  }

  get isEnded(): boolean {
    return this.#isStopped;
  }

  /** For room; not for the server. */
  get isWaiting(): boolean {
    return this.topic !== undefined;
  }

  get topic(): string | undefined {
    return this.#isStopped ? undefined : this.#messages[this.#next]?.topic;
  }

  run(): Promise<void> {
    this.goOn();
    return this.#done.promise;
  }

  /** Sends as many as there is room for. */
  goOn(): void {
    const { admission } = this.#ports;
    for (let topic = this.topic; topic !== undefined; topic = this.topic) {
      if (!admission.take(topic)) {
        this.#waitAt(topic);
        return;
      }
      this.goOne();
    }
    this.#settle();
  }

  goOne(): void {
    const { outbound, addressOf, encode } = this.#ports;
    const message = this.#messages[this.#next];
    if (message === undefined) return;
    this.#next += 1;
    const refusal = outbound.refusal;
    if (refusal !== undefined) {
      this.stop(refusal);
      return;
    }
    this.#open += 1;
    const parcel = outbound.send({
      ...addressOf(message),
      ...encode(message),
      deadlineMs: this.#deadlineMs,
      onEnd: (error, ended) => this.#ended(message, ended, error),
    });
    this.#parcels.push(parcel);
  }

  /** Sends no more; ends when what was sent has ended. */
  stop(error: Error): void {
    if (this.#isStopped) return;
    const { topic } = this;
    this.#failure ??= error;
    this.#isStopped = true;
    if (topic !== undefined) this.#ports.admission.left(topic);
    this.#settle();
  }

  #waitAt(topic: string): void {
    const { admission, clock } = this.#ports;
    this.#cancelTimer ??= clock.setTimer(this.#timeoutMs, () => this.#late(), { keepAlive: true });
    admission.wait(topic, this);
    if (this.#timeoutMs <= 0) this.#late();
  }

  #late(): void {
    const { topic } = this;
    if (topic === undefined) return; // all are sent; each has its own deadline
    const full = this.#ports.admission.fullAt(topic);
    this.stop(
      messagingErrors.MESSAGING_BUFFER_FULL(
        `Subscription "${full?.name ?? topic}" holds ${full?.bufferMax ?? 0} messages, as many as ` +
          `it may, and made no room within ${this.#timeoutMs} ms; publish slower, raise its ` +
          "concurrency, or start a member.",
        { details: { subscription: full?.name ?? topic } },
      ),
    );
  }

  #ended(message: OutgoingMessage, parcel: Parcel, error: Error | undefined): void {
    this.#open -= 1;
    if (error === undefined) this.#ports.confirmed(message, parcel);
    else {
      this.#failure ??= error;
      this.#isStopped = true;
      // Those behind it, if they are still here, are not to be accepted without it.
      for (const other of this.#parcels) this.#ports.outbound.withdraw(other, error);
    }
    this.#settle();
  }

  #settle(): void {
    while (this.#parcels[this.#accepted]?.isConfirmed === true) this.#accepted += 1;
    if (this.#open > 0 || (!this.#isStopped && this.#next < this.#messages.length)) return;
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#unlisten?.();
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(refusedAfter(this.#failure, this.#accepted));
  }

  #listen(signal: AbortSignal): void {
    const onAbort = (): void => {
      const error = withdrawn(signal);
      for (const parcel of this.#parcels) this.#ports.outbound.withdraw(parcel, error);
      this.stop(error);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#unlisten = () => signal.removeEventListener("abort", onAbort);
  }
}

export function withdrawn(signal: AbortSignal): Error {
  return kernelErrors.CALL_CANCELLED("The publish was withdrawn before RabbitMQ had it.", {
    cause: signal.reason,
    details: { accepted: 0 },
  });
}
