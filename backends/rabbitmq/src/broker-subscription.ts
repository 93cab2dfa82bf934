/**
 * One live subscription of this process: it takes messages from its queues, as many at once as it
 * has handlers, and settles each when its handler has ended.
 *
 * What it owns: its channels, what was delivered on them and is not settled, its member.
 * What may interrupt it: a handler's end, a lease, the connection, the server (a queue was
 * deleted), the close.
 *
 * S1. A message is acknowledged only when its handler ended well, or when what becomes of it (its
 *     wait, its dead letter) is confirmed by the server.
 * S2. After its channel ended a message is the server's again: what its handler still does changes
 *     nothing, and it will be delivered once more.
 * S3. No handler starts after `close` was called.
 */

import type { ChannelModel, ConsumeMessage } from "amqplib";
import { backoffMs, isBanyanError } from "@banyan/kernel";
import type { CloseOptions, DeliveryHandler, Subscription } from "@banyan/messaging";
import {
  drainDefaultMs,
  Fifo,
  isFinal,
  isOver,
  KeyLanes,
  leaseExpired,
  QueueLog,
  QueueMember,
} from "@banyan/messaging/internal";
import type {
  Burial,
  HeldDelivery,
  HeldOwner,
  MemberQueue,
  ResolvedSubscribeSpec,
} from "@banyan/messaging/internal";
import { BrokerDelivery, burialOf, ours, recountPauseMs } from "./broker-delivery.ts";
import type { GroupView } from "./group-view.ts";
import { Handover } from "./handover.ts";
import type { Wait } from "./handover.ts";
import { inTime } from "./in-time.ts";
import { waitMin } from "./names.ts";
import type { QueueIntake } from "./queue-intake.ts";
import { QueueIntakes } from "./queue-intakes.ts";
import type { SubscriptionHost } from "./subscription-host.ts";
import { readMessage } from "./wire.ts";

/** How long the server may take to hear that a subscription is closed. */
const farewellMaxMs = 2000;

export class BrokerSubscription implements Subscription, MemberQueue, HeldOwner {
  readonly spec: ResolvedSubscribeSpec;
  /** Of this subscription: tells one broadcast of a name from another. */
  readonly id: string;
  readonly #host: SubscriptionHost;
  readonly #member: QueueMember;
  readonly #log: QueueLog;
  readonly #handover: Handover;
  readonly #buffer = new Fifo<BrokerDelivery>();
  readonly #held = new Set<BrokerDelivery>();
  #view: GroupView;
  readonly #lanes: KeyLanes | undefined;
  readonly #intakes: QueueIntakes;
  #unhandled = 0;
  #isClosing = false;
  #closing: Promise<void> | undefined = undefined;

