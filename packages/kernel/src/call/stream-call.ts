/**
 * A call of a stream operation that runs here, for one consumer. An object and no generator: each
 * generator on the way costs a frame several turns of the queue of microtasks.
 *
 * What it owns: the call, the question of its consumer that is not answered yet.
 * What may interrupt it: the call's end at any moment: by its deadline, its caller, its parent.
 *
 * I1. Nothing happens before the first frame is asked for.
 * I2. Whatever ends the call answers a consumer that waits: no handler can hold it.
 * I3. A failure is told once, to who waits or who asks next; ever after the stream is over.
 * I4. A consumer that stops early is an ending and no error, and waits for the handler's `finally`.
 *     One that stops while it waits for a frame waits no more: the handler's call is aborted.
 */

import type { BanyanError } from "../errors/banyan-error.ts";
import { crossingError, toBanyanError } from "../errors/banyan-error.ts";
import type { CallContext } from "./call.ts";
import type { FrameTaker } from "./frame-source.ts";
import { FrameSource } from "./frame-source.ts";
import type { Handler } from "./recorded-handler.ts";

type Step = IteratorResult<unknown, undefined>;

/** What the pipeline does for a call of a stream, in this order. */
export interface StreamStages {
  readonly handler: Handler;
  /** The call, not opened yet. @throws CALL_OPTIONS_INVALID */
  begin(): CallContext;
  /** `undefined`: nobody is to be asked. */
  authorize(call: CallContext): Promise<void> | undefined;
  /** What the handler is given. @throws why the request is refused */
  inputOf(call: CallContext): unknown;
  /** From now on it is counted. @throws CALL_LIMIT_REACHED, NODE_DRAINING */
  enter(call: CallContext): void;
  /** @throws RESPONSE_INVALID */
  frameOf(value: unknown): unknown;
  leave(call: CallContext): void;
  /** What its caller is told; logged where it is our fault. */
  failureOf(call: CallContext, error: unknown): BanyanError;
  /** Its caller is about to be told. */
  observe(call: CallContext, error: BanyanError | undefined): void;
  /** Why a call is aborted whose consumer has left. */
  left(): BanyanError;
}

/** Who is told what comes of a question. */
export interface FrameWaiter {
  came(frame: unknown): void;
  /** There are no more. */
  ended(failure: BanyanError | undefined): void;
}

const over: Step = Object.freeze({ done: true, value: undefined });

export class StreamCall implements AsyncIterableIterator<unknown, undefined>, FrameTaker {
  readonly #stages: StreamStages;
  #call: CallContext | undefined = undefined;
  #source: FrameSource | undefined = undefined;
  /** Who waits for a frame, or for the end. */
  #waiter: FrameWaiter | undefined = undefined;
  #isOver = false;
  /** The consumer has enough, and hears of no failure. */
  #isLeft = false;
  /** For who asks next. */
  #failure: BanyanError | undefined = undefined;
  /** Of a consumer that takes promises: the one it has, and what settles it. */
  #pending: Promise<Step> | undefined = undefined;
  /** Of those who asked while it was awaited, the last who has not had its turn. */
  #lastQueued: Promise<Step> | undefined = undefined;
  #resolve: ((step: Step) => void) | undefined = undefined;
  #reject: ((error: BanyanError) => void) | undefined = undefined;

  constructor(stages: StreamStages) {
    this.#stages = stages;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    const before = this.#lastQueued ?? this.#pending;
    return before === undefined ? this.#asked() : this.#queue(before);
  }

  #asked(): Promise<Step> {
    const asked = this.#promise();
    this.ask(this.#settling);
    return asked;
  }

