/**
 * The memory bus: the reference of the contract, and the embedded default. What it accepts lives as
 * long as the process.
 *
 * What it owns: topics with their queues, groups by name, publishes that wait for room, one timing
 * wheel for retries and waits, the dead letters.
 *
 * I1. A message is put into every queue of its topic or into none: room is looked for in all first.
 * I2. Publishes to one topic are accepted in the order they came, waiting ones included.
 * I3. A group's queue stays when its last member leaves; a broadcast's queue goes with its member.
 * I4. Once `close` resolved no handler starts.
 */

import { createIdSource, silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, IdSource, Log, Random } from "@banyan/kernel";
import { kernelErrors, TimingWheel } from "@banyan/kernel/internal";
import { BusCapability } from "./bus.ts";
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
  OutgoingMessage,
  SubscribeSpec,
  Subscription,
} from "./bus.ts";
import { DeadLetterBox } from "./dead-letter-box.ts";
import { DeliveryQueue } from "./delivery-queue.ts";
import type { Burial, HeldDelivery, QueueHost, QueueMember, Timed } from "./delivery-queue.ts";
import { messagingErrors } from "./errors.ts";
import { describeFailure } from "./failure.ts";
import { checkMessage } from "./message-check.ts";
import { isWildcard, resolveMemoryBusOptions, resolveSubscribeSpec } from "./options.ts";
import type { MemoryBusOptions, ResolvedMemoryBusOptions } from "./options.ts";
import type { ResolvedSubscribeSpec } from "./options.ts";
import type { BusProvider } from "./provider.ts";
import { Topic, WaitingPublish } from "./topic.ts";

export interface MemoryBusPorts {
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly log?: Log | undefined;
  readonly options?: MemoryBusOptions | Readonly<Record<string, unknown>> | undefined;
}

/** Opens a memory bus. @throws MESSAGING_OPTIONS_INVALID */
export function openMemoryBus(ports: MemoryBusPorts = {}): Bus {
  return new MemoryBus(ports);
}

/** The provider a node finds under the name `memory`. */
export const memoryBus: BusProvider = Object.freeze({
  name: "memory",
  durability: "ephemeral",
  openBus: async (options) => openMemoryBus(options),
} satisfies BusProvider);

const accepted = Promise.resolve();
const drainMsDefault = 10_000;

class MemoryBus implements Bus, QueueHost {
  readonly name = "memory";
  readonly durability = "ephemeral";
  readonly capabilities: ReadonlySet<BusCapability> = new Set<BusCapability>();
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly wheel: TimingWheel<Timed>;
  readonly counters = { published: 0, unrouted: 0, handled: 0, retried: 0, deadLettered: 0 };
  readonly #options: ResolvedMemoryBusOptions;
  readonly #ids: IdSource;
  readonly #topics = new Map<string, Topic>();
  readonly #groups = new Map<string, DeliveryQueue>();
  readonly #letters: DeadLetterBox;
  #publishesWaiting = 0;
  #isDraining = false;
  #isClosed = false;
  #closing: Promise<DrainReport> | undefined = undefined;
  /** Set while `close` waits: called when a queue moved on. */
  #onProgress: (() => void) | undefined = undefined;

