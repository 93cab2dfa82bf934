/** A topic and the publishes that wait at it because a subscription is full. */

import type { WheelEntry } from "@banyan/kernel/internal";
import type { OutgoingMessage } from "./bus.ts";
import type { DeliveryQueue } from "./delivery-queue.ts";
import { Fifo } from "./fifo.ts";
import type { Timed } from "./held-delivery.ts";

/** A topic as publishes see it: who gets its messages, and who waits for room. */
export class Route {
  readonly topic: string;
  queues: readonly DeliveryQueue[];
  /**
   * Publishes that wait for room. One that ended inside stays until it comes up or until such are
   * the greater part: thousands that time out together must not each walk the queue. The first
   * one is always live.
   */
  readonly #waiting = new Fifo<WaitingPublish>();
  #ended = 0;

  constructor(topic: string, queues: readonly DeliveryQueue[]) {
    this.topic = topic;
    this.queues = queues;
  }

  /** The first queue without room. */
  get fullQueue(): DeliveryQueue | undefined {
    for (const queue of this.queues) if (!queue.hasRoom) return queue;
    return undefined;
  }

  /** The publish whose turn it is. */
  get nextWaiting(): WaitingPublish | undefined {
    return this.#waiting.peek();
  }

  /** A message may go in now: nobody waits before it, and all queues have room. */
  get isFree(): boolean {
    if (this.#waiting.size > 0) return false;
    for (const queue of this.queues) if (!queue.hasRoom) return false;
    return true;
  }

  wait(publish: WaitingPublish): void {
    this.#waiting.push(publish);
  }

  shiftWaiting(): WaitingPublish | undefined {
    const first = this.#waiting.shift();
    this.#dropEnded();
    return first;
  }

  /** One of those that wait has ended. */
  forgetOne(): void {
    this.#ended += 1;
    this.#dropEnded();
    if (this.#ended * 2 <= this.#waiting.size) return;
    this.#waiting.removeAll(({ isEnded }) => isEnded);
    this.#ended = 0;
  }

  #dropEnded(): void {
    while (this.#waiting.peek()?.isEnded === true) {
      this.#waiting.shift();
      this.#ended -= 1;
    }
  }
}

interface WaitingPublishInit {
  /** When what was taken before is safe. */
  readonly safe: readonly Promise<void>[];
  readonly deadlineMs: number;
  readonly onTimeout: () => void;
  /** Called once. */
  readonly onEnd: (error: unknown) => void;
}

/** A publish that found a full subscription. It waits at the topic of its next message. */
export class WaitingPublish implements Timed {
  readonly batch: readonly OutgoingMessage[];
  /** Messages taken in so far. */
  done: number;
  /** Where it waits now. */
  route: Route | undefined = undefined;
  deadlineMs: number;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;
  readonly #init: WaitingPublishInit;
  readonly #safe: Promise<void>[] = [];
  #isEnded = false;

  constructor(batch: readonly OutgoingMessage[], done: number, init: WaitingPublishInit) {
    this.batch = batch;
    this.done = done;
    this.deadlineMs = init.deadlineMs;
    this.#init = init;
    for (const each of init.safe) this.takeSafe(each);
  }

  get current(): OutgoingMessage | undefined {
    return this.batch[this.done];
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Some of its messages are taken and will be safe then. A refusal ends the wait. */
  takeSafe(safe: Promise<void>): void {
    this.#safe.push(safe);
    safe.catch((error: unknown) => this.fail(error));
  }

  /** Resolves when all that was taken is safe; rejects with the first refusal. */
  async allSafe(): Promise<void> {
    await Promise.all(this.#safe);
  }

  /** Calls when it is known of all that was taken whether it is safe. */
  whenSettled(then: () => void): void {
    if (this.#safe.length === 0) then();
    else void Promise.allSettled(this.#safe).then(then);
  }

  onDue(): void {
    this.#init.onTimeout();
  }

  succeed(): void {
    this.#end(undefined);
  }

  fail(error: unknown): void {
    this.#end(error);
  }

  #end(error: unknown): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#init.onEnd(error);
  }
}
