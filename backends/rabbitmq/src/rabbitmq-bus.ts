/**
 * The bus on RabbitMQ (decision 0058).
 *
 * What it owns: two connections (one publishes, one consumes), what this process
 * knows of the groups, its subscriptions.
 * What may interrupt it: either connection, at any time; subscriptions are opened again when theirs
 * is back, and what was to be published waits in its row.
 *
 * B1. A subscription is live when `subscribe` resolved, and stays so until it is closed, over any
 *     number of connections.
 * B2. Once `close` resolved no handler starts and nothing is sent.
 */

import type { ChannelModel } from "amqplib";
import { createIdSource } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { kernelErrors, TimingWheel } from "@banyan/kernel/internal";
import { BusCapability, messagingErrors } from "@banyan/messaging";
import type {
  Bus,
  BusPublishOptions,
  BusStatus,
  CloseOptions,
  DeadLetters,
  DeliveryHandler,
  DrainReport,
  OutgoingMessage,
  SubscribeSpec,
  Subscription,
} from "@banyan/messaging";
import { drainDefaultMs, letterTeller } from "@banyan/messaging/internal";
import type { BusWheel, Timed } from "@banyan/messaging/internal";
import { Admission } from "./admission.ts";
import { Base } from "./base.ts";
import { rabbitmqCapabilities, withPriorities } from "./capabilities.ts";
import { countsOf, createBusMetrics } from "./bus-metrics.ts";
import type { BusMetrics, LinkCounts } from "./bus-metrics.ts";
import { deniedBy, notConnected } from "./errors.ts";
import { GroupDesk } from "./group-desk.ts";
import type { GroupView } from "./group-view.ts";
import { inTime } from "./in-time.ts";
import { Inspector } from "./inspector.ts";
import { BrokerLetters } from "./letters.ts";
import { LetterWriter } from "./letter-writer.ts";
import { Link } from "./link.ts";
import { Members } from "./members.ts";
import { Names } from "./names.ts";
import { resolveRabbitmqOptions } from "./options.ts";
import type { RabbitmqOptions, ResolvedRabbitmqOptions } from "./options.ts";
import { watchOutage } from "./outage-watch.ts";
import { Outbound } from "./outbound.ts";
import { OverflowDesk } from "./overflow-desk.ts";
import { PublishDesk } from "./publish-desk.ts";
import { Registry } from "./registry.ts";
import type { Group } from "./registry.ts";
import { RetentionSweep } from "./retention.ts";
import { withChannel } from "./topology.ts";
import { outboundStatus, StatusReport } from "./status-report.ts";
import { SubscriptionDesk } from "./subscription-desk.ts";
import { untilConnected } from "./until-connected.ts";
import { Waits } from "./waits.ts";
import { WaitsCensus } from "./waits-census.ts";

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

class RabbitmqBus implements Bus {
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
  readonly #publishing: Link;
  readonly #consuming: Link;
  readonly #registry: Registry;
  readonly #admission: Admission;
  readonly #inspector: Inspector;
  readonly #letters: BrokerLetters;
  readonly #desk: GroupDesk;
  readonly #publishDesk: PublishDesk;
  readonly #report: StatusReport;
  readonly #base: Base;
  readonly #overflow: OverflowDesk;
  readonly #members: Members;
  readonly #census: WaitsCensus;
  readonly #sweep: RetentionSweep;
  readonly #metrics: BusMetrics | undefined;
  readonly #unwatch: (() => void) | undefined;
  readonly #subscriptions: SubscriptionDesk;
  /** The registry was read once: its groups are known. */
  #isRead = false;
  #isDraining = false;
  #isClosed = false;
  /** The user lacks a right that the bus needs. */
  #denied: Error | undefined = undefined;
  #closing: Promise<DrainReport> | undefined = undefined;
  /** Monotonic: when the patience of whoever closes is over. */
  #endsMs = Infinity;
  #endWatch: (() => void) | undefined = undefined;

