/** A topic of the memory bus: who gets its messages, and which publishes wait for room. */

import type { WheelEntry } from "@banyan/kernel/internal";
import type { Message } from "./bus.ts";
import type { DeliveryQueue, Timed } from "./delivery-queue.ts";
import { Fifo } from "./fifo.ts";

export class Topic {
  readonly name: string;
  readonly queues: DeliveryQueue[] = [];
  /**
   * Publishes that wait for room. One that ended inside stays until it comes up or until such are
   * the greater part: thousands that time out together must not each walk the queue. The first
   * one is always live.
   */
  readonly #waiting = new Fifo<WaitingPublish>();
  #ended = 0;

  constructor(name: string) {
    this.name = name;
  }

  get hasRoom(): boolean {
    for (const queue of this.queues) if (!queue.hasRoom) return false;
    return true;
  }

  accept(message: Message): void {
    for (const queue of this.queues) queue.accept(message);
  }

  /** The publish whose turn it is. */
  get nextWaiting(): WaitingPublish | undefined {
    return this.#waiting.peek();
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
  readonly deadlineMs: number;
  readonly onTimeout: () => void;
  /** Called once. */
  readonly onEnd: (error: Error | undefined) => void;
}

/** A publish that found a full subscription. It waits at the topic of its next message. */
export class WaitingPublish implements Timed {
  readonly batch: readonly Message[];
  /** Messages accepted so far. */
  done: number;
  deadlineMs: number;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;
  readonly #init: WaitingPublishInit;
  #isEnded = false;

  constructor(batch: readonly Message[], done: number, init: WaitingPublishInit) {
    this.batch = batch;
    this.done = done;
    this.deadlineMs = init.deadlineMs;
    this.#init = init;
  }

  get current(): Message | undefined {
    return this.batch[this.done];
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  get topicName(): string {
    return this.current?.topic ?? "";
  }

  onDue(): void {
    this.#init.onTimeout();
  }

  succeed(): void {
    this.#end(undefined);
  }

  fail(error: Error): void {
    this.#end(error);
  }

  #end(error: Error | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#init.onEnd(error);
  }
}
