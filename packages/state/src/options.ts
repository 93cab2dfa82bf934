/** What can be set about stores and the memory engine, with defaults and bounds; nowhere else. */

import { systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Random } from "@banyan/kernel";
import { nearest } from "@banyan/kernel/internal";
import { stateErrors } from "./errors.ts";

/** Bounds of one store. */
export interface StoreLimits {
  /**
   * Bytes of one value as JSON, 1 … 64 MiB. Default 1 MiB: a document, not a file; a larger one
   * stalls the event loop while it is parsed.
   */
  readonly valueBytesMax?: number;
  /**
   * Tries of one `update`, 1 … 1000. Default 32: in one process updates of a key queue up and meet
   * no conflict, so this is about other nodes.
   */
  readonly updateTriesMax?: number;
  /** Updates that may wait for one key, 1 … 1 000 000. Default 10 000. */
  readonly updatesWaitingMax?: number;
  /**
   * How long a write with an `operationId` can be asked again, 1 ms … 10 years on the engine's
   * clock. Default 24 hours: as long as a client may reasonably retry.
   */
  readonly operationKeptMs?: number;
}

/** Complete, checked and frozen. */
export type ResolvedStoreLimits = Required<StoreLimits>;

export interface MemoryEngineOptions {
  /** Entries of all stores together, 1 … 2^24 (what a Map holds). Default 1 000 000. */
  readonly entriesMax?: number;
  /** Default: the real clock. */
  readonly clock?: Clock;
  /** Default: the real source. */
  readonly random?: Random;
}

/** Complete, checked and frozen. */
export type ResolvedMemoryEngineOptions = Required<MemoryEngineOptions>;

/** Longest time to live, in milliseconds: ten years. More is a mistake in the unit. */
export const TTL_MS_MAX = 3650 * 24 * 60 * 60 * 1000;

/** Most keys in one batch and most entries in one page. */
export const BATCH_MAX = 1000;

const limitNames: readonly string[] = [
  "valueBytesMax",
  "updateTriesMax",
  "updatesWaitingMax",
  "operationKeptMs",
];

/** @throws STATE_OPTION_INVALID */
export function resolveStoreLimits(limits: StoreLimits = {}): ResolvedStoreLimits {
  const what = "A store's limits";
  assertKnownOptions(limits, limitNames, what);
  const { valueBytesMax = 2 ** 20, updateTriesMax = 32, updatesWaitingMax = 10_000 } = limits;
  const { operationKeptMs = 24 * 60 * 60 * 1000 } = limits;
  assertWithin("valueBytesMax", valueBytesMax, { min: 1, max: 2 ** 26 });
  assertWithin("updateTriesMax", updateTriesMax, { min: 1, max: 1000 });
  assertWithin("updatesWaitingMax", updatesWaitingMax, { min: 1, max: 1_000_000 });
  assertWithin("operationKeptMs", operationKeptMs, { min: 1, max: TTL_MS_MAX });
  return Object.freeze({ valueBytesMax, updateTriesMax, updatesWaitingMax, operationKeptMs });
}

/** @throws STATE_OPTION_INVALID */
export function resolveMemoryEngineOptions(
  options: MemoryEngineOptions = {},
): ResolvedMemoryEngineOptions {
  assertKnownOptions(options, ["entriesMax", "clock", "random"], "The memory engine");
  const { entriesMax = 1_000_000, clock = systemClock, random = systemRandom } = options;
  assertWithin("entriesMax", entriesMax, { min: 1, max: 2 ** 24 });
  return Object.freeze({ entriesMax, clock, random });
}

/** Refuses what nobody reads, naming the nearest known option. @throws STATE_OPTION_INVALID */
export function assertKnownOptions(options: object, known: readonly string[], what: string): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, known);
  const hint = near === undefined ? `known are ${known.join(", ")}` : `did you mean "${near}"?`;
  throw stateErrors.STATE_OPTION_INVALID(`${what} has no option "${unknown}"; ${hint}`);
}

/** @throws STATE_OPTION_INVALID */
export function assertWithin(
  name: string,
  value: unknown,
  bounds: { readonly min: number; readonly max: number },
): void {
  const { min, max } = bounds;
  const isWhole = typeof value === "number" && Number.isSafeInteger(value);
  if (isWhole && value >= min && value <= max) return;
  throw stateErrors.STATE_OPTION_INVALID(
    `${name} is ${String(value)}; it must be a whole number from ${min} to ${max}.`,
  );
}
