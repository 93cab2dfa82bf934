/**
 * Buses that lie, each in one way. The law must catch every one of them: what it lets through, a
 * real bus could get wrong unseen. Each is a thin wrapper around an honest bus.
 */

import type { Bus, Message, OutgoingMessage, Subscription } from "./bus.ts";
import { keepingLiars } from "./liars/keeping-liars.ts";
import { publishLiars } from "./liars/publish-liars.ts";
import type { BusLiar } from "./liars/lying-bus.ts";
import {
  changed,
  deliveryWith,
  handlerLiar,
  isCode,
  leavingLiar,
  letterLiar,
  list,
  lyingBus,
  specLiar,
} from "./liars/lying-bus.ts";

export type { BusLiar } from "./liars/lying-bus.ts";

const deliveryLiars: readonly BusLiar[] = [
  specLiar("delivers to every member of a group", (spec) => ({ ...spec, delivery: "broadcast" })),
  specLiar("delivers a broadcast to one subscription only", (spec) => ({
    ...spec,
    delivery: "group",
  })),
  specLiar("ignores the concurrency asked for", (spec) => ({ ...spec, concurrency: 1000 })),
  specLiar("handles one message at a time whatever was asked", (spec) => ({
    ...spec,
    concurrency: 1,
  })),
  handlerLiar("delivers everything twice", async (handler, delivery) => {
    await handler(delivery);
    await handler(delivery);
  }),
  {
    name: "gives a new group what was published before it",
    wrap: (honest) => {
      const history: OutgoingMessage[] = [];
      return lyingBus(honest, {
        publish: async (messages, options) => {
          await honest.publish(messages, options);
          history.push(...structuredClone(list(messages)));
        },
        subscribe: async (spec, handler) => {
          const subscription = await honest.subscribe(spec, handler);
          await honest.publish(history.filter(({ topic }) => topic === spec.topic));
          return subscription;
        },
      });
    },
  },
  {
    name: "forgets a group when its last member leaves",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: async (spec, handler) => {
          const subscription = await honest.subscribe(spec, handler);
          const close: Subscription["close"] = async (options) => {
            await subscription.close(options);
            // Other members may still be there: then the honest bus refuses.
            await honest.removeGroup(spec.name).catch(() => undefined);
          };
          return { ...subscription, close };
        },
      }),
  },
  {
    name: "turns a batch around",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) => honest.publish(list(messages).toReversed(), options),
      }),
  },
  {
    name: "delivers to topics that only begin alike",
    wrap: (honest) => {
      const topics = new Set<string>();
      return lyingBus(honest, {
        subscribe: (spec, handler) => {
          topics.add(spec.topic);
          return honest.subscribe(spec, handler);
        },
        publish: (messages, options) =>
          honest.publish(
            list(messages).map((message) => {
              const near = [...topics].find((topic) => message.topic?.startsWith(topic));
              return near === undefined ? message : { ...message, topic: near };
            }),
            options,
          ),
      });
    },
  },
  {
    name: "loses the headers",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: (spec, handler) =>
          honest.subscribe(spec, (delivery) =>
            handler(changed(delivery, { headers: { source: delivery.message.headers.source } })),
          ),
      }),
  },
];

const bodyLiars: readonly BusLiar[] = [
  {
    name: "gives every subscriber the same body object",
    wrap: (honest) => {
      const bodies = new Map<string, unknown>();
      return lyingBus(honest, {
        subscribe: (spec, handler) =>
          honest.subscribe(spec, (delivery) => {
            const { id, body } = delivery.message;
            if (!bodies.has(id)) bodies.set(id, body);
            return handler(changed(delivery, { body: bodies.get(id) }));
          }),
      });
    },
  },
  {
    name: "keeps the publisher's object instead of a copy",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) => honest.publish(messages, { ...options, owned: true }),
      }),
  },
  {
    name: "sends the body through JSON text without a check",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          honest.publish(
            list(messages).map((message) => ({ ...message, body: throughText(message.body) })),
            options,
          ),
      }),
  },
  {
    name: "takes a body of any size in pieces",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          honest.publish(messages, options).catch((error: unknown) => {
            if (!isCode(error, "MESSAGING_BODY_TOO_LARGE")) throw error;
          }),
      }),
  },
  specLiar("never calls decode", ({ decode: _decode, ...spec }) => spec),
];

function throughText(body: unknown): unknown {
  try {
    const parsed: unknown = JSON.parse(JSON.stringify(body) ?? "null");
    return parsed;
  } catch {
    return null; // the lie itself: what is not JSON becomes null
  }
}

