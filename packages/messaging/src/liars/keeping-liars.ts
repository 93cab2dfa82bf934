/** Liars about patterns, order, time, transactions, and what is kept over a restart. */

import { matchesTopic } from "../topic-index.ts";
import type { Bus, OutgoingMessage } from "../bus.ts";
import type { BusLiar } from "./lying-bus.ts";
import { deliveryWith, handlerLiar, letterLiar, list, lyingBus, specLiar } from "./lying-bus.ts";

const topicLiars: readonly BusLiar[] = [
  specLiar("takes a star for any number of words", (spec) => ({
    ...spec,
    topic: spec.topic.replaceAll("*", "#"),
  })),
  specLiar("wants a word where a hash may stand for none", (spec) => ({
    ...spec,
    topic: spec.topic.replaceAll("#", "*.#"),
  })),
  specLiar("takes a hash for one word", (spec) => ({
    ...spec,
    topic: spec.topic.replaceAll("#", "*"),
  })),
  {
    name: "lets a star reach one word too far",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: (spec, handler) => {
          const further = spec.topic.replace(/\*$/, "*.*");
          const isNear = (topic: string): boolean =>
            matchesTopic(spec.topic, topic) || matchesTopic(further, topic);
          const topic = further === spec.topic ? spec.topic : spec.topic.replace(/\*$/, "#");
          return honest.subscribe({ ...spec, topic }, (delivery) =>
            isNear(delivery.message.topic) ? handler(delivery) : undefined,
          );
        },
      }),
  },
  {
    name: "knows of a pattern only the topics that come after it",
    wrap: (honest) => {
      const old = new Set<string>();
      return lyingBus(honest, {
        publish: async (messages, options) => {
          await honest.publish(messages, options);
          for (const { topic } of list(messages)) old.add(topic);
        },
        subscribe: async (spec, handler) => {
          const before = new Set(old);
          const isPattern = (topic: string): boolean =>
            spec.topic !== topic && matchesTopic(spec.topic, topic);
          return honest.subscribe(spec, (delivery) => {
            const { topic } = delivery.message;
            return before.has(topic) && isPattern(topic) ? undefined : handler(delivery);
          });
        },
      });
    },
  },
];

const orderLiars: readonly BusLiar[] = [
  specLiar("keeps no order of keys", ({ ordered: _ordered, ...spec }) => spec),
  specLiar("keeps order by doing one message at a time", (spec) =>
    spec.ordered === true ? { ...spec, concurrency: 1 } : spec,
  ),
  {
    name: "lets the next of a key pass one that waits for its retry",
    wrap: (honest) => {
      const passed = new Set<string>();
      return lyingBus(honest, {
        subscribe: (spec, handler) =>
          honest.subscribe(spec, async (delivery) => {
            const { orderingKey, id } = delivery.message;
            if (spec.ordered !== true || orderingKey === undefined || passed.has(id)) {
              return handler(delivery);
            }
            try {
              await handler(delivery);
            } catch {
              // Once, to the end of its key's line: for ever would be a loop without a wait.
              passed.add(id);
              await honest.publish(delivery.message);
            }
          }),
      });
    },
  },
  {
    name: "takes all keys for one",
    wrap: (honest) => rewriting(honest, (message) => ({ ...message, orderingKey: "one" })),
  },
];

const timeLiars: readonly BusLiar[] = [
  {
    name: "delivers delayed messages at once",
    wrap: (honest) =>
      rewriting(honest, ({ deliverAtMs, ...message }) =>
        // What is no time is still refused.
        Number.isFinite(deliverAtMs) ? message : { ...message, deliverAtMs },
      ),
  },
  {
    name: "delivers delayed messages a little early",
    wrap: (honest) =>
      rewriting(honest, ({ deliverAtMs, ...message }) => ({
        ...message,
        deliverAtMs: deliverAtMs === undefined ? undefined : deliverAtMs - 50,
      })),
  },
  {
    name: "forgets delayed messages",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          honest.publish(
            list(messages).filter(({ deliverAtMs }) => deliverAtMs === undefined),
            options,
          ),
      }),
  },
  specLiar("lends for ever", (spec) => ({ ...spec, leaseMs: 86_400_000 })),
  specLiar("takes an overstayed lease for the end of its message", (spec) =>
    spec.leaseMs === undefined ? spec : { ...spec, retriesMax: 0 },
  ),
  handlerLiar("does not tell a handler that its lease is over", (handler, delivery) =>
    handler(deliveryWith(delivery, { signal: new AbortController().signal })),
  ),
  specLiar("keeps everything whatever the retention", ({ retentionMs, ...spec }) =>
    // What is out of bounds is still refused.
    retentionMs !== undefined && retentionMs >= 1000 && spec.delivery === "group"
      ? spec
      : { ...spec, retentionMs },
  ),
  specLiar("keeps nothing as long as the retention says", (spec) =>
    spec.retentionMs === undefined ? spec : { ...spec, retentionMs: 1000 },
  ),
];

