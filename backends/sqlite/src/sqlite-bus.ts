/**
 * The durable bus in a database file: the local bus on a journal in the file. What it accepts is on
 * disk before `publish` resolves. On the file of a state engine a publish can be committed with the
 * engine's transaction.
 */

import { join } from "node:path";
import type { Clock, Log, Random } from "@banyan/kernel";
import { silentLog } from "@banyan/kernel";
import type { Bus, BusProvider, DeadLetter } from "@banyan/messaging";
import { localBusCapabilities, openLocalBus } from "@banyan/messaging/internal";
import type { LocalBusOptions } from "@banyan/messaging/internal";
import type { Metrics } from "@banyan/telemetry";
import { openSqliteFile } from "./sqlite-file.ts";
import { openSqliteJournal } from "./sqlite-journal.ts";

const NAME = "sqlite";

export interface SqliteBusOptions {
  /** Path of the file; made when it is not there, its folder must be. */
  readonly file: string;
  /** Default: the real clock. */
  readonly clock?: Clock | undefined;
  /** For ids and the jitter of retries. Default: the real source. */
  readonly random?: Random | undefined;
  /** Default: none. */
  readonly log?: Log | undefined;
  /** Where commits are counted. Default: nowhere. */
  readonly metrics?: Metrics | undefined;
  /** Told of each dead letter once it is kept. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  /** Of the bus; the defaults are those of a bus with a journal. */
  readonly options?: LocalBusOptions | Readonly<Record<string, unknown>> | undefined;
}

/**
 * Opens the bus in a file. Closing it lets go of the file.
 *
 * @throws MESSAGING_OPTIONS_INVALID, MESSAGING_UNAVAILABLE, SQLITE_BUS_OPEN, SQLITE_FILE_UNUSABLE,
 *   SQLITE_FILE_CORRUPT, SQLITE_FILE_BUSY, SQLITE_READ_ONLY, SQLITE_SCHEMA_NEWER
 */
export async function openSqliteBus(options: SqliteBusOptions): Promise<Bus> {
  const { file: path, clock, random, log = silentLog, metrics, onDeadLetter } = options;
  const file = await openSqliteFile({ path, clock, log, metrics });
  const journal = await openSqliteJournal({ file, log, clock });
  try {
    const ports = { name: NAME, journal, clock, random, log, onDeadLetter };
    return openLocalBus({ ...ports, options: options.options });
  } catch (error) {
    await journal.close();
    throw error;
  }
}

/** Keeps events in `state.db` of the data directory, beside the stores. */
export const sqliteBus: BusProvider = Object.freeze({
  name: NAME,
  durability: "durable",
  capabilities: localBusCapabilities,
  openBus: ({ directory, ...ports }) =>
    openSqliteBus({ file: join(directory ?? ".", "state.db"), ...ports }),
} satisfies BusProvider);
