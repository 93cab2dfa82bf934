/** What can be set about the SQLite engine, with defaults and bounds; nowhere else. */

import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { assertKnownOptions, assertWithin } from "@banyan/state";
import type { Metrics } from "@banyan/telemetry";

export interface SqliteOptions {
  /** Path of the file; made when it is not there, its folder must be. */
  readonly file: string;
  /** For times to live and the sweep. Default: the real clock. */
  readonly clock?: Clock;
  /** For etags. Default: the real source. */
  readonly random?: Random;
  /** Default: none. */
  readonly log?: Log;
  /** Where commits are counted. Default: nowhere. */
  readonly metrics?: Metrics | undefined;
  /**
   * How long a statement waits for another program that holds the file, 0 … 60 000 ms. Default
   * 1000: the event loop stands still when a read waits, and no second node can be there anyway.
   */
  readonly busyTimeoutMs?: number;
  /** Pause between two sweeps of expired entries, 100 … 86 400 000 ms. Default 30 000. */
  readonly sweepIntervalMs?: number;
  /**
   * Writes that may wait for the disk, 1 … 10 000 000. Default 1 000 000: some hundreds of
   * megabytes, minutes of a slow disk. One more fails with SQLITE_WRITE_QUEUE_FULL.
   */
  readonly writesWaitingMax?: number;
  /**
   * Starts the writer thread at once. Default false: the first write starts it and waits some 50 ms
   * for it; who only reads, or is idle, saves its 14 MB.
   */
  readonly warmUp?: boolean;
}

/** Complete, checked and frozen. */
export type ResolvedSqliteOptions = Required<SqliteOptions> & Pick<SqliteOptions, "metrics">;

/** What a configuration may set. */
export const configurable = ["busyTimeoutMs", "sweepIntervalMs", "writesWaitingMax"];
const known = ["file", "clock", "random", "log", "metrics", "warmUp", ...configurable];

/** @throws STATE_OPTION_INVALID */
export function resolveSqliteOptions(options: SqliteOptions): ResolvedSqliteOptions {
  assertKnownOptions(options, known, "The SQLite engine");
  const { file, clock = systemClock, random = systemRandom, log = silentLog } = options;
  const { busyTimeoutMs = 1000, sweepIntervalMs = 30_000, writesWaitingMax = 1_000_000 } = options;
  const { warmUp = false } = options;
  assertWithin("busyTimeoutMs", busyTimeoutMs, { min: 0, max: 60_000 });
  assertWithin("sweepIntervalMs", sweepIntervalMs, { min: 100, max: 86_400_000 });
  assertWithin("writesWaitingMax", writesWaitingMax, { min: 1, max: 10_000_000 });
  return Object.freeze({
    file,
    clock,
    random,
    log,
    metrics: options.metrics,
    busyTimeoutMs,
    sweepIntervalMs,
    writesWaitingMax,
    warmUp,
  });
}
