/** What a service sees of an event, and what it may say when it publishes one. */

/** An event as a handler sees it: the payload's own fields, with id and time beside them. */
export type EventOf<P> = P & {
  /** UUIDv7 of this publication; the same on every redelivery. Deduplicate by it. */
  readonly eventId: string;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
};

/** How an event came to the handler that runs: one attempt at one publication. Frozen. */
export interface EventDelivery {
  /** Service and subscription: `scribe.greetings`. */
  readonly subscription: string;
  /** Service and event: `greeter.greeted`. Tells them apart where handlers share a function. */
  readonly topic: string;
  /** 1 for the first delivery to this subscription, then 2, …; 1 again after a redrive. */
  readonly attempt: number;
  /** What it belongs to; whatever its handler publishes belongs to the same unless it says. */
  readonly correlationId: string | undefined;
  /** The publisher's own, without those that the platform sets. */
  readonly headers: Readonly<Record<string, string>>;
  /** 0 … 9; 0 where the publisher gave none. */
  readonly priority: number;
}

export interface PublishOptions {
  /** Id to publish under instead of a fresh one: a repeat with the same id is the same event. */
  readonly eventId?: string;
  /** Milliseconds until it is delivered, 0 … 10 years. Default 0. The wall clock decides. */
  readonly delayMs?: number | undefined;
  /**
   * Wall clock, milliseconds since 1970: nobody handles it from then on. Later than the delay, and
   * within ten years. Default: never.
   */
  readonly expiresAtMs?: number | undefined;
  /**
   * What it belongs to, in the publisher's words: an order, a request. Travels as a header.
   * Default: that of the event whose handling this is part of, if there is one.
   */
  readonly correlationId?: string | undefined;
  /**
   * For whoever receives it, beside the payload: the publisher's own words about it. Names are
   * lower-case letters, digits, `.`, `_` and `-`, at most 128, from a letter or digit on; those of
   * the platform are refused (`source`, `traceparent` …), and what begins with `x-banyan-`. All
   * headers together have at most 8192 characters.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /**
   * A whole number, 0 … 9: of what waits in a group, the higher comes first. Takes a bus with the
   * capability `priority`; others refuse it with MESSAGING_CAPABILITY_MISSING. Default 0.
   */
  readonly priority?: number | undefined;
  /**
   * `enqueue` resolves as soon as the bus has it in this process, not safe yet; what fails then is
   * only logged and counted. Default `safe`. Not in a transaction.
   */
  readonly mode?: "safe" | "enqueue" | undefined;
  /** Refused with MESSAGING_UNROUTED where nobody subscribes to it. Not in a transaction. */
  readonly mandatory?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Of an event that a transaction publishes: it is as safe as the commit, and waits for nobody. */
export type StagedPublishOptions = Omit<PublishOptions, "signal" | "mode" | "mandatory">;

export interface Published {
  readonly eventId: string;
  /** The one its receivers see. */
  readonly timestamp: string;
}
