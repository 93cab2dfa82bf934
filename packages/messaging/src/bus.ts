/**
 * The bus contract. The law behind it is executable: `@banyan/messaging/conformance`.
 *
 * - **At least once.** A handler that resolves has acknowledged. One that rejects gets the message
 *   again after a backoff, up to `retriesMax` times; then it is a dead letter of that subscription.
 *   Redeliveries keep the message's id: deduplicate by it.
 * - **Group**: each message goes to one member. A group exists from its first subscription until
 *   `removeGroup`: it gets nothing published before, and everything published after, also while it
 *   has no member (as far as the bus's durability goes).
 * - **Broadcast**: each live subscription gets each message and retries it on its own. What it has
 *   not handled when it is closed is gone.
 * - **Order** holds from a publisher to the buffer. Delivery order does not, as soon as there is
 *   concurrency or a retry; that takes the capability `ordered`.
 * - **Backpressure**: a subscription holds at most `bufferMax` messages. While one that wants the
 *   message is full, `publish` waits; it rejects with MESSAGING_BUFFER_FULL at its timeout. On a
 *   networked bus a broadcast that is full gives up its oldest instead, each as a dead letter.
 *   Nothing is ever dropped in silence.
 * - **Lease**: a delivery is its handler's for `leaseMs`. A handler that has not ended by then is
 *   aborted by its signal and counts as failed; its late end changes nothing. A message that was
 *   being handled when the process died is delivered again, and one that dies with its process ten
 *   times is a dead letter.
 * - **Ordered**: messages with one `orderingKey` are handled one at a time, in the order of their
 *   publication, retries included; a retry holds up its own key only. A durable bus may hold up all
 *   keys of a group once many thousand messages wait behind such retries, and says how many.
 * - **Delays**: a message with `deliverAtMs` counts as held from its publication on, and joins the
 *   end of the queue when the wall clock gets there.
 * - **Expiry**: a message whose `expiresAtMs` is over is not handled any more. It is looked at when
 *   its turn comes, first or again, and counts as held until then. A redriven letter has none.
 * - **Priority**: of what waits in a group the messages of a higher `priority` come first, those of
 *   one priority in their order. It takes the capability `priority`.
 * - **Every property stays**: a redelivery, a dead letter and what is redriven of it keep the id,
 *   the time, the body, the ordering key and all headers of the message.
 * - **No shared objects**: a delivered body belongs to the handler alone.
 */

import type { BackoffOptions, ErrorKind } from "@banyan/kernel";
import type { CommitRider } from "@banyan/state";

/** Whether what `publish` accepted survives `kill -9`. */
export type BusDurability = "durable" | "ephemeral";

/**
 * What a bus may offer beyond the common law. Asking for one it does not declare is refused with
 * MESSAGING_CAPABILITY_MISSING, never passed over.
 */
export const BusCapability = {
  /** `*` and `#` segments in the topic of a subscription. */
  Wildcards: "wildcards",
  /** `ordered: true`: messages with one `orderingKey` are handled one after the other. */
  Ordered: "ordered",
  /** `deliverAtMs`: a message that waits until then. */
  Delays: "delays",
  /** `retentionMs`: how long a group without members keeps what comes. */
  Retention: "retention",
  /** `stage`: a publish that is committed with a transaction of a state engine. */
  Transactions: "transactions",
  /** `priority`: messages that pass others which wait. */
  Priority: "priority",
} as const;
export type BusCapability = (typeof BusCapability)[keyof typeof BusCapability];

/** What travels beside the body. Text only: every wire can carry it. */
export interface MessageHeaders {
  /** Service that published: `greeter`. */
  readonly source: string;
  /** On whose behalf, as one word: `account:0197…`. For audit; it gives no rights. */
  readonly principal?: string | undefined;
  /** W3C trace context of the publishing call. */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  /** What the message belongs to, in the publisher's own words: an order, a request. */
  readonly correlationId?: string | undefined;
  /** Version of the payload's schema. Default `"1"`. */
  readonly schemaVersion?: string | undefined;
  /** Further headers, by lower-case name. */
  readonly [name: string]: string | undefined;
}

