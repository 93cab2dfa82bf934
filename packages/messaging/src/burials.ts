/**
 * How a queue gives messages up: the letter is made once, kept, and only then is the message
 * forgotten. A letter that cannot be kept is tried again; until then its message is held.
 *
 * What may interrupt it: the journal's answer, the end of the queue.
 */

import { backoffMs } from "@banyan/kernel";
import type { Random } from "@banyan/kernel";
import type { DeadLetter, DeadLetterReason } from "./bus.ts";
import { describeFailure } from "./failure.ts";
import type { HeldDelivery } from "./held-delivery.ts";
import type { ResolvedSubscribeSpec } from "./options.ts";

export interface Burial {
  readonly reason: DeadLetterReason;
  readonly error: unknown;
}

/** Where a message is in the journal. */
export interface JournalPlace {
  readonly group: number;
  readonly seq: number;
}

/** A message that its subscription gives up. */
export function newLetter(
  written: Pick<DeadLetter, "id" | "deadAtMs">,
  { name, delivery }: Pick<ResolvedSubscribeSpec, "name" | "delivery">,
  { held, reason, error }: Burial & { readonly held: HeldDelivery },
): DeadLetter {
  const { id, topic, timestampMs, body, headers, orderingKey } = held.message;
  return {
    ...written,
    subscription: name,
    delivery,
    message: { id, topic, timestampMs, body, headers, orderingKey },
    attempts: held.attempt,
    reason,
    error: describeFailure(error),
  };
}

/** What keeping letters takes of the bus. */
export interface BurialHost {
  readonly random: Random;
  /** `undefined`: it is kept. Otherwise it is once the promise resolved. */
  keepLetter(letter: DeadLetter, from: JournalPlace | undefined): Promise<void> | undefined;
}

/** And of the queue. */
export interface BurialQueue {
  readonly isEnded: boolean;
  placeOf(held: HeldDelivery): JournalPlace | undefined;
  /** It is safe among the dead. */
  buried(held: HeldDelivery): void;
  /** It was not kept; after this wait it is tried again. */
  unburied(held: HeldDelivery, waitMs: number, error: unknown): void;
}

/** Failures that are not a handler's wait this long, doubling. */
export const ownBackoff = { initialMs: 500, maxMs: 30_000 } as const;

export class Burials {
  readonly #host: BurialHost;
  readonly #queue: BurialQueue;
  #underWay = 0;

  constructor(host: BurialHost, queue: BurialQueue) {
    this.#host = host;
    this.#queue = queue;
  }

  /** Letters that are being written. */
  get underWay(): number {
    return this.#underWay;
  }

  bury(held: HeldDelivery, letter: DeadLetter): void {
    held.pending = { letter, failures: 0 };
    this.tryAgain(held);
  }

  tryAgain(held: HeldDelivery): void {
    const { pending } = held;
    if (pending === undefined) return;
    held.place = "burying";
    const kept = this.#host.keepLetter(pending.letter, this.#queue.placeOf(held));
    if (kept === undefined) {
      this.#queue.buried(held);
      return;
    }
    this.#underWay += 1;
    kept.then(
      () => {
        this.#underWay -= 1;
        if (!this.#queue.isEnded) this.#queue.buried(held);
      },
      (error: unknown) => {
        this.#underWay -= 1;
        if (this.#queue.isEnded) return;
        pending.failures += 1;
        const waitMs = backoffMs(pending.failures, this.#host.random, ownBackoff);
        this.#queue.unburied(held, waitMs, error);
      },
    );
  }
}
