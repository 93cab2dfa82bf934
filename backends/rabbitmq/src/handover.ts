/**
 * What becomes of a message that is not handled: it is published again, to wait or to lie among the
 * dead letters, and only when the server has confirmed that is it settled where it was.
 *
 * H1. A message on its way is the subscription's until `onEnd`; that is called once.
 */

import { backoffMs } from "@banyan/kernel";
import type { Clock, Random } from "@banyan/kernel";
import type { DeadLetter } from "@banyan/messaging";
import { ownBackoff } from "@banyan/messaging/internal";
import type { QueueLog } from "@banyan/messaging/internal";
import type { BrokerDelivery } from "./broker-delivery.ts";
import { LetterWriter } from "./letter-writer.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { Waits } from "./waits.ts";
import { carriedProperties } from "./wire.ts";

/** What is on its way when a subscription is closed has this long. */
const transferMaxMs = 2000;

export interface HandoverPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly names: Names;
  readonly outbound: Outbound;
  readonly waits: Waits;
  readonly log: QueueLog;
  /** The queue of the dead letters is not there: makes it. */
  readonly declareLetters: () => Promise<void>;
}

export interface Wait {
  /** Wall clock. */
  readonly dueMs: number;
  readonly isRetry: boolean;
  /** Before all others in its queue, when it is back there. */
  readonly isFirst?: boolean;
  /** Of the group that it comes back to. */
  readonly life: string;
}

/** `false`: it is not safe there. */
type OnEnd = (isSafe: boolean) => void;

export class Handover {
  readonly #ports: HandoverPorts;
  readonly #writer: LetterWriter;
  #underWay = 0;
  #isClosing = false;
  #onIdle: (() => void) | undefined = undefined;

  constructor(ports: HandoverPorts) {
    this.#ports = ports;
    this.#writer = new LetterWriter(ports);
  }

  /** Publishes it again, to come back later. */
  toWait(held: BrokerDelivery, wait: Wait, onEnd: OnEnd): void {
    const { waits, log } = this.#ports;
    const { message, attempt, failures, passage, queue } = held;
    const { dueMs, isRetry, isFirst = false, life } = wait;
    const next = { ...passage, attempt, failures, dueMs, isRetry, life };
    held.place = "retrying";
    this.#underWay += 1;
    void waits.send({
      queue,
      content: held.delivered.content, // as it came: what cannot be read can be carried
      properties: carriedProperties(held.delivered, {
        message,
        passage: next,
        isLetter: false,
        isFirst,
        carried: "all",
      }),
      dueMs,
      onEnd: (error) => {
        this.#ended();
        if (error === undefined || this.#isClosing) {
          onEnd(error === undefined);
          return;
        }
        log.warn("a message could not be sent to wait; it is delivered again", held, error);
        const { clock, random } = this.#ports;
        clock.setTimer(backoffMs(1, random, ownBackoff), () => onEnd(false));
      },
    });
  }

  /** Puts it among the dead. */
  bury(held: BrokerDelivery, letter: DeadLetter, onEnd: OnEnd): void {
    held.place = "burying";
    this.#underWay += 1;
    const { declareLetters, log } = this.#ports;
    this.#writer.write({
      letter,
      delivered: held.delivered,
      declareQueue: declareLetters,
      onTrouble: (why) => log.error("a dead letter was not kept and is tried again", held, why),
      onEnd: (isSafe) => {
        this.#ended();
        onEnd(isSafe);
      },
    });
  }

  /** What is on its way may still arrive. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#writer.close();
    if (this.#underWay === 0) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const done = (): void => resolve(undefined);
    const cancel = this.#ports.clock.setTimer(transferMaxMs, done, { keepAlive: true });
    this.#onIdle = done;
    await promise;
    cancel();
  }

  #ended(): void {
    this.#underWay -= 1;
    if (this.#underWay === 0) this.#onIdle?.();
  }
}
