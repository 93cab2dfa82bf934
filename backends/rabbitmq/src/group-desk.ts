/**
 * Groups as the fleet agrees on them: opened, changed, looked at, removed.
 *
 * G1. Changes of one group by this process happen one after the other.
 * G2. Whether a group is what a member wants is decided by the registry, never by what this process
 *     knew before it asked.
 */

import type { ChannelModel } from "amqplib";
import type { Clock } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";
import type { Message } from "@banyan/messaging";
import { OneByOne, orderConflict } from "@banyan/messaging/internal";
import type { ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Admission } from "./admission.ts";
import type { GroupView } from "./group-view.ts";
import type { Inspector, QueueDepth } from "./inspector.ts";
import { slotOf } from "./names.ts";
import type { Names } from "./names.ts";
import type { Group, GroupSpec, Registry } from "./registry.ts";
import { declareGroup, queuesOf, withChannel } from "./topology.ts";
import type { Waits } from "./waits.ts";

/**
 * A queue that is missing is made again after this. A member hears of its end first then, and makes
 * it again itself: one that is back at once RabbitMQ takes for the one that the member consumes
 * from, tells it nothing, and gives its messages to nobody.
 */
const restorePauseMs = 500;

export interface GroupDeskPorts {
  readonly clock: Clock;
  readonly names: Names;
  readonly registry: Registry;
  readonly inspector: Inspector;
  readonly admission: Admission;
  readonly waits: Waits;
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
   * @throws MESSAGING_SUBSCRIPTION_CONFLICT
   */
  async agree(spec: ResolvedSubscribeSpec): Promise<Group> {
    const { registry } = this.#ports;
    const { name, topic, ordered, bufferMax, retentionMs } = spec;
    const wanted: GroupSpec = { name, topic, ordered, bufferMax, retentionMs };
    let group = registry.find(name);
    if (group !== undefined && group.topic === topic && group.ordered !== ordered) {
      const { consumers } = await this.depthOf(group);
      if (consumers > 0) throw orderConflict(name, group.ordered);
    }
    if (group === undefined || (group.topic === topic && !isSame(group, wanted))) {
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

  /** Answers how many messages it held. @throws MESSAGING_SUBSCRIPTION_CONFLICT */
  remove(name: string): Promise<number> {
    return this.changes.run(name, async () => {
      const { registry, admission, waits } = this.#ports;
      const group = registry.find(name);
      if (group === undefined) return 0;
      const { ready, consumers } = await this.depthOf(group);
      if (consumers > 0) {
        throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
          `Group "${name}" still has ${consumers} members; close their subscriptions first.`,
        );
      }
      const view = admission.view(name);
      await this.#deleteQueues(group);
      await registry.remove(group);
      return ready + (view === undefined ? 0 : waits.forgetAll(view));
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
    this.changes
      .run(name, async () => {
        if (this.#ports.registry.find(name) === undefined) await this.#deleteQueues(restored);
      })
      .catch(() => undefined); // without a connection there is nobody who removes it just now
  }

  #restore({ name, life }: Group): Promise<void> {
    const running = this.#restores.get(name);
    if (running !== undefined) return running;
    const own = this.changes.run(name, async () => {
      const { names, registry, connection, clock } = this.#ports;
      await clock.sleep(restorePauseMs);
      const group = registry.find(name);
      if (group?.life !== life) return; // it was removed, which is why its queues are gone
      this.#restored.set(name, group);
      await declareGroup(connection(), names, group);
      if (registry.find(name) === undefined) await this.#deleteQueues(group);
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
    for (const queue of [...queuesOf(names, group), ...notes]) {
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