/** A message on its way: what a publisher hands over and a handler is given. */
export interface Message {
  /** UUIDv7 of the event: the same on every delivery, also after a redrive. */
  readonly id: string;
  /** Dotted words: `greeter.greeted`. */
  readonly topic: string;
  /** Wall clock of the publication, milliseconds since 1970. */
  readonly timestampMs: number;
  /** A JSON value. */
  readonly body: unknown;
  readonly headers: MessageHeaders;
  /** Capability `ordered`: messages with the same key are handled in order. */
  readonly orderingKey?: string | undefined;
  /** Capability `priority`: a whole number, 0 … 9, higher first. Default 0. */
  readonly priority?: number | undefined;
}

export interface OutgoingMessage extends Message {
  /** Capability `delays`: not delivered before this wall-clock time. */
  readonly deliverAtMs?: number | undefined;
  /**
   * Not handled from this wall-clock time on, later than `deliverAtMs` and within ten years: it is
   * dropped when its turn comes, a retry's too, and counts as held until then. One that is over
   * when it is published is accepted and goes to nobody. Counted in `BusStatus.expired`. Default:
   * never.
   */
  readonly expiresAtMs?: number | undefined;
}

/**
 * `safe`: the publish resolves when the messages are as safe as the bus's durability says.
 * `enqueue`: when the bus has them in its process, not safe yet.
 */
export type PublishMode = "safe" | "enqueue";

export interface BusPublishOptions {
  /** Withdraws what is not accepted yet. */
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for room. Default: the bus's `publishTimeoutMs`. */
  readonly timeoutMs?: number | undefined;
  /**
   * Refuses with MESSAGING_UNROUTED a message whose topic nobody subscribes to; a group without
   * members is somebody. Of a batch those before it are accepted, and none behind it. With mode
   * `enqueue` a networked bus may hear of it too late: a failure like others then. Default false.
   */
  readonly mandatory?: boolean | undefined;
  /**
   * `enqueue` does not wait, for room neither: a full subscription is MESSAGING_BUFFER_FULL at
   * once. What fails later is logged as an error with id and topic, and counted in
   * `BusStatus.enqueueFailed`. Default `safe`.
   */
  readonly mode?: PublishMode | undefined;
  /**
   * The messages and their bodies were built for this publish and nobody keeps them: the bus may
   * take them without a copy. Default false.
   */
  readonly owned?: boolean | undefined;
}

/** `group`: one member handles it. `broadcast`: every live subscription does. */
export type DeliveryMode = "group" | "broadcast";

export interface SubscribeSpec {
  /**
   * Identity: `<subscribing service>.<subscription>`. Group members share it; a group is bound to
   * one topic for its life.
   */
  readonly name: string;
  readonly topic: string;
  readonly delivery: DeliveryMode;
  /** Handlers at once in this subscription, 1 … 10 000. Default 16. */
  readonly concurrency?: number | undefined;
  /** Redeliveries after a failure, 0 … 1000. Default 5. Of a group: its newest member's holds. */
  readonly retriesMax?: number | undefined;
  /** Waits between them. Default 100 ms doubling to 30 s, full jitter. */
  readonly backoff?: BackoffOptions | undefined;
  /** Messages held, handlers in flight and retries included, 1 … 1 000 000. Default: the bus's. */
  readonly bufferMax?: number | undefined;
  /** Capability `ordered`. */
  readonly ordered?: boolean | undefined;
  /** Milliseconds a handler may take, 1 … 86 400 000. Default 900 000 (15 minutes). */
  readonly leaseMs?: number | undefined;
  /**
   * Capability `retention`, groups only: while the group has no member, what was queued longer ago
   * than this many milliseconds is dropped, logged and counted. Queued: published; of a delayed
   * message, when its time came; of a dead letter, redriven. 1000 or more. Default: nothing is
   * dropped.
   */
  readonly retentionMs?: number | undefined;
  /**
   * Makes the delivered body from the one in the bus, which it must neither keep nor change: the
   * schema-made copy of a typed subscription. What it throws makes the message a dead letter at
   * once. Default: a plain copy of the JSON value.
   */
  readonly decode?: ((message: Message) => unknown) | undefined;
}

/** One attempt at one message. */
export interface Delivery {
  readonly message: Message;
  /** 1 for the first delivery to this subscription, then 2, …; 1 again after a redrive. */
  readonly attempt: number;
  /** Name of the subscription. */
  readonly subscription: string;
  /**
   * Aborted when the subscription is closed and its patience is over, or when the lease is. Made
   * when it is read; it is the delivery's own.
   */
  readonly signal: AbortSignal;
}

