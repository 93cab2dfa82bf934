/**
 * The way in: from `publish` and `stage` to the queues of the topic.
 *
 * What it owns: the routes, the publishes that wait for room, the numbers of the messages.
 * What may interrupt it: a queue that has room again, a wait that ends, the journal's answer.
 *
 * I1. A message is put into every queue of its topic or into none: room is looked for in all first.
 * I2. Publishes to one topic are taken in the order they came, waiting ones included. With a
 *     journal that is the order in which they are handed to it.
 * I3. With a journal nothing is delivered before it is safe there. What a broadcast alone gets, or
 *     nobody, is not written.
 * I4. A route that publishes wait at is blocked at one of its full queues, which serves it as soon
 *     as it has room.
 * I5. The journal is handed a batch in parts of bounded length, in order: no single write is so
 *     long that everybody else waits for it. What is told of the batch is told of all its parts
 *     together (`publish-parts.ts`).
 * I6. What is over when it comes takes no room and waits for nobody.
 */

import type { Clock, Log } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { CommitRider } from "@banyan/state";
import type { BusPublishOptions, OutgoingMessage } from "./bus.ts";
import type { DeliveryQueue } from "./delivery-queue.ts";
import { messagingErrors } from "./errors.ts";
import type { BusWheel } from "./held-delivery.ts";
import type { BusJournal } from "./journal.ts";
import { checkMessage, isOver } from "./message-check.ts";
import type { MessageChecks } from "./message-check.ts";
import { isEnqueue } from "./options.ts";
import type { ResolvedLocalBusOptions } from "./options.ts";
import { appendsOf, Parcel } from "./parcel.ts";
import { PublishParts, refusedAfter } from "./publish-parts.ts";
import { Route, WaitingPublish } from "./route.ts";
import type { Taken, WaitEnding } from "./route.ts";
import { StagedPublish } from "./staged-publish.ts";
import { TopicIndex } from "./topic-index.ts";

export interface IntakeHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly wheel: BusWheel;
  readonly journal: BusJournal | undefined;
  readonly medium: object;
  readonly options: ResolvedLocalBusOptions;
  readonly counters: {
    published: number;
    unrouted: number;
    expired: number;
    enqueueFailed: number;
  };
  /** A message that sleeps in the journal until then is safe. */
  slept(untilMs: number): void;
}

/** Messages handed to the journal as one: some milliseconds of the event loop and of the disk. */
const PART_MAX = 1024;

const accepted = Promise.resolve();

/** What the publisher asked of the way in. */
interface Terms {
  /** What goes to nobody is refused. */
  readonly mandatory: boolean;
  /** Nothing is waited for, the journal neither. */
  readonly enqueue: boolean;
}

const plainTerms: Terms = Object.freeze({ mandatory: false, enqueue: false });

export class Intake {
  readonly index = new TopicIndex();
  readonly #host: IntakeHost;
  readonly #checks: { readonly owned: MessageChecks; readonly copied: MessageChecks };
  /** Routes by the full queue that their publishes wait for. */
  readonly #blocked = new Map<DeliveryQueue, Set<Route>>();
  /** Of what is over: to nobody (I6). */
  readonly #nowhere = new Route("", []);
  #waiting = 0;
  #nextSeq: number;
  #isClosed = false;

