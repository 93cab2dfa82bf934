/** A backup's manifest for people. */

import { numberOf, recordsOf, textOf } from "./node-answers.ts";
import type { Terminal } from "./terminal.ts";
import { textTable } from "./text-table.ts";

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
