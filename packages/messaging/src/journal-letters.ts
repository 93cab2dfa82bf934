/**
 * Dead letters in a journal.
 *
 * I1. A letter is kept before its message is forgotten, and one that is redriven is in its queue
 *     when it is gone here: the journal does both as one step.
 * I2. About `max` are kept; the oldest go first, and that is logged and counted.
 */

import type { Log } from "@banyan/kernel";
import type { JournalPlace } from "./burials.ts";
import type { DeadLetter, DeadLetterPage, DeadLetterQuery } from "./bus.ts";
import { checkQuery } from "./dead-letter-box.ts";
import type { LetterKeep } from "./dead-letter-box.ts";
import type { BusJournal } from "./journal.ts";
import type { Parcel } from "./parcel.ts";

export interface JournalLettersOptions {
  readonly journal: BusJournal;
  readonly max: number;
  readonly log: Log;
  /** The message's way to its subscription, with room taken; `undefined`: that is gone or full. */
  readonly parcelFor: (letter: DeadLetter) => Parcel | undefined;
  /** Throws once the bus is closed. */
  readonly assertOpen: () => void;
}

export class JournalLetters implements LetterKeep {
  readonly #options: JournalLettersOptions;
  #count: number;
  #dropped = 0;

  constructor(options: JournalLettersOptions) {
    this.#options = options;
    this.#count = options.journal.deadLetterCount;
  }

  get dropped(): number {
    return this.#dropped;
  }

  async keep(letter: DeadLetter, from: JournalPlace | undefined): Promise<void> {
    await this.#options.journal.bury(letter, from);
    this.#count += 1;
    const { max } = this.#options;
    if (this.#count > max) await this.#dropOldest(this.#count - max);
  }

  async list(query: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    this.#options.assertOpen();
    return this.#options.journal.letters(checkQuery(query));
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    this.#options.assertOpen();
    return this.#options.journal.letter(id);
  }

  async redrive(ids: readonly string[]): Promise<number> {
    this.#options.assertOpen();
    let done = 0;
    for (const id of ids) {
      this.#options.assertOpen();
      if (await this.#redriveOne(id)) done += 1;
    }
    return done;
  }

  async discard(ids: readonly string[]): Promise<number> {
    this.#options.assertOpen();
    const count = await this.#options.journal.discard(ids);
    this.#count -= count;
    return count;
  }

  async #redriveOne(id: string): Promise<boolean> {
    const { journal, parcelFor, assertOpen } = this.#options;
    const letter = await journal.letter(id);
    assertOpen();
    const parcel = letter === undefined ? undefined : parcelFor(letter);
    if (parcel === undefined) return false;
    const [to] = parcel.append?.groups ?? [];
    let isTaken = false;
    try {
      parcel.handOver();
      if (to === undefined) isTaken = (await journal.discard([id])) === 1;
      else isTaken = await journal.redrive(id, to);
    } finally {
      if (isTaken) parcel.deliver();
      else parcel.drop();
    }
    if (isTaken) this.#count -= 1;
    return isTaken;
  }

  /** The letter that pushed them out is kept, so a failure here is not its own. */
  async #dropOldest(count: number): Promise<void> {
    const { journal, log } = this.#options;
    this.#count -= count;
    this.#dropped += count;
    try {
      await journal.dropOldestLetters(count);
      log.error("dead letters were dropped: there are more than deadLettersMax", { count });
    } catch (error) {
      this.#count += count;
      this.#dropped -= count;
      log.error("dead letters above deadLettersMax could not be dropped", { count, error });
    }
  }
}
