/**
 * The handler of a stream while its frames are taken, one at a time.
 *
 * What it owns: the handler's iterator.
 * What may interrupt it: the call's end, at any moment: while a frame is awaited, while the
 * consumer holds one and asks for nothing, or while the handler cleans up.
 *
 * I1. The handler is asked for a frame only when `ask` says so.
 * I2. A handler that did not finish is told to stop, once; its `finally` runs.
 * I3. `settled` is called once, when the handler runs no more; never for one that hangs.
 * I4. Callbacks and no promises: a promise for each frame costs as much as the frame.
 */

import { kernelErrors } from "../errors/kernel-errors.ts";
import type { CallContext } from "./call.ts";
import { runHandler } from "./call.ts";
import type { Handler } from "./recorded-handler.ts";

/** Who takes the frames. */
export interface FrameTaker {
  came(frame: unknown): void;
  /** The handler has no more. */
  finished(): void;
  failed(error: unknown): void;
  settled(): void;
}

export class FrameSource {
  readonly #call: CallContext;
  readonly #taker: FrameTaker;
  #iterator: AsyncIterator<unknown> | undefined = undefined;
  #isAsking = false;
  #isDone = false;
  #closing: Promise<void> | undefined = undefined;
  /** Told when the frame that is awaited has come. */
  #onIdle: (() => void) | undefined = undefined;

  constructor(call: CallContext, taker: FrameTaker) {
    this.#call = call;
    this.#taker = taker;
  }

  /** Calls the handler. @throws what it throws */
  start(handler: Handler, input: unknown): void {
    const frames: unknown = runHandler(this.#call, handler, input);
    if (!isAsyncIterable(frames)) {
      throw kernelErrors.INTERNAL(
        `The handler of ${this.#call.operation} is not an async generator.`,
      );
    }
    this.#iterator = this.#run(() => frames[Symbol.asyncIterator]());
  }

  /** Asks for the next frame; not before the one that was asked for has come. */
  ask(): void {
    this.#isAsking = true;
    let step: Promise<IteratorResult<unknown>>;
    try {
      // Not `Promise.try`: its promise comes two turns after the handler's, at every frame.
      step = Promise.resolve(this.#run(this.#next));
    } catch (error) {
      step = Promise.reject(error);
    }
    step.then(this.#came, this.#failed);
  }

  /** Stops the handler and waits until it runs no more. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  readonly #next = (): Promise<IteratorResult<unknown>> =>
    this.#iterator?.next() ?? Promise.resolve({ done: true, value: undefined });

  /** Not always what the type says: a handler may bring an iterator of its own. */
  readonly #came = (result: IteratorResult<unknown> | null | undefined): void => {
    if (typeof result !== "object" || result === null) {
      this.#failed(new TypeError("The iterator of a stream answered something that is no object."));
      return;
    }
    const isDone = result.done === true;
    this.#answered(isDone);
    if (isDone) this.#taker.finished();
    else this.#taker.came(result.value);
  };

  readonly #failed = (error: unknown): void => {
    this.#answered(true);
    this.#taker.failed(error);
  };

  #answered(isDone: boolean): void {
    this.#isAsking = false;
    if (isDone) this.#isDone = true;
    this.#onIdle?.();
  }

  /** A step of the handler: within its call, and with nothing else of whoever takes the frames. */
  #run<R>(step: () => R): R {
    return runHandler(this.#call, step, undefined);
  }

  async #close(): Promise<void> {
    const iterator = this.#iterator;
    try {
      if (!this.#isDone && iterator !== undefined) {
        await this.#run(() => iterator.return?.());
      }
    } catch (error) {
      // Nobody waits for more frames, so nobody else can be told.
      this.#call.log.warn("stream did not stop cleanly", { error });
    }
    if (this.#isAsking) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    this.#taker.settled();
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    Symbol.asyncIterator in value &&
    typeof value[Symbol.asyncIterator] === "function"
  );
}
