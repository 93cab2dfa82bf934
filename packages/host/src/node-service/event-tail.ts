/**
 * What somebody watches of the buses while it happens.
 *
 * What it owns: the frames that its reader has not taken yet.
 * What may interrupt it: a reader that is slow, or gone; the node's stop.
 *
 * I1. It never holds up a publisher: what does not fit is counted and told, not waited for.
 * I2. Frames are in the order in which each bus delivered them.
 */

import type { EventOf } from "@banyan/kernel";
import type { Message } from "@banyan/messaging";

/** A message as it is shown. */
export interface TailMessage {
  readonly kind: "message";
  readonly topic: string;
  readonly eventId: EventOf<object>["eventId"];
  readonly timestamp: string;
  readonly bus: string;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

export type TailFrame = TailMessage | { readonly kind: "missed"; readonly count: number };

/** Held for a reader that is behind, at most. */
const framesMax = 10_000;
/** Size of their bodies as JSON, about: beyond it a reader is too slow to be waited for. */
const charactersMax = 16 * 1024 * 1024;

export class EventTail {
  #frames: TailFrame[] = [];
  #characters = 0;
  #missed = 0;
  #isEnded = false;
  #wake: (() => void) | undefined = undefined;

  /** Never waits (I1). */
  push(bus: string, message: Message): void {
    if (this.#isEnded) return;
    const { id, topic, timestampMs, headers, body } = message;
    const size = JSON.stringify(body).length;
    const isFull =
      this.#frames.length >= framesMax ||
      (this.#frames.length > 0 && this.#characters + size > charactersMax);
    // Once one is missed all are, until the reader was told where the gap is.
    if (isFull || this.#missed > 0) this.#missed += 1;
    else {
      this.#characters += size;
      this.#frames.push({
        kind: "message",
        topic,
        eventId: id,
        timestamp: new Date(timestampMs).toISOString(),
        bus,
        headers: headerTexts(headers),
        body,
      });
    }
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** What came since the last time, once there is something; `undefined` after the end. */
  async take(): Promise<readonly TailFrame[] | undefined> {
    if (this.#frames.length === 0 && this.#missed === 0 && !this.#isEnded) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#wake = undefined;
    const frames = this.#frames;
    if (this.#missed > 0) frames.push({ kind: "missed", count: this.#missed });
    this.#frames = [];
    this.#characters = 0;
    this.#missed = 0;
    return frames.length === 0 ? undefined : frames;
  }
}

/** Headers as what they are on every wire; one that is not set is not there. */
export function headerTexts(headers: Message["headers"]): Record<string, string> {
  const set = Object.entries(headers).filter((entry): entry is [string, string] => {
    return entry[1] !== undefined;
  });
  return Object.fromEntries(set);
}
