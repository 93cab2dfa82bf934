/**
 * The time that entries live and die by: the server's, so that nodes whose clocks differ agree.
 *
 * What it owns: one measurement, how far the server's wall clock is from this process's monotonic
 * one. Between measurements it goes on by the monotonic clock, so a step of the node's own wall
 * clock moves nothing. What may interrupt it: nothing.
 *
 * With `time: "node"` it is the engine's clock and nothing is measured: for tests that own time.
 */

import type { Clock } from "@banyan/kernel";

export class ServerTime {
  readonly #clock: Clock;
  readonly #ask: (() => Promise<number>) | undefined;
  /** Server's wall clock minus the monotonic one of here. */
  #offsetMs: number | undefined = undefined;

  /** Without `ask` the time is the clock's. */
  constructor(clock: Clock, ask?: () => Promise<number>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  nowMs(): number {
    if (this.#offsetMs === undefined) return this.#clock.nowMs();
    return Math.floor(this.#clock.monotonicMs() + this.#offsetMs);
  }

  /** Good to half a round trip; rejects as the question does, and keeps what it had. */
  async measure(): Promise<void> {
    if (this.#ask === undefined) return;
    const askedMs = this.#clock.monotonicMs();
    const serverMs = await this.#ask();
    const answeredMs = this.#clock.monotonicMs();
    this.#offsetMs = serverMs - (askedMs + answeredMs) / 2;
  }
}
