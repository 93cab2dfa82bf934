/** A row as an entry. */

import type { EngineEntry } from "../engine.ts";
import { stateErrors } from "../errors.ts";
import { showKey } from "../keys.ts";
import type { TableRow } from "./table-database.ts";

/** @throws STATE_VALUE_UNREADABLE when somebody else wrote into the table */
export function parseRow(
  row: TableRow,
  { isRevised, engine }: { readonly isRevised: boolean; readonly engine: string },
): EngineEntry {
  const { key, etag, version } = row;
  const value = parseValue(row, engine);
  if (!isRevised) return { key, value, etag, version };
  // Written before the store asked for revisions: nobody counted, nobody looked at the clock.
  const revision = {
    revision: row.revision ?? 1,
    createdAtMs: row.createdAt ?? 0,
    updatedAtMs: row.updatedAt ?? 0,
  };
  return { key, value, etag, version, revision };
}

function parseValue({ key, value }: TableRow, engine: string): unknown {
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw stateErrors.STATE_VALUE_UNREADABLE(
      `The table of the engine ${engine} holds a value that is no JSON, at key ${showKey(key)}; ` +
        `restore it from a backup.`,
      { details: { engine }, cause },
    );
  }
}
