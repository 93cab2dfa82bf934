/**
 * The subscriptions of this process: opened, opened again with each connection, closed.
 *
 * What it owns: the set of them, and what they left unhandled.
 */

import type { ChannelModel } from "amqplib";
import { createIdSource, isBanyanError } from "@banyan/kernel";
import type { Clock, IdSource, Log, Random } from "@banyan/kernel";
import type {
  BusCapability,
  DeadLetter,
  DeliveryHandler,
  SubscribeSpec,
  Subscription,
} from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { resolveSubscribeSpec } from "@banyan/messaging/internal";
import type { Burial, BusWheel, HeldDelivery } from "@banyan/messaging/internal";
import type { Admission } from "./admission.ts";
import { BrokerSubscription } from "./broker-subscription.ts";
import type { GroupDesk } from "./group-desk.ts";
import { codeOf } from "./errors.ts";
import { GroupView, liveView } from "./group-view.ts";
import { newLetter } from "./letters.ts";
import type { Members } from "./members.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import { sourcesOf } from "./queue-intake.ts";
import type { Source } from "./queue-intake.ts";
import type { Registry } from "./registry.ts";
import { checkSpec } from "./spec-check.ts";
import type { OpenSubscription, SubscriptionHost } from "./subscription-host.ts";
import { declareGroup, declareLetters, declareLive, deleteLive, withChannel } from "./topology.ts";
import type { Waits } from "./waits.ts";

/** A group that is removed again and again while it is subscribed to. */
const triesMax = 10;

/** Before a group that was removed from under its member is opened once more. */
const againMs = 1000;

export interface SubscriptionDeskPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: BusWheel;
  readonly names: Names;
  readonly outbound: Outbound;
  readonly waits: Waits;
  readonly counters: SubscriptionHost["counters"];
  readonly buried: (letter: DeadLetter) => void;
  readonly registry: Registry;
  readonly admission: Admission;
  readonly members: Members;
  readonly groups: GroupDesk;
  readonly capabilities: ReadonlySet<BusCapability>;
  readonly bufferMax: number;
  /** Of the connection that consumes. */
  readonly connection: () => ChannelModel | undefined;
  /** @throws MESSAGING_UNAVAILABLE */
  readonly connected: () => ChannelModel;
  /** @throws CLOSED */
  readonly assertTaking: () => void;
}

