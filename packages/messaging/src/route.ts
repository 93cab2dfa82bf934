/** A topic and the publishes that wait at it because a subscription is full. */

import type { WheelEntry } from "@banyan/kernel/internal";
import type { OutgoingMessage } from "./bus.ts";
import type { DeliveryQueue } from "./delivery-queue.ts";
import { Fifo } from "./fifo.ts";
import type { Timed } from "./held-delivery.ts";
import type { PublishParts } from "./publish-parts.ts";

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

/** The error of a wait that ended early, of whose messages so many were accepted. */
export type WaitEnding = (accepted: number) => Error;

interface WaitingPublishInit {
  readonly deadlineMs: number;
  /** What goes to nobody is refused. */
  readonly mandatory: boolean;
  readonly onTimeout: () => void;
  /** Called once; `undefined`: nothing is waited for any more but what becomes of the parts. */
  readonly onEnd: (ending: WaitEnding | undefined) => void;
}

/** A publish that found a full subscription. It waits at the topic of its next message. */
export class WaitingPublish implements Timed {
  readonly batch: readonly OutgoingMessage[];
  /** Messages taken in so far. */
  done: number;
  /** What becomes of them. A refusal ends the wait. */
  readonly parts: PublishParts;
  /** Where it waits now. */
  route: Route | undefined = undefined;
  deadlineMs: number;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;
  readonly #init: WaitingPublishInit;
  #isEnded = false;

  constructor(batch: readonly OutgoingMessage[], { done, parts }: Taken, init: WaitingPublishInit) {
    this.batch = batch;
    this.done = done;
    this.parts = parts;
    this.deadlineMs = init.deadlineMs;
    this.#init = init;
    parts.onRefused = () => this.#end(undefined);
  }

  get current(): OutgoingMessage | undefined {
    return this.batch[this.done];
  }

  get mandatory(): boolean {
    return this.#init.mandatory;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  onDue(): void {
    this.#init.onTimeout();
  }

  /** All of it is taken in. */
  succeed(): void {
    this.#end(undefined);
  }

  fail(ending: WaitEnding): void {
    this.#end(ending);
  }

  #end(ending: WaitEnding | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#init.onEnd(ending);
  }
}

/** How far a batch was taken in, and what becomes of that. */
export interface Taken {
  readonly done: number;
  readonly parts: PublishParts;
}
