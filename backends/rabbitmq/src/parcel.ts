/** One message on its way to the server, with what is known of it there. */

import type { Options } from "amqplib";
import type { WheelEntry } from "@banyan/kernel/internal";

/** Where a message goes. */
export interface Address {
  readonly exchange: string;
  readonly routingKey: string;
}

export interface ParcelInit extends Address {
  readonly content: Buffer;
  readonly properties: Options.Publish;
  /** Monotonic; `Infinity`: it waits as long as it takes. */
  readonly deadlineMs: number;
  /** It is said again soon, and that it is not taken is no outage. */
  readonly isRepeated?: boolean;
  /** Told once. */
  readonly onEnd: (error: Error | undefined, parcel: Parcel) => void;
}

/** One message on its way; it carries its own place on the wheel. */
export class Parcel implements WheelEntry {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
  readonly onEnd: ParcelInit["onEnd"];
  readonly isRepeated: boolean;
  readonly sinceMs: number;
  /** In the order of the publishes. */
  readonly place: number;
  deadlineMs: number;
  /** No queue wanted it: the server has confirmed that it threw it away. */
  isReturned = false;
  /** It was handed to a connection at least once. */
  wasSent = false;
  isEnded = false;
  /** Ended well: the server has it safe. */
  isConfirmed = false;
  sentAtMs = 0;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(init: ParcelInit, nowMs: number, place: number) {
    this.place = place;
    this.exchange = init.exchange;
    this.routingKey = init.routingKey;
    this.content = init.content;
    this.properties = init.properties;
    this.deadlineMs = init.deadlineMs;
    this.onEnd = init.onEnd;
    this.isRepeated = init.isRepeated ?? false;
    this.sinceMs = nowMs;
  }
}
