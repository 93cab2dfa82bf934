/**
 * An entry as the server keeps it: one text, so that no part of it can be of another write.
 *
 *     etag version[ revision created updated]\nJSON
 *
 * Numbers are decimal. Its end is the key's own expiry. Scripts read the first line without the
 * value behind it. See docs/decisions/0047.
 */

import type { Revision } from "@banyan/kernel";
import type { EngineEntry } from "@banyan/state";
import { stateErrors, unknownRevision } from "@banyan/state";

/** The head of an entry that a script completes with its revision, or the head of a whole one. */
export function printHead(etag: string, version: number): string {
  return `${etag} ${version}`;
}

/** A whole entry without a revision. */
export function printRecord(head: string, json: string): string {
  return `${head}\n${json}`;
}

/** Whose entry it is, and how it is read. */
export interface RecordPlace {
  /** `greeter.visits`, for messages. */
  readonly store: string;
  readonly key: string;
  readonly isRevised: boolean;
}

/** @throws STATE_VALUE_UNREADABLE when somebody else wrote it */
export function parseRecord(text: string, place: RecordPlace): EngineEntry {
  const { key, isRevised } = place;
  const end = text.indexOf("\n");
  const first = text.indexOf(" ");
  if (first <= 0 || end < first) throw unreadableError(place);
  const etag = text.slice(0, first);
  const second = text.indexOf(" ", first + 1);
  const isCounted = second !== -1 && second < end;
  const version = Number(text.slice(first + 1, isCounted ? second : end));
  let value: unknown;
  try {
    value = JSON.parse(text.slice(end + 1));
  } catch (cause) {
    throw unreadableError(place, cause);
  }
  if (!Number.isSafeInteger(version) || version < 1) throw unreadableError(place);
  if (!isRevised) return { key, value, etag, version };
  const revision = isCounted ? parseRevision(text.slice(second + 1, end)) : unknownRevision;
  if (revision === undefined) throw unreadableError(place);
  return { key, value, etag, version, revision };
}

function parseRevision(text: string): Revision | undefined {
  const [revision = 1, createdAtMs = 0, updatedAtMs = 0] = text.split(" ").map(Number);
  if (Number.isNaN(revision + createdAtMs + updatedAtMs)) return undefined;
  return { revision, createdAtMs, updatedAtMs };
}

/** Where an entry should be is what the engine did not write. */
export function unreadableError(place: Omit<RecordPlace, "isRevised">, cause?: unknown): Error {
  const { store, key } = place;
  return stateErrors.STATE_VALUE_UNREADABLE(
    `The entry of key ${JSON.stringify(key.slice(0, 80))} in store ${store} is not what the Redis ` +
      `engine writes: another program wrote to its keys. Delete the entry, and give the engine a ` +
      `keyPrefix of its own.`,
    { details: { engine: "redis", store, key }, cause },
  );
}
