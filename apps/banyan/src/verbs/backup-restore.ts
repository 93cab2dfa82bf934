/**
 * `banyan backup restore <folder>`: into the data directory, under its lock. A kill at any moment
 * leaves the old data or the new; the next start finishes what was decided.
 */

import { resolve } from "node:path";
import { systemClock } from "@banyan/kernel";
import { restoreBackup } from "@banyan/sqlite";
import type { Command } from "../command.ts";
import { openSettings } from "../settings.ts";
import { commandName } from "../try-it.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, cwd, args, flags, env } = command;
  const folder = resolve(cwd, args[0] ?? "");
  const { dataDirectory } = await openSettings(command);
  const { manifest, replaced } = await restoreBackup({
    folder,
    dataDirectory,
    force: flags.has("force"),
    clock: systemClock,
  });
  if (terminal.json) {
    terminal.print(JSON.stringify({ folder, dataDirectory, replaced: replaced ?? null, manifest }));
    return;
  }
  terminal.print(`restored ${dataDirectory} to ${manifest.createdAt}`);
  if (replaced !== undefined) terminal.print(`what was there is in ${replaced}`);
  terminal.note(terminal.styleNote("faint", `\`${commandName(env)} up\` starts a node on it`));
}
