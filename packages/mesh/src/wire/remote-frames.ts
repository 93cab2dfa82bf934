/**
 * Frames of a stream as they come from another node, for one consumer.
 *
 * What it owns: frames that have come and were not asked for yet.
 *
 * C1. Frames that come without credit cost the other side its connection: they would be kept here.
 */

import type { BanyanError } from "@banyan/kernel";
import type { Awaiting, OutgoingCall } from "./made-calls.ts";
import type { WireLink } from "./wire-link.ts";

export type Step = IteratorResult<unknown, undefined>;

interface Waiter {
  resolve(step: Step): void;
  reject(error: BanyanError): void;
}

const over: Step = Object.freeze({ done: true, value: undefined });

export class RemoteFrames implements Awaiting {
  readonly #link: WireLink;
  readonly #ahead: number;
  /** Told when the consumer is handed the end, or the failure. */
  readonly #onEnd: (failure: BanyanError | undefined) => void;
  #arrived: unknown[] = [];
  /** Of `arrived` so many were handed out. */
  #handed = 0;
  /** So many may still come. */
  #credit = 0;
  /** Taken and not yet given as credit. */
  #taken = 0;
  /** Those who asked and were not answered, in their order. */
  readonly #waiters: Waiter[] = [];
  #number = 0;
  /** The other side gives no more. */
  #isDone = false;
  /** The consumer knows of the end. */
  #isOver = false;
  #failure: BanyanError | undefined = undefined;

  constructor(link: WireLink, ahead: number, onEnd: (failure: BanyanError | undefined) => void) {
    this.#link = link;
    this.#ahead = ahead;
    this.#onEnd = onEnd;
  }

  /** @throws before anything of it is sent */
  start(outgoing: Omit<OutgoingCall, "credit">): void {
    this.#credit = Math.max(1, this.#ahead);
    this.#number = this.#link.send({ ...outgoing, credit: this.#credit }, this);
    // The first frame is asked for with the request itself.
    this.#taken = this.#ahead === 0 ? -1 : 0;
  }

  next(): Promise<Step> {
    if (!this.#isDone) this.#ask();
    if (this.#handed < this.#arrived.length) {
      return Promise.resolve({ done: false, value: this.#shift() });
    }
    if (this.#isDone) return this.#end();
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
    });
  }

  answered(): void {
    this.ended();
  }

  /** @throws RangeError for one without credit */
  item(value: unknown): void {
    if (this.#credit === 0) throw new RangeError("a frame without credit");
    this.#credit -= 1;
    const waiter = this.#waiters.shift();
    if (waiter === undefined) this.#arrived.push(value);
    else waiter.resolve({ done: false, value });
  }

  ended(): void {
    this.#isDone = true;
    this.#answerWaiters();
  }

  failed(error: BanyanError): void {
    this.#isDone = true;
    this.#failure = error;
    this.#answerWaiters();
  }

  /** The call ended on this side, also while its consumer holds a frame. */
  interrupt(error: BanyanError): void {
    if (this.#isOver) return;
    if (!this.#isDone && this.#number !== 0) this.#link.giveUp(this.#number, false);
    this.#drop();
    this.failed(error);
  }

  /** The consumer takes no more. */
  close(): void {
    if (!this.#isDone && this.#number !== 0) this.#link.giveUp(this.#number, true);
    this.#isDone = true;
    this.#failure = undefined;
    this.#drop();
    this.#answerWaiters();
  }

  #shift(): unknown {
    const value = this.#arrived[this.#handed];
    this.#arrived[this.#handed] = undefined;
    this.#handed += 1;
    if (this.#handed === this.#arrived.length) this.#drop();
    return value;
  }

  #drop(): void {
    this.#arrived = [];
    this.#handed = 0;
  }

  /** The failure once, the end ever after. */
  #end(): Promise<Step> {
    const failure = this.#failure;
    this.#failure = undefined;
    this.#isOver = true;
    this.#onEnd(failure);
    return failure === undefined ? Promise.resolve(over) : Promise.reject(failure);
  }

  #answerWaiters(): void {
    for (const { resolve, reject } of this.#waiters.splice(0)) this.#end().then(resolve, reject);
  }

  /** Gives credit: for each frame when it is asked for, or for a quarter of the window at once. */
  #ask(): void {
    this.#taken += 1;
    const due = this.#ahead === 0 ? this.#taken > 0 : this.#taken * 4 >= this.#ahead;
    if (!due) return;
    this.#credit += this.#taken;
    this.#link.credit(this.#number, this.#taken);
    this.#taken = 0;
  }
}
