/**
 * One call of `publish`: its messages go out in their order, each when there is room for it, and
 * the call ends when all are confirmed or when it is clear how far it came.
 *
 * P1. What was accepted is a prefix: nothing behind a message that failed is sent any more, and
 *     what was sent before is waited for.
 */

import type { Clock } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { OutgoingMessage } from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { refusedAfter } from "@banyan/messaging/internal";
import type { Admission, Views, Waiting } from "./admission.ts";
import type { Outbound } from "./outbound.ts";
import type { Address, Parcel } from "./parcel.ts";

export interface PublishingPorts {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly outbound: Outbound;
  /** Makes the queues of these groups again, where they are not there. */
  readonly restore: (views: Views) => Promise<void>;
  /** It was accepted; nobody subscribes to it where the parcel was returned. */
  readonly confirmed: (message: OutgoingMessage, parcel: Parcel) => void;
  /** Of what was only enqueued: nobody else is told. */
  readonly enqueueFailed: (message: OutgoingMessage, error: Error) => void;
}

/** A message as it goes out. */
export interface Envelope extends Address, Pick<Parcel, "content" | "properties"> {
  readonly message: OutgoingMessage;
}

/** One of its messages on its way. */
interface Sending {
  readonly envelope: Envelope;
  readonly views: Views;
  readonly at: number;
  /** It was thrown away once: what becomes of it now is the answer. */
  readonly isAgain: boolean;
}

export interface PublishingTerms {
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  readonly mandatory: boolean;
  readonly enqueue: boolean;
}

export class Publishing implements Waiting {
  readonly #ports: PublishingPorts;
  readonly #envelopes: readonly Envelope[];
  readonly #deadlineMs: number;
  readonly #terms: PublishingTerms;
  readonly #parcels: Parcel[] = [];
  readonly #done = Promise.withResolvers<void>();
  #next = 0;
  #open = 0;
  #accepted = 0;
  #failure: Error | undefined = undefined;
  #isStopped = false;
  #cancelTimer: (() => void) | undefined = undefined;
  #unlisten: (() => void) | undefined = undefined;

  constructor(envelopes: readonly Envelope[], ports: PublishingPorts, terms: PublishingTerms) {
    const { timeoutMs, signal, enqueue } = terms;
    this.#envelopes = envelopes;
    this.#ports = ports;
    this.#terms = terms;
    this.#deadlineMs = enqueue ? Infinity : ports.clock.monotonicMs() + timeoutMs;
    if (signal !== undefined && !enqueue) this.#listen(signal);
  }

  get isEnded(): boolean {
    return this.#isStopped;
  }

  /** For room; not for the server. */
  get isWaiting(): boolean {
    return this.topic !== undefined;
  }

  get topic(): string | undefined {
    return this.#isStopped ? undefined : this.#envelopes[this.#next]?.message.topic;
  }

  run(): Promise<void> {
    this.goOn();
    return this.#done.promise;
  }

