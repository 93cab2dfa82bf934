/**
 * A stream operation that another node runs, for one consumer: nothing is sent before the first
 * frame is asked for.
 *
 * What it owns: the call on this side, its frames.
 * What may interrupt it: the call's deadline or abort, also while the consumer holds a frame; the
 * connection.
 *
 * R1. What had come before a failure is handed out before it.
 * R2. The call ends once: when the consumer has seen the end or the failure, or takes no more.
 */

import type { BanyanError } from "@banyan/kernel";
import { CallContext, toBanyanError } from "@banyan/kernel/internal";
import type { CallTarget } from "@banyan/kernel/internal";
import type { OnRemoteEnd, RemoteCallInit } from "./remote-call.ts";
import { RemoteFrames } from "./remote-frames.ts";
import type { Step } from "./remote-frames.ts";
import type { WireLink } from "./wire-link.ts";

export interface RemoteStreamInit extends RemoteCallInit {
  /** So many frames may come before they are asked for; 0: none. */
  readonly ahead: number;
  readonly onEnd?: OnRemoteEnd | undefined;
}

export class RemoteStream implements AsyncIterator<unknown, undefined, undefined> {
  readonly #target: CallTarget;
  readonly #init: RemoteStreamInit;
  readonly #frames: RemoteFrames;
  #call: CallContext | undefined = undefined;
  #isOver = false;

  constructor(link: WireLink, target: CallTarget, init: RemoteStreamInit) {
    this.#target = target;
    this.#init = init;
    this.#frames = new RemoteFrames(link, init.ahead, (failure) => this.#ended(failure));
  }

  next(): Promise<Step> {
    if (this.#call === undefined && !this.#isOver) {
      try {
        this.#start();
      } catch (error) {
        const failure = toBanyanError(error);
        this.#frames.close();
        this.#ended(failure);
        return Promise.reject(failure);
      }
    }
    return this.#frames.next();
  }

  return(): Promise<Step> {
    this.#frames.close();
    this.#ended(undefined);
    return Promise.resolve({ done: true, value: undefined });
  }

  /** @throws what keeps it from being sent */
  #start(): void {
    const { text, init, runtime } = this.#init;
    const call = new CallContext(this.#target, runtime, init);
    this.#call = call;
    call.open((error) => {
      runtime.observe(call, error);
      if (error !== undefined) this.#frames.interrupt(error);
    });
    if (call.abortReason !== undefined) throw call.abortReason;
    this.#frames.start({ operation: this.#target.name, call, text });
  }

  #ended(failure: BanyanError | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#init.onEnd?.(failure);
    this.#call?.end(failure, undefined);
  }
}
