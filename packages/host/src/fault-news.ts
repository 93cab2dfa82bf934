/**
 * What a node tells about what went wrong in it: handlers that failed by a fault of ours, and
 * messages that were given up.
 *
 * F1. The same operation and code, the same subscription, reason and code, is told once in a
 *     window; what was left out is counted into the next event.
 * F2. A message of a bus that carries the node's own events is not told of: whoever fails to handle
 *     the news must not make more of them.
 * F3. No text of an error leaves the log: it may hold what no subscriber is to see.
 */

import type { BanyanError, Clock } from "@banyan/kernel";
import type { CallContext } from "@banyan/kernel/internal";
import type { DeadLetter } from "@banyan/messaging";
import type { FaultEventsConfig } from "./fault-config.ts";
import { ToldOnce } from "./news-post.ts";
import type { NewsPost } from "./news-post.ts";

export interface FaultNewsOptions {
  readonly config: FaultEventsConfig;
  /** The node's id. */
  readonly node: string;
  readonly clock: Clock;
  readonly post: NewsPost;
}

export class FaultNews {
  readonly #options: FaultNewsOptions;
  readonly #faults: ToldOnce;
  readonly #letters: ToldOnce;

  constructor(options: FaultNewsOptions) {
    const { clock, config } = options;
    this.#options = options;
    this.#faults = new ToldOnce(clock, config.windowMs);
    this.#letters = new ToldOnce(clock, config.windowMs);
  }

  callFailed({ service, operation, trace }: CallContext, { code, kind }: BanyanError): void {
    const { config, node, post } = this.#options;
    if (!config.enabled) return;
    const suppressed = this.#faults.take(operation, code);
    if (suppressed === undefined) return;
    const payload = { node, service, operation, code, kind, traceId: trace.traceId, suppressed };
    post.tell((publish) => publish("callFailed", payload));
  }

  /** @param bus name of the engine */
  messageBuried(bus: string, letter: DeadLetter): void {
    const { config, node, post } = this.#options;
    const { id, subscription, message, attempts, reason, error } = letter;
    if (!config.enabled || message.topic.startsWith("node.")) return;
    const suppressed = this.#letters.take(bus, subscription, reason, error.code);
    if (suppressed === undefined) return;
    const { topic } = message;
    const about = { node, bus, subscription, topic, reason, code: error.code, attempts };
    const payload = { ...about, deadLetterId: id, messageId: message.id, suppressed };
    post.tell((publish) => publish("messageBuried", payload));
  }
}
