/** What a queue tells its operator. */

import type { Log, LogFields } from "@banyan/kernel";
import type { HeldDelivery } from "./held-delivery.ts";

export class QueueLog {
  readonly #log: Log;
  readonly #subscription: string;

  constructor(log: Log, subscription: string) {
    this.#log = log;
    this.#subscription = subscription;
  }

  warn(text: string, held: HeldDelivery, error: unknown): void {
    this.#log.warn(text, this.#fieldsOf(held, error));
  }

  error(text: string, held: HeldDelivery, error: unknown): void {
    this.#log.error(text, this.#fieldsOf(held, error));
  }

  expired(count: number): void {
    this.#log.info("messages were dropped that nobody handled before their expiresAtMs", {
      subscription: this.#subscription,
      dropped: count,
    });
  }

  readonly recordFailed = (error: unknown): void => {
    this.#failed("an attempt was not recorded", error);
  };

  readonly readFailed = (error: unknown): void => {
    this.#failed("the journal of a group could not be read; it is tried again", error);
  };

  #fieldsOf({ message, attempt }: HeldDelivery, error: unknown): LogFields {
    const { id, topic } = message;
    return { subscription: this.#subscription, topic, messageId: id, attempt, error };
  }

  #failed(text: string, error: unknown): void {
    this.#log.error(text, { subscription: this.#subscription, error });
  }
}
