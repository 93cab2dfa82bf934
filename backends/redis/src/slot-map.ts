/** Who has which slots, as a member of a Cluster tells it. */

import type { RedisPlace } from "./options.ts";

export interface SlotRange {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
  readonly place: RedisPlace;
}

/** The primaries of `CLUSTER SLOTS`; `undefined` when it is no such answer. */
export function parseSlots(reply: unknown, askedAt: string): SlotRange[] | undefined {
  if (!Array.isArray(reply) || reply.length === 0) return undefined;
  const ranges: SlotRange[] = [];
  for (const row of reply) {
    const [from, to, primary] = listOf(row);
    const [ip, port] = listOf(primary);
    if (typeof from !== "number" || typeof to !== "number") return undefined;
    // A member that does not know its own address means the one it was asked at.
    const host = typeof ip === "string" && ip !== "" ? ip : askedAt.replace(/:\d+$/, "");
    ranges.push({ from, to, place: { host, port: Number(port) } });
  }
  return ranges;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
