/** Where the running node is, as the command finds it: by the files in its data directory. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeAddress } from "./http-client.ts";

export interface AddressOptions {
  /** Default: what the node wrote into its data directory, else http://localhost:7600. */
  readonly url?: string | undefined;
  /** The node's data directory: it holds the admin token. */
  readonly dataDirectory: string;
}

export function findNode({ url, dataDirectory }: AddressOptions): NodeAddress {
  const record: unknown = JSON.parse(readText(join(dataDirectory, "node.json")) ?? "{}");
  const own =
    typeof record === "object" && record !== null && "url" in record ? record.url : undefined;
  const found = url ?? (typeof own === "string" ? own : "http://localhost:7600");
  return {
    url: found.replace(/\/+$/, ""),
    token: readText(join(dataDirectory, "admin-token"))?.trim(),
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // No node has run here: the defaults hold, and the node says what is missing.
    return undefined;
  }
}
