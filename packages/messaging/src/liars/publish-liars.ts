/** Liars about expiries, about what a publish asks for, and about what a redelivery keeps. */

import { isBanyanError } from "@banyan/kernel";
import type { Bus, BusPublishOptions, OutgoingMessage } from "../bus.ts";
import { matchesTopic } from "../topic-index.ts";
import type { BusLiar } from "./lying-bus.ts";
import { changed, handlerLiar, isCode, letterLiar, list, lyingBus } from "./lying-bus.ts";

const propertyLiars: readonly BusLiar[] = [
  handlerLiar("loses the correlation id on a retry", (handler, delivery) => {
    const { correlationId: _lost, ...headers } = delivery.message.headers;
    return handler(delivery.attempt === 1 ? delivery : changed(delivery, { headers }));
  }),
  handlerLiar("keeps on a retry the headers it knows, and no other", (handler, delivery) => {
    const { "x-tenant": _lost, ...headers } = delivery.message.headers;
    return handler(delivery.attempt === 1 ? delivery : changed(delivery, { headers }));
  }),
  handlerLiar("dates a redelivery anew", (handler, delivery) => {
    const { attempt, message } = delivery;
    const timestampMs = message.timestampMs + attempt - 1;
    return handler(changed(delivery, { timestampMs }));
  }),
  letterLiar("loses the trace in a dead letter", (honest) => ({
    list: async (query) => {
      const page = await honest.list(query);
      const letters = page.letters.map((letter) => {
        const { traceparent: _lost, ...headers } = letter.message.headers;
        return { ...letter, message: { ...letter.message, headers } };
      });
      return { ...page, letters };
    },
  })),
  {
    name: "loses the correlation id of what is redriven",
    wrap: (honest) => {
      const redriven = new Set<string>();
      const redrive = async (ids: readonly string[]): Promise<number> => {
        for (const id of ids) {
          const letter = await honest.deadLetters.get(id);
          if (letter !== undefined) redriven.add(letter.message.id);
        }
        return honest.deadLetters.redrive(ids);
      };
      return lyingBus(honest, {
        deadLetters: lettersOf(honest, redrive),
        subscribe: (spec, handler) =>
          honest.subscribe(spec, (delivery) => {
            const { correlationId: _lost, ...headers } = delivery.message.headers;
            const isRedriven = redriven.has(delivery.message.id);
            return handler(isRedriven ? changed(delivery, { headers }) : delivery);
          }),
      });
    },
  },
];

const expiryLiars: readonly BusLiar[] = [
  {
    name: "delivers what has expired",
    wrap: (honest) => rewriting(honest, neverExpires),
  },
  {
    name: "delivers what had expired when it was published",
    wrap: (honest) =>
      rewriting(honest, (message) =>
        (message.expiresAtMs ?? Infinity) < message.timestampMs ? neverExpires(message) : message,
      ),
  },
  {
    name: "forgets the expiry of what is staged",
    wrap: (honest) =>
      lyingBus(honest, {
        stage: (messages) => {
          const rider = honest.stage?.(messages.map(neverExpires));
          if (rider === undefined) throw new TypeError("This liar needs a bus with stage.");
          return rider;
        },
      }),
  },
  {
    name: "takes the expiry along to what is redriven",
    wrap: (honest) => {
      const expiring = new Set<string>();
      const redrive = async (ids: readonly string[]): Promise<number> => {
        const letters = await Promise.all(ids.map((id) => honest.deadLetters.get(id)));
        const over = letters.filter((letter) => expiring.has(letter?.message.id ?? ""));
        const dropped = await honest.deadLetters.discard(over.map((letter) => letter?.id ?? ""));
        return dropped + (await honest.deadLetters.redrive(ids));
      };
      return lyingBus(honest, {
        deadLetters: lettersOf(honest, redrive),
        publish: (messages, options) => {
          for (const { id, expiresAtMs } of list(messages)) {
            if (expiresAtMs !== undefined) expiring.add(id);
          }
          return honest.publish(messages, options);
        },
      });
    },
  },
  {
    name: "does not count what expired",
    wrap: (honest) =>
      lyingBus(honest, { status: async () => ({ ...(await honest.status()), expired: 0 }) }),
  },
  {
    name: "refuses what has expired",
    wrap: (honest) =>
      rewriting(honest, (message) =>
        (message.expiresAtMs ?? Infinity) < message.timestampMs
          ? { ...message, expiresAtMs: Number.NaN }
          : message,
      ),
  },
  {
    name: "takes any number for an expiry",
    wrap: (honest) =>
      rewriting(honest, ({ expiresAtMs, ...message }) =>
        Number.isFinite(expiresAtMs) ? { ...message, expiresAtMs } : message,
      ),
  },
];

