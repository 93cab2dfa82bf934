/**
 * The outbox of the memory engine: the reference of its law. As durable as the engine, so a node
 * relays from it only in tests.
 *
 * What it owns: the rows, oldest first. What may interrupt it: nothing; every method is one turn.
 */

import type { Clock } from "@banyan/kernel";
import type { CommitRider, EngineOutbox, OutboxHold, OutboxRow, OutboxStatus } from "./engine.ts";
import { createOutboxRider, OutboxLoad } from "./outbox-rider.ts";

interface MemoryOutboxRow extends OutboxRow {
  by: string;
  /** Wall clock; held until then. */
  heldUntilMs: number;
  reason: string | undefined;
}

export interface MemoryOutboxInit {
  readonly medium: object;
  readonly clock: Clock;
  /** @throws CLOSED */
  readonly assertOpen: () => void;
}

export class MemoryOutbox implements EngineOutbox {
  readonly #init: MemoryOutboxInit;
  /** In the order of the commits. */
  readonly #rows = new Map<string, MemoryOutboxRow>();
  #lastId = 0;

  constructor(init: MemoryOutboxInit) {
    this.#init = init;
  }

  get size(): number {
    return this.#rows.size;
  }

  ride(loads: readonly string[], hold: OutboxHold, onCommitted?: () => void): CommitRider {
    return createOutboxRider(this.#init.medium, new OutboxLoad([...loads], hold), onCommitted);
  }

  claim({ by, leaseMs, limit }: OutboxHold & { readonly limit: number }): readonly OutboxRow[] {
    const nowMs = this.#nowMs();
    const claimed: OutboxRow[] = [];
    for (const row of this.#rows.values()) {
      if (claimed.length === limit) break;
      if (row.reason !== undefined || (row.by !== by && nowMs < row.heldUntilMs)) continue;
      row.by = by;
      row.heldUntilMs = nowMs + leaseMs;
      claimed.push({ id: row.id, load: row.load });
    }
    return claimed;
  }

  remove(ids: readonly string[]): void {
    this.#init.assertOpen();
    for (const id of ids) this.#rows.delete(id);
  }

  release(by: string): void {
    this.#init.assertOpen();
    for (const row of this.#rows.values()) if (row.by === by) row.heldUntilMs = 0;
  }

  setAside(id: string, reason: string): void {
    this.#init.assertOpen();
    const row = this.#rows.get(id);
    if (row !== undefined) row.reason = reason;
  }

  status(): OutboxStatus {
    this.#init.assertOpen();
    const rows = [...this.#rows.values()];
    const aside = rows.filter(({ reason }) => reason !== undefined).length;
    return { waiting: rows.length - aside, aside };
  }

  /** A transaction was committed with these. */
  add(committed: readonly OutboxLoad[]): void {
    const nowMs = this.#init.clock.nowMs();
    for (const { loads, hold } of committed) {
      for (const load of loads) {
        const id = String((this.#lastId += 1));
        const heldUntilMs = nowMs + hold.leaseMs;
        this.#rows.set(id, { id, load, by: hold.by, heldUntilMs, reason: undefined });
      }
    }
  }

  clear(): void {
    this.#rows.clear();
  }

  #nowMs(): number {
    this.#init.assertOpen();
    return this.#init.clock.nowMs();
  }
}