  constructor(
    host: SubscriptionHost,
    init: {
      readonly spec: ResolvedSubscribeSpec;
      readonly handler: DeliveryHandler;
      readonly view: GroupView;
      readonly id: string;
    },
  ) {
    const { spec, handler } = init;
    this.#host = host;
    this.spec = spec;
    this.id = init.id;
    this.#view = init.view;
    this.#log = new QueueLog(host.log, spec.name);
    const declareLetters = (): Promise<void> => host.declareLetters(this);
    this.#handover = new Handover({ ...portsOf(host), log: this.#log, declareLetters });
    this.#lanes = spec.ordered ? new KeyLanes() : undefined;
    this.#intakes = new QueueIntakes({
      host,
      subscription: this,
      arrived: (delivered, from) => this.#arrived(delivered, from),
      closed: (from) => this.#intakeClosed(from),
    });
    this.#member = new QueueMember(this, { spec, handler, clock: host.clock });
  }

  get name(): string {
    return this.spec.name;
  }

  get topic(): string {
    return this.spec.topic;
  }

  get delivery(): ResolvedSubscribeSpec["delivery"] {
    return this.spec.delivery;
  }

  get view(): GroupView {
    return this.#view;
  }

  set view(view: GroupView) {
    if (view !== this.#view) view.adopt(this.#held);
    this.#view = view;
  }

  get isClosing(): boolean {
    return this.#isClosing;
  }

  get wasOpen(): boolean {
    return this.#intakes.wasOpen;
  }

  /** Takes messages from its queues, on this connection. @throws what the server refuses */
  open(connection: ChannelModel): Promise<void> {
    return this.#intakes.open(connection);
  }

  /** There is a connection again. */
  openAgain(): void {
    this.#intakes.openAgain();
  }

  /** Its connection is gone. */
  down(): void {
    this.#intakes.down();
  }

  close(options: CloseOptions = {}): Promise<void> {
    const { drainMs = drainDefaultMs } = options;
    this.#isClosing = true;
    this.#intakes.stop();
    if (this.#closing !== undefined) void this.#member.close({ drainMs }); // it may be more hurried
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The members of an ordered group have changed: partitions are shared out anew. */
  membersChanged(): void {
    for (const intake of this.#intakes) {
      const { partition } = intake.source;
      if (partition === undefined || intake.isYielding || this.#isClosing) continue;
      if (this.#host.ownsPartition(this, partition.index)) continue;
      // Behind the others again: its owner comes before this one then.
      intake.isYielding = true;
      this.#buffer.removeAll((held) => held.intake === intake);
      this.#yieldWhenIdle(intake);
    }
  }

  // What the member asks of its queue.

  lend(held: HeldDelivery, leaseMs: number): void {
    held.deadlineMs = this.#host.clock.monotonicMs() + leaseMs;
    this.#host.wheel.add(held);
  }

  // The server counts deliveries; nothing is recorded here.
  async recordStart(): Promise<void> {}

  ended(): void {}

  notStarted(): void {}

  acknowledged(held: HeldDelivery): void {
    this.#stopped(held);
    const own = ours(held);
    if (own.acknowledge()) {
      this.#count("handled");
      this.#through(own);
    } else this.#forget(own);
    this.#next();
  }

  failed(held: HeldDelivery, error: unknown): void {
    this.#stopped(held);
    const own = ours(held);
    own.failures += 1;
    if (own.isSettled) this.#forget(own);
    else if (isFinal(error)) this.#bury(own, { reason: "final-error", error });
    else if (own.failures > this.spec.retriesMax) {
      this.#bury(own, { reason: "retries-exhausted", error });
    } else this.#retryLater(own, error);
    this.#next();
  }

  unreadable(held: HeldDelivery, error: unknown): void {
    this.#stopped(held);
    const own = ours(held);
    if (own.isSettled) this.#forget(own);
    else this.#bury(own, { reason: "unreadable", error });
    this.#next();
  }

  givenBack(given: readonly HeldDelivery[]): void {
    for (const held of given.toSorted((a, b) => a.seq - b.seq)) {
      this.#stopped(held);
      this.#unhandled += 1;
      const own = ours(held);
      if (!own.isOrdered) this.#giveBack(own);
    }
  }

  left(): void {
    for (const held of this.#held) {
      if (held.isOrdered || held.place === "burying" || held.place === "retrying") continue;
      this.#giveBack(held);
    }
  }

  /** A wait on the wheel is over: its lease, or what is left of its pause. */
  due(held: HeldDelivery): void {
    if (held.place !== "running") {
      if (!this.#isClosing) this.#ready(ours(held));
      return;
    }
    const error = leaseExpired(this.spec);
    held.worker?.expire(error);
    this.failed(held, error);
  }

  #arrived(delivered: ConsumeMessage, intake: QueueIntake): void {
    const isKeyed = delivered.fields.exchange === this.#host.names.keyed;
    const arrived = readMessage(delivered, isKeyed);
    const held = new BrokerDelivery(arrived, { delivered, intake, owner: this });
    const burial = burialOf(held, arrived);
    this.#held.add(held);
    this.#view.taken += 1;
    this.#view.newestMs = held.message.timestampMs;
    if (this.#isClosing || intake.isYielding) {
      // Where there is an order, it goes back with its channel and keeps its place.
      if (!held.isOrdered) this.#giveBack(held);
    } else if (held.isOfAnotherLife(this.#view.group, this.#host.names.back)) {
      // It waited for a group of this name that has been removed since.
      held.acknowledge();
      held.intake.notes?.settle(held.message.id);
      this.#forget(held);
    } else if (burial !== undefined) this.#bury(held, burial);
    else this.#waitOrReady(held);
  }

  #waitOrReady(held: BrokerDelivery): void {
    const { clock, names, waits } = this.#host;
    const { dueMs, isRetry } = held;
    const waitMs = dueMs - clock.nowMs();
    if (waitMs <= 0) {
      if (held.isUncounted && this.delivery === "group" && names.haveFirstPlace) {
        this.#sendToWait(held, { dueMs, isRetry, isFirst: true });
      } else if (held.isRecounted) this.#nap(held, recountPauseMs);
      else this.#ready(held);
      return;
    }
    // The wall clock may have jumped: no retry waits longer than a backoff.
    const boundMs = isRetry ? Math.min(waitMs, this.spec.backoff.maxMs ?? 30_000) : waitMs;
    if (isRetry && held.isOrdered) {
      // It holds its key until then.
      if (this.#lanes?.enter(held) !== false) this.#nap(held, boundMs);
      return;
    }
    if (boundMs < waitMin) {
      this.#nap(held, boundMs);
      return;
    }
    const untilMs = clock.nowMs() + boundMs;
    // On its way already, with a step to go, it is counted where it was sent from.
    if (held.passage.life === undefined)
      waits.count(this.#view, { isRetry, dueMs: untilMs }, "server");
    this.#sendToWait(held, { dueMs: untilMs, isRetry });
  }

  /** Waits in this process. */
  #nap(held: BrokerDelivery, waitMs: number): void {
    const { clock, wheel } = this.#host;
    held.deadlineMs = clock.monotonicMs() + waitMs;
    held.place = "delayed";
    wheel.add(held);
  }

  #ready(held: BrokerDelivery): void {
    if (held.isRecounted && held.isTwiceIn(this.#held)) {
      this.#nap(held, recountPauseMs);
      return;
    }
    held.place = "ready";
    if (held.intake.isYielding) return; // it goes back with its channel
    this.#buffer.push(held);
    this.#next();
  }

  #next(): void {
    while (!this.#isClosing && this.#buffer.size > 0 && this.#member.isFree) {
      const held = this.#buffer.shift();
      if (held === undefined) return;
      if (held.isOrdered && this.#lanes?.enter(held) === false) continue;
      if (isOver(held.message, this.#host.clock)) {
        this.#drop(held);
        continue;
      }
      held.place = "running";
      this.#view.running += 1;
      this.#member.take(held);
    }
  }

  #stopped(held: HeldDelivery): void {
    if (held.slot !== -1) this.#host.wheel.remove(held);
    this.#view.running -= 1;
    held.place = "ready";
  }

  /** Its time to be handled is over. */
  #drop(held: BrokerDelivery): void {
    if (!held.acknowledge()) {
      this.#forget(held);
      return;
    }
    this.#host.counters.expired += 1;
    this.#log.expired(1);
    this.#through(held);
  }

  #retryLater(held: BrokerDelivery, error: unknown): void {
    const { clock, random, waits } = this.#host;
    const { backoff } = this.spec;
    const maxMs = backoff.maxMs ?? 30_000;
    const asked = isBanyanError(error) ? Math.min(error.retryAfterMs ?? 0, maxMs) : 0;
    const ownMs = backoffMs(held.failures, random, backoff);
    const waitMs = asked > ownMs ? asked : ownMs; // an error may ask for NaN
    this.#count("retried");
    this.#log.warn("a message was not handled and will be delivered again", held, error);
    const dueMs = clock.nowMs() + waitMs;
    const where = held.isOrdered ? "here" : "server";
    waits.count(this.#view, { isRetry: true, dueMs }, where);
    if (!held.isOrdered) {
      this.#sendToWait(held, { dueMs, isRetry: true });
      return;
    }
    const { attempt, failures } = held;
    held.intake.notes?.write(held.message.id, { attempt, failures, dueMs });
    this.#nap(held, waitMs);
  }

  /** Acknowledged when its wait is safe (S1). */
  #sendToWait(held: BrokerDelivery, wait: Omit<Wait, "life">): void {
    const { life } = this.#view.group;
    this.#handover.toWait(held, { ...wait, life }, (isSafe) => {
      if (isSafe) held.acknowledge();
      else if (!this.#isClosing) {
        this.#giveBack(held);
        return;
      }
      this.#forget(held);
    });
  }

  #bury(held: BrokerDelivery, burial: Burial): void {
    this.#log.error("a message is given up and becomes a dead letter", held, burial.error);
    const letter = this.#host.letterOf(this, held, burial);
    this.#handover.bury(held, letter, (isSafe) => {
      if (isSafe && held.acknowledge()) {
        this.#count("deadLettered");
        this.#host.buried(letter);
        this.#through(held);
      } else this.#forget(held);
      this.#next();
    });
  }

  /** It leaves its group. */
  #through(held: BrokerDelivery): void {
    held.intake.notes?.settle(held.message.id);
    this.#forget(held);
    this.#host.finished(this.#view);
  }

  #forget(held: BrokerDelivery): void {
    if (!this.#held.delete(held)) return;
    this.#view.taken -= 1;
    // Its key is free for the next one.
    const next = this.#lanes?.leave(held);
    if (held.intake.isYielding) this.#yieldWhenIdle(held.intake);
    else if (next instanceof BrokerDelivery) this.#unlock(next);
  }

  /** It holds its key now; it may have a wait of its own to finish. */
  #unlock(held: BrokerDelivery): void {
    const waitMs = held.isRetry ? held.dueMs - this.#host.clock.nowMs() : 0;
    if (waitMs > 0) this.#nap(held, Math.min(waitMs, this.spec.backoff.maxMs ?? 30_000));
    else {
      held.place = "ready";
      this.#buffer.unshift(held);
    }
  }

  #giveBack(held: BrokerDelivery): void {
    if (held.slot !== -1) this.#host.wheel.remove(held);
    held.giveBack();
    this.#forget(held);
  }

  #count(what: "handled" | "retried" | "deadLettered"): void {
    this.#view[what] += 1;
    this.#host.counters[what] += 1;
  }

  /** What it delivered is the server's again (S2); handlers go on, unheard. */
  #intakeClosed(intake: QueueIntake): void {
    this.#buffer.removeAll((held) => held.intake === intake);
    this.#lanes?.takeWaiting((held) => ours(held).intake === intake);
    for (const held of this.#held) {
      if (held.intake !== intake) continue;
      held.isSettled = true;
      // One that runs keeps its key until it ends: its message comes again behind it.
      if (held.place === "running") continue;
      if (held.slot !== -1) this.#host.wheel.remove(held);
      this.#forget(held);
    }
  }

  /** Gives a partition up as soon as nothing of it runs: order needs that nobody else begins. */
  #yieldWhenIdle(intake: QueueIntake): void {
    for (const held of this.#held) if (held.intake === intake && held.isBusy) return;
    void intake.close();
  }

  async #close(drainMs: number): Promise<void> {
    // Not waited for: what still comes is given back.
    for (const intake of this.#intakes) {
      if (intake.source.partition === undefined) void intake.stop();
    }
    // Where there is an order it all goes back with its channel, which keeps it.
    for (const held of this.#held) {
      if (held.isOrdered && held.slot !== -1 && held.place !== "running") {
        this.#host.wheel.remove(held);
      } else if (!held.isOrdered && (held.place === "ready" || held.place === "delayed")) {
        this.#giveBack(held);
      }
    }
    this.#buffer.clear();
    await this.#member.close({ drainMs });
    await this.#handover.close();
    const closing = this.#intakes.close().then(() => this.#host.deleteQueues(this));
    // A server that is silent gets no farewell: the end of the connection tells it.
    await inTime(this.#host.clock, closing, farewellMaxMs).catch(() => undefined);
    this.#host.left(this, this.#unhandled);
  }
}

function portsOf({ clock, random, names, outbound, waits }: SubscriptionHost) {
  return { clock, random, names, outbound, waits };
}
