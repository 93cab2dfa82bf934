/**
 * Drops what a group without members has kept for longer than it wants to. Any node may do it for
 * any group; a lock that the server keeps makes it one at a time. How old its messages are is told
 * by counting them (`queue-ages.ts`), and the counts lie in a queue beside its own, for whoever
 * sweeps next.
 */

import type { Channel, ChannelModel, GetMessage } from "amqplib";
import type { CancelTimer, Clock, Log } from "@banyan/kernel";
import type { QueueDepth } from "./inspector.ts";
import type { GroupView } from "./group-view.ts";
import type { Names } from "./names.ts";
import { countSince, marksAfter, readMarks } from "./queue-ages.ts";
import type { Group } from "./registry.ts";
import { withLock } from "./server-lock.ts";
import { withChannel } from "./topology.ts";
import type { Waits } from "./waits.ts";
import { carriedProperties, readMessage } from "./wire.ts";
import type { Arrived } from "./wire.ts";

export interface RetentionPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly names: Names;
  readonly groups: () => Iterable<Group>;
  readonly depthOf: (group: Group) => Promise<QueueDepth>;
  /** `undefined`: there is none. */
  readonly connection: () => ChannelModel | undefined;
  readonly waits: Waits;
  readonly view: (name: string) => GroupView | undefined;
  readonly dropped: (group: Group, count: number) => void;
}

/** A group is counted so many times in its retention, within these. */
const marksMax = 8;
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
    const pauseMs = Math.max(lookMs.least, Math.min(shortest / marksMax, lookMs.most));
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
      const count = await withChannel(held, (channel) => this.#sweepQueue(channel, group));
      if (count === 0) return;
      dropped(group, count);
      log.warn("messages of a group without members were past its retention and are dropped", {
        subscription: group.name,
        count,
      });
    });
  }

  /** Answers how many it dropped. */
  async #sweepQueue(channel: Channel, group: Group): Promise<number> {
    const { names, clock } = this.#ports;
    const { retentionMs = Infinity } = group;
    const queue = names.group(group.name);
    const ages = names.ages(group.name);
    await channel.assertQueue(ages, names.agesQueue);
    const note = await channel.get(ages);
    const marks = note === false ? [] : readMarks(note.content.toString("utf8"));
    const oldCount = countSince(marks, clock.nowMs() - retentionMs);
    const { gone, dropped, isYoung } = await this.#dropOld(channel, group, oldCount);
    // The queue's answer also says that it has the acknowledgements.
    const { messageCount: left } = await channel.checkQueue(queue);
    const everyMs = Math.max(retentionMs / marksMax, lookMs.least);
    const sweep = { atMs: clock.nowMs(), keepMs: retentionMs, everyMs, gone, left };
    const after = marksAfter(isYoung ? [] : marks, sweep);
    // It has room for one: the new note takes the place of the old one.
    channel.sendToQueue(ages, Buffer.from(JSON.stringify(after), "utf8"), { persistent: true });
    if (note !== false) channel.ack(note);
    return dropped;
  }

  /** Drops so many of the oldest. One that is young after all ends that, and goes back. */
  async #dropOld(channel: Channel, group: Group, oldCount: number): Promise<Dropped> {
    const { names, clock } = this.#ports;
    const queue = names.group(group.name);
    const beforeMs = clock.nowMs() - (group.retentionMs ?? Infinity);
    let dropped = 0;
    for (let gone = 0; gone < oldCount; gone += 1) {
      const got = await channel.get(queue);
      if (got === false) return { gone, dropped, isYoung: false };
      const arrived = readMessage(got, got.fields.exchange === names.keyed);
      const { dueMs, isRetry } = arrived.passage;
      if (!isRetry && dueMs > clock.nowMs()) {
        await this.#sendToWait(group, got, arrived);
      } else if (queuedAtMsOf(arrived) >= beforeMs) {
        channel.nack(got);
        return { gone, dropped, isYoung: true };
      } else dropped += 1;
      channel.ack(got);
    }
    return { gone: oldCount, dropped, isYoung: false };
  }

  /** No member has been there to do it. @throws what the server refuses */
  async #sendToWait(group: Group, got: GetMessage, { message, passage }: Arrived): Promise<void> {
    const { names, waits, view } = this.#ports;
    const { dueMs } = passage;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    await waits.send({
      queue: names.group(group.name),
      content: got.content,
      properties: carriedProperties(got, {
        message,
        passage: { ...passage, life: group.life },
        isLetter: false,
        carried: "all",
      }),
      dueMs,
      onEnd: (error) => (error === undefined ? resolve(undefined) : reject(error)),
    });
    await promise;
    const own = view(group.name);
    if (own !== undefined) waits.count(own, { isRetry: false, dueMs }, "server");
  }
}

interface Dropped {
  /** Of its front: dropped, or sent to wait. */
  readonly gone: number;
  readonly dropped: number;
  readonly isYoung: boolean;
}

function queuedAtMsOf({ message, passage }: Arrived): number {
  if (passage.queuedAtMs !== undefined) return passage.queuedAtMs;
  return passage.isRetry ? message.timestampMs : Math.max(passage.dueMs, message.timestampMs);
}
