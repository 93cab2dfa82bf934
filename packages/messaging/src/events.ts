/**
 * A service's declared subscriptions, brought to its handlers: each delivery becomes a call of its
 * own, with a deadline, a trace that goes on from the publisher's, and a log that names it.
 *
 * I1. All of a service's subscriptions are live, or none: a failed one closes those before it.
 * I2. A delivery ends by its deadline even if its handler does not; the handler stays counted in
 *     the runtime until it really settles. A handler that ignores its signal may therefore overlap
 *     with the retry of its own event.
 */

import type {
  AnyContract,
  BanyanError,
  Call,
  EventDelivery,
  Principal,
  SubscriptionSpec,
} from "@banyan/kernel";
import {
  CallContext,
  eventSpecOf,
  nearest,
  runHandler,
  toBanyanError,
} from "@banyan/kernel/internal";
import type {
  CallInit,
  CallRuntime,
  CallTarget,
  SpanAttributes,
  SpanShape,
} from "@banyan/kernel/internal";
import { parseTraceparent } from "@banyan/telemetry";
import type { Bus, CloseOptions, Delivery, Subscription } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { ownHeaders } from "./event-headers.ts";
import { busOf } from "./event-buses.ts";
import type { EventBuses } from "./event-buses.ts";
import { createEventReader } from "./event-reader.ts";
import { leaseMaxMs } from "./options.ts";
import { topicOf } from "./publisher.ts";
import { isThenable, LocalDelivery } from "./queue-member.ts";
import type { Abortable } from "./queue-member.ts";

/** Handlers by subscription name, their event types erased: what `defineService` typed before. */
export type EventHandlers = Readonly<
  Record<string, (event: never, call: Call) => Promise<void> | void>
>;

export interface SubscribeHandlersOptions {
  /** One for all events, or one for durable and one for ephemeral ones. */
  readonly bus: Bus | EventBuses;
  /**
   * Limits and telemetry of the handlers' calls, and their deadline (its `defaultTimeoutMs`) where
   * a subscription names none.
   */
  readonly runtime: CallRuntime;
}

/** The live subscriptions of one service. */
export interface HandlerSubscriptions extends AsyncDisposable {
  readonly subscriptions: readonly Subscription[];
  /** Closes them side by side. */
  close(options?: CloseOptions): Promise<void>;
}

/**
 * Subscribes the handlers of a contract. Subscription `x` of service `s` has the identity `s.x`: it
 * is the group's name, so renaming a subscription starts a new group.
 *
 * @throws MESSAGING_SUBSCRIPTION_INVALID, and what `Bus.subscribe` throws
 */
export async function subscribeHandlers(
  contract: AnyContract,
  handlers: EventHandlers,
  options: SubscribeHandlersOptions,
): Promise<HandlerSubscriptions> {
  const declared = Object.entries(contract.spec.subscriptions ?? {});
  checkHandlers(contract, handlers);
  const subscriptions: Subscription[] = [];
  const close = async (closeOptions?: CloseOptions): Promise<void> => {
    await Promise.all(subscriptions.map((subscription) => subscription.close(closeOptions)));
  };
  try {
    for (const [name, spec] of declared) {
      const handler = handlers[name];
      if (handler === undefined) continue;
      subscriptions.push(await subscribeOne({ contract, name, spec, handler }, options));
    }
  } catch (error) {
    await close({ drainMs: 0 });
    throw error;
  }
  return { subscriptions, close, [Symbol.asyncDispose]: () => close() };
}

interface Wiring {
  readonly contract: AnyContract;
  readonly name: string;
  readonly spec: SubscriptionSpec;
  readonly handler: EventHandlers[string];
}

/** Longer than a call's deadline by this much, so that the deadline comes first. */
const leaseMarginMs = 5000;

function subscribeOne(wiring: Wiring, options: SubscribeHandlersOptions): Promise<Subscription> {
  const { contract, name, spec, handler } = wiring;
  const { runtime } = options;
  const identity = `${contract.name}.${name}`;
  const decode = createEventReader(spec.contract, spec.event);
  const { deadlineMs: timeoutMs = runtime.defaultTimeoutMs } = spec;
  const declared = spec.contract.spec.events?.[spec.event];
  const event = declared === undefined ? undefined : eventSpecOf(declared);
  const bus = busOf(options.bus, event?.durability);
  const run: HandlerRun = {
    target: { service: contract.name, name: identity, timeoutMs, observed: undefined },
    source: spec.contract.name,
    principal: Object.freeze({ kind: "service", id: contract.name }),
    // The reader made the event from the very schema the handler was typed by.
    handler: (input, call) => handler(input as never, call),
    runtime,
  };
  return bus.subscribe(
    {
      name: identity,
      topic: topicOf(spec.contract, spec.event),
      delivery: spec.delivery,
      concurrency: spec.concurrency,
      retriesMax: spec.retriesMax,
      backoff: spec.backoff,
      bufferMax: spec.bufferMax,
      retentionMs: spec.retentionMs,
      ordered: event?.orderedBy !== undefined,
      leaseMs: Math.min(timeoutMs + leaseMarginMs, leaseMaxMs),
      decode,
    },
    (delivery) => handleDelivery(delivery, run),
  );
}

interface HandlerRun {
  readonly target: CallTarget;
  /** The service whose event it is: the edge this call came in by. */
  readonly source: string;
  readonly principal: Principal;
  readonly handler: (event: unknown, call: Call) => Promise<void> | void;
  readonly runtime: CallRuntime;
}

