/** What can be set about the SQLite engine, with defaults and bounds; nowhere else. */

import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { assertKnownOptions, assertWithin } from "@banyan/state";

export interface SqliteOptions {
  /** Path of the file; made when it is not there, its folder must be. */
  readonly file: string;
  /** For times to live and the sweep. Default: the real clock. */
  readonly clock?: Clock;
  /** For etags. Default: the real source. */
  readonly random?: Random;
  /** Default: none. */
  readonly log?: Log;
  /**
   * How long a statement waits for another program that holds the file, 0 … 60 000 ms. Default
   * 1000: the event loop stands still meanwhile, and no second node can be there anyway.
   */
  readonly busyTimeoutMs?: number;
  /** Pause between two sweeps of expired entries, 100 … 86 400 000 ms. Default 30 000. */
  readonly sweepIntervalMs?: number;
}

/** Complete, checked and frozen. */
export type ResolvedSqliteOptions = Required<SqliteOptions>;

const known = ["file", "clock", "random", "log", "busyTimeoutMs", "sweepIntervalMs"];

/** @throws STATE_OPTION_INVALID */
export function resolveSqliteOptions(options: SqliteOptions): ResolvedSqliteOptions {
  assertKnownOptions(options, known, "The SQLite engine");
  const { file, clock = systemClock, random = systemRandom, log = silentLog } = options;
  const { busyTimeoutMs = 1000, sweepIntervalMs = 30_000 } = options;
  assertWithin("busyTimeoutMs", busyTimeoutMs, { min: 0, max: 60_000 });
  assertWithin("sweepIntervalMs", sweepIntervalMs, { min: 100, max: 86_400_000 });
  return Object.freeze({ file, clock, random, log, busyTimeoutMs, sweepIntervalMs });
}
