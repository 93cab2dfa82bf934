/**
 * Lets transactions of one process begin one after the other, so that they do not meet.
 *
 * Everything here runs on one thread: where an engine answers at once, two transactions side by
 * side win no time and only make each other conflict. So each begins when the one before handed its
 * commit over. One that really waits (for a database far away) holds the others up for one turn of
 * the event loop at most.
 *
 * I1. Who waits is let in within one turn of the event loop for each that waits before it.
 * I2. At most `TURN_MAX` pass before the event loop gets a turn.
 */

import type { Waiting } from "@banyan/kernel";

type Start = () => void;

const TURN_MAX = 128; // some milliseconds of small transactions

/** Let in; to be handed back once, when the next one may begin. */
export interface Pass {
  leave(): void;
}

export class Turnstile {
  readonly #waiting = new Set<Start>();
  readonly #urgent = new Set<Start>();
  /** Whoever was let in last and has not left. */
  #inside: Pass | undefined = undefined;
  #passed = 0;
  #isTurnAsked = false;

  /** How many wait to be let in. */
  get waiting(): number {
    return this.#waiting.size + this.#urgent.size;
  }

  /**
   * A pass at once, or a promise of it that rejects with the signal's reason.
   * @param isAgain it was inside before and lost: those go first
   */
  enter(waiting: Waiting, isAgain: boolean): Pass | Promise<Pass> {
    if (this.#inside === undefined && this.#passed < TURN_MAX) return this.#letIn();
    this.#askForTurn();
    const { signal } = waiting;
    const line = isAgain ? this.#urgent : this.#waiting;
    return new Promise((resolve, reject) => {
      const start = (): void => {
        signal?.removeEventListener("abort", onAbort);
        resolve(this.#letIn());
      };
      const onAbort = (): void => {
        line.delete(start);
        // Whoever asked turns the reason, whatever it is, into an error of its own.
        reject(signal?.reason);
      };
      line.add(start);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #letIn(): Pass {
    const pass: Pass = {
      leave: () => {
        if (this.#inside !== pass) return;
        this.#inside = undefined;
        if (this.#passed < TURN_MAX) this.#letNextIn();
      },
    };
    this.#inside = pass;
    return pass;
  }

  #letNextIn(): void {
    const line = this.#urgent.size > 0 ? this.#urgent : this.#waiting;
    const [next] = line;
    if (next === undefined) return;
    line.delete(next);
    this.#passed += 1;
    this.#askForTurn();
    next();
  }

  #askForTurn(): void {
    if (this.#isTurnAsked) return;
    this.#isTurnAsked = true;
    setImmediate(this.#nextTurn);
  }

  /** Whoever is still inside waits for something: the next one need not (I1). */
  readonly #nextTurn = (): void => {
    this.#isTurnAsked = false;
    this.#passed = 0;
    if (this.waiting === 0) return;
    this.#askForTurn();
    this.#letNextIn();
  };
}
