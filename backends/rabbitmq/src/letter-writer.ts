/**
 * Puts dead letters into the queues of their subscriptions.
 *
 * W1. A letter is tried until it is kept, or until the writer is closed.
 */

import { backoffMs } from "@banyan/kernel";
import type { Clock, Random } from "@banyan/kernel";
import type { DeadLetter } from "@banyan/messaging";
import { ownBackoff } from "@banyan/messaging/internal";
import { letterProperties } from "./letters.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { Parcel } from "./parcel.ts";
import type { CarriedHeaders, Incoming } from "./wire.ts";

export interface LetterWriterPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly names: Names;
  readonly outbound: Outbound;
}

export interface LetterOnItsWay {
  readonly letter: DeadLetter;
  /** The message as it came: its body, properties and headers stay. */
  readonly delivered: Incoming;
  /** The queue is not there: makes it. */
  readonly declareQueue: () => Promise<void>;
  /** Why it is not kept yet. */
  readonly onTrouble: (error: unknown) => void;
  /** Told once. `false`: it is not safe there. */
  readonly onEnd: (isSafe: boolean) => void;
}

interface Tries {
  count: number;
  /** Its headers were too large beside ours, or could not be written at all. */
  headers: CarriedHeaders;
}

export class LetterWriter {
  readonly #ports: LetterWriterPorts;
  #isClosing = false;

  constructor(ports: LetterWriterPorts) {
    this.#ports = ports;
  }

  write(way: LetterOnItsWay): void {
    this.#send(way, { count: 0, headers: "all" });
  }

  /** What fails from now on is not tried again. */
  close(): void {
    this.#isClosing = true;
  }

  #send(way: LetterOnItsWay, tries: Tries): void {
    const { outbound, names } = this.#ports;
    tries.count += 1;
    outbound.send({
      exchange: "",
      routingKey: names.dead(way.letter.subscription),
      content: way.delivered.content,
      properties: letterProperties(way.letter, way.delivered, tries.headers),
      deadlineMs: Infinity,
      onEnd: (error, parcel) => this.#sent(way, tries, { error, parcel }),
    });
  }

  #sent(
    way: LetterOnItsWay,
    tries: Tries,
    { error, parcel }: { readonly error: Error | undefined; readonly parcel: Parcel },
  ): void {
    if (error === undefined && !parcel.isReturned) {
      way.onEnd(true);
      return;
    }
    if (error !== undefined && this.#isClosing) {
      way.onEnd(false);
      return;
    }
    const { clock, random } = this.#ports;
    const again = (): void => this.#send(way, tries);
    const later = (): void => {
      clock.setTimer(backoffMs(tries.count, random, ownBackoff), again);
    };
    if (error !== undefined) {
      // The only error of a bus that is open: AMQP cannot carry it.
      tries.headers = tries.headers === "all" ? "bare" : "none";
      way.onTrouble(error);
      later();
      return;
    }
    way.declareQueue().then(again, (why: unknown) => {
      way.onTrouble(why);
      later();
    });
  }
}