/**
 * Returns or resolves: acknowledged. Throws or rejects: delivered again, unless the error is final
 * (`isFinal` in `failure.ts`: `deadLetter(…)`, or an error that says the message itself is wrong).
 */
export type DeliveryHandler = (delivery: Delivery) => Promise<void> | void;

export interface CloseOptions {
  /** Patience with handlers, in milliseconds; 0 aborts them at once. Default 10 000. */
  readonly drainMs?: number | undefined;
}

export interface Subscription extends AsyncDisposable {
  readonly name: string;
  readonly topic: string;
  readonly delivery: DeliveryMode;
  /**
   * From the call on no handler starts; those that run may finish within `drainMs`. A group keeps
   * what this member did not finish for the other members, now or later.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** Why a message was given up. */
export type DeadLetterReason =
  /** It failed `retriesMax + 1` times. */
  | "retries-exhausted"
  /** The handler's error said that trying again is no use. */
  | "final-error"
  /** The body did not fit what the subscription reads. */
  | "unreadable"
  /** The process died ten times while it was handled. */
  | "lease-lost"
  /**
   * A broadcast held as many as it may, and a networked bus, which cannot hold up its publishers
   * for that, gave up the oldest. Nobody has handled it: `attempts` may be 0.
   */
  | "buffer-full";

/** A message that one subscription gave up. */
export interface DeadLetter {
  /** Of the dead letter itself: one message may be dead in several subscriptions. Ascends. */
  readonly id: string;
  readonly subscription: string;
  readonly delivery: DeliveryMode;
  readonly message: Message;
  readonly attempts: number;
  readonly reason: DeadLetterReason;
  /** Of the last attempt. For operators: the message may say more than a caller is told. */
  readonly error: {
    readonly kind: ErrorKind;
    readonly code: string;
    readonly message: string;
    readonly details?: Readonly<Record<string, unknown>>;
    /** Where it was thrown, a place a line, then its causes; at most 2000 characters. */
    readonly stack?: string;
  };
  readonly deadAtMs: number;
}

export interface DeadLetterQuery {
  readonly subscription?: string | undefined;
  /** Only those after this id: the `next` of the page before. */
  readonly after?: string | undefined;
  /** 1 … 1000. Default 100. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface DeadLetterPage {
  /** Oldest first. */
  readonly letters: readonly DeadLetter[];
  readonly next: string | undefined;
}

export interface DeadLetters {
  list(query?: DeadLetterQuery): Promise<DeadLetterPage>;
  get(id: string): Promise<DeadLetter | undefined>;
  /**
   * Gives them to their subscription again (a broadcast: to every live one of the name), with the
   * same message id and a fresh count of attempts. Answers how many; the others stay: unknown ids,
   * subscriptions that are gone or full.
   */
  redrive(ids: readonly string[]): Promise<number>;
  /** Forgets them; answers how many there were. */
  discard(ids: readonly string[]): Promise<number>;
}

/** Depth of one group, or of one broadcast subscription. */
export interface SubscriptionStatus {
  readonly name: string;
  readonly topic: string;
  readonly delivery: DeliveryMode;
  /** Live subscriptions of the group; 1 for a broadcast. */
  readonly members: number;
  /** Waiting for a handler. */
  readonly buffered: number;
  /** In a handler. */
  readonly running: number;
  /** Waiting for their next attempt. */
  readonly retrying: number;
  /** Waiting for their `deliverAtMs`. */
  readonly delayed: number;
  /** Age of the oldest buffered message in milliseconds: how far behind it is. */
  readonly lagMs: number;
  /** Since this process opened the subscription. */
  readonly handled: number;
  /** Failed attempts that were followed by another one, since then. */
  readonly retried: number;
  /** Messages it gave up, since then. */
  readonly deadLettered: number;
}

/**
 * What a networked bus has sent, or is about to send, and its server has not confirmed yet: it is
 * in this process only.
 */
export interface OutboundStatus {
  /** There is a connection that takes messages. */
  readonly connected: boolean;
  /** Messages that are not sent yet. */
  readonly waiting: number;
  /** Messages that are sent and not confirmed. */
  readonly unconfirmed: number;
  /** Size of both, in bytes. */
  readonly bytes: number;
  /** Age of the oldest of both, in milliseconds; 0: there is none. */
  readonly oldestMs: number;
  /** As many messages as there may be of both. */
  readonly limit: number;
  /** Why the server takes nothing now, in its words; `undefined`: it does. */
  readonly blocked: string | undefined;
}

/** Counters since the bus was opened, and depths now. */
export interface BusStatus {
  readonly published: number;
  /** Accepted, but nobody subscribed to the topic. */
  readonly unrouted: number;
  readonly handled: number;
  /** Failed attempts that were followed by another one. */
  readonly retried: number;
  readonly deadLettered: number;
  /** Dead letters pushed out because there were too many. */
  readonly deadLettersDropped: number;
  /**
   * Messages dropped because a group without members was past its `retentionMs`, or past their own
   * `expiresAtMs`. Of a group each counts; one that was over when it was published counts once.
   */
  readonly expired: number;
  /** Messages that a publish with mode `enqueue` had resolved for, and that were not kept. */
  readonly enqueueFailed: number;
  /** Publishes waiting for room. */
  readonly publishesWaiting: number;
  /** Of a networked bus: what its server has not confirmed. Local ones leave it out. */
  readonly outbound?: OutboundStatus | undefined;
  readonly subscriptions: readonly SubscriptionStatus[];
}

/**
 * What was not handled in time: a durable bus keeps it, an ephemeral one has lost it. Where groups
 * share their backlog with other processes: what this one had taken of it and gave back.
 */
export interface DrainReport {
  readonly unhandled: number;
  /**
   * Messages that a publish with mode `enqueue` had resolved for and that were not kept when the
   * bus was closed, or of which nobody knows whether they were. The log names each.
   */
  readonly lost: number;
}

/**
 * Every method may throw CLOSED after `close`; a durable bus also MESSAGING_UNAVAILABLE.
 */
export interface Bus extends AsyncDisposable {
  /** Of the engine: `memory`. */
  readonly name: string;
  readonly durability: BusDurability;
  readonly capabilities: ReadonlySet<BusCapability>;
  /** Most characters of JSON in a body. Left out: 1 Mi. For whoever checks before it publishes. */
  readonly bodySizeMax?: number | undefined;
  /**
   * Resolves when the messages are as safe as `durability` says, not before (mode `enqueue`: when
   * the bus has them in its process). They are accepted in
   * the order given; all are checked before the first is accepted. When that fails on the way,
   * `details.accepted` of the error says how many were accepted: the first ones, and none behind
   * them unless it is MESSAGING_OUTCOME_UNKNOWN.
   * @throws MESSAGING_MESSAGE_INVALID, MESSAGING_BODY_TOO_LARGE, MESSAGING_BUFFER_FULL,
   *   MESSAGING_CAPABILITY_MISSING, MESSAGING_UNROUTED, MESSAGING_OUTCOME_UNKNOWN, CALL_CANCELLED
   */
  publish(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options?: BusPublishOptions,
  ): Promise<void>;
  /** What `stage` makes riders for: an object that a state engine on the same file shares. */
  readonly medium?: object | undefined;
  /**
   * Capability `transactions`: prepares a publish that a transaction of an engine on the same
   * `medium` commits; room is taken at once and given back when the rider is dropped. Does not
   * wait.
   * @throws what `publish` throws; MESSAGING_BUFFER_FULL where there is no room now
   */
  stage?(messages: readonly OutgoingMessage[]): CommitRider;
  /**
   * Live when it resolves. The handler is never called from inside `publish` or `subscribe`.
   * @throws MESSAGING_SUBSCRIPTION_INVALID, MESSAGING_SUBSCRIPTION_CONFLICT,
   *   MESSAGING_CAPABILITY_MISSING
   */
  subscribe(spec: SubscribeSpec, handler: DeliveryHandler): Promise<Subscription>;
  readonly deadLetters: DeadLetters;
  /**
   * Ends a group that has no members and drops what it still holds; answers how many messages that
   * were. Its dead letters stay. @throws MESSAGING_SUBSCRIPTION_CONFLICT while it has members.
   */
  removeGroup(name: string): Promise<number>;
  status(): Promise<BusStatus>;
  /** Rejects with a named error when the bus cannot take messages now. */
  check(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
  /**
   * Drains: refuses new subscriptions, handles what was accepted and what running handlers still
   * publish, for at most `drainMs`; then aborts. After it resolved nothing is handled any more.
   * Safe to call twice; a later call with less patience shortens the wait of the first.
   */
  close(options?: CloseOptions): Promise<DrainReport>;
}
