/**
 * The bus on RabbitMQ (decision 0058).
 *
 * What it owns: two connections (one publishes, one consumes), the registry of groups, the
 * subscriptions of this process.
 * What may interrupt it: either connection, at any time; subscriptions are opened again when theirs
 * is back, and what was to be published waits in its row.
 *
 * B1. A subscription is live when `subscribe` resolved, and stays so until it is closed, over any
 *     number of connections.
 * B2. Changes of one group by this process happen one after the other.
 * B3. Once `close` resolved no handler starts and nothing is sent.
 */

import type { ChannelModel } from "amqplib";
import { createIdSource } from "@banyan/kernel";
import type { Clock, IdSource, Log, Random } from "@banyan/kernel";
import { kernelErrors, TimingWheel } from "@banyan/kernel/internal";
import { BusCapability, messagingErrors } from "@banyan/messaging";
import type {
  Bus,
  BusPublishOptions,
  BusStatus,
  CloseOptions,
  DeadLetter,
  DeadLetters,
  DeliveryHandler,
  DrainReport,
  Message,
  OutboundStatus,
  OutgoingMessage,
  SubscribeSpec,
  Subscription,
  SubscriptionStatus,
} from "@banyan/messaging";
import {
  checkMessage,
  describeFailure,
  drainDefaultMs,
  isEnqueue,
  isOver,
  isWildcard,
  orderConflict,
  resolveSubscribeSpec,
} from "@banyan/messaging/internal";
import type {
  Burial,
  BusWheel,
  HeldDelivery,
  ResolvedSubscribeSpec,
  Timed,
} from "@banyan/messaging/internal";
import { Admission } from "./admission.ts";
import { BrokerSubscription } from "./broker-subscription.ts";
import type { SubscriptionHost } from "./broker-subscription.ts";
import { createBusMetrics } from "./bus-metrics.ts";
import type { BusMetrics } from "./bus-metrics.ts";
import { GroupView } from "./group-view.ts";
import { Inspector } from "./inspector.ts";
import type { QueueDepth } from "./inspector.ts";
import { BrokerLetters, redriveProperties } from "./letters.ts";
import { Link } from "./link.ts";
import { Members } from "./members.ts";
import { nameLengthMax, Names, slotOf } from "./names.ts";
import { resolveRabbitmqOptions } from "./options.ts";
import type { RabbitmqOptions, ResolvedRabbitmqOptions } from "./options.ts";
import { Outbound } from "./outbound.ts";
import type { Parcel } from "./outbound.ts";
import type { Source } from "./queue-intake.ts";
import { Publishing, withdrawn } from "./publishing.ts";
import type { Envelope, PublishingPorts } from "./publishing.ts";
import { Registry } from "./registry.ts";
import type { Group, GroupSpec } from "./registry.ts";
import { RetentionSweep } from "./retention.ts";
import { declareBase, declareGroup, declareLetters, queuesOf, withChannel } from "./topology.ts";
import { untilConnected } from "./until-connected.ts";
import { Waits } from "./waits.ts";
import { contentOf, fresh, propertiesOf } from "./wire.ts";

/** How long a status waits for the server. */
const statusMaxMs = 1000;

/** Messages of a partition that its member has at once, so that one key holds up no other. */
const aheadMin = 128;

/** What every bus on RabbitMQ offers. */
export const rabbitmqCapabilities: ReadonlySet<BusCapability> = new Set([
  BusCapability.Wildcards,
  BusCapability.Ordered,
  BusCapability.Delays,
  BusCapability.Retention,
]);

/**
 * Opens a bus on a RabbitMQ.
 * @throws MESSAGING_OPTIONS_INVALID; RABBITMQ_UNREACHABLE after `connectTimeoutMs`; at once what
 *   trying again does not mend: RABBITMQ_REFUSED, RABBITMQ_CERTIFICATE_REFUSED
 */
