/** `banyan backup verify <folder>`: reads every byte of it and changes none. */

import { verifyBackup } from "@banyan/sqlite";
import { backupFolder, bytesText, printBackup } from "../backup-output.ts";
import type { Command } from "../command.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const folder = backupFolder(command);
  const manifest = await verifyBackup(folder);
  if (terminal.json) {
    terminal.print(JSON.stringify({ folder, sound: true, manifest }));
    return;
  }
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const word = terminal.style("good", "sound");
  terminal.print(`${word}: ${folder}, ${bytesText(bytes)}, made ${manifest.createdAt}`);
  printBackup({ ...manifest }, terminal);
}