  /** Sends as many as there is room for. */
  goOn(): void {
    const { admission } = this.#ports;
    const { mandatory, enqueue } = this.#terms;
    for (let topic = this.topic; topic !== undefined; topic = this.topic) {
      // Whether anybody wants it is known when it is confirmed, and none behind it may go before.
      if (mandatory && !enqueue && this.#open > 0) return;
      const views = admission.take(topic);
      if (views === undefined) {
        if (enqueue) {
          this.#late();
          break;
        }
        this.#waitAt(topic);
        return;
      }
      this.goOne(views);
    }
    this.#settle();
  }

  goOne(views: Views): void {
    const { outbound } = this.#ports;
    const envelope = this.#envelopes[this.#next];
    if (envelope === undefined) {
      for (const view of views) view.refused();
      return;
    }
    const at = this.#next;
    this.#next += 1;
    const refusal = outbound.refusal;
    if (refusal !== undefined) {
      for (const view of views) view.refused();
      this.stop(refusal);
      return;
    }
    this.#open += 1;
    this.#send({ envelope, views, at, isAgain: false });
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

  #send(sending: Sending): void {
    const { envelope, views, at, isAgain } = sending;
    const { exchange, routingKey, content, properties, message } = envelope;
    const parcel = this.#ports.outbound.send({
      exchange,
      routingKey,
      content,
      properties,
      deadlineMs: this.#deadlineMs,
      onEnd: (error, ended) => {
        if (ended.isReturned && error === undefined && views.length > 0 && !isAgain) {
          void this.#sendAgain(sending, ended);
          return;
        }
        this.#left(views, error);
        this.#ended(message, ended, error);
      },
    });
    this.#parcels[at] = parcel;
  }

  /** Groups want it, and no queue did: one was deleted by hand. Nobody has it, so it goes again. */
  async #sendAgain(sending: Sending, thrownAway: Parcel): Promise<void> {
    thrownAway.isConfirmed = false;
    const { envelope, views } = sending;
    // It is in no row meanwhile, and a close waits for it all the same.
    const letGo = this.#ports.outbound.hold();
    try {
      await this.#ports.restore(views);
      this.#send({ ...sending, isAgain: true });
    } catch (cause) {
      const error = notRestored(cause);
      this.#left(views, error);
      this.#ended(envelope.message, thrownAway, error);
    } finally {
      letGo();
    }
  }

  #left(views: Views, error: Error | undefined): void {
    for (const view of views) {
      if (error === undefined) view.confirmed();
      else view.refused();
    }
  }

  #waitAt(topic: string): void {
    const { admission, clock } = this.#ports;
    this.#cancelTimer ??= clock.setTimer(this.#terms.timeoutMs, () => this.#late(), {
      keepAlive: true,
    });
    admission.wait(topic, this);
    if (this.#terms.timeoutMs <= 0) this.#late();
  }

  #late(): void {
    const { topic } = this;
    if (topic === undefined) return; // all are sent; each has its own deadline
    const full = this.#ports.admission.fullAt(topic);
    const { enqueue, timeoutMs } = this.#terms;
    const waited = enqueue
      ? "and an enqueue does not wait for room"
      : `and made no room within ${timeoutMs} ms`;
    this.stop(
      messagingErrors.MESSAGING_BUFFER_FULL(
        `Subscription "${full?.name ?? topic}" holds ${full?.bufferMax ?? 0} messages, as many as ` +
          `it may, ${waited}; publish slower, raise its concurrency, or start a member.`,
        { details: { subscription: full?.name ?? topic } },
      ),
    );
  }

  #ended(message: OutgoingMessage, parcel: Parcel, error: Error | undefined): void {
    this.#open -= 1;
    const failure = error ?? this.#unrouted(message, parcel);
    if (failure === undefined) this.#ports.confirmed(message, parcel);
    if (this.#terms.enqueue) {
      if (failure !== undefined) this.#ports.enqueueFailed(message, failure);
      return;
    }
    if (failure === undefined) {
      if (this.#terms.mandatory) this.goOn();
    } else {
      this.#failure ??= failure;
      this.#isStopped = true;
      // Those behind it, if they are still here, are not to be accepted without it.
      for (const other of this.#parcels) this.#ports.outbound.withdraw(other, failure);
    }
    this.#settle();
  }

  #settle(): void {
    const { enqueue, mandatory } = this.#terms;
    if (enqueue) this.#accepted = this.#parcels.length;
    for (
      let first = this.#parcels[this.#accepted];
      first?.isConfirmed === true && !(mandatory && first.isReturned);
      first = this.#parcels[this.#accepted]
    ) {
      this.#accepted += 1;
    }
    if ((this.#open > 0 && !enqueue) || (!this.#isStopped && this.#next < this.#envelopes.length))
      return;
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#unlisten?.();
    if (this.#failure === undefined) this.#done.resolve();
    else this.#done.reject(refusedAfter(this.#failure, this.#accepted));
  }

  #unrouted({ id, topic }: OutgoingMessage, { isReturned }: Parcel): Error | undefined {
    if (!this.#terms.mandatory || !isReturned) return undefined;
    return messagingErrors.MESSAGING_UNROUTED(
      `Nobody subscribes to ${topic}, and message ${id} was published as mandatory; nobody has it.`,
      { details: { topic, accepted: 0 } },
    );
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

function notRestored(cause: unknown): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    "RabbitMQ has no queue for the message, and none could be made; nobody has it.",
    { cause, details: { accepted: 0 } },
  );
}

export function withdrawn(signal: AbortSignal): Error {
  return kernelErrors.CALL_CANCELLED("The publish was withdrawn before RabbitMQ had it.", {
    cause: signal.reason,
    details: { accepted: 0 },
  });
}
