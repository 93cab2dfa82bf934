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
  readonly signal?: AbortSignal | undefined;
}

export interface Published {
  readonly eventId: string;
  /** The one its receivers see. */
  readonly timestamp: string;
}
