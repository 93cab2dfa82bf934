/**
 * Identifiers: UUID version 7 (RFC 9562), ordered by creation within a process.
 *
 * Layout: 48 bits of wall-clock milliseconds, then 12 bits that count within the millisecond
 * (RFC 9562 section 6.2, method 1), then 62 random bits. When the wall clock goes back, or the
 * counter is full, the last timestamp is kept or advanced by one, so ids of one source never go
 * backwards.
 */

import type { Clock } from "./time/clock.ts";
import { systemClock } from "./time/clock.ts";
import type { Random } from "./random.ts";
import { systemRandom } from "./random.ts";

export interface IdSource {
  /** A new UUIDv7 in its 36-character text form, greater than every earlier one of this source. */
  uuid(): string;
}

const counterMax = 0xfff;
const poolSize = 8 * 256;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** A source of ids on a clock and a source of randomness. */
export function createIdSource(clock: Clock, random: Random): IdSource {
  let lastMs = 0;
  /** `lastMs` as an id begins with it: ids come many to a millisecond. */
  let time = timeText(lastMs);
  let counter = 0;
  let pool: Uint8Array = new Uint8Array(0);
  let offset = 0;
  // Eight random bytes an id, drawn in blocks: one system call for 256 ids instead of one each.
  const draw = (index: number): string => hex[pool[offset + index] ?? 0] ?? "00";
  return {
    uuid() {
      // Whole milliseconds: two readings within one must count, not compare.
      const now = Math.floor(clock.nowMs());
      if (now > lastMs) {
        lastMs = now;
        time = timeText(lastMs);
        counter = 0;
      } else if (counter < counterMax) counter += 1;
      else {
        lastMs += 1;
        time = timeText(lastMs);
        counter = 0;
      }
      if (offset + 8 > pool.length) {
        pool = random.bytes(poolSize);
        offset = 0;
      }
      const count = `${(counter >> 8).toString(16)}${hex[counter & 0xff]}`;
      const variant = hex[((pool[offset] ?? 0) & 0x3f) | 0x80] ?? "80";
      const tail = draw(2) + draw(3) + draw(4) + draw(5) + draw(6) + draw(7);
      const id = `${time}-7${count}-${variant}${draw(1)}-${tail}`;
      offset += 8;
      return id;
    },
  };
}

/** Milliseconds as the first two fields of an id. */
function timeText(ms: number): string {
  const digits = ms.toString(16).padStart(12, "0");
  return `${digits.slice(0, 8)}-${digits.slice(8)}`;
}

/** Ids of the real clock and the real source of randomness. */
export const systemIds: IdSource = createIdSource(systemClock, systemRandom);
