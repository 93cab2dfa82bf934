/**
 * What the other side of a connection says of itself.
 *
 * B1. It is a record of the very instance that the handshake proved, or nothing.
 * B2. A peer that talks of itself without end is hung up on: its bytes in a while are bounded.
 */

import type { Clock } from "@banyan/kernel";
import { parseInstanceRecord } from "../instance-record.ts";
import type { InstanceRecord } from "../instance-record.ts";
import { jsonOf } from "./frame-reader.ts";
import type { Frame } from "./frame-reader.ts";

/** In a second; a record of many services has some ten thousand. */
const bytesMax = 1024 * 1024;
const whileMs = 1000;

export class HeardAbout {
  readonly #peer: string;
  readonly #clock: Clock;
  #bytes = 0;
  #sinceMs = -Infinity;

  constructor(peer: string, clock: Clock) {
    this.#peer = peer;
    this.#clock = clock;
  }

  /** `undefined`: it runs nothing for others yet. @throws RangeError, SyntaxError */
  take(frame: Frame): InstanceRecord | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#sinceMs >= whileMs) {
      this.#sinceMs = nowMs;
      this.#bytes = 0;
    }
    this.#bytes += frame.end - frame.start;
    if (this.#bytes > bytesMax) throw new RangeError("a node that talks only of itself");
    const said = jsonOf(frame);
    if (said === null) return undefined;
    const record = parseInstanceRecord(said);
    if (record?.instance !== this.#peer) throw new RangeError("a record that is not its own");
    return record;
  }
}
