/**
 * Faults on their way to the log, without a flood: while a part is down, every call that needs it
 * fails alike, and thousands of the same line a second would fill the very disk that is full.
 *
 * I1. The first fault of a code is logged at once and whole. The same code is logged again after
 *     `quietMs` at the earliest, with how many were passed over meanwhile.
 * I2. Only what says that a part is unavailable is passed over. A bug is always logged: no two need
 *     be the same.
 */

import type { BanyanError } from "../errors/banyan-error.ts";
import type { Log } from "../ports/log.ts";
import type { Clock } from "../time/clock.ts";

const quietMs = 10_000;

interface Repeated {
  nextMs: number;
  passedOver: number;
}

export class FaultLog {
  readonly #clock: Clock;
  /** By code: as many as the operation's parts have, which is few. */
  readonly #repeated = new Map<string, Repeated>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  write(log: () => Log, message: string, fault: { failure: BanyanError; error: unknown }): void {
    const { failure, error } = fault;
    const passedOver = failure.kind === "unavailable" ? this.#passedOver(failure.code) : 0;
    if (passedOver === undefined) return;
    log().error(message, passedOver === 0 ? { error } : { error, passedOver });
  }

  /** How many were passed over before this one; `undefined` when this one is too. */
  #passedOver(code: string): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#repeated.get(code);
    if (known !== undefined && nowMs < known.nextMs) {
      known.passedOver += 1;
      return undefined;
    }
    this.#repeated.set(code, { nextMs: nowMs + quietMs, passedOver: 0 });
    return known?.passedOver ?? 0;
  }
}
