/** What an operator may ask of the events of a node: the node contract's group `events`. */

import { t } from "@banyan/kernel";

const time = t.String({ format: "date-time" });
const durability = t.Enum(["durable", "ephemeral"]);
const delivery = t.Enum(["group", "broadcast"]);
const schemaDocument = t.Unknown({ description: "JSON Schema 2020-12." });

const depthRow = t.Object({
  name: t.String({ description: "Service and subscription." }),
  topic: t.String(),
  delivery,
  bus: t.String(),
  members: t.Integer({
    description: "Live members, of all nodes where they share the bus; 0: it only collects.",
  }),
  buffered: t.Integer({ description: "Waiting for a handler." }),
  running: t.Integer({ description: "In a handler." }),
  retrying: t.Integer({ description: "Waiting for their next attempt." }),
  delayed: t.Integer({ description: "Waiting for their time." }),
  lagMs: t.Number({ description: "Age of the oldest that waits for a handler." }),
});

const topicRow = t.Object({
  topic: t.String(),
  service: t.String(),
  event: t.String(),
  summary: t.Optional(t.String()),
  durability,
  bus: t.String({ description: "The bus that carries it." }),
  version: t.Integer({ description: "Of the payload's schema." }),
  orderedBy: t.Optional(t.String()),
  payload: schemaDocument,
  subscribers: t.Array(t.Object({ name: t.String(), delivery }), {
    description: "Subscriptions that services of this node declare.",
  }),
});

const outboundRow = t.Object(
  {
    connected: t.Boolean({ description: "There is a connection that takes messages." }),
    waiting: t.Integer({ description: "Not sent yet." }),
    unconfirmed: t.Integer({ description: "Sent and not confirmed." }),
    bytes: t.Integer({ description: "Size of both." }),
    oldestMs: t.Number({ description: "Age of the oldest of both." }),
    limit: t.Integer({ description: "As many as there may be of both." }),
    blocked: t.Optional(t.String({ description: "Why the server takes nothing now." })),
  },
  { description: "Of a networked bus: what its server has not confirmed." },
);

const busRow = t.Object({
  name: t.String(),
  durability,
  capabilities: t.Array(t.String()),
  carries: t.Array(durability, { description: "Events of which durability go over it." }),
  published: t.Integer(),
  unrouted: t.Integer({ description: "Accepted, but nobody subscribed to the topic." }),
  handled: t.Integer(),
  retried: t.Integer(),
  deadLettered: t.Integer({ description: "Since the node started." }),
  deadLettersDropped: t.Integer({ description: "Pushed out because there were too many." }),
  expired: t.Integer({ description: "Dropped by a group's retention, or past their own time." }),
  enqueueFailed: t.Integer({ description: "Only enqueued, and then not kept." }),
  publishesWaiting: t.Integer({ description: "Publishes that wait for room." }),
  outbound: t.Optional(outboundRow),
});

const letterRow = t.Object({
  id: t.String(),
  subscription: t.String(),
  delivery,
  bus: t.String(),
  topic: t.String(),
  eventId: t.String(),
  timestamp: time,
  attempts: t.Integer(),
  reason: t.Enum(["retries-exhausted", "final-error", "unreadable", "lease-lost", "buffer-full"]),
  error: t.Object({ kind: t.String(), code: t.String(), message: t.String() }),
  deadAt: time,
});

/** Which dead letters are meant: some by id, or all of a subscription. */
const chosenLetters = t.Object({
  ids: t.Optional(t.Array(t.String({ minLength: 1 }), { minItems: 1, maxItems: 1000 })),
  subscription: t.Optional(t.String({ minLength: 1 })),
  all: t.Optional(t.Boolean({ description: "All of the subscription, oldest first." })),
  limit: t.Optional(
    t.Integer({
      minimum: 1,
      maximum: 1_000_000,
      description: "At most this many of all. Default 10 000.",
    }),
  ),
});

const left = t.Integer({
  description: "Chosen, but not there, or their subscription is gone or full.",
});
const more = t.Boolean({ description: "The limit was reached before the last one." });

