/**
 * Reads of single keys, gathered: those of one turn of the event loop are one statement.
 *
 * What it owns: who waits, and how many statements are under way. What may interrupt it: answers,
 * the time of those who wait, their signals.
 *
 * R1. A read begins after it was asked for, so it sees every write that was acknowledged before.
 * R2. At most `statementsMax` statements at once; meanwhile the next one gathers.
 */

import type { Clock, Waiting } from "@banyan/kernel";
import { DueQueue } from "./due-queue.ts";
import { idOf } from "./resolve-group.ts";
import type { TableDatabase, TableKey, TableRow } from "./table-database.ts";
import { overdueError, unavailableError } from "./table-failures.ts";

const BATCH_KEYS_MAX = 256;

export interface ReadBatchesOptions {
  readonly engine: string;
  readonly database: TableDatabase;
  readonly clock: Clock;
  readonly commandTimeoutMs: number;
  readonly statementsMax: number;
}

interface WaitingRead {
  readonly key: TableKey;
  readonly resolve: (row: TableRow | undefined) => void;
  readonly reject: (error: unknown) => void;
}

export class ReadBatches {
  readonly #options: ReadBatchesOptions;
  readonly #queue: DueQueue<WaitingRead>;
  #underWay = 0;
  #isScheduled = false;

  constructor(options: ReadBatchesOptions) {
    this.#options = options;
    const { engine, clock, commandTimeoutMs: timeoutMs } = options;
    this.#queue = new DueQueue({ clock, timeoutMs, onDue: () => overdueError(engine, timeoutMs) });
  }

  /** The row, expired or not. */
  read(key: TableKey, waiting?: Waiting): Promise<TableRow | undefined> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ key, resolve, reject }, waiting);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#underWay >= this.#options.statementsMax) return;
    this.#isScheduled = true;
    setImmediate(this.#send);
  }

  readonly #send = (): void => {
    this.#isScheduled = false;
    while (this.#queue.size > 0 && this.#underWay < this.#options.statementsMax) {
      void this.#ask(this.#queue.take((_, taken) => taken < BATCH_KEYS_MAX));
    }
  };

  /** Never rejects: it tells those who wait. */
  async #ask(reads: readonly WaitingRead[]): Promise<void> {
    const { database, engine } = this.#options;
    this.#underWay += 1;
    try {
      const keys = new Map(reads.map(({ key }) => [idOf(key.store, key.key), key]));
      const rows = await database.read([...keys.values()]);
      const found = new Map(rows.map((row) => [idOf(row.store, row.key), row]));
      for (const { key, resolve } of reads) resolve(found.get(idOf(key.store, key.key)));
    } catch (error) {
      const failure = unavailableError(engine, "could not be read", error);
      for (const { reject } of reads) reject(failure);
    } finally {
      this.#underWay -= 1;
      if (this.#queue.size > 0) this.#schedule();
    }
  }
}
