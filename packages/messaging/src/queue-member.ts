/**
 * One live subscription: its handler, and the workers that run it.
 *
 * What it owns: its workers, each with the delivery it is busy with.
 * What may interrupt it: a handler's end, the end of a lease, the close of the subscription.
 *
 * M1. Never more than `concurrency` workers are busy, and none starts once the member is closing.
 * M2. A worker whose message was taken from it is told by the delivery's signal, ignores the late
 *     end of its handler, and is not used again.
 *
 * A message costs no closure and no timer: workers are reused and carry their two callbacks, the
 * lease is the held message's own place on the wheel, and a delivery makes its AbortController only
 * when somebody reads its signal.
 */

import type { Clock } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { CloseOptions, Delivery, DeliveryHandler, Message } from "./bus.ts";
import type { HeldDelivery } from "./held-delivery.ts";
import { copyJson } from "./json-value.ts";
import type { ResolvedSubscribeSpec } from "./options.ts";

export const drainDefaultMs = 10_000;

/** What a member needs of its queue. */
export interface MemberQueue {
  /** The handler has not ended yet; it is given this long. */
  lend(held: HeldDelivery, leaseMs: number): void;
  /** Puts on record that a message which an earlier run kept is delivered once more. */
  recordStart(held: HeldDelivery): Promise<void>;
  /** The handler of such a message has ended, or will not be heard any more. */
  ended(held: HeldDelivery): void;
  /** It could not be recorded, so its handler was not called. */
  notStarted(held: HeldDelivery, error: unknown): void;
  acknowledged(held: HeldDelivery): void;
  failed(held: HeldDelivery, error: unknown): void;
  unreadable(held: HeldDelivery, error: unknown): void;
  /** What a leaving member did not finish. */
  givenBack(given: readonly HeldDelivery[]): void;
  left(member: QueueMember): void;
}

interface QueueMemberInit {
  readonly spec: ResolvedSubscribeSpec;
  readonly handler: DeliveryHandler;
  readonly clock: Clock;
}

export class QueueMember {
  readonly queue: MemberQueue;
  readonly spec: ResolvedSubscribeSpec;
  readonly handler: DeliveryHandler;
  readonly #clock: Clock;
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  #isOpen = true;
  #closing: Promise<void> | undefined = undefined;
  /** Set while `close` waits for handlers: ends that wait. */
  #stopWaiting: (() => void) | undefined = undefined;

  constructor(queue: MemberQueue, { spec, handler, clock }: QueueMemberInit) {
    this.queue = queue;
    this.spec = spec;
    this.handler = handler;
    this.#clock = clock;
  }

  get isFree(): boolean {
    return this.#isOpen && this.#busy < this.spec.concurrency;
  }

  get #busy(): number {
    return this.#workers.length - this.#idle.length;
  }

  take(held: HeldDelivery): void {
    let worker = this.#idle.pop();
    if (worker === undefined) {
      worker = new Worker(this);
      this.#workers.push(worker);
    }
    worker.take(held);
  }

  /** The message as the handler gets it. @throws what `decode` throws */
  read(message: Message): Message {
    const { decode } = this.spec;
    const { id, topic, timestampMs, headers, orderingKey, priority } = message;
    const body = decode === undefined ? copyJson(message.body) : decode(message);
    const read = { id, topic, timestampMs, body, headers, orderingKey };
    return priority === undefined ? read : { ...read, priority };
  }

  /** A worker is through and can be used again. */
  freed(worker: Worker): void {
    this.#idle.push(worker);
    if (!this.#isOpen && this.#busy === 0) this.#stopWaiting?.();
  }

  /** A worker's handler overstayed: its place is free, the worker is not (M2). */
  lost(worker: Worker): void {
    const index = this.#workers.indexOf(worker);
    if (index !== -1) this.#workers.splice(index, 1);
    if (!this.#isOpen && this.#busy === 0) this.#stopWaiting?.();
  }

  /** A later call with less patience shortens the first one's wait. */
  close(options: CloseOptions = {}): Promise<void> {
    const { drainMs = drainDefaultMs } = options;
    this.#isOpen = false;
    if (drainMs <= 0) this.#stopWaiting?.();
    else if (this.#closing !== undefined) {
      this.#clock.setTimer(drainMs, () => this.#stopWaiting?.());
    }
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    if (this.#busy > 0 && drainMs > 0) await this.#drained(drainMs);
    const error = kernelErrors.CLOSED(
      `Subscription "${this.spec.name}" was closed before the handler finished.`,
    );
    const given: HeldDelivery[] = [];
    for (const worker of this.#workers) {
      const held = worker.abandon(error);
      if (held !== undefined) given.push(held);
    }
    this.#workers.length = 0;
    this.#idle.length = 0;
    this.queue.givenBack(given);
    this.queue.left(this);
  }

  #drained(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#clock.setTimer(drainMs, () => this.#stopWaiting?.(), {
        keepAlive: true,
      });
      this.#stopWaiting = () => {
        this.#stopWaiting = undefined;
        cancel();
        resolve();
      };
    });
  }
}

