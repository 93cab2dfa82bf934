/**
 * The one implementation of delivery inside a process. Without a journal it is the memory bus: what
 * it accepts lives as long as the process. With one, groups keep what they hold in it.
 *
 * What it owns: the way in (`intake.ts`), the queues, groups by name, one timing wheel for retries,
 * leases and waits, the dead letters.
 *
 * I1. A group's queue stays when its last member leaves; a broadcast's queue goes with its member.
 * I2. Subscribing to and removing one group happens one after the other, also while the journal
 *     is waited for.
 * I3. Once `close` resolved no handler starts, and the journal is closed.
 */

import { createIdSource, silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, IdSource, Log, Random } from "@banyan/kernel";
import { kernelErrors, TimingWheel } from "@banyan/kernel/internal";
import { processMedium } from "@banyan/state";
import type { CommitRider } from "@banyan/state";
import { BusCapability } from "./bus.ts";
import type {
  Bus,
  BusDurability,
  BusPublishOptions,
  BusStatus,
  CloseOptions,
  DeadLetter,
  DeadLetters,
  DeliveryHandler,
  DrainReport,
  OutgoingMessage,
  SubscribeSpec,
  Subscription,
} from "./bus.ts";
import { newLetter } from "./burials.ts";
import type { Burial, JournalPlace } from "./burials.ts";
import { DeadLetterBox } from "./dead-letter-box.ts";
import type { LetterKeep } from "./dead-letter-box.ts";
import { DeliveryQueue } from "./delivery-queue.ts";
import type { QueueHost } from "./delivery-queue.ts";
import { messagingErrors } from "./errors.ts";
import type { BusWheel, HeldDelivery, Timed } from "./held-delivery.ts";
import { Intake } from "./intake.ts";
import { JournalLetters } from "./journal-letters.ts";
import { JournalWaker } from "./journal-waker.ts";
import type { BusJournal, JournalGroup, JournalWoken } from "./journal.ts";
import {
  journalDefaults,
  memoryDefaults,
  resolveLocalBusOptions,
  resolveSubscribeSpec,
} from "./options.ts";
import { letterTeller } from "./letter-teller.ts";
import type { LocalBusOptions, ResolvedLocalBusOptions, ResolvedSubscribeSpec } from "./options.ts";
import { OneByOne } from "./one-by-one.ts";
import { Parcel } from "./parcel.ts";
import { drainDefaultMs } from "./queue-member.ts";
import type { QueueMember } from "./queue-member.ts";
import { RetentionSweep } from "./retention-sweep.ts";
import { matchesTopic } from "./topic-index.ts";

export interface LocalBusPorts {
  /** Of the engine, for messages and reports: `memory`. */
  readonly name: string;
  /** With it the bus is durable; it closes the journal. */
  readonly journal?: BusJournal | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly log?: Log | undefined;
  readonly options?: LocalBusOptions | Readonly<Record<string, unknown>> | undefined;
  /** Told of each dead letter once it is kept. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  /** Where an option is not given. Default: `memoryDefaults`, with a journal `journalDefaults`. */
  readonly defaults?: ResolvedLocalBusOptions | undefined;
}

/** What every local bus offers. */
export const localBusCapabilities: ReadonlySet<BusCapability> = new Set([
  BusCapability.Wildcards,
  BusCapability.Ordered,
  BusCapability.Delays,
  BusCapability.Retention,
  BusCapability.Transactions,
]);

/** Opens a bus inside this process. @throws MESSAGING_OPTIONS_INVALID */
export function openLocalBus(ports: LocalBusPorts): Bus {
  return new LocalBus(ports);
}

/** What a broadcast holds by default, also beside a journal: it has none. */
const broadcastBufferMax = memoryDefaults.bufferMax;

class LocalBus implements Bus, QueueHost {
  readonly name: string;
  readonly durability: BusDurability;
  readonly capabilities = localBusCapabilities;
  readonly medium: object;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly journal: BusJournal | undefined;
  readonly firstSeq: number;
  readonly wheel: BusWheel;
  readonly options: ResolvedLocalBusOptions;
  readonly counters = {
    published: 0,
    unrouted: 0,
    handled: 0,
    retried: 0,
    deadLettered: 0,
    expired: 0,
    enqueueFailed: 0,
  };
  readonly #ids: IdSource;
  readonly #intake: Intake;
  readonly #groups = new Map<string, DeliveryQueue>();
  readonly #letters: LetterKeep;
  readonly #tellLetter: (letter: DeadLetter) => void;
  readonly #waker: JournalWaker | undefined;
  readonly #sweep: RetentionSweep;
  /** By group (I2). */
  readonly #changes = new OneByOne();
  #isDraining = false;
  #isClosed = false;
  #closing: Promise<DrainReport> | undefined = undefined;
  /** Set while `close` waits: called when a queue moved on. */
  #onProgress: (() => void) | undefined = undefined;
  /** Set while `close` waits: ends that. */
  #stopWaiting: (() => void) | undefined = undefined;