  constructor(ports: MemoryBusPorts) {
    this.clock = ports.clock ?? systemClock;
    this.random = ports.random ?? systemRandom;
    this.log = ports.log ?? silentLog;
    this.#options = resolveMemoryBusOptions(ports.options);
    this.#ids = createIdSource(this.clock, this.random);
    this.wheel = new TimingWheel<Timed>(this.clock, (timed) => timed.onDue());
    this.#letters = new DeadLetterBox({
      max: this.#options.deadLettersMax,
      log: this.log,
      redeliver: (letter) => this.#redeliver(letter),
      assertOpen: () => this.#assertOpen(),
    });
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
      if (options.signal?.aborted === true) throw withdrawn(options.signal, 0);
      const { bodySizeMax } = this.#options;
      const checks = { bodySizeMax, owned: options.owned === true };
      if (!isBatch(messages)) {
        const message = checkMessage(messages, checks);
        if (this.#acceptNow(message)) return accepted;
        return this.#wait([message], 0, options);
      }
      const batch = messages.map((each) => checkMessage(each, checks));
      const done = this.#acceptAll(batch, 0);
      return done === batch.length ? accepted : this.#wait(batch, done, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async subscribe(spec: SubscribeSpec, handler: DeliveryHandler): Promise<Subscription> {
    this.#assertOpen();
    if (this.#isDraining) throw closedError();
    const resolved = resolveSubscribeSpec(spec, this.#options);
    if (typeof handler !== "function") {
      throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
        `Subscription "${resolved.name}": its handler is not a function.`,
      );
    }
    if (isWildcard(resolved.topic)) throw missing(BusCapability.Wildcards, resolved);
    if (resolved.ordered) throw missing(BusCapability.Ordered, resolved);
    const queue =
      resolved.delivery === "group" ? this.#groupFor(resolved) : this.#addQueue(resolved);
    return this.#subscriptionOf(queue.join(resolved, handler), resolved);
  }

  async removeGroup(name: string): Promise<number> {
    this.#assertOpen();
    const queue = this.#groups.get(name);
    if (queue === undefined) return 0;
    if (queue.members.length > 0) {
      throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
        `Group "${name}" still has ${queue.members.length} members; close their subscriptions first.`,
      );
    }
    this.#groups.delete(name);
    this.#detach(queue);
    return queue.end();
  }

  async status(): Promise<BusStatus> {
    return {
      ...this.counters,
      deadLettersDropped: this.#letters.dropped,
      publishesWaiting: this.#publishesWaiting,
      subscriptions: this.#queues().map((queue) => queue.status()),
    };
  }

  async check(): Promise<void> {
    this.#assertOpen();
    if (this.#isDraining) throw closedError();
  }

  close(options: CloseOptions = {}): Promise<DrainReport> {
    this.#closing ??= this.#close(options.drainMs ?? drainMsDefault);
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  bury(queue: DeliveryQueue, held: HeldDelivery, burial: Burial): void {
    const { name, delivery } = queue.spec;
    const { message, attempt } = held;
    this.counters.deadLettered += 1;
    this.log.error("a message became a dead letter", {
      subscription: name,
      topic: message.topic,
      messageId: message.id,
      attempts: attempt,
      reason: burial.reason,
      error: burial.error,
    });
    this.#letters.add({
      id: this.#ids.uuid(),
      subscription: name,
      delivery,
      message,
      attempts: attempt,
      reason: burial.reason,
      error: describeFailure(burial.error),
      deadAtMs: this.clock.nowMs(),
    });
  }

  changed(queue: DeliveryQueue): void {
    const topic = this.#topics.get(queue.spec.topic);
    if (topic?.nextWaiting !== undefined) this.#serveWaiting(topic);
    this.#onProgress?.();
  }

  #acceptAll(batch: readonly Message[], from: number): number {
    for (let index = from; index < batch.length; index += 1) {
      const message = batch[index];
      if (message !== undefined && !this.#acceptNow(message)) return index;
    }
    return batch.length;
  }

  /** False when a queue is full, or others wait already for this topic (I1, I2). */
  #acceptNow(message: Message): boolean {
    const topic = this.#topics.get(message.topic);
    if (topic === undefined) this.counters.unrouted += 1;
    else if (topic.nextWaiting !== undefined || !topic.hasRoom) return false;
    else topic.accept(message);
    this.counters.published += 1;
    return true;
  }

  #wait(batch: readonly Message[], done: number, options: BusPublishOptions): Promise<void> {
    const { timeoutMs = this.#options.publishTimeoutMs, signal } = options;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        if (signal !== undefined) waiting.fail(withdrawn(signal, waiting.done));
      };
      const waiting = new WaitingPublish(batch, done, {
        deadlineMs: this.clock.monotonicMs() + timeoutMs,
        onTimeout: () => waiting.fail(this.#bufferFull(waiting, timeoutMs)),
        onEnd: (error) => {
          signal?.removeEventListener("abort", onAbort);
          this.wheel.remove(waiting);
          this.#publishesWaiting -= 1;
          this.#leaveQueue(waiting);
          if (error === undefined) resolve();
          else reject(error);
        },
      });
      this.#publishesWaiting += 1;
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#topics.get(waiting.topicName)?.wait(waiting);
      if (timeoutMs <= 0) waiting.onDue();
      else this.wheel.add(waiting);
    });
  }

  /** Takes an ended wait out of its topic, which may let the ones behind it go on. */
  #leaveQueue(waiting: WaitingPublish): void {
    if (this.#isClosed) return; // close has taken it out
    const topic = this.#topics.get(waiting.topicName);
    if (topic === undefined) return;
    topic.forgetOne();
    this.#serveWaiting(topic);
  }

  #serveWaiting(topic: Topic): void {
    for (;;) {
      const waiting = topic.nextWaiting;
      if (waiting === undefined || !topic.hasRoom) return;
      const message = waiting.current;
      if (message === undefined) return;
      topic.accept(message);
      this.counters.published += 1;
      waiting.done += 1;
      if (waiting.current?.topic === topic.name) continue;
      topic.shiftWaiting();
      this.#goOn(waiting);
    }
  }

  /** The batch's next message is of another topic, or there is none. */
  #goOn(waiting: WaitingPublish): void {
    waiting.done = this.#acceptAll(waiting.batch, waiting.done);
    if (waiting.current === undefined) waiting.succeed();
    else this.#topics.get(waiting.topicName)?.wait(waiting);
  }

  #bufferFull(waiting: WaitingPublish, timeoutMs: number): Error {
    const topic = this.#topics.get(waiting.topicName);
    const full = topic?.queues.find((queue) => !queue.hasRoom)?.spec;
    const name = full?.name ?? waiting.topicName;
    return messagingErrors.MESSAGING_BUFFER_FULL(
      `Subscription "${name}" holds ${full?.bufferMax ?? 0} messages, as many as it may, and made ` +
        `no room within ${timeoutMs} ms; publish slower, raise its concurrency, or start a member.`,
      { details: { subscription: name, accepted: waiting.done } },
    );
  }

  #groupFor(spec: ResolvedSubscribeSpec): DeliveryQueue {
    const known = this.#groups.get(spec.name);
    if (known === undefined) {
      const queue = this.#addQueue(spec);
      this.#groups.set(spec.name, queue);
      return queue;
    }
    if (known.spec.topic === spec.topic) return known;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_CONFLICT(
      `Group "${spec.name}" is bound to topic "${known.spec.topic}", not "${spec.topic}"; ` +
        `give the subscription another name, or remove the group.`,
    );
  }

  #addQueue(spec: ResolvedSubscribeSpec): DeliveryQueue {
    const queue = new DeliveryQueue(spec, this);
    let topic = this.#topics.get(spec.topic);
    if (topic === undefined) {
      topic = new Topic(spec.topic);
      this.#topics.set(spec.topic, topic);
    }
    topic.queues.push(queue);
    return queue;
  }

  #detach(queue: DeliveryQueue): void {
    const topic = this.#topics.get(queue.spec.topic);
    const index = topic?.queues.indexOf(queue) ?? -1;
    if (topic === undefined || index === -1) return;
    topic.queues.splice(index, 1);
    // Whoever waited only for this queue has room now.
    this.#serveWaiting(topic);
    if (topic.queues.length === 0) this.#topics.delete(topic.name);
  }

  #subscriptionOf(member: QueueMember, spec: ResolvedSubscribeSpec): Subscription {
    const close = async (options?: CloseOptions): Promise<void> => {
      // A broadcast gets nothing new from this moment; a group goes on collecting (I3).
      if (spec.delivery === "broadcast") this.#detach(member.queue);
      await member.close(options);
      if (spec.delivery === "broadcast") member.queue.end();
    };
    return {
      name: spec.name,
      topic: spec.topic,
      delivery: spec.delivery,
      close,
      [Symbol.asyncDispose]: () => close(),
    };
  }

  #redeliver(letter: DeadLetter): boolean {
    const { subscription, delivery, message } = letter;
    const targets = this.#queues().filter(
      ({ spec }) =>
        spec.name === subscription && spec.topic === message.topic && spec.delivery === delivery,
    );
    if (targets.length === 0 || targets.some((queue) => !queue.hasRoom)) return false;
    for (const queue of targets) queue.accept(message);
    return true;
  }

  #queues(): DeliveryQueue[] {
    return [...this.#topics.values()].flatMap((topic) => topic.queues);
  }

  async #close(drainMs: number): Promise<DrainReport> {
    this.#isDraining = true;
    if (drainMs > 0 && !this.#isIdle()) await this.#idle(drainMs);
    this.#isClosed = true;
    this.#onProgress = undefined;
    const queues = this.#queues();
    for (const topic of this.#topics.values()) {
      for (let waiting = topic.shiftWaiting(); waiting; waiting = topic.shiftWaiting()) {
        waiting.fail(closedError({ accepted: waiting.done }));
      }
    }
    const members = queues.flatMap((queue) => [...queue.members]);
    await Promise.all(members.map((member) => member.close({ drainMs: 0 })));
    const unhandled = queues.reduce((sum, queue) => sum + queue.end(), 0);
    this.wheel.close();
    this.#topics.clear();
    this.#groups.clear();
    if (unhandled > 0) {
      this.log.warn("the bus was closed before every message was handled", { unhandled });
    }
    return { unhandled };
  }

  /** Nothing is left that somebody here could handle. */
  #isIdle(): boolean {
    return this.#queues().every((queue) => queue.members.length === 0 || queue.held === 0);
  }

  #idle(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.clock.setTimer(drainMs, resolve, { keepAlive: true });
      this.#onProgress = () => {
        if (!this.#isIdle()) return;
        cancel();
        resolve();
      };
    });
  }

  #assertOpen(): void {
    if (this.#isClosed) throw closedError();
  }
}

/** `Array.isArray` alone does not narrow a readonly array. */
function isBatch(
  messages: OutgoingMessage | readonly OutgoingMessage[],
): messages is readonly OutgoingMessage[] {
  return Array.isArray(messages);
}

function closedError(details?: Readonly<Record<string, unknown>>): Error {
  return kernelErrors.CLOSED("The bus is closed; open a new one.", { details });
}

function withdrawn(signal: AbortSignal, done: number): Error {
  return kernelErrors.CALL_CANCELLED("The publish was withdrawn before the bus had room for it.", {
    cause: signal.reason,
    details: { accepted: done },
  });
}

function missing(capability: BusCapability, { name, topic }: ResolvedSubscribeSpec): Error {
  return messagingErrors.MESSAGING_CAPABILITY_MISSING(
    `Subscription "${name}" to "${topic}" needs "${capability}", which the memory bus does not ` +
      `offer; choose a bus that declares it.`,
    { details: { capability, subscription: name } },
  );
}
