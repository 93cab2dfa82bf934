/** The folder of a backup as it is named, and its manifest for people. */

import { resolve } from "node:path";
import type { Command } from "./command.ts";
import { cliErrors } from "./errors.ts";
import { numberOf, recordsOf, textOf } from "./node-answers.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

/** The first argument, absolute. @throws CLI_USAGE for an empty one: an unset variable, mostly. */
export function backupFolder({ args, cwd }: Pick<Command, "args" | "cwd">): string {
  const [folder = ""] = args;
  if (folder !== "") return resolve(cwd, folder);
  throw cliErrors.CLI_USAGE("The folder of the backup is empty.", {
    details: { fix: "Name it, as in: banyan backup verify /backups/monday." },
  });
}

/** `12.3 MiB`; bytes below 1 KiB. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const amount = bytes / 1024 ** power;
  return `${power === 0 ? amount : amount.toFixed(1)} ${units[power] ?? ""}`;
}

/** One line for each file: its name, size and checksum. */
export function printBackup(
  manifest: Readonly<Record<string, unknown>>,
  { print, style }: Terminal,
): void {
  const rows = recordsOf(manifest["files"]).map((file) => [
    style("name", textOf(file["path"])),
    bytesText(numberOf(file["bytes"])),
    style("faint", `sha256 ${textOf(file["sha256"])}`),
  ]);
  print(textTable(rows, "  "));
}
