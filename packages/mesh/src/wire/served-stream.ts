/**
 * A stream that runs here for another node: its handler is asked for a frame when there is credit.
 *
 * What it owns: the handler's iterator. What may interrupt it: the consumer's end, the
 * connection's.
 *
 * S1. Never more frames than credit, and none while one before it, or much else, still goes out.
 * S2. `ended` is told once, unless the consumer ended it: then nobody is told.
 */

import type { CallInit, FrameWaiter } from "@banyan/kernel/internal";
import { StreamCall } from "@banyan/kernel/internal";
import type { Endpoint } from "../mesh.ts";

export interface ServedStreamPorts {
  /** Whether it has gone out; if not, `sent` is called when it has. @throws what cannot be sent */
  item(value: unknown): boolean;
  ended(error: unknown): void;
}

export class ServedStream implements FrameWaiter {
  readonly #frames: AsyncIterator<unknown>;
  readonly #ports: ServedStreamPorts;
  #credit: number;
  #isAsking = false;
  /** A long frame is on its way out. */
  #isSending = false;
  /** Nobody here asks for frames any more: it is over, or its consumer has gone. */
  #isStopped = false;

  constructor(
    endpoint: Endpoint,
    how: { readonly request: unknown; readonly init: CallInit; readonly credit: number },
    ports: ServedStreamPorts,
  ) {
    this.#frames = endpoint.invokeStream(how.request, how.init)[Symbol.asyncIterator]();
    this.#credit = how.credit;
    this.#ports = ports;
  }

  start(): void {
    this.#ask();
  }

  grant(frames: number): void {
    this.#credit += frames;
    this.#ask();
  }

  /** Nobody takes frames any more: the handler ends. */
  stop(): void {
    this.#isStopped = true;
    this.#leave();
  }

  /** The frame that was going out has gone. */
  sent(): void {
    this.#isSending = false;
    this.#ask();
  }

  came(value: unknown): void {
    this.#isAsking = false;
    if (this.#isStopped) return;
    this.#isSending = true;
    try {
      // It may have gone, and `sent` been called, before this returns.
      if (this.#ports.item(value)) this.#isSending = false;
    } catch (error) {
      this.#leave();
      this.#end(error);
      return;
    }
    this.#ask();
  }

  ended(error: unknown): void {
    this.#isAsking = false;
    if (!this.#isStopped) this.#end(error);
  }

  #ask(): void {
    if (this.#isAsking || this.#isSending || this.#isStopped || this.#credit === 0) return;
    this.#credit -= 1;
    this.#isAsking = true;
    const frames = this.#frames;
    if (frames instanceof StreamCall) frames.ask(this);
    else this.#next(frames);
  }

  #next(frames: AsyncIterator<unknown>): void {
    frames.next().then(
      ({ done, value }) => (done === true ? this.ended(undefined) : this.came(value)),
      (error: unknown) => this.ended(error),
    );
  }

  #end(error: unknown): void {
    this.#isStopped = true;
    this.#ports.ended(error);
  }

  #leave(): void {
    void this.#frames.return?.().then(undefined, () => undefined);
  }
}
