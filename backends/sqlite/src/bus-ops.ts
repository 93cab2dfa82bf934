/**
 * The writes of the bus, as the writer thread does them. Bodies stay in the file where they can:
 * a delayed message and a dead letter go to their queue by a copy from table to table.
 *
 * Q1. A row of `bus_queue` or `bus_delayed` is a message that its group has not handled.
 * Q2. What goes from one table to another is in exactly one of them after each op.
 */

import type { OpContext, OpTable } from "./op-context.ts";

/** A message as rows keep it: headers and body are JSON. */
export type StoredMessage = readonly [
  id: string,
  topic: string,
  publishedAt: number,
  orderingKey: string | null,
  headers: string,
  body: string,
];

/** Where a message waits. */
export type Place = readonly [group: number, seq: number];

/**
 * A message and where it goes: group, seq, and again; with `dueAt` it sleeps first. Flat, because
 * what crosses to the thread costs by the list: three times as much where each part has its own.
 */
export type AppendOp = readonly [
  name: "busAppend",
  dueAt: number | null,
  expiresAt: number | null,
  ...message: StoredMessage,
  ...places: number[],
];

/** Rows of one queue, both ends included. */
export type SeqRange = readonly [group: number, first: number, last: number];

/** A dead letter beside its message; the error is JSON. */
export type StoredLetter = readonly [
  id: string,
  subscription: string,
  delivery: string,
  attempts: number,
  reason: string,
  error: string,
  deadAt: number,
];

type WakeOp = readonly [name: "busWake", now: number, limit: number, seq: number];

/**
 * Looks at `rows` rows of a queue behind `after` and removes up to `limit` of those queued before.
 * Answers how many, and where to go on: `null` when there was no more to look at.
 */
type ExpireOp = readonly [
  name: "busExpire",
  group: number,
  after: number,
  rows: number,
  before: number,
  limit: number,
];

/** What `busExpire` answers. */
export type Expired = readonly [count: number, next: number | null];

export type BusOp =
  /** Makes a group or sets its retention; answers its id. */
  | readonly [name: "busOpenGroup", group: string, topic: string, retentionMs: number | null]
  /** Takes the group out of the list; its rows are nobody's then, and `busClear` removes them. */
  | readonly [name: "busForgetGroup", group: number]
  /** Removes up to `limit` rows of a group that is gone; answers how many. */
  | readonly [name: "busClear", group: number, limit: number]
  | AppendOp
  /** Several messages as one. */
  | readonly [name: "busAppendAll", appends: readonly AppendOp[]]
  | readonly [name: "busAcknowledge", ranges: readonly SeqRange[]]
  | readonly [
      name: "busProgress",
      group: number,
      seq: number,
      attempt: number,
      failures: number,
      retryAt: number | null,
    ]
  /** Keeps a letter; with a place, takes the message out of that queue. */
  | readonly [name: "busBury", letter: StoredLetter, message: StoredMessage, place: Place | null]
  /** Moves what is due to the queues, numbered from `seq`; answers where they are. */
  | WakeOp
  | ExpireOp
  /** Answers how many letters there were. */
  | readonly [name: "busDiscard", letters: readonly string[]]
  /** Answers whether the letter was there. */
  | readonly [name: "busRedrive", now: number, letter: string, group: number, seq: number]
  | readonly [name: "busDropOldestLetters", count: number];

const message = "message_id, topic, published_at, ordering_key, headers, body";
const letter = "id, subscription, delivery, attempts, reason, error, dead_at";
const queued = `group_id, seq, attempt, failures, retry_at, queued_at, ${message}`;
const delayed = `group_id, seq, due_at, ${message}`;
const place = "group_id = ? AND seq = ?";

