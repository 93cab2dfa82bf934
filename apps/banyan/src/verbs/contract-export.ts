/** `banyan contract export`: the contracts as files, for everyone who is not TypeScript. */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { exportContracts } from "@banyan/host";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { checkWorkspace } from "../check-workspace.ts";
import { readVersion } from "../version.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const { check, report } = await checkWorkspace(command);
  if (report !== undefined) throw report;
  const folder = resolve(command.cwd, flags.text("out") ?? "contracts");
  const exported = exportContracts(check.setup, { version: readVersion() });
  const files = Object.entries(exported).map(([name, text]) => ({
    path: join(folder, name),
    text,
  }));
  if (flags.has("check")) {
    assertNoDrift(files, flags.text("out"));
  } else {
    mkdirSync(folder, { recursive: true });
    for (const { path, text } of files) writeFileSync(path, text);
  }
  if (terminal.json) terminal.print(JSON.stringify({ files: files.map(({ path }) => path) }));
  else {
    const done = flags.has("check") ? "unchanged" : "wrote";
    for (const { path } of files) terminal.print(`${done} ${path}`);
  }
}

interface ContractFile {
  readonly path: string;
  readonly text: string;
}

function assertNoDrift(files: readonly ContractFile[], out: string | undefined): void {
  const drifted = files.flatMap(({ path, text }) => {
    const difference = firstDifference(readOrUndefined(path), text);
    return difference === undefined ? [] : [`  ${path}: ${difference}`];
  });
  if (drifted.length === 0) return;
  const again = `banyan contract export${out === undefined ? "" : ` --out ${out}`}`;
  throw cliErrors.CLI_CONTRACT_DRIFT(
    `The exported contracts are not those of the services:\n${drifted.join("\n")}`,
    {
      details: { fix: `Run \`${again}\` and look at the difference: it is what clients will see.` },
    },
  );
}

function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Line ends are no difference: git may have changed them. */
function firstDifference(there: string | undefined, now: string): string | undefined {
  if (there === undefined) return "is missing";
  const old = there.replaceAll("\r\n", "\n").split("\n");
  const lines = now.split("\n");
  const index = lines.findIndex((line, at) => line !== old[at]);
  if (index === -1)
    return old.length === lines.length ? undefined : "has lines at its end too many";
  return `line ${index + 1} is ${JSON.stringify((old[index] ?? "").trim())}, should be ${JSON.stringify((lines[index] ?? "").trim())}`;
}