const frame = t.Union([
  t.Object(
    { kind: t.Literal("live"), pattern: t.String() },
    { description: "First: whatever is published from now on is shown." },
  ),
  t.Object({
    kind: t.Literal("message"),
    topic: t.String(),
    eventId: t.String(),
    timestamp: time,
    bus: t.String(),
    headers: t.Record(t.String(), t.String()),
    body: t.Unknown({ description: "The payload with eventId and timestamp beside its fields." }),
  }),
  t.Object(
    { kind: t.Literal("missed"), count: t.Integer() },
    { description: "So many messages came faster than they were read, and are not shown." },
  ),
]);

const deadLetterOperations = {
  list: {
    summary: "List dead letters, oldest first.",
    idempotent: true,
    request: t.Object({
      subscription: t.Optional(t.String({ minLength: 1 })),
      after: t.Optional(t.String({ description: "The next of the page before." })),
      limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000, description: "Default 100." })),
    }),
    response: t.Object({
      letters: t.Array(letterRow),
      next: t.Optional(t.String({ description: "Left out on the last page." })),
    }),
  },
  get: {
    summary: "Show one dead letter with its message.",
    idempotent: true,
    request: t.Object({ id: t.String({ minLength: 1 }) }),
    response: t.Object({
      letter: letterRow,
      headers: t.Record(t.String(), t.String()),
      body: t.Unknown(),
      errorDetails: t.Optional(t.Unknown()),
      errorStack: t.Optional(t.String({ description: "Where it was thrown, a place a line." })),
    }),
  },
  redrive: {
    summary: "Give dead letters to their subscription again, with a fresh count of attempts.",
    description:
      "Those whose subscription is gone or full stay. Give ids, or subscription with all: true.",
    deadlineMs: 600_000,
    request: chosenLetters,
    response: t.Object({ redriven: t.Integer(), left, more }),
  },
  discard: {
    summary: "Forget dead letters.",
    description: "They cannot be brought back. Give ids, or subscription with all: true.",
    deadlineMs: 600_000,
    request: chosenLetters,
    response: t.Object({ discarded: t.Integer(), left, more }),
  },
} as const;

export const eventOperations = {
  topics: {
    summary: "List the events of this node's services, and every group with its depth.",
    idempotent: true,
    response: t.Object({
      topics: t.Array(topicRow),
      groups: t.Array(depthRow, {
        description: "Groups and broadcast subscriptions, also groups that have no member.",
      }),
    }),
  },
  status: {
    summary: "Show the counters of the buses.",
    idempotent: true,
    response: t.Object({
      buses: t.Array(busRow),
      deadLetters: t.Integer({ description: "Waiting for somebody; 100 stands for 100 or more." }),
    }),
  },
  buffer: {
    summary: "Show what this node has for the servers of its buses and they have not confirmed.",
    description: "It is in this process only. Answers also while a server is away.",
    idempotent: true,
    response: t.Object({
      buses: t.Array(
        t.Object({
          name: t.String(),
          publishesWaiting: t.Integer({ description: "Publishes that wait for room." }),
          enqueueFailed: t.Integer({ description: "Only enqueued, and then not kept." }),
          outbound: t.Optional(outboundRow),
        }),
      ),
    }),
  },
  publish: {
    summary: "Publish an event as the service that declares it.",
    request: t.Object({
      topic: t.String({ minLength: 1, description: "Service and event: greeter.greeted." }),
      payload: t.Unknown({ description: "Checked by the event's schema." }),
      delayMs: t.Optional(t.Integer({ minimum: 0, description: "Milliseconds until delivery." })),
      eventId: t.Optional(t.String({ description: "A UUID; the same id is the same event." })),
      mode: t.Optional(
        t.Enum(["safe", "enqueue"], {
          description:
            "safe: answers when the event is. enqueue: as soon as the process has it. Default safe.",
        }),
      ),
      mandatory: t.Optional(
        t.Boolean({ description: "Refuse an event that nobody subscribes to. Default false." }),
      ),
      correlationId: t.Optional(t.String({ description: "What it belongs to, in your words." })),
    }),
    response: t.Object({ eventId: t.String(), timestamp: time }),
  },
  tail: {
    summary: "Stream the messages that are published from now on.",
    // Each is a copy of everything that goes by.
    concurrencyMax: 32,
    request: t.Object({
      topic: t.Optional(
        t.String({
          minLength: 1,
          description: "A topic; * stands for one word, # for any number of words. Default #.",
        }),
      ),
    }),
    stream: frame,
  },
  deadLetters: deadLetterOperations,
} as const;
