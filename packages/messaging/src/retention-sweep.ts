/**
 * Drops what groups without members have kept for longer than their `retentionMs`.
 *
 * What it owns: one place on the bus's wheel while there is such a group.
 * What may interrupt it: a member that joins while a group is swept; what it is given then may be
 * older, which is no harm.
 */

import type { Clock, Log } from "@banyan/kernel";
import type { WheelEntry } from "@banyan/kernel/internal";
import type { DeliveryQueue } from "./delivery-queue.ts";
import type { BusWheel, Timed } from "./held-delivery.ts";

const everyMinMs = 250;
const everyMaxMs = 60_000;

export interface SweepHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly wheel: BusWheel;
  readonly counters: { expired: number };
  readonly groups: Iterable<DeliveryQueue>;
}

export class RetentionSweep implements Timed {
  readonly #host: SweepHost;
  #isBusy = false;
  #isClosed = false;
  deadlineMs = 0;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(host: SweepHost) {
    this.#host = host;
  }

  /** A group may be without members now. */
  start(): void {
    if (this.slot !== -1 || this.#isBusy || this.#isClosed) return;
    let shortestMs = Infinity;
    for (const { spec } of this.#neglected()) {
      shortestMs = Math.min(shortestMs, spec.retentionMs ?? Infinity);
    }
    if (shortestMs === Infinity) return;
    const everyMs = Math.min(everyMaxMs, Math.max(everyMinMs, shortestMs / 4));
    this.deadlineMs = this.#host.clock.monotonicMs() + everyMs;
    this.#host.wheel.add(this);
  }

  onDue(): void {
    void this.#sweep();
  }

  close(): void {
    this.#isClosed = true;
    this.#host.wheel.remove(this);
  }

  async #sweep(): Promise<void> {
    this.#isBusy = true;
    for (const queue of Array.from(this.#neglected())) {
      if (this.#isClosed) break;
      await this.#sweepOne(queue);
    }
    this.#isBusy = false;
    this.start();
  }

  async #sweepOne(queue: DeliveryQueue): Promise<void> {
    const { clock, log, counters } = this.#host;
    const { name, retentionMs = Infinity } = queue.spec;
    const beforeMs = clock.nowMs() - retentionMs;
    let sum = 0;
    try {
      // What is on its way out would be counted twice; there is a next time.
      while (queue.isNeglected && !this.#isClosed) {
        const { dropped, isDone } = await expireOf(queue, beforeMs);
        counters.expired += dropped;
        sum += dropped;
        if (isDone) break;
      }
    } catch (error) {
      log.error("what is past its retentionMs could not be dropped", { subscription: name, error });
    }
    if (sum === 0) return;
    log.warn("a group without members dropped what was past its retentionMs", {
      subscription: name,
      dropped: sum,
    });
  }

  *#neglected(): Iterable<DeliveryQueue> {
    for (const queue of this.#host.groups) {
      const { spec, members } = queue;
      if (spec.retentionMs !== undefined && members.length === 0) yield queue;
    }
  }
}

/** In the journal alone, where there is one: memory and file must not drop different ones. */
async function expireOf(
  queue: DeliveryQueue,
  beforeMs: number,
): Promise<{ readonly dropped: number; readonly isDone: boolean }> {
  if (queue.window === undefined) return { dropped: queue.dropOlder(beforeMs), isDone: true };
  queue.forget();
  return queue.window.expire(beforeMs);
}
