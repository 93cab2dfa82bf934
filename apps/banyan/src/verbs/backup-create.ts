/**
 * `banyan backup create <folder>`: by the running node, which works on meanwhile. Where none runs
 * the command opens the data directory itself, under its lock, and does the same.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { isBanyanError, silentLog, systemClock } from "@banyan/kernel";
import { openDataDirectory, sqlite } from "@banyan/sqlite";
import { backupFolder, bytesText, printBackup } from "../backup-output.ts";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { numberOf, recordOf, recordsOf } from "../node-answers.ts";
import { askCall } from "../node-client.ts";
import { openSettings } from "../settings.ts";
import { commandName, quoted } from "../try-it.ts";
import { readVersion } from "../version.ts";

/** As long as any operation may take; the node's own deadline is the same. */
const timeoutMs = 3_600_000;

export async function run(command: Command): Promise<void> {
  const { terminal, args, env } = command;
  const to = backupFolder(command);
  const node = await runningNode(command);
  const manifest = node === undefined ? await copyHere(command, to) : await copyByNode(node, to);
  if (terminal.json) {
    terminal.print(JSON.stringify({ folder: to, manifest }));
    return;
  }
  const files = recordsOf(manifest["files"]);
  const bytes = files.reduce((sum, file) => sum + numberOf(file["bytes"]), 0);
  const took = `${numberOf(manifest["durationMs"])} ms`;
  terminal.print(`written to ${to}: ${bytesText(bytes)} in ${took}`);
  printBackup(manifest, terminal);
  const check = `${commandName(env)} backup verify ${quoted(args[0] ?? "")}`;
  terminal.note(terminal.styleNote("faint", `check it where it is kept: ${check}`));
}

/** `undefined` when no node runs on the data directory, which its lock decides at the end. */
async function runningNode(command: Command): Promise<NodeAddress | undefined> {
  try {
    return await findNode(command);
  } catch (error) {
    if (command.flags.has("url") || !isBanyanError(error, "CLI_NOT_CONNECTED")) throw error;
    return undefined;
  }
}

async function copyByNode(node: NodeAddress, to: string): Promise<Record<string, unknown>> {
  const answer = await askCall(node, { path: "/node/backup/create", body: { to }, timeoutMs });
  return recordOf(answer["manifest"]) ?? {};
}

/** What a node would do, with the lock instead of a node. */
async function copyHere(command: Command, to: string): Promise<Record<string, unknown>> {
  const { dataDirectory } = await openSettings(command);
  if (!existsSync(join(dataDirectory, "state.db"))) {
    throw cliErrors.CLI_NO_DATA("No node runs here, and there is nothing that could be copied.", {
      details: {
        where: dataDirectory,
        fix: "Name the data directory with --data-dir, or the node with --url.",
      },
    });
  }
  await using directory = await openDataDirectory(dataDirectory);
  const { createBackup } = await import("@banyan/host");
  const options = { directory: directory.path, clock: systemClock, log: silentLog };
  await using engine = await sqlite.openState(options);
  const manifest = await createBackup({
    to,
    directory: directory.path,
    sources: [engine],
    node: "none",
    version: readVersion(),
    clock: systemClock,
  });
  return { ...manifest };
}