const stageLiars: readonly BusLiar[] = [
  {
    name: "publishes what is staged before the commit",
    wrap: (honest) =>
      lyingBus(honest, {
        stage: (messages) => {
          const rider = staged(honest, []);
          void honest.publish(messages).catch(() => undefined);
          return rider;
        },
      }),
  },
  {
    name: "publishes what is staged also when it is dropped",
    wrap: (honest) =>
      lyingBus(honest, {
        stage: (messages) => {
          const copies = structuredClone(messages);
          const rider = staged(honest, messages);
          return {
            medium: rider.medium,
            get load() {
              return rider.load;
            },
            committed: () => rider.committed(),
            dropped: () => {
              rider.dropped();
              void honest.publish(copies).catch(() => undefined);
            },
          };
        },
      }),
  },
  {
    name: "forgets what is staged",
    wrap: (honest) =>
      lyingBus(honest, {
        stage: (messages) => {
          const rider = staged(honest, messages);
          return {
            medium: rider.medium,
            load: undefined,
            committed: () => rider.dropped(),
            dropped: () => rider.dropped(),
          };
        },
      }),
  },
  {
    name: "takes no room for what is staged",
    wrap: (honest) =>
      lyingBus(honest, {
        stage: (messages) => {
          const copies = structuredClone(messages);
          staged(honest, messages).dropped();
          let rider = staged(honest, []);
          return {
            medium: rider.medium,
            get load() {
              rider = staged(honest, copies);
              return rider.load;
            },
            committed: () => rider.committed(),
            dropped: () => undefined,
          };
        },
      }),
  },
  {
    name: "keeps the room of what was dropped",
    wrap: (honest) =>
      lyingBus(honest, {
        stage: (messages) => {
          const rider = staged(honest, messages);
          return {
            medium: rider.medium,
            get load() {
              return rider.load;
            },
            committed: () => rider.committed(),
            dropped: () => undefined,
          };
        },
      }),
  },
];

const restartLiars: readonly BusLiar[] = [
  {
    name: "forgets at a restart the groups of the run before",
    wrap: (honest) => {
      const forgotten = forgetAll(honest);
      return lyingBus(honest, {
        publish: async (messages, options) => {
          await forgotten;
          return honest.publish(messages, options);
        },
        subscribe: async (spec, handler) => {
          await forgotten;
          return honest.subscribe(spec, handler);
        },
      });
    },
  },
  {
    name: "counts attempts from one again after a restart",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: (spec, handler) => {
          const counts = new Map<string, number>();
          return honest.subscribe(spec, (delivery) => {
            const { id } = delivery.message;
            const attempt = (counts.get(id) ?? 0) + 1;
            counts.set(id, attempt);
            return handler(deliveryWith(delivery, { attempt }));
          });
        },
      }),
  },
  letterLiar("forgets at a restart the dead letters of the run before", (honest) => {
    const before = honest.list({ limit: 1000 }).then(({ letters }) => {
      return new Set(letters.map(({ id }) => id));
    });
    return {
      list: async (query) => {
        const old = await before;
        const page = await honest.list(query);
        return { ...page, letters: page.letters.filter(({ id }) => !old.has(id)) };
      },
      get: async (id) => ((await before).has(id) ? undefined : honest.get(id)),
    };
  }),
  {
    name: "gives the messages of the run before no rest of their wait",
    wrap: (honest) =>
      lyingBus(honest, {
        subscribe: (spec, handler) =>
          honest.subscribe({ ...spec, backoff: { ...spec.backoff, maxMs: 1 } }, handler),
      }),
  },
];

async function forgetAll(honest: Bus): Promise<void> {
  const { subscriptions } = await honest.status();
  for (const { name } of subscriptions) await honest.removeGroup(name);
}

/** Changes what is published and staged. */
function rewriting(honest: Bus, lie: (message: OutgoingMessage) => OutgoingMessage): Bus {
  return lyingBus(honest, {
    publish: (messages, options) => honest.publish(list(messages).map(lie), options),
  });
}

function staged(honest: Bus, messages: readonly OutgoingMessage[]) {
  const rider = honest.stage?.(messages);
  if (rider === undefined) throw new TypeError("This liar needs a bus with stage.");
  return rider;
}

export const keepingLiars: readonly BusLiar[] = [
  ...topicLiars,
  ...orderLiars,
  ...timeLiars,
  ...stageLiars,
  ...restartLiars,
];