const sql = {
  openGroup: `
    INSERT INTO bus_groups (name, topic, retention_ms) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET retention_ms = excluded.retention_ms`,
  groupId: "SELECT id FROM bus_groups WHERE name = ?",
  forgetGroup: "DELETE FROM bus_groups WHERE id = ?",
  clearQueue: `
    DELETE FROM bus_queue WHERE rowid IN
      (SELECT rowid FROM bus_queue WHERE group_id = ? LIMIT ?)`,
  clearDelayed: `
    DELETE FROM bus_delayed WHERE rowid IN
      (SELECT rowid FROM bus_delayed WHERE group_id = ? LIMIT ?)`,
  append: `
    INSERT INTO bus_queue (${queued}, expires_at)
    VALUES (?, ?, 0, 0, NULL, ?, ?, ?, ?, ?, ?, ?, ?)`,
  delay: `
    INSERT INTO bus_delayed (${delayed}, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  acknowledge: "DELETE FROM bus_queue WHERE group_id = ? AND seq BETWEEN ? AND ?",
  progress: `UPDATE bus_queue SET attempt = ?, failures = ?, retry_at = ? WHERE ${place}`,
  take: `DELETE FROM bus_queue WHERE ${place}`,
  bury: `
    INSERT INTO bus_dead_letters (${letter}, ${message})
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  due: `
    SELECT group_id, seq FROM bus_delayed WHERE due_at <= ? ORDER BY due_at, seq, group_id LIMIT ?`,
  // The rows of a group that is gone are dropped, not moved.
  wake: `
    INSERT INTO bus_queue (${queued}, expires_at)
    SELECT group_id, ?, 0, 0, NULL, ?, ${message}, expires_at FROM bus_delayed
    WHERE ${place} AND EXISTS (SELECT 1 FROM bus_groups WHERE id = group_id)`,
  takeDelayed: `DELETE FROM bus_delayed WHERE ${place}`,
  expire: `
    DELETE FROM bus_queue WHERE rowid IN
      (SELECT id FROM
        (SELECT rowid AS id, queued_at FROM bus_queue
         WHERE group_id = ? AND seq > ? ORDER BY seq LIMIT ?)
       WHERE queued_at < ? LIMIT ?)`,
  lastLookedAt: `
    SELECT seq FROM bus_queue WHERE group_id = ? AND seq > ? ORDER BY seq LIMIT 1 OFFSET ?`,
  discard: "DELETE FROM bus_dead_letters WHERE id = ?",
  redrive: `
    INSERT INTO bus_queue (${queued})
    SELECT ?, ?, 0, 0, NULL, ?, ${message} FROM bus_dead_letters WHERE id = ?`,
  dropOldestLetters: `
    DELETE FROM bus_dead_letters WHERE id IN
      (SELECT id FROM bus_dead_letters ORDER BY id LIMIT ?)`,
};

export const busOps: OpTable<BusOp> = {
  busOpenGroup(context, [, name, topic, retentionMs]) {
    context.run(sql.openGroup, name, topic, retentionMs);
    return context.get(sql.groupId, name)?.[0];
  },
  busForgetGroup: (context, [, group]) => context.run(sql.forgetGroup, group),
  busClear(context, [, group, limit]) {
    const cleared = context.run(sql.clearQueue, group, limit);
    return cleared + context.run(sql.clearDelayed, group, limit - cleared);
  },
  busAppend: append,
  busAppendAll(context, [, appends]) {
    for (const op of appends) append(context, op);
  },
  busAcknowledge(context, [, ranges]) {
    for (const range of ranges) context.run(sql.acknowledge, ...range);
  },
  busProgress: (context, [, group, seq, attempt, failures, retryAt]) =>
    context.run(sql.progress, attempt, failures, retryAt, group, seq),
  busBury(context, [, stored, body, from]) {
    context.run(sql.bury, ...stored, ...body);
    if (from !== null) context.run(sql.take, ...from);
  },
  busWake: wake,
  busExpire: expire,
  busDiscard: (context, [, letters]) =>
    letters.reduce((sum, id) => sum + context.run(sql.discard, id), 0),
  busRedrive(context, [, now, id, group, seq]) {
    if (context.run(sql.redrive, group, seq, now, id) === 0) return false;
    context.run(sql.discard, id);
    return true;
  },
  busDropOldestLetters: (context, [, count]) => context.run(sql.dropOldestLetters, count),
};

function append(context: OpContext, op: AppendOp): void {
  const [, dueAt, expiresAt, id, topic, publishedAt, orderingKey, headers, body, ...places] = op;
  const stored = [id, topic, publishedAt, orderingKey, headers, body, expiresAt] as const;
  for (let at = 0; at < places.length; at += 2) {
    const [group = 0, seq = 0] = [places[at], places[at + 1]];
    if (dueAt === null) context.run(sql.append, group, seq, publishedAt, ...stored);
    else context.run(sql.delay, group, seq, dueAt, ...stored);
  }
}

function wake(context: OpContext, [, now, limit, first]: WakeOp): Place[] {
  const woken: Place[] = [];
  let seq = first;
  for (const [group, sleepingSeq] of context.all(sql.due, now, limit)) {
    // STRICT columns: both are whole numbers.
    const sleeping = [Number(group), Number(sleepingSeq)] as const;
    if (context.run(sql.wake, seq, now, ...sleeping) > 0) {
      woken.push([sleeping[0], seq]);
      seq += 1;
    }
    context.run(sql.takeDelayed, ...sleeping);
  }
  return woken;
}

function expire(context: OpContext, [, group, after, rows, before, limit]: ExpireOp): Expired {
  const last = context.get(sql.lastLookedAt, group, after, rows - 1)?.[0];
  const count = context.run(sql.expire, group, after, rows, before, limit);
  if (count === limit) return [count, after]; // there may be more in the same rows
  return [count, typeof last === "number" ? last : null];
}
