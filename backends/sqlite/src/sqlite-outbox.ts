/**
 * The outbox of an engine on a file, for buses that do not share it: rows are written with their
 * transaction, claimed and removed by writes like any other, in the order in which they are handed
 * over. One process has the file, so leases run by its wall clock.
 *
 * What it owns: nothing; the file has the rows. A claim looks at what is committed before it
 * writes, and so does who gives back: a relay that finds nothing leaves the disk alone.
 */

import type { Clock } from "@banyan/kernel";
import type { CommitRider, EngineOutbox, OutboxHold, OutboxRow, OutboxStatus } from "@banyan/state";
import { createOutboxRider, OutboxLoad } from "@banyan/state/internal";
import { storeFailure } from "./errors.ts";
import { outboxReads } from "./outbox-ops.ts";
import type { ClaimedRow, OutboxAdd, OutboxOp } from "./outbox-ops.ts";
import type { SqliteFile, SqlRow } from "./sqlite-file.ts";

const HERE_MAX = 512; // rows of an index looked at on the calling thread
const LEASE_MAX_MS = 3_600_000; // by the contract of `OutboxHold`
const REASON_LENGTH_MAX = 1000;

/** What the outbox needs of its engine. */
export interface OutboxKeeper {
  readonly medium: object;
  readonly clock: Clock;
  /** The file. @throws CLOSED */
  open(): SqliteFile;
}

export class SqliteOutbox implements EngineOutbox {
  /** Who has the file has its rows: a node's id may be another at each start. */
  readonly holder = "file";
  readonly #keeper: OutboxKeeper;

  constructor(keeper: OutboxKeeper) {
    this.#keeper = keeper;
  }

  ride(loads: readonly string[], hold: OutboxHold, onCommitted?: () => void): CommitRider {
    return createOutboxRider(this.#keeper.medium, new OutboxLoad([...loads], hold), onCommitted);
  }

  async claim(claim: OutboxHold & { readonly limit: number }): Promise<readonly OutboxRow[]> {
    const { by, leaseMs, limit } = claim;
    const file = this.#keeper.open();
    const now = this.#keeper.clock.nowMs();
    const reach = now + LEASE_MAX_MS;
    const [isOneFree, looked] = file.get(outboxReads.claimable, by, now, reach, HERE_MAX) ?? [];
    if (isOneFree !== 1 && Number(looked) < HERE_MAX) return [];
    const answer = await this.#write(["outboxClaim", by, now, reach, now + leaseMs, limit]);
    // What the function of that name answers.
    const rows = answer as readonly ClaimedRow[];
    return rows.map(([id, load]) => ({ id: String(id), load }));
  }

  async remove(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#write(["outboxRemove", ids.map(Number)]);
    else this.#keeper.open();
  }

  async release(by: string): Promise<void> {
    const isEmpty = this.#keeper.open().get(outboxReads.any) === undefined;
    if (!isEmpty) await this.#write(["outboxRelease", by]);
  }

  async setAside(id: string, reason: string): Promise<void> {
    await this.#write(["outboxSetAside", Number(id), reason.slice(0, REASON_LENGTH_MAX)]);
  }

  async status(): Promise<OutboxStatus> {
    const file = this.#keeper.open();
    const some = statusOf(file.get(outboxReads.countSome, HERE_MAX));
    if (some.waiting < HERE_MAX && some.aside < HERE_MAX) return some;
    const [all] = await file.allAside(outboxReads.count);
    return statusOf(all);
  }

  async #write(op: OutboxOp): Promise<unknown> {
    try {
      return await this.#keeper.open().write(op);
    } catch (error) {
      throw storeFailure(error);
    }
  }
}

/** What a rider's rows are, as one of the writes of its transaction. */
export function outboxAddOf({ loads, hold }: OutboxLoad, nowMs: number): OutboxAdd {
  return ["outboxAdd", hold.by, nowMs + hold.leaseMs, loads];
}

function statusOf(row: SqlRow | undefined): OutboxStatus {
  const [waiting, aside] = row ?? [];
  return { waiting: Number(waiting), aside: Number(aside) };
}
