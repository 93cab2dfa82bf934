/**
 * Where `redis-server` is on this machine. It is no dependency of the repository: a test that needs
 * it looks for it here, and has it installed where that is allowed.
 */

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { spawnProgram } from "./child.ts";

const INSTALL_PATIENCE_MS = 300_000;
const program = "redis-server"; // and the name of its Debian package

/** The program's path, or `undefined`: nothing is installed by asking. */
export function findRedisProgram(): string | undefined {
  return findProgram(program);
}

let installing: Promise<void> | undefined;

/**
 * The program's path. Where it is not there, this process is root and the system has `apt-get`, the
 * Debian package is installed and said on standard error; `BANYAN_TEST_INSTALL=0` forbids it.
 * @throws Error that says what is missing and how to get it
 */
export async function ensureRedisProgram(): Promise<string> {
  const found = findRedisProgram();
  if (found !== undefined) return found;
  const obstacle = installObstacle();
  if (obstacle !== undefined) throw missing(obstacle);
  installing ??= installPackage();
  await installing;
  const installed = findRedisProgram();
  if (installed === undefined) throw missing("apt-get installed the package, but it is not there");
  return installed;
}

function installObstacle(): string | undefined {
  if (process.env["BANYAN_TEST_INSTALL"] === "0") return "BANYAN_TEST_INSTALL=0 forbids to install";
  if (findProgram("apt-get") === undefined) return "this system has no apt-get to install it with";
  if (process.getuid?.() !== 0) return "only root could install it with apt-get";
  return undefined;
}

async function installPackage(): Promise<void> {
  process.stderr.write(`${program} is not installed; installing it with apt-get.\n`);
  const lock = ["-o", "DPkg::Lock::Timeout=120"]; // another test process may be installing it
  await runApt([...lock, "update"]);
  await runApt([...lock, "install", "--yes", "--no-install-recommends", program]);
}

async function runApt(args: readonly string[]): Promise<void> {
  // RUNLEVEL=1 keeps the package from starting a Redis for the whole machine.
  const env = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  await using apt = spawnProgram("apt-get", args, { env });
  const timer = setTimeout(() => void apt.kill({ group: true }), INSTALL_PATIENCE_MS);
  const { code } = await apt.exited;
  clearTimeout(timer);
  if (code === 0) return;
  throw missing(`apt-get ${args.join(" ")} failed:\n${apt.stderr || apt.stdout}`);
}

function missing(why: string): Error {
  return new Error(
    `This needs the program redis-server (Redis 6.2 or newer) on the PATH, and ${why}. ` +
      `On Debian or Ubuntu: apt-get install redis-server. On macOS: brew install redis.`,
  );
}

function findProgram(name: string): string | undefined {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder: the next one.
    }
  }
  return undefined;
}