  /**
   * `next` without a promise, which costs as much as the frame. For one who asks again only when it
   * was told, which may be at once.
   */
  ask(waiter: FrameWaiter): void {
    if (this.#isOver) {
      // The failure once, the end ever after.
      const failure = this.#failure;
      this.#failure = undefined;
      waiter.ended(failure);
      return;
    }
    this.#waiter = waiter;
    if (this.#source === undefined) this.#start();
    else this.#source.ask();
  }

  return(): Promise<Step> {
    const call = this.#call;
    const isFirst = !this.#isLeft;
    this.#isLeft = true;
    this.#isOver = true;
    this.#failure = undefined;
    if (call === undefined || call.ended) return Promise.resolve(over);
    if (this.#waiter !== undefined) {
      const pending = this.#pending ?? Promise.resolve(over);
      if (isFirst) call.abort(this.#stages.left());
      return pending;
    }
    const left = this.#promise();
    this.#waiter = this.#settling;
    this.#stop(call, undefined);
    return left;
  }

  came(frame: unknown): void {
    const call = this.#call;
    // Who waited for it has been told of the end.
    if (call === undefined || call.ended) return;
    let value: unknown;
    try {
      value = this.#stages.frameOf(frame);
    } catch (error) {
      // Its handler has not ended, and may hang in its `finally`: nobody waits for that (I2).
      call.end(this.#stages.failureOf(call, error), undefined);
      return;
    }
    const waiter = this.#waiter;
    this.#waiter = undefined;
    waiter?.came(value);
  }

  finished(): void {
    if (this.#call !== undefined) this.#stop(this.#call, undefined);
  }

  failed(error: unknown): void {
    const call = this.#call;
    if (call !== undefined) this.#stop(call, this.#stages.failureOf(call, error));
  }

  settled(): void {
    if (this.#call !== undefined) this.#stages.leave(this.#call);
  }

  /** For who asks while another one waits: in turn, also where that one was just answered. */
  #queue(before: Promise<Step>): Promise<Step> {
    const again = (): Promise<Step> => this.#asked();
    const asked = (): Promise<Step> => {
      if (this.#lastQueued === queued) this.#lastQueued = undefined;
      // Who leaves waits for the handler, and comes before this one.
      const left = this.#pending;
      return left === undefined ? this.#asked() : left.then(again, again);
    };
    const queued = before.then(asked, asked);
    this.#lastQueued = queued;
    return queued;
  }

  /** Made once, like `settling`: a closure for each frame is not free. */
  readonly #hold = (resolve: (step: Step) => void, reject: (error: BanyanError) => void): void => {
    this.#resolve = resolve;
    this.#reject = reject;
  };

  readonly #settling: FrameWaiter = {
    came: (value) => {
      this.#pending = undefined;
      this.#resolve?.({ done: false, value });
    },
    ended: (failure) => {
      this.#pending = undefined;
      if (failure === undefined) this.#resolve?.(over);
      else this.#reject?.(failure);
    },
  };

  #promise(): Promise<Step> {
    return (this.#pending = new Promise(this.#hold));
  }

  #start(): void {
    const stages = this.#stages;
    let call: CallContext;
    let authorized: Promise<void> | undefined;
    try {
      call = stages.begin();
      this.#call = call;
      if (!call.open((error) => this.#ended(call, error))) return;
      authorized = stages.authorize(call);
    } catch (error) {
      this.#tell(toBanyanError(error));
      return;
    }
    if (authorized === undefined) this.#run(call);
    else {
      authorized.then(
        () => this.#run(call),
        (error: unknown) => this.failed(error),
      );
    }
  }

  #run(call: CallContext): void {
    // Its caller may have gone away meanwhile.
    if (call.ended) return;
    const stages = this.#stages;
    try {
      const input = stages.inputOf(call);
      stages.enter(call);
      this.#source = new FrameSource(call, this);
      this.#source.start(stages.handler, input);
      this.#source.ask();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Ends the call when the handler runs no more; one that hangs is not waited for (I2). */
  #stop(call: CallContext, failure: BanyanError | undefined): void {
    if (this.#source === undefined) call.end(failure, undefined);
    else void this.#source.close().then(() => call.end(failure, undefined));
  }

  #ended(call: CallContext, error: BanyanError | undefined): void {
    // Also while the consumer holds a frame and asks for nothing.
    void this.#source?.close();
    this.#tell(error === undefined ? undefined : crossingError(error));
    this.#stages.observe(call, error);
  }

  #tell(failure: BanyanError | undefined): void {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#isOver = true;
    const told = this.#isLeft ? undefined : failure;
    if (waiter === undefined) this.#failure = told;
    else waiter.ended(told);
  }
}