  constructor(host: IntakeHost) {
    this.#host = host;
    this.#nextSeq = host.journal?.nextSeq ?? 0;
    const { bodySizeMax } = host.options;
    const delays = host.clock;
    this.#checks = {
      owned: { bodySizeMax, delays, owned: true },
      copied: { bodySizeMax, delays, owned: false },
    };
  }

  /** Publishes that wait for room. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Takes so many numbers out of the row; answers the first. */
  takeSeqs(count: number): number {
    const first = this.#nextSeq;
    this.#nextSeq += count;
    return first;
  }

  /** @throws what `checkMessage` throws; resolves when it is safe */
  publish(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options: BusPublishOptions,
  ): Promise<void> {
    const { signal } = options;
    if (signal?.aborted === true) throw withdrawn(signal, 0);
    const terms = termsOf(options);
    const checks = options.owned === true ? this.#checks.owned : this.#checks.copied;
    if (!isBatch(messages)) {
      const known = this.index.known(messages?.topic);
      const message = checkMessage(messages, checks, known !== undefined);
      const route = this.#routeOf(message, known);
      if (!route.isFree || (terms.mandatory && this.#isUnrouted(message))) {
        return this.#stopped([message], { done: 0, parts: new PublishParts() }, options);
      }
      return this.#take(route, message, terms.enqueue) ?? accepted;
    }
    const batch = messages.map((each) => this.#check(each, checks));
    const parts = new PublishParts();
    const done = this.#takeMany(batch, { done: 0, parts }, terms);
    if (done < batch.length) return this.#stopped(batch, { done, parts }, options);
    return parts.isSafe ? accepted : parts.settled().then(ignore);
  }

  /** @throws what `checkMessage` throws, MESSAGING_BUFFER_FULL */
  stage(messages: readonly OutgoingMessage[]): CommitRider {
    const { journal, medium } = this.#host;
    const batch = messages.map((each) => this.#check(each, this.#checks.copied));
    const parcels: Parcel[] = [];
    for (const message of batch) {
      const route = this.#routeOf(message);
      if (route.isFree) {
        parcels.push(new Parcel(message, route.queues, -1));
        continue;
      }
      for (const parcel of parcels) parcel.drop();
      throw bufferFullAt(route, 0)(0);
    }
    return new StagedPublish(parcels, {
      medium,
      journal,
      takeSeq: () => this.takeSeqs(1),
      deliver: (parcel) => this.#deliver(parcel),
    });
  }

  /** A queue may have room again. */
  serve(queue: DeliveryQueue): void {
    if (this.#blocked.size === 0) return;
    const routes = this.#blocked.get(queue);
    while (routes !== undefined && queue.hasRoom) {
      const [route] = routes;
      if (route === undefined) break;
      routes.delete(route);
      this.#serveRoute(route);
    }
    if (routes?.size === 0) this.#blocked.delete(queue);
  }

  /** A queue gets nothing any more. Whoever waited only for it has room now. */
  detach(queue: DeliveryQueue): void {
    this.#blocked.delete(queue);
    for (const route of this.index.remove(queue)) this.#serveRoute(route);
  }

  /** Ends every wait. */
  close(ending: WaitEnding): void {
    this.#isClosed = true;
    for (const route of this.index.routes) {
      for (let waiting = route.shiftWaiting(); waiting; waiting = route.shiftWaiting()) {
        waiting.fail(ending);
      }
    }
    this.index.clear();
  }

  #check(message: OutgoingMessage, checks: MessageChecks): OutgoingMessage {
    return checkMessage(message, checks, this.index.known(message?.topic) !== undefined);
  }

  #routeOf(message: OutgoingMessage, known?: Route): Route {
    return isOver(message, this.#host.clock)
      ? this.#nowhere
      : (known ?? this.index.routeOf(message));
  }

  #isUnrouted(message: OutgoingMessage): boolean {
    return this.index.routeOf(message).queues.length === 0;
  }

  /** Takes one message; there is room. `undefined`: it is delivered, or only enqueued. */
  #take(route: Route, message: OutgoingMessage, enqueue: boolean): Promise<void> | undefined {
    if (this.#host.journal !== undefined) {
      return this.#keep([new Parcel(message, route.queues, this.takeSeqs(1))], enqueue);
    }
    this.#takeNow(route, message);
    return undefined;
  }

  /** The same without a journal: the hot path of the memory bus, which needs no parcel. */
  #takeNow({ queues }: Route, message: OutgoingMessage): void {
    const { counters } = this.#host;
    const seq = this.#nextSeq;
    this.#nextSeq += 1;
    counters.published += 1;
    if (queues.length === 0) this.#countNowhere(message);
    for (const queue of queues) {
      queue.reserve();
      queue.arrive(message, seq);
    }
  }

  #countNowhere(message: OutgoingMessage): void {
    const { counters, clock } = this.#host;
    if (isOver(message, clock)) counters.expired += 1;
    else counters.unrouted += 1;
  }

  /**
   * Takes as many as there is room for, and somebody for where that is asked, in their order;
   * answers how far it got.
   */
  #takeMany(
    batch: readonly OutgoingMessage[],
    { done: from, parts }: Taken,
    { mandatory, enqueue }: Terms,
  ): number {
    const { journal } = this.#host;
    let parcels: Parcel[] = [];
    let done = from;
    for (; done < batch.length; done += 1) {
      const message = batch[done];
      if (message === undefined) break;
      const route = this.#routeOf(message);
      if (!route.isFree || (mandatory && this.#isUnrouted(message))) break;
      if (journal === undefined) {
        this.#takeNow(route, message);
        continue;
      }
      parcels.push(new Parcel(message, route.queues, this.takeSeqs(1)));
      if (parcels.length < PART_MAX) continue;
      parts.add(parcels.length, this.#keep(parcels, enqueue));
      parcels = [];
    }
    if (journal === undefined) parts.add(done - from, undefined);
    else if (parcels.length > 0) parts.add(parcels.length, this.#keep(parcels, enqueue));
    return done;
  }

  /**
   * Hands parcels to the journal as one, and delivers them when they are safe (I3). Of what is only
   * enqueued nobody is told but the log.
   */
  #keep(parcels: readonly Parcel[], enqueue: boolean): Promise<void> | undefined {
    const { journal } = this.#host;
    const appends = appendsOf(parcels);
    if (journal === undefined || appends.length === 0) {
      for (const parcel of parcels) this.#deliver(parcel);
      return undefined;
    }
    for (const parcel of parcels) parcel.handOver();
    const kept = journal.append(appends).then(
      () => {
        for (const parcel of parcels) this.#deliver(parcel);
      },
      (error: unknown) => {
        for (const parcel of parcels) parcel.drop();
        if (!enqueue) throw refusedAfter(error, 0);
        this.#enqueueFailed(parcels, error);
      },
    );
    return enqueue ? undefined : kept;
  }

  #enqueueFailed(parcels: readonly Parcel[], error: unknown): void {
    const { counters, log } = this.#host;
    counters.enqueueFailed += parcels.length;
    for (const { message } of parcels) {
      const { id: messageId, topic } = message;
      log.error("an enqueued message was not kept", { topic, messageId, error });
    }
  }

  #deliver(parcel: Parcel): void {
    const { counters } = this.#host;
    const { message, queues } = parcel;
    counters.published += 1;
    if (queues.length === 0) this.#countNowhere(message);
    parcel.deliver();
    if (message.deliverAtMs !== undefined && parcel.append !== undefined) {
      this.#host.slept(message.deliverAtMs);
    }
  }

  /** The next one goes to nobody, which is an error, or finds no room, which may pass. */
  #stopped(
    batch: readonly OutgoingMessage[],
    taken: Taken,
    options: BusPublishOptions,
  ): Promise<void> {
    const { done, parts } = taken;
    const next = batch[done];
    const { mandatory, enqueue } = termsOf(options);
    if (next === undefined) return accepted;
    if (mandatory && this.#isUnrouted(next)) {
      return refused(parts, unroutedError(next));
    }
    if (enqueue) throw bufferFullAt(this.index.routeOf(next), 0)(done);
    return this.#wait(batch, taken, options);
  }

  #wait(
    batch: readonly OutgoingMessage[],
    taken: Taken,
    options: BusPublishOptions,
  ): Promise<void> {
    const { clock, wheel } = this.#host;
    const { timeoutMs = this.#host.options.publishTimeoutMs, signal } = options;
    const { mandatory } = termsOf(options);
    return new Promise((resolve) => {
      const onAbort = (): void => {
        if (signal !== undefined) waiting.fail((done) => withdrawn(signal, done));
      };
      const waiting = new WaitingPublish(batch, taken, {
        deadlineMs: clock.monotonicMs() + timeoutMs,
        mandatory,
        onTimeout: () => waiting.fail(bufferFullAt(waiting.route, timeoutMs)),
        onEnd: (ending) => {
          signal?.removeEventListener("abort", onAbort);
          wheel.remove(waiting);
          this.#waiting -= 1;
          this.#leaveRoute(waiting);
          resolve(endOf(waiting, ending));
        },
      });
      this.#waiting += 1;
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#waitAt(waiting);
      if (waiting.isEnded) return;
      if (timeoutMs <= 0) waiting.onDue();
      else wheel.add(waiting);
    });
  }

  #waitAt(waiting: WaitingPublish): void {
    const { current } = waiting;
    if (current === undefined) return;
    const route = this.index.routeOf(current);
    waiting.route = route;
    route.wait(waiting);
    this.#serveRoute(route);
  }

  /** Takes an ended wait out of its route, which may let the ones behind it go on. */
  #leaveRoute(waiting: WaitingPublish): void {
    const { route } = waiting;
    if (route === undefined || this.#isClosed) return; // close has taken it out
    route.forgetOne();
    this.#serveRoute(route);
  }

  #serveRoute(route: Route): void {
    for (;;) {
      const waiting = route.nextWaiting;
      const message = waiting?.current;
      if (waiting === undefined || message === undefined) return;
      if (waiting.mandatory && route.queues.length === 0) {
        // Whoever subscribed is gone since it began to wait.
        route.shiftWaiting();
        waiting.route = undefined;
        waiting.fail(unroutedError(message));
        continue;
      }
      const full = route.fullQueue;
      if (full !== undefined) {
        this.#block(full, route);
        return;
      }
      waiting.parts.add(1, this.#take(route, message, false));
      waiting.done += 1;
      if (waiting.current?.topic === route.topic) continue;
      route.shiftWaiting();
      waiting.route = undefined;
      this.#goOn(waiting);
    }
  }

  #block(queue: DeliveryQueue, route: Route): void {
    const routes = this.#blocked.get(queue);
    if (routes === undefined) this.#blocked.set(queue, new Set([route]));
    else routes.add(route);
  }

  /** The batch's next message is of another topic, or there is none. */
  #goOn(waiting: WaitingPublish): void {
    const { batch, mandatory } = waiting;
    waiting.done = this.#takeMany(batch, waiting, { mandatory, enqueue: false });
    const { current } = waiting;
    if (current === undefined) waiting.succeed();
    else if (mandatory && this.#isUnrouted(current)) waiting.fail(unroutedError(current));
    else this.#waitAt(waiting);
  }
}

