/**
 * Where the running node is: `--url`, else what the node wrote into its data directory, with the
 * admin token that only its owner can read.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./command.ts";
import { cliErrors } from "./errors.ts";
import { openSettings } from "./settings.ts";
import { commandName } from "./try-it.ts";

export interface NodeAddress {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string | undefined;
}

/** What stands in `node.json` while a node runs, and after one was killed. */
export interface NodeRecord {
  readonly pid: number;
  readonly url: string | undefined;
  readonly nodeId: string | undefined;
}

/** @throws CLI_NOT_CONNECTED when no node runs on the data directory. */
export async function findNode(command: Command): Promise<NodeAddress> {
  const given = command.flags.text("url");
  const { dataDirectory } = await openSettings(command);
  if (given !== undefined) {
    const url = parseUrl(given);
    // The token goes to the data directory's own node; to another one only when both were named.
    const trusted =
      command.flags.has("data-dir") || isSameNode(url, readNodeRecord(dataDirectory)?.url);
    return { url, token: trusted ? readToken(dataDirectory) : undefined };
  }
  const record = readNodeRecord(dataDirectory);
  if (record === undefined) {
    throw notRunning(`${join(dataDirectory, "node.json")} is not there`, command);
  }
  if (!isAlive(record.pid)) {
    throw notRunning(
      `the node of ${dataDirectory} (pid ${record.pid}) has ended without a clean stop`,
      command,
    );
  }
  if (record.url === undefined) {
    throw cliErrors.CLI_NOT_CONNECTED(`The node of ${dataDirectory} serves no HTTP.`, {
      details: { fix: "Start it with http.enabled, or name another with --url." },
    });
  }
  return { url: record.url, token: readToken(dataDirectory) };
}

/** The node that the data directory names, alive or not. */
export function readNodeRecord(dataDirectory: string): NodeRecord | undefined {
  try {
    const record: unknown = JSON.parse(readFileSync(join(dataDirectory, "node.json"), "utf8"));
    if (typeof record !== "object" || record === null) return undefined;
    if (!("pid" in record) || typeof record.pid !== "number") return undefined;
    const text = (key: string): string | undefined => {
      const value: unknown = Object.entries(record).find(([name]) => name === key)?.[1];
      return typeof value === "string" ? value : undefined;
    };
    return { pid: record.pid, url: text("url")?.replace(/\/$/, ""), nodeId: text("nodeId") };
  } catch {
    // Not there, not readable, half written: no node can be found by it, which the caller says.
    return undefined;
  }
}

/** True while a process of this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs, and belongs to somebody else.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** True when both name one port of this machine, by whatever name of loopback, or are equal. */
function isSameNode(url: string, own: string | undefined): boolean {
  if (own === undefined) return false;
  const [a, b] = [new URL(url), new URL(own)];
  const loopback = ({ hostname }: URL): boolean =>
    hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname);
  return a.origin === b.origin || (a.port === b.port && loopback(a) && loopback(b));
}

function readToken(dataDirectory: string): string | undefined {
  try {
    return readFileSync(join(dataDirectory, "admin-token"), "utf8").trim();
  } catch {
    // Without it anonymous operations still work, and the node says what the others need.
    return undefined;
  }
}

function parseUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return url.href.replace(/\/$/, "");
  throw cliErrors.CLI_USAGE(`--url ${text} is no HTTP address.`, {
    details: { fix: "Write it in full, such as --url http://localhost:7600." },
  });
}

function notRunning(where: string, { env }: Command): Error {
  return cliErrors.CLI_NOT_CONNECTED("No node runs here.", {
    details: {
      where,
      fix: `Start one with \`${commandName(env)} up\`, or name one with --url or --data-dir.`,
    },
  });
}
