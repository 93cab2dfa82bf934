/**
 * Puts on record that a message which an earlier run kept is delivered once more, before its
 * handler is called: so a message that kills its process is found out.
 *
 * S1. A message that was never heard of again once (`lost` > 0) is suspect: suspects are recorded
 *     and handled one at a time, so that the next death is the fault of one. The others are
 *     recorded some ahead, as one write of the journal's, so that a long queue does not wait for
 *     the disk at every message.
 * S2. What was recorded ahead and did not start when the queue ends is taken back.
 */

import { Fifo } from "./fifo.ts";
import type { HeldDelivery } from "./held-delivery.ts";
import type { JournalWindow } from "./journal-window.ts";

const aheadMax = 64;

export class StartRecords {
  readonly #window: JournalWindow;
  readonly #buffer: Fifo<HeldDelivery>;
  /** The one that is being recorded or handled. */
  #suspect: HeldDelivery | undefined = undefined;
  readonly #others = new Fifo<() => void>();

  constructor(window: JournalWindow, buffer: Fifo<HeldDelivery>) {
    this.#window = window;
    this.#buffer = buffer;
  }

  /** Resolves when it is on record. */
  async record(held: HeldDelivery): Promise<void> {
    if (held.lost > 0) return this.#recordSuspect(held);
    held.record ??= this.#recordAhead(held);
    try {
      await held.record;
    } finally {
      held.record = undefined;
    }
  }

  /** It was handled, or taken away. */
  ended(held: HeldDelivery): void {
    if (this.#suspect !== held) return;
    this.#suspect = undefined;
    this.#others.shift()?.();
  }

  /** The message was given back or will not start. */
  takeBack(held: HeldDelivery): Promise<void> {
    held.record = undefined;
    return this.#window.record(held, { begun: 0, retryAtMs: undefined });
  }

  /** Those that were recorded ahead and are still in the buffer (S2). */
  ahead(): readonly HeldDelivery[] {
    const found: HeldDelivery[] = [];
    for (let place = 0; place < this.#buffer.size; place += 1) {
      const held = this.#buffer.at(place);
      if (held?.record !== undefined) found.push(held);
    }
    return found;
  }

  async #recordSuspect(held: HeldDelivery): Promise<void> {
    const { worker } = held;
    while (this.#suspect !== undefined) {
      await new Promise<void>((resolve) => this.#others.push(resolve));
      // Taken away meanwhile: it is the next one's turn.
      if (held.worker !== worker) return this.#others.shift()?.();
    }
    this.#suspect = held;
    return this.#begin(held);
  }

  #recordAhead(first: HeldDelivery): Promise<void> {
    const begun = this.#begin(first); // before the others, so that it starts before them
    for (let place = 0; place < aheadMax; place += 1) {
      const held = this.#buffer.at(place);
      if (held === undefined) break;
      if (held.lost !== 0 || held.record !== undefined) continue;
      held.record = this.#begin(held);
      // Whoever starts it looks at the failure; until then it is nobody's crash.
      held.record.catch(() => undefined);
    }
    return begun;
  }

  #begin(held: HeldDelivery): Promise<void> {
    return this.#window.record(held, { begun: 1, retryAtMs: undefined });
  }
}
