/**
 * `banyan backup restore <folder>`: into the data directory, under its lock. A kill at any moment
 * leaves the old data or the new; the next start finishes what was decided.
 */

import { systemClock } from "@banyan/kernel";
import { restoreBackup } from "@banyan/sqlite";
import { backupFolder } from "../backup-output.ts";
import type { Command } from "../command.ts";
import { openSettings } from "../settings.ts";
import { commandName, quoted } from "../try-it.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const folder = backupFolder(command);
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
  terminal.note(terminal.styleNote("faint", `\`${startLine(command)}\` starts a node on it`));
}

/** With what decided here where it is: without that, a start would look elsewhere. */
function startLine({ flags, env }: Command): string {
  const places = ["config", "data-dir"].flatMap((name) => {
    const value = flags.text(name);
    return value === undefined ? [] : [`--${name}`, quoted(value)];
  });
  return [commandName(env), "up", ...places].join(" ");
}