export class SubscriptionDesk implements SubscriptionHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: BusWheel;
  readonly names: Names;
  readonly outbound: Outbound;
  readonly waits: Waits;
  readonly counters: SubscriptionHost["counters"];
  readonly buried: (letter: DeadLetter) => void;
  readonly #ports: SubscriptionDeskPorts;
  readonly #ids: IdSource;
  readonly #open = new Set<BrokerSubscription>();
  #unhandled = 0;

  constructor(ports: SubscriptionDeskPorts) {
    this.#ports = ports;
    this.clock = ports.clock;
    this.random = ports.random;
    this.log = ports.log;
    this.wheel = ports.wheel;
    this.names = ports.names;
    this.outbound = ports.outbound;
    this.waits = ports.waits;
    this.counters = ports.counters;
    this.buried = ports.buried;
    this.#ids = createIdSource(ports.clock, ports.random);
  }

  get all(): Iterable<BrokerSubscription> {
    return this.#open;
  }

  /** Messages that were taken and not handled by those that are closed. */
  get unhandled(): number {
    return this.#unhandled;
  }

  /** @throws MESSAGING_SUBSCRIPTION_CONFLICT, MESSAGING_SUBSCRIPTION_INVALID */
  async subscribe(spec: SubscribeSpec, handler: DeliveryHandler): Promise<Subscription> {
    const { groups, admission, capabilities, bufferMax } = this.#ports;
    const resolved = resolveSubscribeSpec(spec, { bufferMax });
    checkSpec(resolved, handler, capabilities);
    const id = this.#ids.uuid();
    if (resolved.delivery === "broadcast") {
      const view = liveView(resolved, id);
      return this.#start(new BrokerSubscription(this, { spec: resolved, handler, view, id }));
    }
    return groups.changes.run(resolved.name, async () => {
      for (let tries = 1; ; tries += 1) {
        const group = await groups.agree(resolved, tries > 1);
        const view = admission.view(group.name) ?? new GroupView(group);
        const init = { spec: resolved, handler, view, id };
        const subscription = await this.#startUnlessRemoved(new BrokerSubscription(this, init));
        if (subscription !== undefined) return subscription;
        if (tries >= triesMax) throw neverThere(resolved.name);
        await groups.untilNotRemoved(resolved.name);
      }
    });
  }

  /**
   * The group of a name is gone. One that has a member here is opened again: the node that removed
   * it saw none, because this member's connection was away.
   */
  groupGone(name: string): void {
    for (const own of this.#open) {
      if (own.name !== name || own.delivery !== "group" || own.isClosing) continue;
      this.#openGroupAgain(own);
      return;
    }
  }

  /** The group of a name has another view now. */
  viewChanged(name: string, view: GroupView): void {
    for (const subscription of this.#open) {
      if (subscription.name === name && subscription.delivery === "group") {
        subscription.view = view;
      }
    }
  }

  /** There is a connection again. */
  openAgain(): void {
    for (const subscription of this.#open) subscription.openAgain();
  }

  /** The connection is gone. */
  down(): void {
    for (const subscription of this.#open) subscription.down();
  }

  /** The queues of all broadcasts, bound again. @throws what the server refuses */
  async declareLives(connection: ChannelModel): Promise<void> {
    for (const subscription of this.#open) {
      if (subscription.delivery === "broadcast") await this.#declareLive(subscription, connection);
    }
  }

  /** The queue for the dead letters of a subscription, of this process or another. */
  async declareLettersOf(name: string): Promise<void> {
    await declareLetters(this.#ports.connected(), this.names, name);
    await this.#ports.registry.noteLetters(name);
  }

  /** A broadcast, of this process or another, held as much as it may: a letter of it is kept. */
  pushedOut(letter: DeadLetter, id: string): void {
    this.counters.deadLettered += 1;
    for (const own of this.#open) {
      if (own.id === id && own.name === letter.subscription) own.view.deadLettered += 1;
    }
    this.buried(letter);
  }

  async close(drainMs: number): Promise<void> {
    await Promise.all([...this.#open].map((each) => each.close({ drainMs })));
  }

  // What a subscription asks of its host.

  connection(): ChannelModel | undefined {
    return this.#ports.connection();
  }

  async prepare(
    subscription: OpenSubscription,
    connection: ChannelModel,
  ): Promise<readonly Source[]> {
    const { spec, id } = subscription;
    if (spec.delivery === "broadcast") {
      await this.#declareLive(subscription, connection);
      const queue = this.names.live(spec.name, id);
      return [{ queue, prefetch: spec.concurrency, isOwn: true }];
    }
    const { groups, registry } = this.#ports;
    if (await groups.isBeingRemoved(spec.name)) await groups.untilNotRemoved(spec.name);
    const group = registry.find(spec.name) ?? subscription.view.group;
    await declareGroup(connection, this.names, group);
    if (group.retentionMs !== undefined) {
      // Its messages are taken from now on: what was counted says nothing any more.
      const ages = this.names.ages(group.name);
      await withChannel(connection, (channel) => channel.deleteQueue(ages));
    }
    return sourcesOf(this.names, group, spec);
  }

  ownsPartition({ id, name }: OpenSubscription, index: number): boolean {
    const owner = this.#ports.members.ownerOf(name, index);
    return owner === undefined || owner === id;
  }

  letterOf({ spec }: OpenSubscription, held: HeldDelivery, burial: Burial): DeadLetter {
    const id = this.#ids.uuid();
    return newLetter({ id, deadAtMs: this.clock.nowMs() }, spec, { held, ...burial });
  }

  declareLetters({ name }: OpenSubscription): Promise<void> {
    return this.declareLettersOf(name);
  }

  async deleteQueues({ spec, id, name }: OpenSubscription): Promise<void> {
    const connection = this.connection();
    // Without a connection nobody uses them any more, and the server deletes them in a while.
    if (spec.delivery !== "broadcast" || connection === undefined) return;
    await deleteLive(connection, this.names, { id, name });
  }

  finished(view: GroupView): void {
    this.#ports.admission.finished(view);
  }

  left(subscription: OpenSubscription, unhandled: number): void {
    for (const own of this.#open) {
      if (own !== subscription) continue;
      this.#ports.members.leave(own);
      this.#open.delete(own);
    }
    this.#unhandled += unhandled;
  }

  async #declareLive(
    { id, spec, wasOpen }: OpenSubscription,
    connection: ChannelModel,
  ): Promise<void> {
    const wasThere = await declareLive(connection, this.names, { id, spec });
    if (wasThere || !wasOpen) return;
    this.log.error("the queue of a broadcast was gone; what was published meanwhile is missed", {
      subscription: spec.name,
    });
  }

  /** `undefined`: its group is being removed, or was; whether it is gone is not known here yet. */
  async #startUnlessRemoved(own: BrokerSubscription): Promise<Subscription | undefined> {
    try {
      await this.#start(own);
      if (!(await this.#ports.groups.isBeingRemoved(own.name))) return own;
    } catch (error) {
      await own.close({ drainMs: 0 });
      if (!wasDeleted(error)) throw error;
    }
    await own.close();
    return undefined;
  }

  #openGroupAgain(own: BrokerSubscription): void {
    const { groups } = this.#ports;
    const opening = groups.changes.run(own.name, async () => {
      if (!this.#open.has(own) || own.isClosing) return;
      // Its queues the member makes again itself, when it hears that they are gone: sooner is too
      // soon (`restorePauseMs` of the group desk).
      await groups.agree(own.spec);
    });
    opening.catch((error: unknown) => {
      const fields = { subscription: own.name, error };
      this.log.error("a group was removed though it has a member, and is not there again", fields);
      if (isBanyanError(error, "MESSAGING_SUBSCRIPTION_CONFLICT")) return; // it is another one now
      this.clock.setTimer(againMs, () => this.#openGroupAgain(own));
    });
  }

  async #start(subscription: BrokerSubscription): Promise<BrokerSubscription> {
    const { members, connected, assertTaking } = this.#ports;
    const connection = connected();
    this.#open.add(subscription);
    try {
      await subscription.open(connection);
      assertTaking();
      if (subscription.spec.ordered) await members.join(subscription);
      return subscription;
    } catch (error) {
      await subscription.close({ drainMs: 0 });
      throw error;
    }
  }
}

/**
 * Its queues were deleted while they were declared, or while they began to be consumed: RabbitMQ
 * may say so, fall silent, or end the whole connection.
 */
function wasDeleted(error: unknown): boolean {
  const code = codeOf(error);
  return code === 404 || (code === undefined && String(error).includes("Channel ended"));
}

function neverThere(name: string): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    `Group "${name}" was removed ${triesMax} times while it was subscribed to.`,
  );
}
