/**
 * What one group, or one broadcast subscription, still has to handle, and who handles it.
 *
 * What it owns: the buffer, what waits for a retry or for its time, the lanes of ordered messages,
 * the members. With a journal, its window onto that.
 * What may interrupt it: a publish, a handler's end, a wait that is over, a page of the journal, a
 * member that joins or leaves; each only changes the queue and then lets `#deliverAll` run.
 *
 * I1. A held message is in exactly one place (`HeldPlace`), or left behind in the journal. `held`
 *     counts all of them and those on their way in; `hasRoom` compares that with `bufferMax`.
 * I2. A message leaves only when it is acknowledged, buried or expired, or when the queue is ended.
 *     Buried means that its letter is as safe as the message was.
 * I3. While a journal takes no writes no handler of its group starts: what it handled could not be
 *     forgotten.
 * I4. Handlers start from a microtask, never inside `publish`, and only so many of them in one turn
 *     of the event loop (`turn-limit.ts`).
 *
 * No timer, closure or promise of our own per message: see `queue-member.ts` and
 * `held-delivery.ts`; a publish that needs no wait shares one promise.
 */

import { backoffMs, isBanyanError } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { currentCallContext, runOutsideCalls } from "@banyan/kernel/internal";
import { Burials, ownBackoff } from "./burials.ts";
import type { Burial, BurialHost, BurialQueue, JournalPlace } from "./burials.ts";
import type { DeadLetter, DeliveryHandler, OutgoingMessage, SubscriptionStatus } from "./bus.ts";
import { isFinal } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import { HeldDelivery } from "./held-delivery.ts";
import type { BusWheel, HeldOwner, Timed } from "./held-delivery.ts";
import { JournalWindow } from "./journal-window.ts";
import type { WindowInit, WindowQueue } from "./journal-window.ts";
import type { JournalEntry } from "./journal.ts";
import { KeyLanes } from "./key-lanes.ts";
import { MemberRing } from "./member-ring.ts";
import { isOver } from "./message-check.ts";
import type { ResolvedSubscribeSpec } from "./options.ts";
import { leaseExpired, leaseLost, orderConflict } from "./queue-errors.ts";
import { QueueCounters } from "./queue-counters.ts";
import { QueueLog } from "./queue-log.ts";
import { QueueMember } from "./queue-member.ts";
import type { MemberQueue } from "./queue-member.ts";
import { QueueWaits } from "./queue-waits.ts";
import { StartRecords } from "./start-records.ts";
import { TurnLimit } from "./turn-limit.ts";

/** Messages of a journal that are in memory and ready; at half of it the next page is read. */
const readyMax = 1000;
/** Those that wait for a retry, or for the one before them. */
const waitingMax = 10_000;
/** So many processes may die of a message. */
const lostMax = 10;

/** What a queue needs of its bus. */
export interface QueueHost extends BurialHost {
  readonly wheel: BusWheel;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: { handled: number; retried: number; deadLettered: number };
  /** Numbers below it were given out by an earlier run. */
  readonly firstSeq: number;
  letterOf(queue: DeliveryQueue, held: HeldDelivery, burial: Burial): DeadLetter;
  /** So many were past their `expiresAtMs` when their turn came; they are gone. */
  expired(queue: DeliveryQueue, count: number): void;
  /** A message left, a member came or left: whoever waits for that may look again. */
  changed(queue: DeliveryQueue): void;
}

export class DeliveryQueue implements BurialQueue, HeldOwner, MemberQueue, WindowQueue {
  /** Of a group on a bus with a journal. */
  readonly window: JournalWindow | undefined;
  readonly #host: QueueHost;
  readonly #buffer = new Fifo<HeldDelivery>();
  readonly #waits: QueueWaits;
  readonly #log: QueueLog;
  readonly #members = new MemberRing();
  readonly #burials: Burials;
  readonly #turn: TurnLimit;
  readonly #counters: QueueCounters;
  readonly #records: StartRecords | undefined;
  /** Of the newest member: a rolling upgrade brings new limits. */
  #spec: ResolvedSubscribeSpec;
  #lanes: KeyLanes | undefined = undefined;
  #held = 0;
  #running = 0;
  #isScheduled = false;
  #isDelivering = false;
  #isEnded = false;

  constructor(spec: ResolvedSubscribeSpec, host: QueueHost, kept?: WindowInit) {
    this.#spec = spec;
    this.#host = host;
    this.#counters = new QueueCounters(host.counters);
    this.#waits = new QueueWaits(host);
    this.#log = new QueueLog(host.log, spec.name);
    this.#held = kept === undefined ? 0 : kept.behind + kept.sleeping;
    this.window = kept === undefined ? undefined : new JournalWindow(this, kept);
    this.#records =
      this.window === undefined ? undefined : new StartRecords(this.window, this.#buffer);
    this.#burials = new Burials(host, this);
    this.#turn = new TurnLimit(host.clock, () => {
      if (this.#buffer.size > 0) this.#schedule();
    });
  }

