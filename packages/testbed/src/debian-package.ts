/**
 * Debian packages that tests need and the machine lacks: installed by `apt-get` where this process
 * is root, and without ever starting what they bring as a service of the machine.
 *
 * What may interrupt it: the end of the test process, which takes `apt-get` with it. The next one
 * that installs sets right what was left half done.
 *
 * I1. One `apt-get` of all test processes at a time: they queue for a lock that the kernel drops
 *     with its holder.
 * I2. No maintainer script starts a service: what it would start it with does nothing.
 */

import { existsSync } from "node:fs";
import { chmod, writeFile } from "node:fs/promises";
import { spawnProgram } from "./child.ts";
import { findProgram } from "./find-program.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";

const INSTALL_PATIENCE_MS = 300_000;
/** Nobody else locks dpkg's folder itself, and every Debian has it. */
const lockPath = "/var/lib/dpkg";
/** What maintainer scripts start services with. */
const starters = ["invoke-rc.d", "deb-systemd-invoke", "service"];

interface AptEnding {
  readonly code: number | null;
  readonly output: string;
}

/** What goes wrong on a healthy machine, what mends it. Each is done once, then tried again. */
const cures: readonly { readonly sign: RegExp; readonly command: readonly string[] }[] = [
  {
    sign: /Unable to locate package|no installation candidate|Failed to fetch|Unable to fetch/i,
    command: ["apt-get", "update"],
  },
  { sign: /dpkg was interrupted/i, command: ["dpkg", "--configure", "-a"] },
];

/** Why nothing can be installed here, or `undefined`: it can. */
export function findInstallObstacle(): string | undefined {
  if (process.env["BANYAN_TEST_INSTALL"] === "0") return "BANYAN_TEST_INSTALL=0 forbids to install";
  if (findProgram("apt-get") === undefined) return "this system has no apt-get to install it with";
  if (process.getuid?.() !== 0) return "only root could install it with apt-get";
  return undefined;
}

const installing = new Map<string, Promise<void>>();

/** Installs them, and says so on standard error. Rejects with what `apt-get` said. */
export async function installDebianPackages(names: readonly string[]): Promise<void> {
  const key = names.join(" ");
  const running = installing.get(key) ?? install(names).finally(() => installing.delete(key));
  installing.set(key, running);
  await running;
}

async function install(names: readonly string[]): Promise<void> {
  process.stderr.write(`${names.join(", ")}: not installed; installing with apt-get.\n`);
  await using guard = await makeServiceGuard();
  const options = ["--yes", "--no-install-recommends"];
  const command = ["apt-get", "install", ...options, ...names];
  const untried = new Set(cures);
  for (;;) {
    const { code, output } = await runLocked(command, guard);
    if (code === 0) return;
    const cure = [...untried].find(({ sign }) => sign.test(output));
    if (cure === undefined) throw new Error(`${command.join(" ")} failed:\n${output}`);
    untried.delete(cure);
    // When the cure does not work either, the next attempt says what is wrong.
    await runLocked(cure.command, guard);
  }
}

async function runLocked(
  [program = "", ...args]: readonly string[],
  guard: TemporaryDirectory,
): Promise<AptEnding> {
  // dpkg insists on programs that are not on every PATH.
  const path = [guard.path, process.env["PATH"] ?? "", "/usr/sbin:/usr/bin:/sbin:/bin"].join(":");
  // A person may be installing something too: apt waits for its own lock as well. It gives dpkg a
  // path of its own, unless it is told otherwise.
  const options = ["-o", "DPkg::Lock::Timeout=120", "-o", "DPkg::Path="];
  const words = [program, ...(program === "apt-get" ? options : []), ...args];
  const canLock = findProgram("flock") !== undefined && existsSync(lockPath);
  const [command = program, ...rest] = canLock ? ["flock", lockPath, ...words] : words;
  // RUNLEVEL=1 says the same as the guard, to those who ask.
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C", PATH: path, RUNLEVEL: "1" };
  await using child = spawnProgram(command, rest, { env });
  const timer = setTimeout(() => void child.kill({ group: true }), INSTALL_PATIENCE_MS);
  const { code } = await child.exited;
  clearTimeout(timer);
  return { code, output: `${child.stdout}${child.stderr}` };
}

/** A folder to put first on the path: whatever starts a service does nothing from there (I2). */
async function makeServiceGuard(): Promise<TemporaryDirectory> {
  const folder = await temporaryDirectory("no-services");
  for (const name of starters) {
    await writeFile(folder.join(name), "#!/bin/sh\nexit 0\n");
    await chmod(folder.join(name), 0o755);
  }
  return folder;
}
