/** `node.json`: where a running node tells clients of its data directory what it is. */

import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Node } from "@banyan/host";
import { sqliteErrors } from "@banyan/sqlite";
import { readNodeRecord } from "./node-address.ts";

/** Tells clients of this data directory where its node is. Whole or not at all. */
export function writeNodeRecord(dataDirectory: string, node: Node, version: string): void {
  const record = {
    pid: process.pid,
    url: node.url,
    nodeId: node.id,
    version,
    startedAt: new Date(node.startedAtMs).toISOString(),
  };
  const path = join(dataDirectory, "node.json");
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw sqliteErrors.DATA_DIRECTORY_UNUSABLE(
      `The data directory ${dataDirectory} cannot be written (${reason}); free some space, or ` +
        `choose another directory (node.dataDir).`,
      { details: { path: dataDirectory }, cause },
    );
  }
}

/** After a clean stop nobody is there; a record of another node is not ours to remove. */
export function removeNodeRecord(dataDirectory: string): void {
  if (readNodeRecord(dataDirectory)?.pid !== process.pid) return;
  rmSync(join(dataDirectory, "node.json"), { force: true });
}
