/** `banyan backup verify <folder>`: reads every byte of it and changes none. */

import { resolve } from "node:path";
import { verifyBackup } from "@banyan/sqlite";
import { bytesText, printBackup } from "../backup-output.ts";
import type { Command } from "../command.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, cwd, args } = command;
  const folder = resolve(cwd, args[0] ?? "");
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