  get spec(): ResolvedSubscribeSpec {
    return this.#spec;
  }

  get held(): number {
    return this.#held;
  }

  /** What a member could handle now or soon: delayed messages are not. */
  get unfinished(): number {
    return this.#held - this.#waits.delayed - (this.window?.sleeping ?? 0);
  }

  get hasRoom(): boolean {
    return this.#held < this.#spec.bufferMax;
  }

  get members(): readonly QueueMember[] {
    return this.#members.all;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  /** Nobody handles it and nothing is on its way out: what is old may be dropped. */
  get isNeglected(): boolean {
    if (this.#isEnded || this.members.length > 0) return false;
    if (this.#burials.underWay > 0 || this.#waits.burying > 0) return false;
    const { window } = this;
    return window === undefined || (window.takesWrites && !window.isReading);
  }

  get wantsMore(): boolean {
    return (
      this.members.length > 0 &&
      this.#buffer.size < readyMax &&
      this.#waits.tried + (this.#lanes?.waiting ?? 0) < waitingMax
    );
  }

  /** Takes room for a message; the caller has seen `hasRoom`. */
  reserve(): void {
    this.#held += 1;
  }

  /** Gives the room back. */
  release(): void {
    if (this.#isEnded) return;
    this.#held -= 1;
    this.#host.changed(this);
  }

  /**
   * Takes in a message that has its room and is safe.
   * @param queuedAtMs wall clock from which its retention counts. Default: its publication
   */
  arrive(message: OutgoingMessage, seq: number, queuedAtMs = message.timestampMs): void {
    if (this.#isEnded) return;
    const { window } = this;
    if (message.deliverAtMs !== undefined) {
      if (window === undefined) this.#waits.delay(new HeldDelivery(message, this, seq));
      else window.slept();
      return;
    }
    if (window !== undefined && !window.admits(seq)) {
      window.refill();
      return;
    }
    const held = new HeldDelivery(message, this, seq);
    held.queuedAtMs = queuedAtMs;
    this.#ready(held);
  }

  /** @throws MESSAGING_SUBSCRIPTION_CONFLICT where the members do not agree on `ordered` */
  join(spec: ResolvedSubscribeSpec, handler: DeliveryHandler): QueueMember {
    if (this.members.length > 0 && spec.ordered !== this.#spec.ordered) {
      throw orderConflict(spec.name, this.#spec.ordered);
    }
    this.#spec = spec;
    if (spec.ordered) this.#startOrder();
    else this.#endOrder();
    const member = new QueueMember(this, { spec, handler, clock: this.#host.clock });
    this.#members.add(member);
    // More room than before, perhaps.
    this.#host.changed(this);
    this.#schedule();
    return member;
  }

  /** Forgets everything held; how much that was. The queue is not used any more. */
  end(): number {
    const dropped = this.#held;
    this.#takeBackAhead();
    if (this.window !== undefined) this.#host.wheel.remove(this.window);
    this.#waits.clear();
    this.#buffer.clear();
    this.#isEnded = true;
    return dropped;
  }

  async status(): Promise<SubscriptionStatus> {
    const { name, topic, delivery } = this.#spec;
    const counts = {
      members: this.members.length,
      buffered: this.#buffer.size + (this.#lanes?.waiting ?? 0) + (this.window?.behind ?? 0),
      running: this.#running,
      retrying: this.#waits.retrying,
      delayed: this.#waits.delayed + (this.window?.sleeping ?? 0),
    };
    const oldest = // also while the journal cannot be read
      this.#buffer.peek()?.message ?? (await this.window?.oldestBehind().catch(() => undefined));
    const ageMs = oldest === undefined ? 0 : this.#host.clock.nowMs() - oldest.timestampMs;
    const lagMs = Math.max(0, ageMs);
    return { name, topic, delivery, ...counts, lagMs, ...this.#counters.counts };
  }

  /** A wait on the wheel is over. */
  due(held: HeldDelivery): void {
    if (held.place === "running") this.#leaseOver(held);
    else if (!this.#waits.isOver(held)) return;
    else if (held.place === "burying") this.#burials.tryAgain(held);
    else {
      if (held.place === "delayed") held.queuedAtMs = this.#host.clock.nowMs();
      this.#ready(held);
    }
  }

  /** The handler has not ended yet; it is given this long. */
  lend(held: HeldDelivery, leaseMs: number): void {
    this.#waits.lend(held, leaseMs);
  }

  /** Puts on record that a message which an earlier run kept is delivered once more. */
  async recordStart(held: HeldDelivery): Promise<void> {
    await this.#records?.record(held);
  }

  /** The handler of such a message has ended, or will not be heard any more. */
  ended(held: HeldDelivery): void {
    this.#records?.ended(held);
  }

  /** That could not be recorded, so its handler was not called. */
  notStarted(held: HeldDelivery, error: unknown): void {
    this.#running -= 1;
    held.attempt -= 1;
    this.#log.warn("a delivery could not be recorded and is tried again", held, error);
    this.#waits.retry(held, backoffMs(1, this.#host.random, ownBackoff));
    this.#settled();
  }

  acknowledged(held: HeldDelivery): void {
    this.#waits.settle(held);
    this.#running -= 1;
    this.#counters.add("handled");
    this.window?.acknowledge(held);
    this.#leave(held);
    this.#settled();
  }

  failed(held: HeldDelivery, error: unknown): void {
    this.#waits.settle(held);
    this.#running -= 1;
    held.failures += 1;
    if (isFinal(error)) this.#giveUp(held, { reason: "final-error", error });
    else if (held.failures > this.#spec.retriesMax) {
      this.#giveUp(held, { reason: "retries-exhausted", error });
    } else this.#retryLater(held, error);
    this.#settled();
  }

  unreadable(held: HeldDelivery, error: unknown): void {
    this.#running -= 1;
    this.#giveUp(held, { reason: "unreadable", error });
    this.#settled();
  }

  /** What a leaving member did not finish: it goes first among those that wait. */
  givenBack(given: readonly HeldDelivery[]): void {
    for (const held of given.toSorted((a, b) => b.seq - a.seq)) {
      this.#waits.settle(held);
      this.#running -= 1;
      held.place = "ready";
      this.#buffer.unshift(held);
      if (held.lost !== -1) this.#takeBack(held);
    }
  }

  left(member: QueueMember): void {
    this.#members.remove(member);
    this.#host.changed(this);
    this.#schedule();
  }

  /** Leaves everything to the journal again; it is neglected, so nothing of it is on its way. */
  forget(): void {
    if (this.window === undefined) return;
    this.#takeBackAhead();
    const retrying = this.#waits.takeRetrying(() => true).length;
    this.window.rewind(retrying + this.#buffer.size + (this.#lanes?.waiting ?? 0));
    this.#buffer.clear();
    if (this.#lanes !== undefined) this.#lanes = new KeyLanes();
  }

  /** Without a journal: drops what was queued before (wall clock); how many. */
  dropOlder(beforeMs: number): number {
    const isOld = ({ queuedAtMs }: HeldDelivery): boolean => queuedAtMs < beforeMs;
    const dropped = this.#lanes?.takeWaiting(isOld) ?? [];
    this.#buffer.removeAll((held) => isOld(held) && dropped.push(held) > 0);
    dropped.push(...this.#waits.takeRetrying(isOld));
    for (const held of dropped) this.#leave(held);
    this.#host.changed(this);
    return dropped.length;
  }

  // What the burials tell.

  placeOf({ seq }: HeldDelivery): JournalPlace | undefined {
    return this.window === undefined ? undefined : { group: this.window.group, seq };
  }

  buried(held: HeldDelivery): void {
    this.#counters.add("deadLettered");
    this.#leave(held);
    this.#settled();
  }

  /** The letter is not safe, so the message is not forgotten (I2). */
  unburied(held: HeldDelivery, waitMs: number, error: unknown): void {
    this.#log.error("a dead letter was not kept and is tried again", held, error);
    this.#waits.bury(held, waitMs);
  }

  // What the window tells.

  load(entry: JournalEntry): void {
    Object.freeze(entry.message.headers); // every attempt is given the same
    const { message, expiresAtMs } = entry;
    const kept = expiresAtMs === undefined ? message : { ...message, expiresAtMs };
    const held = new HeldDelivery(kept, this, entry.seq);
    held.attempt = entry.attempt;
    held.failures = entry.failures;
    if (entry.seq < this.#host.firstSeq) held.lost = Math.max(0, entry.attempt - entry.failures);
    if (entry.damage !== undefined) {
      this.#giveUp(held, { reason: "unreadable", error: entry.damage });
      return;
    }
    if (held.lost >= lostMax) {
      this.#giveUp(held, { reason: "lease-lost", error: leaseLost(message.id, held.lost) });
      return;
    }
    const waitMs = (entry.retryAtMs ?? 0) - this.#host.clock.nowMs();
    if (waitMs <= 0) this.#buffer.push(held);
    else if (this.#lanes?.enter(held) !== false) {
      // The wall clock may have jumped: no wait is longer than a backoff.
      this.#waits.retry(held, Math.min(waitMs, this.#spec.backoff.maxMs ?? 30_000));
    }
  }

  goOn(): void {
    this.#schedule();
    this.#host.changed(this);
  }

  lostCount(count: number): void {
    this.#held -= count;
    this.#host.changed(this);
  }

  readFailed(error: unknown): void {
    this.#log.readFailed(error);
  }

  readAgain(timed: Timed): void {
    if (this.#isEnded) return;
    timed.deadlineMs += this.#host.clock.monotonicMs();
    this.#host.wheel.add(timed);
  }

  #ready(held: HeldDelivery): void {
    held.place = "ready";
    this.#buffer.push(held);
    this.#schedule();
  }

  #leaseOver(held: HeldDelivery): void {
    const { worker } = held;
    if (worker === undefined) return;
    const error = leaseExpired(this.#spec);
    worker.expire(error);
    this.failed(held, error);
  }

  /** From now on messages with one key go one after the other (`key-lanes.ts`). */
  #startOrder(): void {
    if (this.#lanes !== undefined) return;
    this.#lanes = new KeyLanes();
    // What waits for a retry holds its key; those behind it must find that.
    const waiting = this.#waits.takeRetrying(() => true);
    for (const held of waiting.toSorted((a, b) => b.seq - a.seq)) {
      held.place = "ready";
      this.#buffer.unshift(held);
    }
  }

  #endOrder(): void {
    const waiting = this.#lanes?.takeWaiting(() => true) ?? [];
    this.#lanes = undefined;
    for (const held of waiting.toSorted((a, b) => b.seq - a.seq)) this.#buffer.unshift(held);
  }

  /** It is gone for good: room for another, and its key is free. */
  #leave(held: HeldDelivery): void {
    this.#held -= 1;
    const next = this.#lanes?.leave(held);
    if (next !== undefined) this.#buffer.unshift(next);
  }

  #retryLater(held: HeldDelivery, error: unknown): void {
    const { backoff } = this.#spec;
    const maxMs = backoff.maxMs ?? 30_000;
    const asked = isBanyanError(error) ? Math.min(error.retryAfterMs ?? 0, maxMs) : 0;
    const ownMs = backoffMs(held.failures, this.#host.random, backoff);
    const waitMs = asked > ownMs ? asked : ownMs; // an error may ask for NaN; no timer takes that
    this.#counters.add("retried");
    this.#log.warn("a message was not handled and will be delivered again", held, error);
    this.#waits.retry(held, waitMs);
    if (this.window === undefined) return;
    const retryAtMs = this.#host.clock.nowMs() + waitMs;
    this.window.record(held, { begun: 0, retryAtMs }).catch(this.#log.recordFailed);
  }

  #giveUp(held: HeldDelivery, burial: Burial): void {
    this.#log.error("a message is given up and becomes a dead letter", held, burial.error);
    this.#burials.bury(held, this.#host.letterOf(this, held, burial));
  }

  /** It was recorded as begun and is not. */
  #takeBack(held: HeldDelivery): void {
    this.#records?.takeBack(held).catch(this.#log.recordFailed);
  }

  #takeBackAhead(): void {
    for (const held of this.#records?.ahead() ?? []) this.#takeBack(held);
  }

  #settled(): void {
    this.#host.changed(this);
    if (!this.#isDelivering) this.#deliverAll();
  }

  #schedule(): void {
    if (this.#isScheduled || this.members.length === 0) return;
    this.#isScheduled = true;
    queueMicrotask(this.#pump);
  }

  readonly #pump = (): void => {
    this.#isScheduled = false;
    // The microtask inherited the publisher's call; a handler must not run on its behalf.
    if (currentCallContext() === undefined) this.#deliverAll();
    else runOutsideCalls(this.#deliverAll);
  };

  readonly #deliverAll = (): void => {
    if (this.#isDelivering || this.#isEnded || this.window?.takesWrites === false) return;
    this.#isDelivering = true;
    let expired = 0;
    while (this.#buffer.size > 0) {
      const member = this.#members.nextFree();
      if (member === undefined || !this.#turn.take()) break;
      const held = this.#buffer.shift();
      if (held === undefined) break;
      if (this.#lanes !== undefined && !this.#lanes.enter(held)) continue;
      if (isOver(held.message, this.#host.clock)) {
        expired += 1;
        this.window?.acknowledge(held);
        this.#leave(held);
        continue;
      }
      this.#running += 1;
      held.place = "running";
      member.take(held);
    }
    this.#isDelivering = false;
    if (expired > 0) {
      this.#log.expired(expired);
      this.#host.expired(this, expired);
    }
    if (this.window !== undefined && this.#buffer.size < readyMax / 2) this.window.refill();
  };
}
