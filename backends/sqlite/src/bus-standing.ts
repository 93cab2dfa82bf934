/** What of the bus is in the file when it is opened. */

import type { JournalGroup } from "@banyan/messaging/internal";
import type { SqliteFile } from "./sqlite-file.ts";

export interface BusStanding {
  readonly groups: readonly JournalGroup[];
  /** Above every row's. */
  readonly nextSeq: number;
  readonly deadLetterCount: number;
  /** Groups that are gone and have rows left. */
  readonly remains: readonly number[];
}

/** Rows that are counted on the calling thread: a millisecond; more go to the reader thread. */
const COUNTED_AT_ONCE = 10_000;
const NO_LIMIT = -1;

const sql = {
  groups: "SELECT id, name, topic, retention_ms FROM bus_groups ORDER BY id",
  queued: "SELECT count(*) FROM (SELECT 1 FROM bus_queue WHERE group_id = ? LIMIT ?)",
  delayed: "SELECT count(*) FROM (SELECT 1 FROM bus_delayed WHERE group_id = ? LIMIT ?)",
  letters: "SELECT count(*) FROM (SELECT 1 FROM bus_dead_letters LIMIT ?)",
  lastQueued: "SELECT max(seq) FROM bus_queue WHERE group_id = ?",
  lastDelayed: "SELECT max(seq) FROM bus_delayed WHERE group_id = ?",
  nextQueued: "SELECT min(group_id) FROM bus_queue WHERE group_id > ?",
  nextDelayed: "SELECT min(group_id) FROM bus_delayed WHERE group_id > ?",
};

/** @throws SQLITE_… errors */
export async function readBusStanding(file: SqliteFile): Promise<BusStanding> {
  const groups: JournalGroup[] = [];
  for (const [id, name, topic, retentionMs] of file.all(sql.groups)) {
    const group = Number(id);
    const delayed = await countRows(file, sql.delayed, group);
    groups.push({
      id: group,
      name: String(name),
      topic: String(topic),
      retentionMs: typeof retentionMs === "number" ? retentionMs : undefined,
      held: delayed + (await countRows(file, sql.queued, group)),
      delayed,
    });
  }
  const known = new Set(groups.map(({ id }) => id));
  const kept = new Set([...groupsIn(file, sql.nextQueued), ...groupsIn(file, sql.nextDelayed)]);
  const lasts = [...kept].flatMap((group) => [
    Number(file.get(sql.lastQueued, group)?.[0]),
    Number(file.get(sql.lastDelayed, group)?.[0]),
  ]);
  return {
    groups,
    nextSeq: Math.max(0, ...lasts) + 1,
    deadLetterCount: await countRows(file, sql.letters),
    remains: [...kept].filter((group) => !known.has(group)),
  };
}

async function countRows(file: SqliteFile, text: string, ...values: number[]): Promise<number> {
  const some = Number(file.get(text, ...values, COUNTED_AT_ONCE)?.[0]);
  if (some < COUNTED_AT_ONCE) return some;
  const [row] = await file.allAside(text, ...values, NO_LIMIT);
  return Number(row?.[0]);
}

/** The groups that have rows: one look into the index for each, however many rows. */
function groupsIn(file: SqliteFile, text: string): number[] {
  const found: number[] = [];
  for (let last = 0; ;) {
    const next = file.get(text, last)?.[0];
    if (typeof next !== "number") return found;
    found.push(next);
    last = next;
  }
}
