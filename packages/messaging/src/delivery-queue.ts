/**
 * What one group, or one broadcast subscription, still has to handle, and who handles it.
 *
 * What it owns: the buffer, the retries on the bus's timing wheel, the members and their workers.
 * What may interrupt it: a publish, a handler's end, a retry falling due, a member that joins or
 * leaves; each only changes the queue and then lets `#deliverAll` run.
 *
 * I1. A held message is in exactly one place: the buffer, the retries, or one worker. `held` counts
 *     all three, and `hasRoom` compares that with `bufferMax`.
 * I2. A message leaves only when it is acknowledged or buried, or when the queue is ended.
 * I3. A member never runs more than `concurrency` handlers, and starts none once it is closing.
 * I4. A worker whose message was given back to the queue ignores the late end of its handler.
 * I5. Handlers start from a microtask, never inside `publish`, and at most `turnMax` of them before
 *     the event loop gets a turn: a flood of messages must not starve timers and sockets.
 *
 * No timer, closure or promise of our own per message: workers are reused and carry their two
 * callbacks, retries share the wheel, and a publish that needs no wait shares one promise.
 */

import { backoffMs, isBanyanError } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { kernelErrors, runOutsideCalls } from "@banyan/kernel/internal";
import type { TimingWheel, WheelEntry } from "@banyan/kernel/internal";
import type { CloseOptions, DeadLetterReason, DeliveryHandler, Message } from "./bus.ts";
import type { SubscriptionStatus } from "./bus.ts";
import { isFinal } from "./failure.ts";
import { Fifo } from "./fifo.ts";
import { copyJson } from "./json-value.ts";
import type { ResolvedSubscribeSpec } from "./options.ts";

const turnMax = 256;
const drainMsDefault = 10_000;

/** What waits on the bus's wheel. */
export interface Timed extends WheelEntry {
  onDue(): void;
}

/** What a queue needs of its bus. */
export interface QueueHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: TimingWheel<Timed>;
  readonly counters: { handled: number; retried: number };
  /** The queue gives a message up. */
  bury(queue: DeliveryQueue, held: HeldDelivery, burial: Burial): void;
  /** A message left, a member left: whoever waits for that may look again. */
  changed(queue: DeliveryQueue): void;
}

export interface Burial {
  readonly reason: DeadLetterReason;
  readonly error: unknown;
}

/** One message on its way to one subscription. */
export class HeldDelivery implements Timed {
  readonly message: Message;
  readonly #queue: DeliveryQueue;
  /** Deliveries so far. */
  attempt = 0;
  /** Failed ones among them; what a leaving member gave back did not fail. */
  failures = 0;
  deadlineMs = 0;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(message: Message, queue: DeliveryQueue) {
    this.message = message;
    this.#queue = queue;
  }

  onDue(): void {
    this.#queue.retryNow(this);
  }
}

export class DeliveryQueue {
  readonly #host: QueueHost;
  readonly #buffer = new Fifo<HeldDelivery>();
  readonly #retrying = new Set<HeldDelivery>();
  readonly #members: QueueMember[] = [];
  /** Of the newest member: a rolling upgrade brings new limits. */
  #spec: ResolvedSubscribeSpec;
  #running = 0;
  #cursor = 0;
  #turn = 0;
  #isScheduled = false;
  #isDelivering = false;

  constructor(spec: ResolvedSubscribeSpec, host: QueueHost) {
    this.#spec = spec;
    this.#host = host;
  }

  get spec(): ResolvedSubscribeSpec {
    return this.#spec;
  }

  get held(): number {
    return this.#buffer.size + this.#retrying.size + this.#running;
  }

  get hasRoom(): boolean {
    return this.held < this.#spec.bufferMax;
  }

  get members(): readonly QueueMember[] {
    return this.#members;
  }

  /** Takes a message in; the caller has seen `hasRoom`. */
  accept(message: Message): void {
    this.#buffer.push(new HeldDelivery(message, this));
    this.#schedule();
  }

