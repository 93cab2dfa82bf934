/**
 * Groups as the fleet agrees on them: opened, changed, looked at, removed.
 *
 * G1. Changes of one group by this process happen one after the other.
 * G2. Whether a group is what a member wants is decided by the registry, never by what this process
 *     knew before it asked.
 * G3. Queues of a group are deleted only under the lock of its removal, and only when a look behind
 *     the lock sees no member. A member consumes first and asks for that lock then: so either the
 *     removal sees the member, or the member sees the removal.
 */

import type { ChannelModel } from "amqplib";
import type { Clock } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";
import type { Message } from "@banyan/messaging";
import { OneByOne, orderConflict } from "@banyan/messaging/internal";
import type { ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Admission } from "./admission.ts";
import type { GroupView } from "./group-view.ts";
import { codeOf } from "./errors.ts";
import type { Inspector, QueueDepth } from "./inspector.ts";
import { slotOf } from "./names.ts";
import type { Names } from "./names.ts";
import type { Group, GroupSpec, Registry } from "./registry.ts";
import { withLock } from "./server-lock.ts";
import { declareGroup, queuesOf, withChannel } from "./topology.ts";
import type { WaitsCensus } from "./waits-census.ts";

/**
 * A queue that is missing is made again after this. A member hears of its end first then, and makes
 * it again itself: one that is back at once RabbitMQ takes for the one that the member consumes
 * from, tells it nothing, and gives its messages to nobody.
 */
const restorePauseMs = 500;

/**
 * Who is just coming has this long to be seen: RabbitMQ ends the connection of who consumes from a
 * quorum queue that is being deleted.
 */
const giveWayMs = 100;

/** Between two looks at the lock of a removal, which is held for some round trips. */
const lockPauseMs = 20;

/** Whoever holds it longer is frozen; its connection ends soon, and the lock with it. */
const lockMaxMs = 30_000;

/** How long members that have just gone may still be counted, and how often that is looked at. */
const countedMaxMs = 1000;
const countedLookMs = 50;

export interface GroupDeskPorts {
  readonly clock: Clock;
  readonly names: Names;
  readonly registry: Registry;
  readonly inspector: Inspector;
  readonly admission: Admission;
  readonly census: WaitsCensus;
  /** Of an ordered group that is new. */
  readonly partitions: number;
  /** @throws MESSAGING_UNAVAILABLE */
  readonly connection: () => ChannelModel;
}

export class GroupDesk {
  readonly #ports: GroupDeskPorts;
  /** By group (G1). */
  readonly changes = new OneByOne();
  /** Group → its queues are being made again. */
  readonly #restores = new Map<string, Promise<void>>();
  readonly #restored = new Map<string, Group>();

  constructor(ports: GroupDeskPorts) {
    this.#ports = ports;
  }

  /**
   * The group as its log has it, opened or changed so that it is what this member wants.
   * @param isDoubtful it may have been removed just now: its log is asked in any case
   * @throws MESSAGING_SUBSCRIPTION_CONFLICT
   */
  async agree(spec: ResolvedSubscribeSpec, isDoubtful = false): Promise<Group> {
    const { registry } = this.#ports;
    const { name, topic, ordered, bufferMax, retentionMs } = spec;
    const wanted: GroupSpec = { name, topic, ordered, bufferMax, retentionMs };
    let group = registry.find(name);
    if (group !== undefined && group.topic === topic && group.ordered !== ordered) {
      if (await this.#hasMembers(group)) throw orderConflict(name, group.ordered);
    }
    const isToChange = group?.topic === topic && (isDoubtful || !isSame(group, wanted));
    if (group === undefined || isToChange) {
      const partitions = group?.partitions ?? 0;
      const isNewlyOrdered = ordered && partitions === 0;
      group = await registry.write(wanted, isNewlyOrdered ? this.#ports.partitions : partitions);
    }
    if (group?.topic === topic) return group;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
      `Group "${name}" is bound to topic "${group?.topic ?? "?"}", not "${topic}"; ` +
        `give the subscription another name, or remove the group.`,
    );
  }

  /** A server counts a consumer for a moment longer than its channel was open. */
  async #hasMembers(group: Group): Promise<boolean> {
    const { clock } = this.#ports;
    const endsMs = clock.monotonicMs() + countedMaxMs;
    for (;;) {
      const { consumers } = await this.depthOf(group);
      if (consumers === 0 || clock.monotonicMs() >= endsMs) return consumers > 0;
      await clock.sleep(countedLookMs);
    }
  }

