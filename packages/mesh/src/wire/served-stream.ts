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
  isAsking = false;
  #isStopped = false;
  #wake: (() => void) | undefined = undefined;

  constructor(
    endpoint: Endpoint,
    how: { readonly request: unknown; readonly init: CallInit; readonly credit: number },
    ports: ServedStreamPorts,
  ) {
    this.#iterator = endpoint.invokeStream(how.request, how.init)[Symbol.asyncIterator]();
    this.#credit = how.credit;
    this.#ports = ports;
  }

  start(): void {
    void this.#run();
  }

  grant(frames: number): void {
    this.#credit += frames;
    this.#wake?.();
  }

  /** `early`: the consumer has enough; a handler that is not asked for a frame just ends. */
  stop(early: boolean): void {
    this.#isStopped = true;
    if (early) void this.#iterator.return?.().then(undefined, () => undefined);
    this.#wake?.();
  }

  async #run(): Promise<void> {
    let failure: unknown;
    try {
      for (;;) {
        while (this.#credit === 0 && !this.#isStopped) await this.#granted();
        if (this.#isStopped) break;
        this.#credit -= 1;
        this.isAsking = true;
        const step = await this.#iterator.next();
        this.isAsking = false;
        if (step.done === true || this.#isStopped) break;
        this.#ports.item(step.value);
      }
    } catch (error) {
      failure = error;
      await this.#iterator.return?.().then(undefined, () => undefined);
    }
    if (!this.#isStopped) this.#ports.ended(failure);
  }

  async #granted(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }
}