export async function openRabbitmqBus(options: RabbitmqOptions = {}): Promise<Bus> {
  const bus = new RabbitmqBus(resolveRabbitmqOptions(options));
  try {
    await bus.start();
    return bus;
  } catch (error) {
    await bus.close({ drainMs: 0 });
    throw error;
  }
}

/** A broadcast's own place in the accounts of groups: it has no limit but its queue's. */
function liveView(spec: ResolvedSubscribeSpec, id: string): GroupView {
  const { name, topic, ordered, bufferMax, retentionMs } = spec;
  return new GroupView({
    name,
    life: id,
    topic,
    ordered,
    partitions: 0,
    bufferMax,
    retentionMs,
  });
}

class RabbitmqBus implements Bus, SubscriptionHost {
  readonly name = "rabbitmq";
  readonly durability = "durable";
  readonly capabilities: ReadonlySet<BusCapability>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: BusWheel;
  readonly names: Names;
  readonly outbound: Outbound;
  readonly waits: Waits;
  readonly counters = {
    published: 0,
    unrouted: 0,
    handled: 0,
    retried: 0,
    deadLettered: 0,
    deadLettersDropped: 0,
    expired: 0,
    enqueueFailed: 0,
  };
  readonly #options: ResolvedRabbitmqOptions;
  readonly #ids: IdSource;
  readonly #publishing: Link;
  readonly #consuming: Link;
  readonly #registry: Registry;
  readonly #admission: Admission;
  readonly #inspector: Inspector;
  readonly #letters: BrokerLetters;
  readonly #members: Members;
  readonly #sweep: RetentionSweep;
  readonly #metrics: BusMetrics | undefined;
  readonly #unwatch: (() => void) | undefined;
  readonly #subscriptions = new Set<BrokerSubscription>();
  readonly #running = new Set<Publishing>();
  readonly #publishPorts: PublishingPorts;
  /** Group → the last change of it that began (B2). */
  readonly #changes = new Map<string, Promise<unknown>>();
  #unhandled = 0;
  #isDraining = false;
  #isClosed = false;
  #closing: Promise<DrainReport> | undefined = undefined;

