/**
 * The outbox of an engine on a table: its rows are committed by the lane of writes, and claimed by
 * statements of their own, by the server's clock.
 */

import type { Waiting } from "@banyan/kernel";
import type { CommitRider, EngineOutbox, OutboxHold, OutboxRow, OutboxStatus } from "../engine.ts";
import { stateErrors } from "../errors.ts";
import { createOutboxRider, OutboxLoad } from "../outbox-rider.ts";
import type { TableDatabase } from "./table-database.ts";

const REASON_LENGTH_MAX = 1000;

/** What the outbox needs of its engine. */
export interface OutboxKeeper {
  readonly engine: string;
  readonly medium: object;
  readonly database: TableDatabase;
  /** What is over by then is over for sure. @throws CLOSED */
  nowMs(): number;
  /** Not before what lives so long is over. @throws CLOSED */
  endMs(lifeMs: number): number;
  /** A question to the server, its failure by the names of the house. @throws CLOSED */
  ask<T>(question: () => Promise<T>, waiting: Waiting | undefined): Promise<T>;
}

export class TableOutbox implements EngineOutbox {
  readonly #keeper: OutboxKeeper;

  constructor(keeper: OutboxKeeper) {
    this.#keeper = keeper;
  }

  ride(loads: readonly string[], hold: OutboxHold, onCommitted?: () => void): CommitRider {
    for (const load of loads) this.#assertFits(load);
    return createOutboxRider(this.#keeper.medium, new OutboxLoad([...loads], hold), onCommitted);
  }

  async claim(
    { by, leaseMs, limit }: OutboxHold & { readonly limit: number },
    options?: Waiting,
  ): Promise<readonly OutboxRow[]> {
    const { database } = this.#keeper;
    const heldUntil = Math.ceil(this.#keeper.endMs(leaseMs));
    const claim = { by, now: this.#keeper.nowMs(), heldUntil, limit };
    return this.#keeper.ask(() => database.outbox.claim(claim), options);
  }

  async remove(ids: readonly string[], options?: Waiting): Promise<void> {
    if (ids.length === 0) return;
    await this.#keeper.ask(() => this.#keeper.database.outbox.remove(ids), options);
  }

  async release(by: string, options?: Waiting): Promise<void> {
    await this.#keeper.ask(() => this.#keeper.database.outbox.release(by), options);
  }

  async setAside(id: string, reason: string, options?: Waiting): Promise<void> {
    const short = reason.slice(0, REASON_LENGTH_MAX);
    await this.#keeper.ask(() => this.#keeper.database.outbox.setAside(id, short), options);
  }

  async status(options?: Waiting): Promise<OutboxStatus> {
    return this.#keeper.ask(() => this.#keeper.database.outbox.status(), options);
  }

  #assertFits(load: string): void {
    const { engine, database } = this.#keeper;
    const bytesMax = database.valueBytesMax;
    if (load.length * 3 <= bytesMax || Buffer.byteLength(load) <= bytesMax) return;
    throw stateErrors.STATE_VALUE_TOO_LARGE(
      `What should wait in the outbox of the engine ${engine} is larger than the ${bytesMax} bytes ` +
        "that its server takes; publish less, or let the server take more.",
      { details: { engine, bytesMax } },
    );
  }
}