  /** Answers how many messages it held. @throws MESSAGING_SUBSCRIPTION_CONFLICT */
  remove(name: string): Promise<number> {
    return this.changes.run(name, () => this.#locked(name, () => this.#remove(name)));
  }

  /**
   * Whether a node removes the group just now (G3).
   * @throws MESSAGING_UNAVAILABLE
   */
  async isBeingRemoved(name: string): Promise<boolean> {
    const { names, connection } = this.#ports;
    try {
      await withChannel(connection(), (channel) =>
        channel.checkQueue(names.lock(`remove.${name}`)),
      );
      return true;
    } catch (error) {
      if (codeOf(error) === 404) return false;
      if (codeOf(error) === 405) return true;
      throw error;
    }
  }

  /**
   * Resolves when nobody removes the group any more; the connection may come back meanwhile.
   * @throws MESSAGING_UNAVAILABLE when that takes too long
   */
  untilNotRemoved(name: string): Promise<void> {
    return this.#inTurn(async () => {
      const isTaken = await this.isBeingRemoved(name).catch(() => true);
      return isTaken ? "taken" : undefined;
    });
  }

  /** Makes the queues of groups again that were deleted by hand, and binds them. */
  async restore(views: Iterable<GroupView>): Promise<void> {
    for (const { group } of views) await this.#restore(group);
  }

  /** A group is gone. Queues that were missing because it was being removed are nobody's. */
  removed(name: string): void {
    const restored = this.#restored.get(name);
    if (!this.#restored.delete(name) || restored === undefined) return;
    const deleting = this.changes.run(name, () => this.#deleteIfGone(restored));
    deleting.catch(() => undefined); // no connection: nobody removes it just now
  }

  async #remove(name: string): Promise<number> {
    const { registry, admission, census, clock } = this.#ports;
    const group = registry.find(name);
    if (group === undefined) return 0;
    await this.#assertAlone(group);
    await clock.sleep(giveWayMs);
    const ready = await this.#assertAlone(group);
    // Another node may have been the first, and this one has heard of it meanwhile.
    if (registry.find(name)?.life !== group.life) return 0;
    const { retrying, delayed } = census.elsewhere(group.life);
    const waiting = (admission.view(name)?.sentToWait ?? 0) + retrying + delayed;
    await this.#deleteQueues(group);
    await registry.remove(group);
    return ready + waiting;
  }

  /** Answers what is in its queues. @throws MESSAGING_SUBSCRIPTION_CONFLICT */
  async #assertAlone(group: Group): Promise<number> {
    const { ready, consumers } = await this.depthOf(group);
    if (consumers === 0) return ready;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
      `Group "${group.name}" still has ${consumers} members; close their subscriptions first.`,
    );
  }

  /** Its queues were made again while somebody removed it. */
  #deleteIfGone(group: Group): Promise<void> {
    return this.#locked(group.name, async () => {
      if (this.#ports.registry.find(group.name) !== undefined) return;
      const { consumers } = await this.depthOf(group);
      if (consumers === 0) await this.#deleteQueues(group);
    });
  }

  /** Works under the lock of the group's removal. @throws MESSAGING_UNAVAILABLE */
  async #locked<T>(name: string, work: () => Promise<T>): Promise<T> {
    const { names, connection } = this.#ports;
    const lock = names.lock(`remove.${name}`);
    const { value } = await this.#inTurn(() => withLock(connection(), lock, work));
    return value;
  }

  /** Tries until it is not taken. @throws MESSAGING_UNAVAILABLE when that takes too long */
  async #inTurn<T>(attempt: () => Promise<T | "taken">): Promise<T> {
    const { clock } = this.#ports;
    const endsMs = clock.monotonicMs() + lockMaxMs;
    for (;;) {
      const outcome = await attempt();
      if (outcome !== "taken") return outcome;
      if (clock.monotonicMs() > endsMs) {
        throw messagingErrors.MESSAGING_UNAVAILABLE(
          "Another node removes the group, and does not come to an end with it.",
        );
      }
      await clock.sleep(lockPauseMs);
    }
  }

  #restore({ name, life }: Group): Promise<void> {
    const running = this.#restores.get(name);
    if (running !== undefined) return running;
    const own = this.changes.run(name, async () => {
      const { names, registry, connection, clock } = this.#ports;
      await clock.sleep(restorePauseMs);
      if (await this.isBeingRemoved(name)) await this.untilNotRemoved(name);
      const group = registry.find(name);
      if (group?.life !== life) return; // it was removed, which is why its queues are gone
      this.#restored.set(name, group);
      await declareGroup(connection(), names, group);
      if (registry.find(name) === undefined) await this.#deleteIfGone(group);
    });
    this.#restores.set(name, own);
    const forget = (): void => void this.#restores.delete(name);
    own.then(forget, forget);
    return own;
  }

  /** Its messages may go to others meanwhile, so that no publish is told. */
  #restoreMissing(group: Group): void {
    if (this.changes.has(group.name)) return; // it is being made, or removed
    this.#restore(group).catch(() => undefined); // the next look tells again
  }

  async #deleteQueues(group: Group): Promise<void> {
    const { names, connection } = this.#ports;
    const notes = Array.from({ length: group.partitions }, (_, index) =>
      names.notes(group.name, index),
    );
    for (const queue of [...queuesOf(names, group), ...notes, names.ages(group.name)]) {
      await withChannel(connection(), (channel) => channel.deleteQueue(queue));
    }
  }

  async depthOf(group: Group): Promise<QueueDepth> {
    const { names, inspector } = this.#ports;
    const depths = await Promise.all(queuesOf(names, group).map((queue) => inspector.depth(queue)));
    if (depths.includes(undefined)) this.#restoreMissing(group);
    return {
      ready: depths.reduce((sum, depth) => sum + (depth?.ready ?? 0), 0),
      consumers: Math.max(...depths.map((depth) => depth?.consumers ?? 0)),
    };
  }

  /** The queue of a group where a message belongs. */
  queueFor({ name, ordered, partitions }: Group, { orderingKey }: Message): string {
    const { names } = this.#ports;
    if (!ordered || orderingKey === undefined) return names.group(name);
    return names.partition(name, slotOf(orderingKey) % partitions);
  }
}

function isSame(group: Group, wanted: GroupSpec): boolean {
  return (
    group.ordered === wanted.ordered &&
    group.bufferMax === wanted.bufferMax &&
    group.retentionMs === wanted.retentionMs
  );
}