  join(spec: ResolvedSubscribeSpec, handler: DeliveryHandler): QueueMember {
    const member = new QueueMember(this, { spec, handler, clock: this.#host.clock });
    this.#spec = spec;
    this.#members.push(member);
    this.#schedule();
    return member;
  }

  /** Forgets everything held; how much that was. The queue is not used any more. */
  end(): number {
    const dropped = this.held;
    for (const held of this.#retrying) this.#host.wheel.remove(held);
    this.#retrying.clear();
    this.#buffer.clear();
    return dropped;
  }

  status(): SubscriptionStatus {
    const { name, topic, delivery } = this.#spec;
    const oldest = this.#buffer.peek();
    return {
      name,
      topic,
      delivery,
      members: this.#members.length,
      buffered: this.#buffer.size,
      running: this.#running,
      retrying: this.#retrying.size,
      lagMs:
        oldest === undefined
          ? 0
          : Math.max(0, this.#host.clock.nowMs() - oldest.message.timestampMs),
    };
  }

  /** A retry is due. */
  retryNow(held: HeldDelivery): void {
    this.#retrying.delete(held);
    this.#buffer.push(held);
    this.#schedule();
  }

  /** A worker took a message. */
  started(): void {
    this.#running += 1;
  }

  acknowledged(): void {
    this.#running -= 1;
    this.#host.counters.handled += 1;
    this.#settled();
  }

  failed(held: HeldDelivery, error: unknown): void {
    this.#running -= 1;
    held.failures += 1;
    const { retriesMax } = this.#spec;
    if (isFinal(error)) this.#host.bury(this, held, { reason: "final-error", error });
    else if (held.failures > retriesMax) {
      this.#host.bury(this, held, { reason: "retries-exhausted", error });
    } else this.#retryLater(held, error);
    this.#settled();
  }

  unreadable(held: HeldDelivery, error: unknown): void {
    this.#running -= 1;
    this.#host.bury(this, held, { reason: "unreadable", error });
    this.#settled();
  }

  /** A member leaves without having finished this one: it goes first among those that wait. */
  givenBack(held: HeldDelivery): void {
    this.#running -= 1;
    this.#buffer.unshift(held);
  }

  left(member: QueueMember): void {
    const index = this.#members.indexOf(member);
    if (index !== -1) this.#members.splice(index, 1);
    this.#host.changed(this);
    this.#schedule();
  }

  #retryLater(held: HeldDelivery, error: unknown): void {
    const { backoff, name } = this.#spec;
    const { clock, random, log, wheel, counters } = this.#host;
    const maxMs = backoff.maxMs ?? 30_000;
    const asked = isBanyanError(error) ? Math.min(error.retryAfterMs ?? 0, maxMs) : 0;
    const ownMs = backoffMs(held.failures, random, backoff);
    const waitMs = asked > ownMs ? asked : ownMs; // an error may ask for NaN; no timer takes that
    counters.retried += 1;
    log.warn("a message was not handled and will be delivered again", {
      subscription: name,
      messageId: held.message.id,
      attempt: held.attempt,
      retryInMs: Math.round(waitMs),
      error,
    });
    held.deadlineMs = clock.monotonicMs() + waitMs;
    this.#retrying.add(held);
    wheel.add(held);
  }

  #settled(): void {
    this.#host.changed(this);
    if (!this.#isDelivering) this.#deliverAll();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#members.length === 0) return;
    this.#isScheduled = true;
    queueMicrotask(this.#pump);
  }

  readonly #pump = (): void => {
    this.#isScheduled = false;
    // The microtask inherited the publisher's call; a handler must not run on its behalf.
    runOutsideCalls(this.#deliverAll);
  };

  readonly #deliverAll = (): void => {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    while (this.#buffer.size > 0 && this.#turn < turnMax) {
      const member = this.#freeMember();
      if (member === undefined) break;
      const held = this.#buffer.shift();
      if (held === undefined) break;
      if (this.#turn === 0) setImmediate(this.#nextTurn);
      this.#turn += 1;
      member.take(held);
    }
    this.#isDelivering = false;
  };

  readonly #nextTurn = (): void => {
    this.#turn = 0;
    if (this.#buffer.size > 0) this.#schedule();
  };

  /** Members take turns. */
  #freeMember(): QueueMember | undefined {
    const { length } = this.#members;
    for (let step = 0; step < length; step += 1) {
      const index = (this.#cursor + step) % length;
      const member = this.#members[index];
      if (member?.isFree === true) {
        this.#cursor = index + 1;
        return member;
      }
    }
    return undefined;
  }
}

interface QueueMemberInit {
  readonly spec: ResolvedSubscribeSpec;
  readonly handler: DeliveryHandler;
  readonly clock: Clock;
}

/** One live subscription: its handler and the workers that run it. */
export class QueueMember {
  readonly queue: DeliveryQueue;
  readonly #init: QueueMemberInit;
  readonly #controller = new AbortController();
  readonly #workers: Worker[] = [];
  readonly #idle: Worker[] = [];
  #isOpen = true;
  #closing: Promise<void> | undefined = undefined;
  /** Set while `close` waits for handlers: ends that wait. */
  #stopWaiting: (() => void) | undefined = undefined;

  constructor(queue: DeliveryQueue, init: QueueMemberInit) {
    this.queue = queue;
    this.#init = init;
  }

  get isFree(): boolean {
    return this.#isOpen && this.#busy < this.#init.spec.concurrency;
  }

  get #busy(): number {
    return this.#workers.length - this.#idle.length;
  }

  take(held: HeldDelivery): void {
    let worker = this.#idle.pop();
    if (worker === undefined) {
      worker = new Worker(this);
      this.#workers.push(worker);
    }
    held.attempt += 1;
    this.queue.started();
    worker.start(held);
  }

  /** The message as the handler gets it. @throws what `decode` throws */
  read(message: Message): Message {
    const { decode } = this.#init.spec;
    const { id, topic, timestampMs, headers, orderingKey } = message;
    const body = decode === undefined ? copyJson(message.body) : decode(message);
    return { id, topic, timestampMs, body, headers, orderingKey };
  }

  handle(message: Message, attempt: number): Promise<void> | void {
    const { spec, handler } = this.#init;
    return handler({ message, attempt, subscription: spec.name, signal: this.#controller.signal });
  }

  freed(worker: Worker): void {
    this.#idle.push(worker);
    if (!this.#isOpen && this.#busy === 0) this.#stopWaiting?.();
  }

  /** A later call with less patience shortens the first one's wait. */
  close(options: CloseOptions = {}): Promise<void> {
    const { drainMs = drainMsDefault } = options;
    this.#isOpen = false;
    if (drainMs <= 0) this.#stopWaiting?.();
    this.#closing ??= this.#close(drainMs);
    return this.#closing;
  }

  async #close(drainMs: number): Promise<void> {
    if (this.#busy > 0 && drainMs > 0) await this.#drained(drainMs);
    const error = kernelErrors.CLOSED(
      `Subscription "${this.#init.spec.name}" was closed before the handler finished.`,
    );
    this.#controller.abort(error);
    for (const worker of this.#workers) {
      const held = worker.abandon();
      if (held !== undefined) this.queue.givenBack(held);
    }
    this.queue.left(this);
  }

  #drained(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#init.clock.setTimer(drainMs, () => this.#stopWaiting?.(), {
        keepAlive: true,
      });
      this.#stopWaiting = () => {
        this.#stopWaiting = undefined;
        cancel();
        resolve();
      };
    });
  }
}