  constructor(options: ResolvedRabbitmqOptions) {
    const { clock, random, log } = options;
    this.#options = options;
    this.capabilities = options.priorities ? withPriorities : rabbitmqCapabilities;
    this.clock = clock;
    this.random = random;
    this.log = log;
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
      prepare: async (channel, isLost) => {
        await this.#base.declare(channel, this.#publishing.connection);
        if (isLost || (this.#base.isNew && this.#isRead)) await this.#base.declareAll();
      },
      failure: () => this.#publishing.failure,
      onRefused: (error) => {
        this.#denied ??= deniedBy(error, options.namespace);
      },
      confirmed: this.#metrics?.confirmed,
    });
    this.#publishing = new Link(options, "publish", {
      onUp: (connection) => this.outbound.up(connection),
      onDown: () => this.outbound.down(),
      onBlocked: (reason) => this.outbound.block(reason),
    });
    this.#consuming = new Link(options, "consume", {
      onUp: (connection) => void this.#up(connection),
      onDown: () => this.#down(),
    });
    this.#inspector = new Inspector(() => this.#connection());
    this.#admission = new Admission({ clock, look: (group) => this.#look(group) });
    this.waits = new Waits({
      clock,
      names: this.names,
      outbound: this.outbound,
      connection: () => this.#connection(),
      changed: () => this.#census.changed(),
    });
    this.#census = this.#openCensus();
    this.#registry = new Registry({
      options,
      names: this.names,
      outbound: this.outbound,
      changed: (name, group) => this.#groupChanged(name, group),
    });
    this.#base = this.#openBase();
    this.#letters = this.#openLetters();
    this.#overflow = this.#openOverflow();
    this.#desk = this.#openDesk();
    this.#publishDesk = this.#openPublishDesk();
    this.#report = this.#openReport();
    this.#members = this.#openMembers();
    this.#subscriptions = this.#openSubscriptions();
    this.#sweep = this.#openSweep();
    const { outbound } = this;
    const counts = (): LinkCounts => countsOf([this.#publishing, this.#consuming]);
    this.#unwatch = this.#metrics?.watch({ namespace, outbound, counts });
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
    const { clock, outbound } = this;
    const { ready } = this.#registry;
    await inTime(clock, ready, this.#options.connectTimeoutMs).catch((error: unknown) => {
      throw this.#denied ?? error;
    });
    const { onOutage, outboundAgeMaxMs: ageMaxMs } = this.#options;
    const failure = (): Error => this.#publishing.failure;
    if (onOutage === undefined || this.#isDraining) return;
    this.#endWatch = watchOutage({ clock, outbound, ageMaxMs, failure, onOutage });
  }

  publish(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options: BusPublishOptions = {},
  ): Promise<void> {
    try {
      this.#assertOpen();
      return this.#publishDesk.publish(messages, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(spec: SubscribeSpec, handler: DeliveryHandler): Promise<Subscription> {
    this.#assertTaking();
    return this.#subscriptions.subscribe(spec, handler);
  }

  async removeGroup(name: string): Promise<number> {
    this.#assertOpen();
    return this.#desk.remove(name);
  }

  async status(): Promise<BusStatus> {
    this.#assertOpen();
    return {
      ...this.counters,
      outbound: outboundStatus(this.outbound, this.#options.outboundMax),
      publishesWaiting: this.#publishDesk.waiting,
      subscriptions: await this.#report.subscriptions(),
    };
  }

  async check(): Promise<void> {
    this.#assertTaking();
    const refusal = this.outbound.refusal;
    if (refusal !== undefined) throw refusal;
    if (this.outbound.takes) return;
    const { blocked } = this.outbound;
    if (blocked === undefined) throw notConnected(this.#publishing.failure);
    throw messagingErrors.MESSAGING_UNAVAILABLE(`RabbitMQ takes no messages: ${blocked}.`);
  }

  /** A later call with less patience shortens the first one's wait. */
  close(options: CloseOptions = {}): Promise<DrainReport> {
    const { drainMs = drainDefaultMs } = options;
    const endsMs = this.clock.monotonicMs() + drainMs;
    const isHurried = this.#closing !== undefined && endsMs < this.#endsMs;
    this.#endsMs = Math.min(this.#endsMs, endsMs);
    this.#closing ??= this.#close(drainMs);
    if (isHurried) {
      void this.#subscriptions.close(drainMs);
      void this.outbound.idle(drainMs);
    }
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #openPublishDesk(): PublishDesk {
    const { clock, log, names, outbound, counters, bodySizeMax } = this;
    return new PublishDesk({
      clock,
      log,
      names,
      outbound,
      counters,
      bodySizeMax,
      admission: this.#admission,
      desk: this.#desk,
      format: this.#options.format,
      publishTimeoutMs: this.#options.publishTimeoutMs,
      offersPriority: this.capabilities.has(BusCapability.Priority),
    });
  }

  #openBase(): Base {
    const { clock, names, log, waits } = this;
    return new Base({
      clock,
      names,
      log,
      waits,
      groups: () => this.#registry.groups,
      declareLives: (connection) => this.#subscriptions.declareLives(connection),
      connection: () => this.#connection(),
    });
  }

  #openCensus(): WaitsCensus {
    const { clock, random, names, outbound } = this;
    const views = (): Iterable<GroupView> => this.#admission.views;
    return new WaitsCensus({ clock, random, names, outbound, views });
  }

  #openMembers(): Members {
    const { clock, random, log, names, outbound } = this;
    const heardWaits = (said: object): void => this.#census.heard(said);
    return new Members({ clock, random, log, names, outbound, heardWaits });
  }

  #openDesk(): GroupDesk {
    return new GroupDesk({
      clock: this.clock,
      names: this.names,
      registry: this.#registry,
      inspector: this.#inspector,
      admission: this.#admission,
      census: this.#census,
      partitions: this.#options.partitions,
      connection: () => this.#connection(),
    });
  }

  #openReport(): StatusReport {
    return new StatusReport({
      clock: this.clock,
      names: this.names,
      registry: this.#registry,
      admission: this.#admission,
      inspector: this.#inspector,
      desk: this.#desk,
      census: this.#census,
      subscriptions: () => this.#subscriptions.all,
    });
  }

  #openSubscriptions(): SubscriptionDesk {
    const { clock, random, log, wheel, names, outbound, waits, counters, capabilities } = this;
    return new SubscriptionDesk({
      clock,
      random,
      log,
      wheel,
      names,
      outbound,
      waits,
      counters,
      capabilities,
      registry: this.#registry,
      admission: this.#admission,
      members: this.#members,
      groups: this.#desk,
      bufferMax: this.#options.bufferMax,
      buried: letterTeller(this.#options.onDeadLetter, log),
      connection: () => this.#consuming.connection,
      connected: () => this.#connection(),
      assertTaking: () => this.#assertTaking(),
    });
  }

  #openSweep(): RetentionSweep {
    return new RetentionSweep({
      clock: this.clock,
      log: this.log,
      names: this.names,
      groups: () => this.#registry.groups,
      depthOf: (group) => this.#desk.depthOf(group),
      connection: () => this.#consuming.connection,
      waits: this.waits,
      view: (name) => this.#admission.view(name),
      dropped: (_group, count) => {
        this.counters.expired += count;
      },
    });
  }

  #openLetters(): BrokerLetters {
    return new BrokerLetters({
      options: this.#options,
      names: this.names,
      inspector: this.#inspector,
      connection: () => this.#connection(),
      subscriptions: () => this.#registry.lettered,
      redeliver: (letter, delivered) => this.#publishDesk.redeliver(letter, delivered),
      assertOpen: () => this.#assertOpen(),
    });
  }

  #openOverflow(): OverflowDesk {
    const { clock, random, log, names, outbound } = this;
    return new OverflowDesk({
      clock,
      ids: createIdSource(clock, random),
      log,
      names,
      writer: new LetterWriter({ clock, random, names, outbound }),
      declareLetters: (name) => this.#subscriptions.declareLettersOf(name),
      counted: (letter, id) => this.#subscriptions.pushedOut(letter, id),
    });
  }

  /** What a group holds and no process has. */
  async #look(group: Group): Promise<number> {
    const { ready } = await this.#desk.depthOf(group);
    const { retrying, delayed } = this.#census.elsewhere(group.life);
    return ready + retrying + delayed;
  }

  #groupChanged(name: string, group: Group | undefined): void {
    const before = this.#admission.view(name);
    this.#admission.changed(name, group);
    if (group === undefined) {
      if (before !== undefined) this.waits.forgetAll(before);
      this.#desk.removed(name);
      this.#subscriptions.groupGone(name);
    }
    if (group?.retentionMs !== undefined) this.#sweep.start();
    const view = this.#admission.view(name);
    if (view !== undefined) this.#subscriptions.viewChanged(name, view);
  }

  async #up(connection: ChannelModel): Promise<void> {
    const isCurrent = (): boolean => this.#consuming.connection === connection && !this.#isClosed;
    try {
      await withChannel(connection, (channel) => this.#base.declare(channel, connection));
      await this.#overflow.up(connection);
      // Known groups first: they do not need the registry.
      this.#subscriptions.openAgain();
      await this.#members.up(connection);
      await this.#registry.up(connection);
      await this.#registry.ready;
      this.#isRead = true;
      if (this.#base.isNew) await this.#base.declareAll();
      if (isCurrent()) this.#base.watch(connection);
    } catch (error) {
      if (!isCurrent()) return;
      this.#denied ??= deniedBy(error, this.#options.namespace);
      this.log.error("what the bus needs could not be declared and is tried again", { error });
      this.clock.setTimer(500, () => isCurrent() && void this.#up(connection));
    }
  }

  #down(): void {
    this.#base.down();
    this.#overflow.down();
    this.#registry.down();
    this.#members.down();
    this.#inspector.down();
    this.waits.down();
    this.#subscriptions.down();
  }

  /** @throws MESSAGING_UNAVAILABLE */
  #connection(): ChannelModel {
    const { connection, failure } = this.#consuming;
    if (connection === undefined) throw notConnected(failure);
    return connection;
  }

  async #close(drainMs: number): Promise<DrainReport> {
    this.#isDraining = true;
    this.#endWatch?.();
    this.#sweep.close();
    this.#overflow.close();
    await this.#subscriptions.close(drainMs);
    const closed = kernelErrors.CLOSED("The bus was closed before it had room for the message.");
    const lost = this.#publishDesk.close(closed);
    this.#census.close();
    await this.outbound.idle(this.#endsMs - this.clock.monotonicMs());
    this.#isClosed = true;
    this.#base.down();
    this.#members.close();
    this.#unwatch?.();
    this.outbound.close();
    await lost.tell(this.log);
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
    return { unhandled: this.#subscriptions.unhandled, lost: lost.count };
  }

  #assertOpen(): void {
    if (this.#isClosed) throw kernelErrors.CLOSED("The bus is closed.");
  }

  #assertTaking(): void {
    if (this.#isDraining) throw kernelErrors.CLOSED("The bus is closing.");
  }
}