/** Answers at once where the handler does: no promise for a handler that needs none. */
function handleDelivery(delivery: Delivery, run: HandlerRun): Promise<void> | void {
  const { runtime, handler } = run;
  const handled = new HandledDelivery(delivery, run);
  const { call } = handled;
  handled.open();
  try {
    runtime.enter(call);
  } catch (error) {
    return handled.fail(error);
  }
  let answer: unknown;
  try {
    answer = runHandler(call, handler, delivery.message.body);
  } catch (error) {
    runtime.leave(call);
    return handled.fail(error);
  }
  if (isThenable(answer)) return handled.after(answer);
  runtime.leave(call);
  return handled.succeed();
}

/** One delivery as a call: how it came in, and how it ended or will. */
class HandledDelivery implements CallInit, Abortable, SpanShape {
  readonly mode = "tolerant";
  readonly kind = "consumer";
  readonly principal: Principal;
  readonly caller: string;
  /** Only of a bus whose deliveries cannot be linked to without a signal. */
  readonly signal: AbortSignal | undefined;
  readonly call: CallContext;
  readonly #delivery: Delivery;
  readonly #runtime: CallRuntime;
  #trace: CallInit["trace"] | null = null;
  #seen: EventDelivery | undefined = undefined;
  #cause: unknown = undefined;
  #isEnded = false;
  #isFailed = false;
  #settle: PromiseWithResolvers<void> | undefined = undefined;

  constructor(delivery: Delivery, { target, principal, source, runtime }: HandlerRun) {
    this.principal = principal;
    this.caller = source;
    this.signal = delivery instanceof LocalDelivery ? undefined : delivery.signal;
    this.#delivery = delivery;
    this.#runtime = runtime;
    this.call = new CallContext(target, runtime, this);
  }

  /** Read from the headers only if somebody asks. */
  get trace(): CallInit["trace"] {
    if (this.#trace === null) {
      const { traceparent, tracestate } = this.#delivery.message.headers;
      this.#trace = parseTraceparent(traceparent, tracestate);
    }
    return this.#trace;
  }

  /** What the handler sees of it, made only if it looks. */
  get delivery(): EventDelivery {
    if (this.#seen === undefined) {
      const { message, attempt, subscription } = this.#delivery;
      const { topic, headers, priority = 0 } = message;
      const { correlationId } = headers;
      const own = ownHeaders(headers);
      const seen = { subscription, topic, attempt, correlationId, headers: own, priority };
      this.#seen = Object.freeze(seen);
    }
    return this.#seen;
  }

  /** What its handler publishes inherits it, unless it is longer than any of ours. */
  get correlationId(): string | undefined {
    const { correlationId } = this.#delivery.message.headers;
    return correlationId !== undefined && correlationId.length <= 255 ? correlationId : undefined;
  }

  /** How its span is described: by itself. */
  get shape(): SpanShape {
    return this;
  }

  attributes(): SpanAttributes {
    const { message, attempt, subscription } = this.#delivery;
    return {
      "messaging.destination.name": message.topic,
      "messaging.consumer.group.name": subscription,
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.message.id": message.id,
      "banyan.delivery.attempt": attempt,
    };
  }

  /** @throws why the call ended before it began */
  open(): void {
    if (!this.call.open(this.#onEnd)) throw this.#failure;
    if (this.#delivery instanceof LocalDelivery) this.#delivery.linkAbort(this);
  }

  abort(reason: Error): void {
    this.call.abort(this.#runtime.cancelled(reason));
  }

  /** @throws the failure, its own or that of an abort that came before */
  fail(error: unknown): never {
    this.#cause = error;
    this.call.end(toBanyanError(error), undefined);
    throw this.#failure;
  }

  succeed(): void {
    this.call.end(undefined, undefined);
    if (this.#isFailed) throw this.#failure;
  }

  /** The handler goes on; the delivery ends with the call, the handler is counted until its end. */
  after(answer: PromiseLike<unknown>): Promise<void> {
    const settle = Promise.withResolvers<void>();
    this.#settle = settle;
    if (this.#isEnded) settle.reject(this.#failure); // aborted by its own handler
    answer.then(
      () => {
        this.#runtime.leave(this.call);
        this.call.end(undefined, undefined);
      },
      (error: unknown) => {
        this.#runtime.leave(this.call);
        this.#cause = error;
        this.call.end(toBanyanError(error), undefined);
      },
    );
    return settle.promise;
  }

  /** The bus keeps the original for the dead letter; only an abort has no other error. */
  get #failure(): unknown {
    return this.call.abortReason ?? this.#cause;
  }

  readonly #onEnd = (error: BanyanError | undefined): void => {
    this.#runtime.observe(this.call, error);
    this.#isEnded = true;
    this.#isFailed = error !== undefined;
    if (this.#isFailed) this.#settle?.reject(this.#failure);
    else this.#settle?.resolve();
  };
}

/** A handler per declared subscription, and none that nobody declared. */
function checkHandlers(contract: AnyContract, handlers: EventHandlers): void {
  const declared = Object.keys(contract.spec.subscriptions ?? {});
  for (const name of declared) {
    if (typeof handlers[name] === "function") continue;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
      `Service "${contract.name}" declares the subscription "${name}" but has no handler for it.`,
    );
  }
  for (const name of Object.keys(handlers)) {
    if (declared.includes(name)) continue;
    const known = nearest(name, declared);
    const hint = known === undefined ? "" : `; did you mean "${known}"?`;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
      `Service "${contract.name}" has a handler "${name}" but declares no such subscription${hint || "."}`,
    );
  }
}