/** Runs one handler at a time; reused, so that a message costs no closure. */
class Worker {
  readonly #member: QueueMember;
  #held: HeldDelivery | undefined = undefined;

  constructor(member: QueueMember) {
    this.#member = member;
  }

  start(held: HeldDelivery): void {
    this.#held = held;
    const member = this.#member;
    let message: Message;
    try {
      message = member.read(held.message);
    } catch (error) {
      if (this.#free() !== undefined) member.queue.unreadable(held, error);
      return;
    }
    try {
      const answer = member.handle(message, held.attempt);
      if (isThenable(answer)) {
        answer.then(this.#onDone, this.#onFailed);
        return;
      }
    } catch (error) {
      this.#onFailed(error);
      return;
    }
    this.#onDone();
  }

  /** What it was busy with; the handler's end is ignored from now on (I4). */
  abandon(): HeldDelivery | undefined {
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  readonly #onDone = (): void => {
    if (this.#free() !== undefined) this.#member.queue.acknowledged();
  };

  readonly #onFailed = (error: unknown): void => {
    const held = this.#free();
    if (held !== undefined) this.#member.queue.failed(held, error);
  };

  #free(): HeldDelivery | undefined {
    const held = this.abandon();
    if (held !== undefined) this.#member.freed(this);
    return held;
  }
}

function isThenable(value: unknown): value is PromiseLike<void> {
  if (typeof value !== "object" || value === null || !("then" in value)) return false;
  return typeof value.then === "function";
}
