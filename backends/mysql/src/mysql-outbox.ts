/**
 * The table of the outbox, by the connections that read. A claim is two flights of one transaction:
 * the rows that are free, locked and nobody waited for; then their new holder's name.
 */

import type { OutboxRow, OutboxStatus } from "@banyan/state";
import type { TableOutboxRows } from "@banyan/state/internal";
import type { Columns, MysqlConnection } from "./mysql-connection.ts";
import type { TableNames } from "./mysql-sql.ts";

/** Asks a connection of the pool, within its time. */
export type AskConnection = <T>(
  question: (connection: MysqlConnection) => Promise<T>,
) => Promise<T>;

export function createMysqlOutbox({ outbox }: TableNames, ask: AskConnection): TableOutboxRows {
  const free = `START TRANSACTION; SELECT CAST(id AS CHAR), \`load\` FROM ${outbox}
    WHERE aside IS NULL AND (held_by = ? OR held_until <= ?)
    ORDER BY id LIMIT ? FOR UPDATE SKIP LOCKED`;
  const hold = `UPDATE ${outbox} SET held_by = ?, held_until = ? WHERE id IN (?); COMMIT`;
  return {
    claim: ({ by, now, heldUntil, limit }) =>
      ask((connection) =>
        wholly(connection, async () => {
          const results: unknown = await connection.query(free, [by, now, limit]);
          // Two statements answer with two results, the second one with its rows.
          const [, rows] = results as readonly [unknown, readonly Columns[]];
          const claimed = rows.map(rowOf);
          if (claimed.length === 0) await connection.query("COMMIT");
          else await connection.query(hold, [by, heldUntil, claimed.map(({ id }) => id)]);
          return claimed;
        }),
      ),
    async remove(ids) {
      await ask((connection) =>
        connection.query(`DELETE FROM ${outbox} WHERE id IN (?)`, [[...ids]]),
      );
    },
    async release(by) {
      await ask((connection) =>
        connection.query(`UPDATE ${outbox} SET held_until = 0 WHERE held_by = ?`, [by]),
      );
    },
    async setAside(id, reason) {
      await ask((connection) =>
        connection.query(`UPDATE ${outbox} SET aside = ? WHERE id = ?`, [reason, id]),
      );
    },
    async status(): Promise<OutboxStatus> {
      const [row] = await ask((connection) =>
        connection.rows(`SELECT COUNT(*) - COUNT(aside), COUNT(aside) FROM ${outbox}`),
      );
      return { waiting: Number(row?.[0]), aside: Number(row?.[1]) };
    },
  };
}

/** A transaction that fails is taken back before its connection serves anybody else. */
async function wholly<T>(connection: MysqlConnection, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await connection.query("ROLLBACK").catch(() => connection.destroy());
    throw error;
  }
}

function rowOf(columns: Columns): OutboxRow {
  // The types are the statement's, by the driver.
  const [id, load] = columns as readonly [string, string];
  return { id, load };
}
