/**
 * Drops what a group without members has kept for longer than it wants to. Any node may do it for
 * any group; a lock that the server keeps makes it one at a time.
 */

import type { Channel, ChannelModel, GetMessage } from "amqplib";
import type { CancelTimer, Clock, Log } from "@banyan/kernel";
import type { QueueDepth } from "./inspector.ts";
import type { Names } from "./names.ts";
import type { Group } from "./registry.ts";
import { withLock } from "./server-lock.ts";
import { queuesOf, withChannel } from "./topology.ts";
import { readMessage } from "./wire.ts";

export interface RetentionPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly names: Names;
  readonly groups: () => Iterable<Group>;
  readonly depthOf: (group: Group) => Promise<QueueDepth>;
  /** `undefined`: there is none. */
  readonly connection: () => ChannelModel | undefined;
  readonly dropped: (group: Group, count: number) => void;
}

/** How often a group is looked at: four times in its retention, within these. */
const lookMs = { least: 200, most: 60_000 } as const;

export class RetentionSweep {
  readonly #ports: RetentionPorts;
  #cancelTimer: CancelTimer | undefined = undefined;
  #isClosed = false;

  constructor(ports: RetentionPorts) {
    this.#ports = ports;
  }

  /** A group may have a retention now. */
  start(): void {
    if (this.#isClosed || this.#cancelTimer !== undefined) return;
    const shortest = Math.min(...this.#kept().map(({ retentionMs = Infinity }) => retentionMs));
    if (shortest === Infinity) return;
    const pauseMs = Math.max(lookMs.least, Math.min(shortest / 4, lookMs.most));
    this.#cancelTimer = this.#ports.clock.setTimer(pauseMs, () => void this.#sweep());
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #kept(): readonly Group[] {
    return [...this.#ports.groups()].filter(({ retentionMs }) => retentionMs !== undefined);
  }

  async #sweep(): Promise<void> {
    for (const group of this.#kept()) {
      if (this.#isClosed) return;
      try {
        await this.#sweepGroup(group);
      } catch (error) {
        this.#ports.log.warn("what is too old in a group could not be looked for", {
          subscription: group.name,
          error,
        });
      }
    }
    this.#cancelTimer = undefined;
    this.start();
  }

  async #sweepGroup(group: Group): Promise<void> {
    const { names, log, connection, depthOf, dropped } = this.#ports;
    const { ready, consumers } = await depthOf(group);
    const held = connection();
    if (ready === 0 || consumers > 0 || held === undefined) return;
    await withLock(held, names.lock(`sweep.${group.name}`), async () => {
      let count = 0;
      for (const queue of queuesOf(names, group)) {
        count += await withChannel(held, (channel) => this.#dropOld(channel, queue, group));
      }
      if (count === 0) return;
      dropped(group, count);
      log.warn("messages of a group without members were past its retention and are dropped", {
        subscription: group.name,
        count,
      });
    });
  }

  /** Looks from the oldest on, to the first that is young. */
  async #dropOld(channel: Channel, queue: string, group: Group): Promise<number> {
    const beforeMs = this.#ports.clock.nowMs() - (group.retentionMs ?? Infinity);
    let count = 0;
    for (;;) {
      const message = await channel.get(queue);
      if (message === false) return count; // what was not acknowledged goes back with the channel
      const queuedAtMs = queuedAtMsOf(message);
      if (queuedAtMs < beforeMs) {
        channel.ack(message);
        count += 1;
      } else if (!isDelayed(message)) return count;
    }
  }
}

function queuedAtMsOf(got: GetMessage): number {
  const { message, passage } = readMessage(got, false);
  if (passage.queuedAtMs !== undefined) return passage.queuedAtMs;
  return passage.isRetry ? message.timestampMs : Math.max(passage.dueMs, message.timestampMs);
}

/** Its time may be far from that of its neighbours. */
function isDelayed(got: GetMessage): boolean {
  const { passage } = readMessage(got, false);
  return passage.dueMs > 0 && !passage.isRetry;
}
