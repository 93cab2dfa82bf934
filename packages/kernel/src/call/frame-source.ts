/**
 * The handler of a stream while its frames are taken, one at a time.
 *
 * What it owns: the handler's iterator.
 * What may interrupt it: the call's end, at any moment: while a frame is awaited, while the
 * consumer holds one and asks for nothing, or while the handler cleans up.
 *
 * I1. The handler is asked for a frame only when the consumer asked for one.
 * I2. A handler that did not finish is told to stop, once; its `finally` runs.
 * I3. `onSettled` is called once, when the handler runs no more; never for one that hangs.
 */

import { kernelErrors } from "../errors/kernel-errors.ts";
import type { CallContext } from "./call.ts";
import { runHandler } from "./call.ts";
import type { Handler } from "./recorded-handler.ts";

export interface FrameSourceOptions {
  readonly call: CallContext;
  readonly handler: Handler;
  readonly onSettled: () => void;
}

export class FrameSource {
  readonly #options: FrameSourceOptions;
  #iterator: AsyncIterator<unknown> | undefined = undefined;
  #step: Promise<unknown> = Promise.resolve();
  #done = false;
  #closing: Promise<void> | undefined = undefined;

  constructor(options: FrameSourceOptions) {
    this.#options = options;
  }

  /** Calls the handler. */
  start(input: unknown): void {
    const { call, handler } = this.#options;
    const frames: unknown = runHandler(call, handler, input);
    if (!isAsyncIterable(frames)) {
      throw kernelErrors.INTERNAL(`The handler of ${call.operation} is not an async generator.`);
    }
    this.#iterator = this.#run(() => frames[Symbol.asyncIterator]());
  }

  /** The next frame, or the end. */
  next(): Promise<IteratorResult<unknown>> {
    const iterator = this.#iterator;
    if (iterator === undefined) return Promise.resolve({ done: true, value: undefined });
    const step = this.#ask(iterator).then(this.#came, this.#failed);
    this.#step = step;
    return step;
  }

  readonly #came = (result: IteratorResult<unknown>): IteratorResult<unknown> => {
    if (result.done === true) this.#done = true;
    return result;
  };

  readonly #failed = (error: unknown): never => {
    this.#done = true;
    throw error;
  };

  /** Not `Promise.try`: its promise comes two turns after the handler's, at every frame. */
  #ask(iterator: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
    try {
      return Promise.resolve(this.#run(() => iterator.next()));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** A step of the handler: within its call, and with nothing else of whoever takes the frames. */
  #run<R>(step: () => R): R {
    return runHandler(this.#options.call, step, undefined);
  }

  /** Stops the handler and waits until it runs no more. Safe to call twice. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const { call, onSettled } = this.#options;
    const iterator = this.#iterator;
    try {
      if (!this.#done && iterator !== undefined) {
        await this.#run(() => iterator.return?.());
      }
    } catch (error) {
      // Nobody waits for more frames, so nobody else can be told.
      call.log.warn("stream did not stop cleanly", { error });
    }
    // Its failure was told to whoever waited for the frame.
    await this.#step.catch(() => undefined);
    onSettled();
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
