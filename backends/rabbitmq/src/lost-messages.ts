/**
 * What was enqueued and could not be brought to the server before the bus was closed: each is named
 * on the log, so that somebody can publish it again. A line for each would be too many, and one for
 * all too long; between the lines the log has a turn to write.
 */

import { setImmediate as turn } from "node:timers/promises";
import { isBanyanError } from "@banyan/kernel";
import type { Log } from "@banyan/kernel";
import type { OutgoingMessage } from "@banyan/messaging";

/** Names of one line: a log cuts longer lists. */
const chunkMax = 100;

export class LostMessages {
  readonly #unsent: string[] = [];
  readonly #unconfirmed: string[] = [];

  add({ id, topic }: OutgoingMessage, error: Error): void {
    const isUnknown = isBanyanError(error, "MESSAGING_OUTCOME_UNKNOWN");
    (isUnknown ? this.#unconfirmed : this.#unsent).push(`${topic} ${id}`);
  }

  get count(): number {
    return this.#unsent.length + this.#unconfirmed.length;
  }

  async tell(log: Log): Promise<void> {
    const unsent = "enqueued messages are lost: RabbitMQ did not take them before the bus closed";
    await tellOf(log, unsent, this.#unsent);
    const unconfirmed = "enqueued messages may be lost: RabbitMQ has not confirmed them";
    await tellOf(log, unconfirmed, this.#unconfirmed);
  }
}

async function tellOf(log: Log, what: string, names: readonly string[]): Promise<void> {
  for (let from = 0; from < names.length; from += chunkMax) {
    const messages = names.slice(from, from + chunkMax);
    log.error(what, { from: from + 1, to: from + messages.length, of: names.length, messages });
    await turn();
  }
}
