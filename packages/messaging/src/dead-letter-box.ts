/**
 * Dead letters in memory.
 *
 * I1. At most `max` are kept; the oldest goes first, and that is logged and counted.
 * I2. Ids ascend, so the order of the map is the order of the pages.
 */

import type { Log } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { JournalPlace } from "./burials.ts";
import type { DeadLetter, DeadLetterPage, DeadLetterQuery, DeadLetters } from "./bus.ts";
import { copyJson } from "./json-value.ts";

/** Dead letters, and how the bus adds to them. */
export interface LetterKeep extends DeadLetters {
  /** How many were pushed out because there were too many. */
  readonly dropped: number;
  /**
   * Keeps a letter; with a journal the message is taken out of its queue with it. `undefined`: it
   * is kept. Otherwise it is once the promise resolved.
   */
  keep(letter: DeadLetter, from: JournalPlace | undefined): Promise<void> | undefined;
}

export interface DeadLetterBoxOptions {
  readonly max: number;
  readonly log: Log;
  /** Gives a letter to its subscription again; false when that is gone or full. */
  readonly redeliver: (letter: DeadLetter) => boolean;
  /** Throws once the bus is closed. */
  readonly assertOpen: () => void;
}

export class DeadLetterBox implements LetterKeep {
  readonly #options: DeadLetterBoxOptions;
  readonly #letters = new Map<string, DeadLetter>();
  #dropped = 0;

  constructor(options: DeadLetterBoxOptions) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  keep(letter: DeadLetter): undefined {
    this.#letters.set(letter.id, letter);
    if (this.#letters.size <= this.#options.max) return;
    const [oldest] = this.#letters.values();
    if (oldest === undefined) return;
    this.#letters.delete(oldest.id);
    this.#dropped += 1;
    this.#options.log.error("a dead letter was dropped: there are more than deadLettersMax", {
      subscription: oldest.subscription,
      messageId: oldest.message.id,
      deadLetterId: oldest.id,
    });
  }

  async list(query: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    this.#options.assertOpen();
    const { subscription, after, limit } = checkQuery(query);
    const found: DeadLetter[] = [];
    for (const letter of this.#letters.values()) {
      if (after !== undefined && letter.id <= after) continue;
      if (subscription !== undefined && letter.subscription !== subscription) continue;
      if (found.length === limit) return { letters: found, next: found.at(-1)?.id };
      found.push(copyOf(letter));
    }
    return { letters: found, next: undefined };
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    this.#options.assertOpen();
    const letter = this.#letters.get(id);
    return letter === undefined ? undefined : copyOf(letter);
  }

  async redrive(ids: readonly string[]): Promise<number> {
    this.#options.assertOpen();
    return this.#take(ids, this.#options.redeliver);
  }

  async discard(ids: readonly string[]): Promise<number> {
    this.#options.assertOpen();
    return this.#take(ids, () => true);
  }

  #take(ids: readonly string[], dispose: (letter: DeadLetter) => boolean): number {
    let taken = 0;
    for (const id of ids) {
      const letter = this.#letters.get(id);
      if (letter === undefined || !dispose(letter)) continue;
      this.#letters.delete(id);
      taken += 1;
    }
    return taken;
  }
}

/** The query with its limit in place. @throws REQUEST_INVALID */
export function checkQuery(query: DeadLetterQuery): DeadLetterQuery & { readonly limit: number } {
  const { limit = 100 } = query;
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1000) return { ...query, limit };
  throw kernelErrors.REQUEST_INVALID(`A page has 1 to 1000 dead letters, not ${limit}.`);
}

/** The reader owns what it gets: nothing it does to the body reaches the letter. */
function copyOf(letter: DeadLetter): DeadLetter {
  return { ...letter, message: { ...letter.message, body: copyJson(letter.message.body) } };
}
