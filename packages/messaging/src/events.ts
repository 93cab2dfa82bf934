/**
 * A service's declared subscriptions, brought to its handlers: each delivery becomes a call of its
 * own, with a deadline, a trace that goes on from the publisher's, and a log that names it.
 *
 * I1. All of a service's subscriptions are live, or none: a failed one closes those before it.
 * I2. A delivery ends by its deadline even if its handler does not; the handler stays counted in
 *     the runtime until it really settles. A handler that ignores its signal may therefore overlap
 *     with the retry of its own event.
 */

import type { AnyContract, Call, SubscriptionSpec } from "@banyan/kernel";
import {
  CallContext,
  eventSpecOf,
  nearest,
  runInCall,
  toBanyanError,
} from "@banyan/kernel/internal";
import type { CallRuntime } from "@banyan/kernel/internal";
import { parseTraceparent } from "@banyan/telemetry";
import type { Bus, CloseOptions, Delivery, Subscription } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { createEventReader } from "./event-reader.ts";
import { topicOf } from "./publisher.ts";

/** Handlers by subscription name, their event types erased: what `defineService` typed before. */
export type EventHandlers = Readonly<
  Record<string, (event: never, call: Call) => Promise<void> | void>
>;

export interface SubscribeHandlersOptions {
  readonly bus: Bus;
  /** Deadlines (its `defaultTimeoutMs`), limits and telemetry of the handlers' calls. */
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

function subscribeOne(wiring: Wiring, options: SubscribeHandlersOptions): Promise<Subscription> {
  const { contract, name, spec, handler } = wiring;
  const { bus, runtime } = options;
  const identity = `${contract.name}.${name}`;
  const decode = createEventReader(spec.contract, spec.event);
  const target = { service: contract.name, name: identity, timeoutMs: runtime.defaultTimeoutMs };
  const source = spec.contract.name;
  const declared = spec.contract.spec.events?.[spec.event];
  const isOrdered = declared !== undefined && eventSpecOf(declared).orderedBy !== undefined;
  return bus.subscribe(
    {
      name: identity,
      topic: topicOf(spec.contract, spec.event),
      delivery: spec.delivery,
      concurrency: spec.concurrency,
      retriesMax: spec.retriesMax,
      ordered: isOrdered,
      decode,
    },
    (delivery) => handleDelivery(delivery, { target, source, handler, runtime }),
  );
}

interface HandlerRun {
  readonly target: { readonly service: string; readonly name: string; readonly timeoutMs: number };
  /** The service whose event it is: the edge this call came in by. */
  readonly source: string;
  readonly handler: EventHandlers[string];
  readonly runtime: CallRuntime;
}

function handleDelivery(delivery: Delivery, run: HandlerRun): Promise<void> {
  const { target, source, handler, runtime } = run;
  const { traceparent, tracestate } = delivery.message.headers;
  const call = new CallContext(target, runtime, {
    mode: "tolerant",
    principal: { kind: "service", id: target.service },
    caller: source,
    signal: delivery.signal,
    trace: parseTraceparent(traceparent, tracestate),
  });
  return new Promise((resolve, reject) => {
    let cause: unknown;
    const isLive = call.open((error) => {
      runtime.observer?.ended(call, error, runtime.clock.monotonicMs() - call.startedMs);
      if (error === undefined) resolve();
      // The bus keeps the original for the dead letter; only an abort has no other error.
      else reject(call.abortReason ?? cause);
    });
    if (!isLive) return;
    const fail = (error: unknown): void => {
      cause = error;
      call.end(toBanyanError(error), undefined);
    };
    try {
      runtime.enter(call);
    } catch (error) {
      fail(error);
      return;
    }
    // The reader made the event from the very schema the handler was typed by.
    const event = delivery.message.body as never;
    Promise.try(() => runInCall(call, handler, event, call))
      .then(() => call.end(undefined, undefined), fail)
      .finally(() => runtime.leave(call));
  });
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
