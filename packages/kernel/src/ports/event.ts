/** An event as a handler sees it: the payload's own fields, with id and time beside them. */

export type EventOf<P> = P & {
  /** UUIDv7 of this publication; the same on every redelivery. Deduplicate by it. */
  readonly eventId: string;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
};

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
  /** What it belongs to, in the publisher's words: an order, a request. Travels as a header. */
  readonly correlationId?: string | undefined;
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
