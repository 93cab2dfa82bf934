/** What liars are made with: an honest bus, with something changed about it. */

import type {
  Bus,
  DeadLetters,
  Delivery,
  DeliveryHandler,
  Message,
  OutgoingMessage,
  SubscribeSpec,
  Subscription,
} from "../bus.ts";

export interface BusLiar {
  /** What it does wrong. */
  readonly name: string;
  wrap(honest: Bus): Bus;
}

/** Replaces some methods of an honest bus; the others reach it untouched. */
export function lyingBus(honest: Bus, lies: Partial<Bus>): Bus {
  return {
    name: honest.name,
    durability: honest.durability,
    capabilities: honest.capabilities,
    bodySizeMax: honest.bodySizeMax,
    deadLetters: honest.deadLetters,
    medium: honest.medium,
    ...stageOf(honest),
    publish: (messages, options) => honest.publish(messages, options),
    subscribe: (spec, handler) => honest.subscribe(spec, handler),
    removeGroup: (name) => honest.removeGroup(name),
    status: () => honest.status(),
    check: (options) => honest.check(options),
    close: (options) => honest.close(options),
    [Symbol.asyncDispose]: () => honest[Symbol.asyncDispose](),
    ...lies,
  };
}

/** Left out where the honest bus has none. */
function stageOf(honest: Bus): Pick<Bus, "stage"> {
  const stage = honest.stage?.bind(honest);
  return stage === undefined ? {} : { stage };
}

export type HandlerLie = (handler: DeliveryHandler, delivery: Delivery) => Promise<void> | void;

/** A liar that calls the handler in its own way. */
export function handlerLiar(name: string, lie: HandlerLie): BusLiar {
  return {
    name,
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: (spec, handler) => honest.subscribe(spec, (delivery) => lie(handler, delivery)),
      }),
  };
}

/** A liar that subscribes for something else than it was asked. */
export function specLiar(name: string, lie: (spec: SubscribeSpec) => SubscribeSpec): BusLiar {
  return {
    name,
    wrap: (honest) =>
      lyingBus(honest, { subscribe: (spec, handler) => honest.subscribe(lie(spec), handler) }),
  };
}

/** A liar about dead letters. */
export function letterLiar(
  name: string,
  lie: (honest: DeadLetters) => Partial<DeadLetters>,
): BusLiar {
  return {
    name,
    wrap: (honest) => {
      const { deadLetters } = honest;
      const all: DeadLetters = {
        list: (query) => deadLetters.list(query),
        get: (id) => deadLetters.get(id),
        redrive: (ids) => deadLetters.redrive(ids),
        discard: (ids) => deadLetters.discard(ids),
        ...lie(deadLetters),
      };
      return lyingBus(honest, { deadLetters: all });
    },
  };
}

/** A liar about the end of a subscription. */
export function leavingLiar(name: string, close: (honest: Subscription) => Promise<void>): BusLiar {
  return {
    name,
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: async (spec, handler) => {
          const subscription = await honest.subscribe(spec, handler);
          return { ...subscription, close: () => close(subscription) };
        },
      }),
  };
}

/** The delivery with something else about it; its signal is the honest one. */
export function deliveryWith(delivery: Delivery, change: Partial<Delivery>): Delivery {
  const { message, attempt, subscription } = delivery;
  const signal = (): AbortSignal => delivery.signal;
  return {
    message,
    attempt,
    subscription,
    get signal() {
      return signal();
    },
    ...change,
  };
}

export function changed(delivery: Delivery, message: Partial<Message>): Delivery {
  return deliveryWith(delivery, { message: { ...delivery.message, ...message } });
}

export const list = (messages: OutgoingMessage | readonly OutgoingMessage[]): OutgoingMessage[] =>
  [messages].flat();

export function isCode(error: unknown, code: string): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === code;
}