/** What can be told to stop. */
export interface Abortable {
  abort(reason: Error): void;
}

/** What a handler is given. Its signal is made when it is read; most handlers never do. */
export class LocalDelivery implements Delivery {
  readonly message: Message;
  readonly attempt: number;
  readonly subscription: string;
  #controller: AbortController | undefined = undefined;
  #reason: Error | undefined = undefined;
  #linked: Abortable | undefined = undefined;

  constructor(message: Message, attempt: number, subscription: string) {
    this.message = message;
    this.attempt = attempt;
    this.subscription = subscription;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Aborts the other with it, without a signal: for what has its own. One at most. */
  linkAbort(other: Abortable): void {
    this.#linked = other;
    if (this.#reason !== undefined) other.abort(this.#reason);
  }

  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#controller?.abort(reason);
    this.#linked?.abort(reason);
  }
}

/** Runs one handler at a time; reused, so that a message costs no closure. */
export class Worker {
  readonly #member: QueueMember;
  #held: HeldDelivery | undefined = undefined;
  #delivery: LocalDelivery | undefined = undefined;

  constructor(member: QueueMember) {
    this.#member = member;
  }

  take(held: HeldDelivery): void {
    this.#held = held;
    held.worker = this;
    held.attempt += 1;
    // What an earlier run kept may have killed it: that it is tried is on record first.
    if (held.lost === -1) this.#run(held);
    else void this.#recordAndRun(held);
  }

  /**
   * Takes the message away; the handler's end is ignored from now on (M2). Its signal tells it.
   */
  abandon(reason: Error): HeldDelivery | undefined {
    const held = this.#held;
    const delivery = this.#delivery;
    this.#forget();
    delivery?.abort(reason);
    return held;
  }

  /** The lease is over. */
  expire(reason: Error): void {
    this.#member.lost(this);
    this.abandon(reason);
  }

  async #recordAndRun(held: HeldDelivery): Promise<void> {
    const { queue } = this.#member;
    try {
      await queue.recordStart(held);
    } catch (error) {
      if (this.#held === held && this.#free()) queue.notStarted(held, error);
      return;
    }
    if (this.#held === held) this.#run(held);
  }

  #run(held: HeldDelivery): void {
    const member = this.#member;
    let message: Message;
    try {
      message = member.read(held.message);
    } catch (error) {
      if (this.#free()) member.queue.unreadable(held, error);
      return;
    }
    const delivery = new LocalDelivery(message, held.attempt, member.spec.name);
    this.#delivery = delivery;
    try {
      const answer = member.handler(delivery);
      if (isThenable(answer)) {
        member.queue.lend(held, member.spec.leaseMs);
        answer.then(this.#onDone, this.#onFailed);
        return;
      }
    } catch (error) {
      this.#onFailed(error);
      return;
    }
    this.#onDone();
  }

  readonly #onDone = (): void => {
    const held = this.#held;
    if (held !== undefined && this.#free()) this.#member.queue.acknowledged(held);
  };

  readonly #onFailed = (error: unknown): void => {
    const held = this.#held;
    if (held !== undefined && this.#free()) this.#member.queue.failed(held, error);
  };

  #free(): boolean {
    if (this.#held === undefined) return false;
    this.#forget();
    this.#member.freed(this);
    return true;
  }

  #forget(): void {
    const held = this.#held;
    this.#held = undefined;
    this.#delivery = undefined;
    if (held === undefined) return;
    held.worker = undefined;
    if (held.lost > 0) this.#member.queue.ended(held);
  }
}

/** An author without types can answer anything. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== "object" || value === null || !("then" in value)) return false;
  return typeof value.then === "function";
}
