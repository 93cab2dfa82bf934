/** What can be set about every engine on a table, with defaults and bounds; nowhere else. */

import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { stateErrors } from "../errors.ts";
import { assertWithin } from "../options.ts";

export interface TableOptions {
  /** For times, waits and the sweep. Default: the real clock. */
  readonly clock?: Clock;
  /** For etags and the jitter of waits. Default: the real source. */
  readonly random?: Random;
  /** Default: none. */
  readonly log?: Log;
  /**
   * How long a statement, or a write for its turn, may take, 10 … 600 000 ms. Default 5000: beyond
   * it a server is as good as gone.
   */
  readonly commandTimeoutMs?: number;
  /** How long opening waits for a server that is down, 0 … 600 000 ms. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** Connections that read, 1 … 1000. Default 4; one more writes. */
  readonly poolSize?: number;
  /** Pause between two sweeps of expired entries, 100 … 86 400 000 ms. Default 30 000. */
  readonly sweepIntervalMs?: number;
  /** Writes that may wait, 1 … 10 000 000. Default 100 000: a few seconds of a slow server. */
  readonly writesWaitingMax?: number;
  /**
   * Whose clock decides when entries expire. Default `server`: nodes whose clocks differ agree.
   * `node` is for tests that own time.
   */
  readonly time?: "server" | "node";
  /** Before the names of the tables: at most 32 letters, digits, `_`. Default: the backend's. */
  readonly tablePrefix?: string;
}

/** Complete, checked and frozen. */
export type ResolvedTableOptions = Required<TableOptions>;

/** What a configuration may set. */
export const tableConfigurable: readonly string[] = [
  "commandTimeoutMs",
  "connectTimeoutMs",
  "poolSize",
  "sweepIntervalMs",
  "writesWaitingMax",
  "time",
  "tablePrefix",
];

/** Known names are for the engine to check. @throws STATE_OPTION_INVALID */
export function resolveTableOptions(
  options: TableOptions,
  defaults: { readonly tablePrefix: string },
): ResolvedTableOptions {
  const { clock = systemClock, random = systemRandom, log = silentLog } = options;
  const { commandTimeoutMs = 5000, connectTimeoutMs = 10_000, poolSize = 4 } = options;
  const { sweepIntervalMs = 30_000, writesWaitingMax = 100_000 } = options;
  const { time = "server", tablePrefix = defaults.tablePrefix } = options;
  assertWithin("commandTimeoutMs", commandTimeoutMs, { min: 10, max: 600_000 });
  assertWithin("connectTimeoutMs", connectTimeoutMs, { min: 0, max: 600_000 });
  assertWithin("poolSize", poolSize, { min: 1, max: 1000 });
  assertWithin("sweepIntervalMs", sweepIntervalMs, { min: 100, max: 86_400_000 });
  assertWithin("writesWaitingMax", writesWaitingMax, { min: 1, max: 10_000_000 });
  if (tablePrefix !== "") assertName("tablePrefix", tablePrefix);
  if (!["server", "node"].includes(time)) {
    throw stateErrors.STATE_OPTION_INVALID(`time is "${time}"; it is "server" or "node".`);
  }
  return Object.freeze({
    clock,
    random,
    log,
    commandTimeoutMs,
    connectTimeoutMs,
    poolSize,
    sweepIntervalMs,
    writesWaitingMax,
    time,
    tablePrefix,
  });
}

/** It becomes a part of SQL, so it is letters, digits and `_`. @throws STATE_OPTION_INVALID */
export function assertName(option: string, name: unknown): asserts name is string {
  if (typeof name === "string" && /^[a-z_][a-z0-9_]{0,31}$/.test(name)) return;
  throw stateErrors.STATE_OPTION_INVALID(
    `${option} is ${JSON.stringify(name)}; it must be 1 to 32 lower-case letters, digits and "_", ` +
      `not beginning with a digit.`,
  );
}