function ignore(): void {}

/** What was taken in before is safe or refused before the whole is told of. */
async function endOf({ parts }: WaitingPublish, ending: WaitEnding | undefined): Promise<void> {
  if (ending !== undefined) return refused(parts, ending);
  await parts.settled();
}

async function refused(parts: PublishParts, ending: WaitEnding): Promise<never> {
  throw ending(await parts.settled());
}

/** @throws REQUEST_INVALID where the mode is none */
function termsOf(options: BusPublishOptions): Terms {
  const { mode, mandatory = false } = options;
  if (mode === undefined && !mandatory) return plainTerms;
  return { mandatory, enqueue: isEnqueue(options) };
}

/** `Array.isArray` alone does not narrow a readonly array. */
export function isBatch(
  messages: OutgoingMessage | readonly OutgoingMessage[],
): messages is readonly OutgoingMessage[] {
  return Array.isArray(messages);
}

function withdrawn(signal: AbortSignal, done: number): Error {
  return kernelErrors.CALL_CANCELLED("The publish was withdrawn before the bus had room for it.", {
    cause: signal.reason,
    details: { accepted: done },
  });
}

function unroutedError({ id, topic }: OutgoingMessage): WaitEnding {
  return (done) =>
    messagingErrors.MESSAGING_UNROUTED(
      `Nobody subscribes to ${topic}, and message ${id} was published as mandatory; nobody has it.`,
      { details: { topic, accepted: done } },
    );
}

/** Looks at once who is full: when the error is made, the subscription may have room again. */
function bufferFullAt(route: Route | undefined, timeoutMs: number): WaitEnding {
  const full = route?.fullQueue?.spec;
  const name = full?.name ?? route?.topic ?? "";
  return (done) =>
    messagingErrors.MESSAGING_BUFFER_FULL(
      `Subscription "${name}" holds ${full?.bufferMax ?? 0} messages, as many as it may, and ` +
        `made no room within ${timeoutMs} ms; publish slower, raise its concurrency, or start a ` +
        "member.",
      { details: { subscription: name, accepted: done } },
    );
}
