/** The table of the outbox: each question one statement, by the connections that read. */

import type { QueryResult } from "pg";
import type { OutboxRow, OutboxStatus } from "@banyan/state";
import type { TableOutboxRows } from "@banyan/state/internal";
import type { PostgresSql, Statement } from "./postgres-sql.ts";

/** Runs a statement on a connection of the pool, within its time. */
export type RunStatement = <R extends readonly unknown[]>(
  statement: Statement,
  values: readonly unknown[],
) => Promise<QueryResult<R>>;

export function createPostgresOutbox(sql: PostgresSql, run: RunStatement): TableOutboxRows {
  return {
    async claim({ by, now, heldUntil, limit }): Promise<readonly OutboxRow[]> {
      const values = [by, now, heldUntil, limit];
      const { rows } = await run<readonly [string, string]>(sql.claim, values);
      return rows.map(([id, load]) => ({ id, load }));
    },
    async remove(ids) {
      await run(sql.remove, [ids]);
    },
    async release(by) {
      await run(sql.release, [by]);
    },
    async setAside(id, reason) {
      await run(sql.setAside, [id, reason]);
    },
    async status(): Promise<OutboxStatus> {
      const { rows } = await run<readonly [number, number]>(sql.outboxStatus, []);
      const [waiting = 0, aside = 0] = rows[0] ?? [];
      return { waiting, aside };
    },
  };
}
