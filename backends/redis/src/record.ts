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
import { unknownRevision } from "@banyan/state";
import { redisErrors } from "./errors.ts";

/** The head of an entry that a script completes with its revision, or the head of a whole one. */
export function printHead(etag: string, version: number): string {
  return `${etag} ${version}`;
}

/** A whole entry without a revision. */
export function printRecord(head: string, json: string): string {
  return `${head}\n${json}`;
}

/** @throws REDIS_ENTRY_UNREADABLE */
export function parseRecord(key: string, text: string, isRevised: boolean): EngineEntry {
  const end = text.indexOf("\n");
  const first = text.indexOf(" ");
  if (first <= 0 || end < first) throw unreadable(key, undefined);
  const etag = text.slice(0, first);
  const second = text.indexOf(" ", first + 1);
  const isCounted = second !== -1 && second < end;
  const version = Number(text.slice(first + 1, isCounted ? second : end));
  let value: unknown;
  try {
    value = JSON.parse(text.slice(end + 1));
  } catch (cause) {
    throw unreadable(key, cause);
  }
  if (!Number.isSafeInteger(version)) throw unreadable(key, undefined);
  if (!isRevised) return { key, value, etag, version };
  const revision = isCounted ? parseRevision(text.slice(second + 1, end)) : unknownRevision;
  return { key, value, etag, version, revision };
}

function parseRevision(text: string): Revision {
  const [revision = 1, createdAtMs = 0, updatedAtMs = 0] = text.split(" ").map(Number);
  return { revision, createdAtMs, updatedAtMs };
}

function unreadable(key: string, cause: unknown): Error {
  return redisErrors.REDIS_ENTRY_UNREADABLE(
    `The entry of key ${JSON.stringify(key.slice(0, 80))} is not what this engine writes; ` +
      `another program wrote to its keys. Delete the entry, or give the engine a keyPrefix of its own.`,
    { cause },
  );
}
