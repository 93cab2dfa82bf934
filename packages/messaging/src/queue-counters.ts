/** What one queue counted since it was opened; whatever it counts, its bus counts as well. */

interface Counts {
  handled: number;
  retried: number;
  deadLettered: number;
}

export class QueueCounters {
  readonly #own: Counts = { handled: 0, retried: 0, deadLettered: 0 };
  readonly #all: Counts;

  /** @param all of the bus */
  constructor(all: Counts) {
    this.#all = all;
  }

  get counts(): Readonly<Counts> {
    return { ...this.#own };
  }

  add(what: keyof Counts): void {
    this.#own[what] += 1;
    this.#all[what] += 1;
  }
}
