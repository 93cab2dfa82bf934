/** What can be said when a lock is asked for, with defaults and bounds; nowhere else. */

import type { AcquireOptions, LeadOptions } from "@banyan/kernel";
import { stateErrors } from "../errors.ts";
import { KEY_BYTES_MAX, showKey } from "../keys.ts";
import { assertKnownOptions, assertWithin } from "../options.ts";
import { isStorableText } from "../storable-text.ts";

/** Most bytes of a lock's key: its entries' keys have a word before it. */
export const LOCK_KEY_BYTES_MAX = KEY_BYTES_MAX - 12;

/** Bounds of a time to live: below, renewal would be all that the engine does. */
export const LOCK_TTL_MS = Object.freeze({ min: 100, max: 86_400_000, default: 30_000 });

/** Longest wait for a lock that is taken: what waits longer is a queue's work. */
export const LOCK_WAIT_MS_MAX = 3_600_000;

/** Complete, checked and frozen. */
export interface ResolvedAcquireOptions {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly renew: boolean;
}

/** @throws STATE_OPTION_INVALID with the lock's name */
export function resolveAcquireOptions(
  options: AcquireOptions,
  label: string,
): ResolvedAcquireOptions {
  assertKnownOptions(options, ["ttlMs", "waitMs", "renew", "signal"], `The lock ${label}`);
  const { waitMs = 0, renew = true } = options;
  const ttlMs = resolveTtlMs(options, label);
  assertWithin(`waitMs of the lock ${label}`, waitMs, { min: 0, max: LOCK_WAIT_MS_MAX });
  if (typeof renew !== "boolean") {
    throw stateErrors.STATE_OPTION_INVALID(
      `renew of the lock ${label} is ${String(renew)}; it must be true or false.`,
    );
  }
  return Object.freeze({ ttlMs, waitMs, renew });
}

/** @throws STATE_OPTION_INVALID with the lock's name */
export function resolveLeadOptions(options: LeadOptions, label: string): { ttlMs: number } {
  assertKnownOptions(options, ["key", "ttlMs", "onState", "signal"], `The leader of ${label}`);
  return Object.freeze({ ttlMs: resolveTtlMs(options, label) });
}

function resolveTtlMs(options: Pick<AcquireOptions, "ttlMs">, label: string): number {
  const { ttlMs = LOCK_TTL_MS.default } = options;
  assertWithin(`ttlMs of the lock ${label}`, ttlMs, LOCK_TTL_MS);
  return ttlMs;
}

/** A lock's key is a store's key, a little shorter. @throws STATE_KEY_INVALID */
export function assertLockKey(key: string | undefined, label: string): void {
  if (key === undefined) return;
  const isFit =
    typeof key === "string" &&
    key !== "" &&
    isStorableText(key) &&
    Buffer.byteLength(key) <= LOCK_KEY_BYTES_MAX;
  if (isFit) return;
  throw stateErrors.STATE_KEY_INVALID(
    `The key ${showKey(key)} of the lock ${label} cannot be locked; a key is 1 to ` +
      `${LOCK_KEY_BYTES_MAX} bytes of Unicode text without U+0000 and lone surrogates. Leave it ` +
      `out to lock ${label} as a whole.`,
    { details: { lock: label } },
  );
}
