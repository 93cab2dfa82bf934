/** Frames of a stream as they come from another node, for one consumer. */

import type { BanyanError } from "@banyan/kernel";
import type { Awaiting, OutgoingCall } from "./made-calls.ts";
import type { WireLink } from "./wire-link.ts";

type Step = IteratorResult<unknown, undefined>;
interface Waiter {
  resolve(step: Step): void;
  reject(error: BanyanError): void;
}

export class RemoteFrames implements Awaiting {
  readonly #link: WireLink;
  readonly #ahead: number;
  readonly #arrived: unknown[] = [];
  /** Taken and not yet given as credit. */
  #taken = 0;
  #waiter: Waiter | undefined = undefined;
  #number = 0;
  #isDone = false;
  #failure: BanyanError | undefined = undefined;

  constructor(link: WireLink, ahead: number) {
    this.#link = link;
    this.#ahead = ahead;
  }

  /** @throws before anything of it is sent */
  start(outgoing: Omit<OutgoingCall, "credit">): void {
    this.#number = this.#link.send({ ...outgoing, credit: Math.max(1, this.#ahead) }, this);
    // The first frame is asked for with the request itself.
    this.#taken = this.#ahead === 0 ? -1 : 0;
  }

  /** One at a time. */
  next(): Promise<Step> {
    this.#ask();
    if (this.#arrived.length > 0) {
      return Promise.resolve({ done: false, value: this.#arrived.shift() });
    }
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isDone) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  answered(): void {
    this.ended();
  }

  item(value: unknown): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    if (waiter === undefined) this.#arrived.push(value);
    else waiter.resolve({ done: false, value });
  }

  ended(): void {
    this.#isDone = true;
    this.#waiter?.resolve({ done: true, value: undefined });
    this.#waiter = undefined;
  }

  failed(error: BanyanError): void {
    this.#isDone = true;
    this.#failure = error;
    this.#waiter?.reject(error);
    this.#waiter = undefined;
  }

  /** The call ended on this side, also while its consumer holds a frame. */
  interrupt(error: BanyanError): void {
    if (!this.#isDone) this.#link.giveUp(this.#number, false);
    this.#arrived.length = 0;
    this.failed(error);
  }

  /** The consumer takes no more. */
  close(): void {
    if (!this.#isDone && this.#number !== 0) this.#link.giveUp(this.#number, true);
    this.#isDone = true;
  }

  /** Gives credit: for each frame when it is asked for, or for a quarter of the window at once. */
  #ask(): void {
    if (this.#isDone) return;
    this.#taken += 1;
    const due = this.#ahead === 0 ? this.#taken > 0 : this.#taken * 4 >= this.#ahead;
    if (!due) return;
    this.#link.credit(this.#number, this.#taken);
    this.#taken = 0;
  }
}
