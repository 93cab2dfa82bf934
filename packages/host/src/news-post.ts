/**
 * How a node tells about itself: over the bus of ephemeral events, without a flood.
 *
 * What it owns: when each thing was told last. What may interrupt it: nothing; whatever goes wrong
 * with telling is logged once and fails nobody.
 */

import type { Clock, Log, ServiceTools } from "@banyan/kernel";
import type { nodeContract } from "./node-contract.ts";

/** How the node's own events are published. */
export type PublishNews = ServiceTools<typeof nodeContract>["publish"];

export class NewsPost {
  readonly #log: Log;
  #publish: PublishNews | undefined = undefined;
  #hasFailed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** From now on there is somebody to publish. */
  begin(publish: PublishNews): void {
    this.#publish = publish;
  }

  /** Does nothing before the node serves. */
  tell(send: (publish: PublishNews) => Promise<unknown>): void {
    if (this.#publish === undefined) return;
    send(this.#publish).catch((error: unknown) => {
      if (!this.#hasFailed) this.#log.warn("an event of the node was lost", { error });
      this.#hasFailed = true;
    });
  }
}

interface Told {
  untilMs: number;
  suppressed: number;
}

/** Things remembered at once; beyond it the oldest is told anew. */
const toldMax = 10_000;

/** The same thing is told once in a window; what was left out is counted into the next time. */
export class ToldOnce {
  readonly #clock: Clock;
  readonly #windowMs: number;
  readonly #told = new Map<string, Told>();

  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#windowMs = windowMs;
  }

  /** How many like it were left out since it was told last; `undefined`: so is this one. */
  take(...parts: readonly string[]): number | undefined {
    const id = JSON.stringify(parts);
    const now = this.#clock.monotonicMs();
    const known = this.#told.get(id);
    if (known !== undefined && now < known.untilMs) {
      known.suppressed += 1;
      return undefined;
    }
    this.#told.delete(id);
    this.#told.set(id, { untilMs: now + this.#windowMs, suppressed: 0 });
    const [oldest] = this.#told.keys();
    if (this.#told.size > toldMax && oldest !== undefined) this.#told.delete(oldest);
    return known?.suppressed ?? 0;
  }
}
