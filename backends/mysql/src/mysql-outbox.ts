/**
 * The table of the outbox, by the connections that read.
 *
 * A claim looks first and locks nothing: InnoDB locks every row that a locking read walks over, and
 * whoever skips locked rows then skips its own oldest one and takes those behind it. What was found
 * is locked by its key: one's own rows are waited for, so that none is left behind; those of others
 * that are free are not, for somebody else is taking them. Then they get their new holder's name.
 *
 * Where a list of ids is most of a table, InnoDB walks all of it instead of looking the ids up, and
 * waits for the rows of others, up to a deadlock. So an index is forced, and as a removal does not
 * heed that, it names one row in a statement.
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
  const candidates = `SELECT CAST(id AS CHAR), held_by = ? FROM ${outbox}
    WHERE aside IS NULL AND (held_by = ? OR held_until <= ?) ORDER BY id LIMIT ?`;
  const own = `SELECT CAST(id AS CHAR), \`load\` FROM ${outbox} FORCE INDEX (PRIMARY)
    WHERE id IN (?) AND aside IS NULL AND held_by = ? ORDER BY id FOR UPDATE`;
  const free = `SELECT CAST(id AS CHAR), \`load\` FROM ${outbox} FORCE INDEX (PRIMARY)
    WHERE id IN (?) AND aside IS NULL AND held_until <= ? ORDER BY id FOR UPDATE SKIP LOCKED`;
  const hold = `UPDATE ${outbox} FORCE INDEX (PRIMARY) SET held_by = ?, held_until = ?
    WHERE id IN (?); COMMIT`;
  const removeOne = `DELETE FROM ${outbox} WHERE id = ?;`;
  return {
    claim: ({ by, now, heldUntil, limit }) =>
      ask((connection) =>
        wholly(connection, async () => {
          const found = await connection.rows(candidates, [by, by, now, limit]);
          if (found.length === 0) return [];
          const values = [idsOf(found, 1), by, idsOf(found, 0), now];
          const locking = `START TRANSACTION; ${own}; ${free}`;
          const results: unknown = await connection.query(locking, values);
          // Three statements answer with three results, the last two with their rows.
          const [, ...rows] = results as readonly [unknown, readonly Columns[], readonly Columns[]];
          const claimed = rows.flat().map(rowOf).sort(byAge);
          if (claimed.length === 0) await connection.query("COMMIT");
          else await connection.query(hold, [by, heldUntil, claimed.map(({ id }) => id)]);
          return claimed;
        }),
      ),
    async remove(ids) {
      const removeAll = `START TRANSACTION; ${removeOne.repeat(ids.length)} COMMIT`;
      await ask((connection) =>
        wholly(connection, () => connection.query(removeAll, ids.map(BigInt))),
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

/** Of the candidates that are one's own (1), or of others (0). A list is never empty: 0 is none. */
function idsOf(candidates: readonly Columns[], isOwn: 0 | 1): readonly bigint[] {
  const ids = candidates.filter((columns) => Number(columns[1]) === isOwn);
  return ids.length === 0 ? [0n] : ids.map(([id]) => BigInt(String(id)));
}

function byAge(a: OutboxRow, b: OutboxRow): number {
  return BigInt(a.id) < BigInt(b.id) ? -1 : 1;
}

function rowOf(columns: Columns): OutboxRow {
  // The types are the statement's, by the driver.
  const [id, load] = columns as readonly [string, string];
  return { id, load };
}
