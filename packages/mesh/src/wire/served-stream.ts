/**
 * A stream that runs here for another node: its handler is asked for a frame when there is credit.
 *
 * What it owns: the handler's iterator. What may interrupt it: the consumer's end, the
 * connection's.
 *
 * S1. Never more frames than credit.
 * S2. `ended` is told once, unless the consumer ended it: then nobody is told.
 */

import type { CallInit } from "@banyan/kernel/internal";
import type { Endpoint } from "../mesh.ts";

export interface ServedStreamPorts {
  /** @throws what cannot be sent */
  item(value: unknown): void;
  ended(error: unknown): void;
}

export class ServedStream {
  readonly #iterator: AsyncIterator<unknown>;
  readonly #ports: ServedStreamPorts;
  #credit: number;
  /** A frame is awaited of the handler. */
  #isAsking = false;
  /** Nobody here asks for frames any more: it is over, or its consumer has gone. */
  #isStopped = false;

  constructor(
    endpoint: Endpoint,
    how: { readonly request: unknown; readonly init: CallInit; readonly credit: number },
    ports: ServedStreamPorts,
  ) {
    this.#iterator = endpoint.invokeStream(how.request, how.init)[Symbol.asyncIterator]();
    this.#credit = how.credit;
    this.#ports = ports;
  }

  get isAsking(): boolean {
    return this.#isAsking;
  }

  start(): void {
    this.#ask();
  }

  grant(frames: number): void {
    this.#credit += frames;
    this.#ask();
  }

  /** `early`: the consumer has enough; a handler that is not asked for a frame just ends. */
  stop(early: boolean): void {
    this.#isStopped = true;
    if (early) this.#leave();
  }

  /** Callbacks and no `await`: this is once for each frame. */
  #ask(): void {
    if (this.#isAsking || this.#isStopped || this.#credit === 0) return;
    this.#credit -= 1;
    this.#isAsking = true;
    this.#iterator.next().then(this.#came, this.#failed);
  }

  readonly #came = (step: IteratorResult<unknown>): void => {
    this.#isAsking = false;
    if (this.#isStopped) return;
    if (step.done === true) {
      this.#end(undefined);
      return;
    }
    try {
      this.#ports.item(step.value);
    } catch (error) {
      this.#leave();
      this.#end(error);
      return;
    }
    this.#ask();
  };

  readonly #failed = (error: unknown): void => {
    this.#isAsking = false;
    if (!this.#isStopped) this.#end(error);
  };

  #end(error: unknown): void {
    this.#isStopped = true;
    this.#ports.ended(error);
  }

  #leave(): void {
    void this.#iterator.return?.().then(undefined, () => undefined);
  }
}