const mandatoryLiars: readonly BusLiar[] = [
  {
    name: "ignores that a message is mandatory",
    wrap: (honest) => asking(honest, ({ mandatory: _mandatory, ...options }) => options),
  },
  {
    name: "takes every message for mandatory",
    wrap: (honest) => asking(honest, (options) => ({ ...options, mandatory: true })),
  },
  {
    name: "takes a group without members for nobody",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          options?.mandatory === true
            ? publishHeard(honest, list(messages), options)
            : honest.publish(messages, options),
      }),
  },
  {
    name: "goes on behind a message that is mandatory and unrouted",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: async (messages, options) => {
          const batch = list(messages);
          try {
            await honest.publish(messages, options);
          } catch (error) {
            if (!isCode(error, "MESSAGING_UNROUTED")) throw error;
            await honest.publish(batch.slice(batchEnd(error) + 1), options);
            throw error;
          }
        },
      }),
  },
];

const enqueueLiars: readonly BusLiar[] = [
  {
    name: "waits for room although it was only to enqueue",
    wrap: (honest) => asking(honest, ({ mode: _mode, ...options }) => options),
  },
  {
    name: "drops in silence what is enqueued and finds no room",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          honest.publish(messages, options).catch((error: unknown) => {
            if (options?.mode !== "enqueue" || !isCode(error, "MESSAGING_BUFFER_FULL")) throw error;
          }),
      }),
  },
  {
    name: "forgets what is enqueued",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) =>
          options?.mode === "enqueue" ? Promise.resolve() : honest.publish(messages, options),
      }),
  },
  {
    name: "looks at what is enqueued later, and then at nothing",
    wrap: (honest) =>
      lyingBus(honest, {
        publish: (messages, options) => {
          const publishing = honest.publish(messages, options);
          if (options?.mode !== "enqueue") return publishing;
          publishing.catch(() => undefined);
          return Promise.resolve();
        },
      }),
  },
  {
    name: "lets what is enqueued be passed by what is published behind it",
    wrap: (honest) => {
      let held: OutgoingMessage[] = [];
      return lyingBus(honest, {
        publish: async (messages, options) => {
          const [first, ...rest] = list(messages);
          if (options?.mode === "enqueue" && rest.length > 0 && first !== undefined) {
            await honest.publish(rest, options);
            held = [first];
            return;
          }
          await honest.publish(messages, options);
          await honest.publish(held.splice(0));
        },
      });
    },
  },
];

/** What no member would get goes where nobody is. */
async function publishHeard(
  honest: Bus,
  messages: readonly OutgoingMessage[],
  options: BusPublishOptions,
): Promise<void> {
  const { subscriptions } = await honest.status();
  const live = subscriptions.filter(({ members }) => members > 0);
  const heard = messages.map((message) => {
    const { topic } = message;
    const isHeard = live.some((each) => matchesTopic(each.topic, topic));
    return isHeard ? message : { ...message, topic: `${topic}.unheard` };
  });
  return honest.publish(heard, options);
}

/** Changes what a publish asks for. */
function asking(honest: Bus, lie: (options: BusPublishOptions) => BusPublishOptions): Bus {
  return lyingBus(honest, {
    publish: (messages, options = {}) => honest.publish(messages, lie(options)),
  });
}

/** Changes what is published. */
function rewriting(honest: Bus, lie: (message: OutgoingMessage) => OutgoingMessage): Bus {
  return lyingBus(honest, {
    publish: (messages, options) => honest.publish(list(messages).map(lie), options),
  });
}

/** What is no time, or before the delay, is still refused. */
function neverExpires({ expiresAtMs, ...message }: OutgoingMessage): OutgoingMessage {
  const isTime = Number.isFinite(expiresAtMs) && (expiresAtMs ?? 0) < message.timestampMs + 1e11;
  const isLate = (expiresAtMs ?? 0) > (message.deliverAtMs ?? -Infinity);
  return isTime && isLate ? message : { ...message, expiresAtMs };
}

function lettersOf(
  { deadLetters }: Bus,
  redrive: (ids: readonly string[]) => Promise<number>,
): Bus["deadLetters"] {
  return {
    list: (query) => deadLetters.list(query),
    get: (id) => deadLetters.get(id),
    discard: (ids) => deadLetters.discard(ids),
    redrive,
  };
}

/** How many of the batch were accepted. */
function batchEnd(error: unknown): number {
  return isBanyanError(error) ? Number(error.details?.["accepted"]) : 0;
}

export const publishLiars: readonly BusLiar[] = [
  ...propertyLiars,
  ...expiryLiars,
  ...mandatoryLiars,
  ...enqueueLiars,
];