  constructor(ports: LocalBusPorts) {
    const { name, journal } = ports;
    this.name = name;
    this.journal = journal;
    this.durability = journal === undefined ? "ephemeral" : "durable";
    this.medium = journal?.medium ?? processMedium;
    this.firstSeq = journal?.nextSeq ?? 0;
    this.clock = ports.clock ?? systemClock;
    this.random = ports.random ?? systemRandom;
    this.log = ports.log ?? silentLog;
    const { defaults = journal === undefined ? memoryDefaults : journalDefaults } = ports;
    this.options = resolveLocalBusOptions(ports.options, { name, defaults });
    this.#ids = createIdSource(this.clock, this.random);
    this.wheel = new TimingWheel<Timed>(this.clock, (timed) => timed.onDue());
    this.#intake = new Intake(this);
    this.#letters = this.#openLetters();
    this.#tellLetter = letterTeller(ports.onDeadLetter, this.log);
    this.#waker = this.#openWaker();
    this.#sweep = new RetentionSweep({
      clock: this.clock,
      log: this.log,
      wheel: this.wheel,
      counters: this.counters,
      groups: { [Symbol.iterator]: () => this.#groups.values() },
    });
    for (const group of journal?.groups ?? []) this.#recallGroup(group);
    if (journal !== undefined) journal.onTakesWrites = () => this.#onTakesWrites(journal);
    this.#waker?.start();
    this.#sweep.start();
  }

  get bodySizeMax(): number {
    return this.options.bodySizeMax;
  }

  get deadLetters(): DeadLetters {
    return this.#letters;
  }

  publish(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options: BusPublishOptions = {},
  ): Promise<void> {
    try {
      this.#assertOpen();
      return this.#intake.publish(messages, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  stage(messages: readonly OutgoingMessage[]): CommitRider {
    this.#assertOpen();
    return this.#intake.stage(messages);
  }

  async subscribe(spec: SubscribeSpec, handler: DeliveryHandler): Promise<Subscription> {
    this.#assertTaking();
    const { bufferMax } = this.options;
    const resolved = resolveSubscribeSpec(spec, {
      bufferMax: spec.delivery === "group" ? bufferMax : Math.min(bufferMax, broadcastBufferMax),
    });
    if (typeof handler !== "function") {
      throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
        `Subscription "${resolved.name}": its handler is not a function.`,
      );
    }
    if (resolved.delivery === "group") {
      return this.#subscriptionOf(await this.#joinGroup(resolved, handler), resolved);
    }
    const queue = this.#addQueue(new DeliveryQueue(resolved, this));
    return this.#subscriptionOf(queue.join(resolved, handler), resolved, queue);
  }

  async removeGroup(name: string): Promise<number> {
    this.#assertOpen();
    return this.#changes.run(name, async () => {
      const queue = this.#groups.get(name);
      if (queue === undefined) return 0;
      if (queue.members.length > 0) {
        throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
          `Group "${name}" still has ${queue.members.length} members; close their ` +
            `subscriptions first.`,
        );
      }
      this.#intake.detach(queue);
      try {
        if (queue.window !== undefined) await this.journal?.removeGroup(queue.window.group);
      } catch (error) {
        // It is still there, so it goes on collecting.
        this.#intake.index.add(queue);
        throw error;
      }
      // Not before: what is woken meanwhile is still its own if the removal fails.
      this.#groups.delete(name);
      return queue.end();
    });
  }

  async status(): Promise<BusStatus> {
    const queues = [...this.#intake.index.queues];
    return {
      ...this.counters,
      deadLettersDropped: this.#letters.dropped,
      publishesWaiting: this.#intake.waiting,
      subscriptions: await Promise.all(queues.map((queue) => queue.status())),
    };
  }

  async check(): Promise<void> {
    this.#assertTaking();
    await this.journal?.check();
  }

  close(options: CloseOptions = {}): Promise<DrainReport> {
    const { drainMs = drainDefaultMs } = options;
    // A later call with less patience shortens the first one's wait.
    if (drainMs <= 0) this.#stopWaiting?.();
    else if (this.#closing !== undefined) this.clock.setTimer(drainMs, () => this.#stopWaiting?.());
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  // What the queues and the way in ask of their bus.

  letterOf(queue: DeliveryQueue, held: HeldDelivery, burial: Burial): DeadLetter {
    const written = { id: this.#ids.uuid(), deadAtMs: this.clock.nowMs() };
    return newLetter(written, queue.spec, { held, ...burial });
  }

  keepLetter(letter: DeadLetter, from: JournalPlace | undefined): Promise<void> | undefined {
    const kept = this.#letters.keep(letter, from);
    if (kept === undefined) this.#tellLetter(letter);
    return kept?.then(() => this.#tellLetter(letter));
  }

  expired(queue: DeliveryQueue, count: number): void {
    this.counters.expired += count;
    this.changed(queue);
  }

  changed(queue: DeliveryQueue): void {
    this.#intake.serve(queue);
    this.#onProgress?.();
  }

  slept(untilMs: number): void {
    this.#waker?.slept(untilMs);
  }

  #openLetters(): LetterKeep {
    const { journal, log } = this;
    const max = this.options.deadLettersMax;
    const assertOpen = (): void => this.#assertOpen();
    const parcelFor = (letter: DeadLetter): Parcel | undefined => this.#parcelFor(letter);
    if (journal !== undefined) {
      return new JournalLetters({ journal, max, log, parcelFor, assertOpen });
    }
    const redeliver = (letter: DeadLetter): boolean => {
      const parcel = parcelFor(letter);
      const nowMs = this.clock.nowMs();
      for (const queue of parcel?.queues ?? [])
        queue.arrive(letter.message, parcel?.seq ?? 0, nowMs);
      return parcel !== undefined;
    };
    return new DeadLetterBox({ max, log, redeliver, assertOpen });
  }

  #openWaker(): JournalWaker | undefined {
    if (this.journal === undefined) return undefined;
    const { clock, random, log, wheel } = this;
    return new JournalWaker(this.journal, {
      clock,
      random,
      log,
      wheel,
      takeSeqs: (count) => this.#intake.takeSeqs(count),
      woken: (places) => this.#woken(places),
    });
  }

  #woken(places: readonly JournalWoken[]): void {
    const byGroup = new Map<number, DeliveryQueue>();
    for (const queue of this.#groups.values()) {
      if (queue.window !== undefined) byGroup.set(queue.window.group, queue);
    }
    for (const { group } of places) byGroup.get(group)?.window?.woken();
    // Also those that left something behind meanwhile because of the waking.
    for (const queue of byGroup.values()) queue.window?.refill();
  }

  #onTakesWrites({ takesWrites }: BusJournal): void {
    const { name, log } = this;
    if (takesWrites) {
      log.info("the journal takes writes again; messages are handled again", { bus: name });
      for (const queue of this.#groups.values()) queue.goOn();
    } else {
      log.error("the journal takes no writes; no message of a group is handled until it does", {
        bus: name,
      });
    }
  }

  /** A group that an earlier run left in the journal. */
  #recallGroup({ id, name, topic, retentionMs, held, delayed }: JournalGroup): void {
    const { bufferMax } = this.options;
    const spec = { name, topic, delivery: "group", retentionMs } as const;
    this.#addGroup(resolveSubscribeSpec(spec, { bufferMax }), {
      group: id,
      behind: held - delayed,
      sleeping: delayed,
    });
  }

  async #joinGroup(spec: ResolvedSubscribeSpec, handler: DeliveryHandler): Promise<QueueMember> {
    const { journal } = this;
    if (journal === undefined) {
      const queue = this.#groupFor(spec) ?? this.#addGroup(spec, undefined);
      return queue.join(spec, handler);
    }
    return this.#changes.run(spec.name, async () => {
      const known = this.#groupFor(spec);
      const { name, topic, retentionMs } = spec;
      if (known !== undefined && known.spec.retentionMs === retentionMs) {
        return known.join(spec, handler);
      }
      const group = await journal.openGroup({ name, topic, retentionMs });
      this.#assertTaking();
      const queue = known ?? this.#addGroup(spec, { group, behind: 0, sleeping: 0 });
      return queue.join(spec, handler);
    });
  }

  /** @throws MESSAGING_SUBSCRIPTION_CONFLICT where it is bound to another topic */
  #groupFor(spec: ResolvedSubscribeSpec): DeliveryQueue | undefined {
    const known = this.#groups.get(spec.name);
    if (known === undefined || known.spec.topic === spec.topic) return known;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
      `Group "${spec.name}" is bound to topic "${known.spec.topic}", not "${spec.topic}"; ` +
        `give the subscription another name, or remove the group.`,
    );
  }

  #addGroup(
    spec: ResolvedSubscribeSpec,
    kept:
      | { readonly group: number; readonly behind: number; readonly sleeping: number }
      | undefined,
  ): DeliveryQueue {
    const { journal } = this;
    const wakingFrom = (): number => this.#waker?.wakingFrom ?? Infinity;
    const init =
      kept === undefined || journal === undefined ? undefined : { ...kept, journal, wakingFrom };
    const queue = this.#addQueue(new DeliveryQueue(spec, this, init));
    this.#groups.set(spec.name, queue);
    return queue;
  }

  #addQueue(queue: DeliveryQueue): DeliveryQueue {
    this.#intake.index.add(queue);
    return queue;
  }

  /** @param own the queue of a broadcast, which goes with it */
  #subscriptionOf(
    member: QueueMember,
    spec: ResolvedSubscribeSpec,
    own?: DeliveryQueue,
  ): Subscription {
    const close = async (options?: CloseOptions): Promise<void> => {
      // A broadcast gets nothing new from this moment; a group goes on collecting (I1).
      if (own !== undefined) this.#intake.detach(own);
      await member.close(options);
      if (own === undefined) this.#sweep.start();
      else own.end();
    };
    return {
      name: spec.name,
      topic: spec.topic,
      delivery: spec.delivery,
      close,
      [Symbol.asyncDispose]: () => close(),
    };
  }

  /** A dead letter's way back: to its group, or to every live broadcast of the name. */
  #parcelFor({ subscription, delivery, message }: DeadLetter): Parcel | undefined {
    const targets = [...this.#intake.index.queues].filter(
      ({ spec }) =>
        spec.name === subscription &&
        spec.delivery === delivery &&
        matchesTopic(spec.topic, message.topic),
    );
    if (targets.length === 0 || targets.some((queue) => !queue.hasRoom)) return undefined;
    return new Parcel(message, targets, this.#intake.takeSeqs(1));
  }

  async #close(drainMs: number): Promise<DrainReport> {
    this.#isDraining = true;
    const { enqueueFailed } = this.counters;
    if (drainMs > 0 && !this.#isIdle()) await this.#idle(drainMs);
    this.#isClosed = true;
    this.#onProgress = undefined;
    this.#waker?.close();
    this.#sweep.close();
    const queues = [...this.#intake.index.queues];
    this.#intake.close((done) => closedError({ accepted: done }));
    const members = queues.flatMap((queue) => [...queue.members]);
    await Promise.all(members.map((member) => member.close({ drainMs: 0 })));
    const held = queues.reduce((sum, queue) => sum + queue.end(), 0);
    this.wheel.close();
    this.#groups.clear();
    await this.journal?.close();
    // What was handled and could not be forgotten comes again.
    const unhandled = held + (this.journal?.unacknowledged ?? 0);
    if (unhandled > 0) {
      const fate = this.journal === undefined ? "they are lost" : "the next run gets them";
      this.log.warn(`the bus was closed before every message was handled; ${fate}`, { unhandled });
    }
    return { unhandled, lost: this.counters.enqueueFailed - enqueueFailed };
  }

  /** Nothing is left that somebody here could handle now. */
  #isIdle(): boolean {
    for (const queue of this.#intake.index.queues) {
      if (queue.members.length > 0 && queue.unfinished > 0) return false;
    }
    return true;
  }

  #idle(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.setTimer(drainMs, () => this.#stopWaiting?.(), { keepAlive: true });
      this.#stopWaiting = () => {
        this.#stopWaiting = undefined;
        cancel();
        resolve();
      };
      this.#onProgress = () => {
        if (this.#isIdle()) this.#stopWaiting?.();
      };
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }

  /** @throws CLOSED once the bus is closing */
  #assertTaking(): void {
    if (this.#isClosed || this.#isDraining) throw closedError();
  }
}

function closedError(details?: Readonly<Record<string, unknown>>): Error {
  return kernelErrors.CLOSED("The bus is closed; open a new one.", { details });
}