  constructor(options: ResolvedRabbitmqOptions) {
    const { clock, random, log } = options;
    this.#options = options;
    // Quorum queues of RabbitMQ 3.10 refuse x-max-priority.
    this.capabilities =
      options.queueType === "classic"
        ? new Set([...rabbitmqCapabilities, BusCapability.Priority])
        : rabbitmqCapabilities;
    this.clock = clock;
    this.random = random;
    this.log = log;
    this.#ids = createIdSource(clock, random);
    this.names = new Names(options);
    this.wheel = new TimingWheel<Timed>(clock, (timed) => timed.onDue());
    const { metrics, namespace } = options;
    this.#metrics = metrics && createBusMetrics(metrics, namespace);
    this.outbound = new Outbound({
      clock,
      random,
      log,
      countMax: options.outboundMax,
      bytesMax: options.outboundBytesMax,
      ageMaxMs: options.outboundAgeMaxMs,
      prepare: (channel) => declareBase(channel, this.names),
      failure: () => this.#publishing.failure,
      confirmed: this.#metrics?.confirmed,
    });
    this.#publishing = new Link(options, "publish", {
      onUp: (connection) => {
        this.#metrics?.connected("publish");
        this.outbound.up(connection);
      },
      onDown: () => this.outbound.down(),
      onBlocked: (reason) => this.outbound.block(reason),
    });
    this.#consuming = new Link(options, "consume", {
      onUp: (connection) => {
        this.#metrics?.connected("consume");
        void this.#up(connection);
      },
      onDown: () => this.#down(),
    });
    this.#inspector = new Inspector(() => this.#connection());
    this.#admission = new Admission({ clock, look: (group) => this.#ready(group) });
    this.waits = new Waits({
      clock,
      names: this.names,
      outbound: this.outbound,
      connection: () => this.#connection(),
    });
    this.#registry = new Registry({
      options,
      names: this.names,
      outbound: this.outbound,
      changed: (name, group) => this.#groupChanged(name, group),
    });
    this.#letters = this.#openLetters();
    this.#members = new Members({ clock, log, names: this.names, outbound: this.outbound });
    this.#sweep = new RetentionSweep({
      clock,
      log,
      names: this.names,
      groups: () => this.#registry.groups,
      depthOf: (group) => this.#depthOf(group),
      connection: () => this.#consuming.connection,
      dropped: (_group, count) => {
        this.counters.expired += count;
      },
    });
    this.#publishPorts = this.#portsOfPublishing();
    const counts = () => this.#counts();
    this.#unwatch = this.#metrics?.watch({ namespace, outbound: this.outbound, counts });
  }

  get bodySizeMax(): number {
    return this.#options.bodySizeMax;
  }

  get deadLetters(): DeadLetters {
    return this.#letters;
  }

  /** Connects, and reads the registry. */
  async start(): Promise<void> {
    this.#publishing.start();
    this.#consuming.start();
    await untilConnected(this.#publishing, this.#options);
    await untilConnected(this.#consuming, this.#options);
    await this.#inTime(this.#registry.ready, this.#options.connectTimeoutMs);
  }

  publish(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options: BusPublishOptions = {},
  ): Promise<void> {
    try {
      this.#assertOpen();
      const { signal, timeoutMs = this.#options.publishTimeoutMs, owned = false } = options;
      if (signal?.aborted === true) throw withdrawn(signal);
      const { mandatory = false } = options;
      const terms = { timeoutMs, signal, mandatory, enqueue: isEnqueue(options) };
      const priority = this.capabilities.has("priority");
      const checks = { bodySizeMax: this.bodySizeMax, delays: this.clock, owned, priority };
      const batch = isBatch(messages) ? messages : [messages];
      const checked = batch.map((each) => checkMessage(each, checks));
      const envelopes = checked.map((each) => this.#envelopeOf(each));
      const alive = envelopes.filter(({ message }) => !this.#isOver(message));
      const publishing = new Publishing(alive, this.#publishPorts, terms);
      this.#running.add(publishing);
      const done = publishing.run();
      const forget = (): void => void this.#running.delete(publishing);
      done.then(forget, forget);
      return done;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(spec: SubscribeSpec, handler: DeliveryHandler): Promise<Subscription> {
    this.#assertTaking();
    const resolved = resolveSubscribeSpec(spec, { bufferMax: this.#options.bufferMax });
    this.#checkSpec(resolved, handler);
    const id = this.#ids.uuid();
    if (resolved.delivery === "broadcast") {
      const view = liveView(resolved, id);
      return this.#open(new BrokerSubscription(this, { spec: resolved, handler, view, id }));
    }
    return this.#oneByOne(resolved.name, async () => {
      const group = await this.#agree(resolved);
      const view = this.#admission.view(group.name) ?? new GroupView(group);
      return this.#open(new BrokerSubscription(this, { spec: resolved, handler, view, id }));
    });
  }

  async removeGroup(name: string): Promise<number> {
    this.#assertOpen();
    return this.#oneByOne(name, async () => {
      const group = this.#registry.find(name);
      if (group === undefined) return 0;
      const { ready, consumers } = await this.#depthOf(group);
      if (consumers > 0) {
        throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
          `Group "${name}" still has ${consumers} members; close their subscriptions first.`,
        );
      }
      const view = this.#admission.view(name);
      const connection = this.#connection();
      const notes = Array.from({ length: group.partitions }, (_, index) =>
        this.names.notes(name, index),
      );
      for (const queue of [...queuesOf(this.names, group), ...notes]) {
        await withChannel(connection, (channel) => channel.deleteQueue(queue));
      }
      await this.#registry.remove(group);
      return ready + (view === undefined ? 0 : this.waits.forgetAll(view));
    });
  }

  async status(): Promise<BusStatus> {
    this.#assertOpen();
    const groups = [...this.#registry.groups].map((group) => this.#groupStatus(group));
    const lives = [...this.#subscriptions]
      .filter(({ delivery }) => delivery === "broadcast")
      .map((subscription) => this.#liveStatus(subscription));
    return {
      ...this.counters,
      outbound: this.#outboundStatus(),
      publishesWaiting: [...this.#running].filter(({ isWaiting }) => isWaiting).length,
      subscriptions: await Promise.all([...groups, ...lives]),
    };
  }

  async check(): Promise<void> {
    this.#assertTaking();
    const refusal = this.outbound.refusal;
    if (refusal !== undefined) throw refusal;
    if (this.outbound.isUp && this.outbound.blocked === undefined) return;
    const cause = this.#publishing.failure;
    throw messagingErrors.MESSAGING_UNAVAILABLE(
      this.outbound.blocked === undefined
        ? `There is no connection to RabbitMQ: ${cause.message}`
        : `RabbitMQ takes no messages: ${this.outbound.blocked}.`,
      { cause },
    );
  }

  close(options: CloseOptions = {}): Promise<DrainReport> {
    const { drainMs = drainDefaultMs } = options;
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // What subscriptions ask of their bus.

  connection(): ChannelModel | undefined {
    return this.#consuming.connection;
  }

  async prepare(
    subscription: BrokerSubscription,
    connection: ChannelModel,
  ): Promise<readonly Source[]> {
    const { spec, id } = subscription;
    const prefetch = spec.concurrency;
    if (spec.delivery === "broadcast") {
      const queue = this.names.live(spec.name, id);
      await this.#declareLive(connection, { queue, spec });
      return [{ queue, prefetch }];
    }
    const group = this.#registry.find(spec.name) ?? subscription.view.group;
    await declareGroup(connection, this.names, group);
    const partitions = Array.from({ length: group.partitions }, (_, index): Source => {
      const queue = this.names.partition(spec.name, index);
      if (!spec.ordered) return { queue, prefetch }; // what an order left behind
      const notes = this.names.notes(spec.name, index);
      return { queue, prefetch: Math.max(aheadMin, prefetch * 2), partition: { index, notes } };
    });
    return [{ queue: this.names.group(spec.name), prefetch }, ...partitions];
  }

  ownsPartition({ id, name }: BrokerSubscription, index: number): boolean {
    const owner = this.#members.ownerOf(name, index);
    return owner === undefined || owner === id;
  }

  letterOf({ spec }: BrokerSubscription, held: HeldDelivery, burial: Burial): DeadLetter {
    const { id, topic, timestampMs, body, headers, orderingKey } = held.message;
    return {
      id: this.#ids.uuid(),
      subscription: spec.name,
      delivery: spec.delivery,
      message: { id, topic, timestampMs, body, headers, orderingKey },
      attempts: Math.max(1, held.attempt),
      reason: burial.reason,
      error: describeFailure(burial.error),
      deadAtMs: this.clock.nowMs(),
    };
  }

  async declareLetters({ spec }: BrokerSubscription): Promise<void> {
    await declareLetters(this.#connection(), this.names, spec.name);
    await this.#registry.noteLetters(spec.name);
  }

  finished(view: GroupView): void {
    this.#admission.finished(view);
  }

  left(subscription: BrokerSubscription, unhandled: number): void {
    this.#members.leave(subscription);
    this.#subscriptions.delete(subscription);
    this.#unhandled += unhandled;
  }

  /** It was over when it was published: it goes to nobody. */
  #isOver(message: OutgoingMessage): boolean {
    if (!isOver(message, this.clock)) return false;
    this.counters.published += 1;
    this.counters.expired += 1;
    return true;
  }

  #portsOfPublishing(): PublishingPorts {
    return {
      clock: this.clock,
      admission: this.#admission,
      outbound: this.outbound,
      confirmed: (_message, { isReturned }: Parcel) => {
        this.counters.published += 1;
        if (isReturned) this.counters.unrouted += 1;
      },
      enqueueFailed: ({ id, topic }, error) => {
        this.counters.enqueueFailed += 1;
        this.log.error("an enqueued message was not kept", { topic, messageId: id, error });
      },
    };
  }

  #openLetters(): BrokerLetters {
    return new BrokerLetters({
      options: this.#options,
      names: this.names,
      inspector: this.#inspector,
      connection: () => this.#connection(),
      subscriptions: () => this.#registry.lettered,
      redeliver: (letter) => this.#redeliver(letter),
      assertOpen: () => this.#assertOpen(),
    });
  }

  /** @throws MESSAGING_MESSAGE_INVALID for a header that is not the publisher's to set */
  #envelopeOf(message: OutgoingMessage): Envelope {
    const { topic, orderingKey } = message;
    const { keyed, events } = this.names;
    const isKeyed = orderingKey !== undefined;
    return {
      message,
      exchange: isKeyed ? keyed : events,
      routingKey: isKeyed ? `${slotOf(orderingKey)}.${topic}` : topic,
      content: contentOf(message),
      properties: { ...propertiesOf(message, fresh), mandatory: true },
    };
  }

  /** @throws what cannot be asked of this bus */
  #checkSpec(spec: ResolvedSubscribeSpec, handler: DeliveryHandler): void {
    if (typeof handler !== "function") {
      throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
        `Subscription "${spec.name}": its handler is not a function.`,
      );
    }
    if (spec.name.length > nameLengthMax) {
      throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
        `Subscription "${spec.name}": RabbitMQ takes names of at most ${nameLengthMax} characters.`,
      );
    }
    const missing = (capability: BusCapability): Error =>
      messagingErrors.MESSAGING_CAPABILITY_MISSING(
        `Subscription "${spec.name}" asks for ${capability}, which the bus on RabbitMQ does not offer.`,
        { details: { capability } },
      );
    const { capabilities } = this;
    if (isWildcard(spec.topic) && !capabilities.has("wildcards")) throw missing("wildcards");
    if (spec.ordered && !capabilities.has("ordered")) throw missing("ordered");
    if (spec.retentionMs !== undefined && !capabilities.has("retention"))
      throw missing("retention");
  }

  /**
   * The group as its log has it, opened or changed so that it is what this member wants.
   * @throws MESSAGING_SUBSCRIPTION_CONFLICT
   */
  async #agree(spec: ResolvedSubscribeSpec): Promise<Group> {
    const { name, topic, ordered, bufferMax, retentionMs } = spec;
    const wanted: GroupSpec = { name, topic, ordered, bufferMax, retentionMs };
    let group = this.#registry.find(name);
    if (group !== undefined && group.topic === topic && group.ordered !== ordered) {
      const { consumers } = await this.#depthOf(group);
      if (consumers > 0) throw orderConflict(name, group.ordered);
    }
    if (group === undefined || (group.topic === topic && !isSame(group, wanted))) {
      const partitions = ordered
        ? group?.partitions || this.#options.partitions
        : (group?.partitions ?? 0);
      group = await this.#registry.write(wanted, partitions);
    }
    if (group?.topic === topic) return group;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
      `Group "${name}" is bound to topic "${group?.topic ?? "?"}", not "${topic}"; ` +
        `give the subscription another name, or remove the group.`,
    );
  }

  async #open(subscription: BrokerSubscription): Promise<Subscription> {
    const connection = this.#connection();
    this.#subscriptions.add(subscription);
    try {
      await subscription.open(connection);
      this.#assertTaking();
      if (subscription.spec.ordered) this.#members.join(subscription);
      return subscription;
    } catch (error) {
      await subscription.close({ drainMs: 0 });
      throw error;
    }
  }

  async #declareLive(
    connection: ChannelModel,
    { queue, spec }: { readonly queue: string; readonly spec: ResolvedSubscribeSpec },
  ): Promise<void> {
    const { names } = this;
    await withChannel(connection, async (channel) => {
      await channel.assertQueue(queue, names.liveQueue(spec.name, spec.bufferMax));
      await channel.bindQueue(queue, names.events, spec.topic);
      await channel.bindQueue(queue, names.keyed, `*.${spec.topic}`);
      await channel.bindQueue(queue, names.back, queue);
      await channel.bindQueue(queue, names.back, names.lives(spec.name));
    });
  }

  async #redeliver(letter: DeadLetter): Promise<boolean> {
    const { subscription, delivery, message } = letter;
    const isGroup = delivery === "group";
    const view = isGroup ? this.#admission.view(subscription) : undefined;
    if (isGroup && (view === undefined || !view.hasRoom)) return false;
    const routingKey =
      view === undefined ? this.names.lives(subscription) : this.#queueFor(view.group, message);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.outbound.send({
      exchange: isGroup ? "" : this.names.back,
      routingKey,
      content: contentOf(message),
      properties: redriveProperties(message, this.clock.nowMs()),
      deadlineMs: this.clock.monotonicMs() + this.#options.publishTimeoutMs,
      onEnd: (error, { isReturned }) => {
        if (error === undefined) resolve(!isReturned);
        else reject(error);
      },
    });
    const isGone = await promise;
    if (!isGone || view === undefined) return isGone;
    view.published();
    view.confirmed();
    return true;
  }

  /** Of a group: where a message of it belongs. */
  #queueFor({ name, ordered, partitions }: Group, { orderingKey }: Message): string {
    if (!ordered || orderingKey === undefined) return this.names.group(name);
    return this.names.partition(name, slotOf(orderingKey) % partitions);
  }

  #counts() {
    const links = [this.#publishing, this.#consuming].filter(({ connection }) => connection);
    return {
      connections: links.length,
      channels: links.reduce((sum, { channels }) => sum + channels, 0),
    };
  }

  #outboundStatus(): OutboundStatus {
    const { size, unconfirmed, bytes, oldestMs, blocked, isUp } = this.outbound;
    return {
      connected: isUp && blocked === undefined,
      waiting: size - unconfirmed,
      unconfirmed,
      bytes,
      oldestMs,
      limit: this.#options.outboundMax,
      blocked,
    };
  }

  async #groupStatus(group: Group): Promise<SubscriptionStatus> {
    const view = this.#admission.view(group.name) ?? new GroupView(group);
    const { ready, consumers } = await this.#depthNow(group, view);
    return {
      name: group.name,
      topic: group.topic,
      delivery: "group",
      members: consumers,
      ...this.#countsOf(view, ready),
    };
  }

  async #liveStatus({ spec, id, view }: BrokerSubscription): Promise<SubscriptionStatus> {
    const queue = this.names.live(spec.name, id);
    const depth = await this.#soon(this.#inspector.depth(queue)).catch(() => undefined);
    return {
      name: spec.name,
      topic: spec.topic,
      delivery: "broadcast",
      members: 1,
      ...this.#countsOf(view, depth?.ready ?? 0),
    };
  }

  #countsOf(view: GroupView, buffered: number) {
    const { running, retrying, delayed, handled, retried, deadLettered, newestMs } = view;
    const ageMs = buffered === 0 || newestMs === 0 ? 0 : this.clock.nowMs() - newestMs;
    const lagMs = Math.max(0, ageMs);
    return { buffered, running, retrying, delayed, lagMs, handled, retried, deadLettered };
  }

  /** As the server says; while it says nothing, what this process knows itself. */
  async #depthNow(group: Group, view: GroupView): Promise<QueueDepth> {
    try {
      return await this.#soon(this.#depthOf(group));
    } catch {
      const own = [...this.#subscriptions].filter(
        ({ name, delivery }) => delivery === "group" && name === group.name,
      );
      const ready = Math.max(0, view.held - view.taken - view.waiters.size);
      return { ready, consumers: own.length };
    }
  }

  async #depthOf(group: Group): Promise<QueueDepth> {
    const depths = await Promise.all(
      queuesOf(this.names, group).map((queue) => this.#inspector.depth(queue)),
    );
    return {
      ready: depths.reduce((sum, depth) => sum + (depth?.ready ?? 0), 0),
      consumers: Math.max(...depths.map((depth) => depth?.consumers ?? 0)),
    };
  }

  async #ready(group: Group): Promise<number> {
    const { ready } = await this.#depthOf(group);
    return ready;
  }

  #groupChanged(name: string, group: Group | undefined): void {
    this.#admission.changed(name, group);
    if (group?.retentionMs !== undefined) this.#sweep.start();
    const view = this.#admission.view(name);
    for (const subscription of this.#subscriptions) {
      if (view !== undefined && subscription.name === name && subscription.delivery === "group") {
        subscription.view = view;
      }
    }
  }

  async #up(connection: ChannelModel): Promise<void> {
    try {
      await withChannel(connection, (channel) => declareBase(channel, this.names));
      await this.#members.up(connection);
      await this.#registry.up(connection);
      await this.#registry.ready;
    } catch (error) {
      if (this.#consuming.connection === connection) {
        this.log.error("the registry of groups cannot be read", { error });
        this.clock.setTimer(1000, () => {
          if (this.#consuming.connection === connection && !this.#isClosed) {
            void this.#up(connection);
          }
        });
      }
      return;
    }
    for (const subscription of this.#subscriptions) subscription.openAgain();
  }

  #down(): void {
    this.#registry.down();
    this.#inspector.down();
    this.waits.down();
    for (const subscription of this.#subscriptions) subscription.down();
  }

  /** @throws MESSAGING_UNAVAILABLE */
  #connection(): ChannelModel {
    const { connection, failure } = this.#consuming;
    if (connection !== undefined) return connection;
    throw messagingErrors.MESSAGING_UNAVAILABLE(
      `There is no connection to RabbitMQ: ${failure.message}`,
      { cause: failure },
    );
  }

  /** A server that is silent must not make a status silent too. */
  #soon<T>(promise: Promise<T>): Promise<T> {
    return this.#inTime(promise, statusMaxMs);
  }

  async #inTime<T>(promise: Promise<T>, limitMs: number): Promise<T> {
    const late = Promise.withResolvers<never>();
    const cancel = this.clock.setTimer(
      limitMs,
      () => late.reject(messagingErrors.MESSAGING_UNAVAILABLE("RabbitMQ answers too slowly.")),
      { keepAlive: true },
    );
    try {
      return await Promise.race([promise, late.promise]);
    } finally {
      cancel();
    }
  }

  async #close(drainMs: number): Promise<DrainReport> {
    this.#isDraining = true;
    this.#sweep.close();
    const endsMs = this.clock.monotonicMs() + drainMs;
    await Promise.all([...this.#subscriptions].map((each) => each.close({ drainMs })));
    const closed = kernelErrors.CLOSED("The bus was closed before it had room for the message.");
    for (const publishing of this.#running) publishing.stop(closed);
    await this.outbound.idle(endsMs - this.clock.monotonicMs());
    this.#isClosed = true;
    this.#members.close();
    this.#unwatch?.();
    const left = this.outbound.close();
    if (left > 0) this.log.error("messages that RabbitMQ has not confirmed are lost", { left });
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
    return { unhandled: this.#unhandled };
  }

  /** Runs a change of a group after those of it that began before (B2). */
  #oneByOne<T>(name: string, change: () => Promise<T>): Promise<T> {
    const before = this.#changes.get(name) ?? Promise.resolve();
    const own = before.then(change, change);
    this.#changes.set(name, own);
    const forget = (): void => {
      if (this.#changes.get(name) === own) this.#changes.delete(name);
    };
    own.then(forget, forget);
    return own;
  }

  #assertOpen(): void {
    if (this.#isClosed) throw kernelErrors.CLOSED("The bus is closed.");
  }

  #assertTaking(): void {
    if (this.#isDraining) throw kernelErrors.CLOSED("The bus is closing.");
  }
}

function isSame(group: Group, wanted: GroupSpec): boolean {
  return (
    group.ordered === wanted.ordered &&
    group.bufferMax === wanted.bufferMax &&
    group.retentionMs === wanted.retentionMs
  );
}

function isBatch(
  messages: OutgoingMessage | readonly OutgoingMessage[],
): messages is readonly OutgoingMessage[] {
  return Array.isArray(messages);
}