const retryLiars: readonly BusLiar[] = [
  handlerLiar("acknowledges before the handler is done", (handler, delivery) => {
    // Floating on purpose: that is the lie.
    void Promise.try(handler, delivery).catch(() => undefined);
  }),
  handlerLiar("drops what failed once", async (handler, delivery) => {
    await Promise.try(handler, delivery).catch(() => undefined);
  }),
  handlerLiar("always says it is the first attempt", (handler, delivery) =>
    handler(deliveryWith(delivery, { attempt: 1 })),
  ),
  handlerLiar("counts attempts from zero", (handler, delivery) =>
    handler(deliveryWith(delivery, { attempt: delivery.attempt - 1 })),
  ),
  handlerLiar("gives a redelivery a new id", (handler, delivery) => {
    const { id } = delivery.message;
    return handler(delivery.attempt === 1 ? delivery : changed(delivery, { id: `${id}-again` }));
  }),
  specLiar("makes a dead letter of the first failure", (spec) => ({ ...spec, retriesMax: 0 })),
  specLiar("tries for ever", (spec) => ({ ...spec, retriesMax: 1000 })),
  specLiar("tries once too often", ({ retriesMax = 5, ...spec }) => ({
    ...spec,
    retriesMax: retriesMax + 1,
  })),
  specLiar("does not wait between attempts", (spec) => ({
    ...spec,
    backoff: { initialMs: 0, maxMs: 0 },
  })),
  specLiar("waits no longer from one attempt to the next", (spec) => ({
    ...spec,
    backoff: { ...spec.backoff, factor: 1 },
  })),
  handlerLiar("retries what is final", async (handler, delivery) => {
    await Promise.try(handler, delivery).catch((error: unknown) => {
      throw new Error("made retryable", { cause: error });
    });
  }),
];

const letterLiars: readonly BusLiar[] = [
  letterLiar("loses what is redriven", (honest) => ({ redrive: (ids) => honest.discard(ids) })),
  letterLiar("redrives nothing", () => ({ redrive: async () => 0 })),
  letterLiar("keeps a letter that was discarded", () => ({ discard: async (ids) => ids.length })),
  letterLiar("lists no dead letters", () => ({
    list: async () => ({ letters: [], next: undefined }),
  })),
  letterLiar("lists the letters of all subscriptions", (honest) => ({
    list: ({ subscription: _subscription, ...query } = {}) => honest.list(query),
  })),
  letterLiar("ignores the limit of a page", (honest) => ({
    list: ({ limit: _limit, ...query } = {}) => honest.list(query),
  })),
  letterLiar("gives letters away with the bus's own body", (honest) => {
    const kept = new Map<string, Message>();
    const own = (id: string, message: Message): Message => {
      if (!kept.has(id)) kept.set(id, message);
      return kept.get(id) ?? message;
    };
    return {
      list: async (query) => {
        const page = await honest.list(query);
        const letters = page.letters.map((each) => ({
          ...each,
          message: own(each.id, each.message),
        }));
        return { ...page, letters };
      },
      get: async (id) => {
        const letter = await honest.get(id);
        return letter === undefined ? undefined : { ...letter, message: own(id, letter.message) };
      },
    };
  }),
];

const endLiars: readonly BusLiar[] = [
  {
    name: "drops in silence what finds no room",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          honest.publish(messages, { ...options, timeoutMs: 0 }).catch((error: unknown) => {
            if (!isCode(error, "MESSAGING_BUFFER_FULL")) throw error;
          }),
      }),
  },
  specLiar("has no bound on what it holds", (spec) => ({ ...spec, bufferMax: 1_000_000 })),
  {
    name: "does not listen to the signal of a publish",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, { signal: _signal, ...options } = {}) =>
          honest.publish(messages, options),
      }),
  },
  leavingLiar("never lets a member leave", async () => undefined),
  leavingLiar("does not wait for running handlers", (honest) => honest.close({ drainMs: 0 })),
  leavingLiar("waits for a stuck handler longer than it may", (honest) =>
    honest.close({ drainMs: 3_600_000 }),
  ),
  {
    name: "loses what is buffered when it closes, and denies it",
    wrap: (honest) =>
      lyingBus(honest, {
        close: async () => {
          await honest.close({ drainMs: 0 });
          return { unhandled: 0, lost: 0 };
        },
      }),
  },
  {
    name: "does not hear that somebody has less patience",
    wrap: (honest) => {
      let closing: ReturnType<Bus["close"]> | undefined;
      return lyingBus(honest, { close: (options) => (closing ??= honest.close(options)) });
    },
  },
  {
    name: "does not drain",
    wrap: (honest) => lyingBus(honest, { close: () => honest.close({ drainMs: 0 }) }),
  },
  {
    name: "goes on handling after close",
    wrap: (honest) =>
      lyingBus(honest, {
        close: async () => ({ unhandled: 0, lost: 0 }),
        [Symbol.asyncDispose]: async () => undefined,
      }),
  },
  {
    name: "accepts a publish after close and forgets it",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          honest.publish(messages, options).catch((error: unknown) => {
            if (!isCode(error, "CLOSED")) throw error;
          }),
      }),
  },
  {
    name: "passes over a capability it does not have",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: ({ ordered: _ordered, ...spec }, handler) => honest.subscribe(spec, handler),
      }),
  },
  {
    name: "lets a group change its topic",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: async (spec, handler) => {
          try {
            return await honest.subscribe(spec, handler);
          } catch (error) {
            if (!isCode(error, "MESSAGING_SUBSCRIPTION_CONFLICT")) throw error;
            return honest.subscribe({ ...spec, name: `${spec.name}-2` }, handler);
          }
        },
      }),
  },
  {
    name: "says that nothing is waiting",
    wrap: (honest) =>
      lyingBus(honest, {
        status: async () => ({ ...(await honest.status()), subscriptions: [] }),
      }),
  },
];

export const busLiars: readonly BusLiar[] = [
  ...deliveryLiars,
  ...bodyLiars,
  ...retryLiars,
  ...letterLiars,
  ...endLiars,
  ...keepingLiars,
  ...publishLiars,
];
