/**
 * Programs that are no dependency of the repository: a test that needs them looks for them here,
 * and has them installed where that is allowed.
 */

import { findInstallObstacle, installDebianPackages } from "./debian-package.ts";
import { findProgram } from "./find-program.ts";

/** Programs that come together, and where from. */
export interface RequiredPrograms<Name extends string = string> {
  /** What they are, for the reader of an error: `Redis 6.2 or newer`. */
  readonly what: string;
  readonly programs: readonly Name[];
  /** Debian packages that bring them. */
  readonly packages: readonly string[];
  /** Where they are looked for before the `PATH`. */
  readonly folders?: readonly string[];
  /** How people without `apt-get` get them: one sentence. */
  readonly elsewhere?: string;
}

/** The path of each, or `undefined` when one is missing: nothing is installed by asking. */
export function findPrograms<Name extends string>(
  required: RequiredPrograms<Name>,
): Readonly<Record<Name, string>> | undefined {
  const paths = required.programs.map((name) => [name, findProgram(name, required.folders)]);
  if (paths.some(([, path]) => path === undefined)) return undefined;
  // Every name was asked for just now, and none was missing.
  return Object.fromEntries(paths) as Record<Name, string>;
}

/**
 * The path of each. Where one is missing, this process is root and the system has `apt-get`, the
 * Debian packages are installed, which is said on standard error; `BANYAN_TEST_INSTALL=0` forbids
 * it. No service of the machine is started by that.
 * @throws Error that says what is missing and how to get it
 */
export async function ensurePrograms<Name extends string>(
  required: RequiredPrograms<Name>,
): Promise<Readonly<Record<Name, string>>> {
  const found = findPrograms(required);
  if (found !== undefined) return found;
  const obstacle = findInstallObstacle();
  if (obstacle !== undefined) throw missing(required, obstacle);
  try {
    await installDebianPackages(required.packages);
  } catch (error) {
    throw missing(required, error instanceof Error ? error.message : String(error));
  }
  const installed = findPrograms(required);
  if (installed !== undefined) return installed;
  throw missing(required, "apt-get installed the package, but it is not there");
}

/**
 * For the `skip` of tests: false when the programs are there by now, else the words that say why
 * not. `const postgresTest = { skip: await findReasonToSkip(postgresPrograms) };`
 */
export async function findReasonToSkip(required: RequiredPrograms): Promise<string | false> {
  try {
    await ensurePrograms(required);
    return false;
  } catch (error) {
    return String(error);
  }
}

function missing(required: RequiredPrograms, why: string): Error {
  const { what, programs, packages, folders, elsewhere } = required;
  const lacking = programs.filter((name) => findProgram(name, folders) === undefined).join(", ");
  const advice = `On Debian or Ubuntu: apt-get install ${packages.join(" ")}.`;
  const sentences = [
    `This needs ${lacking} (${what}) on the PATH, and ${why.replace(/\.$/, "")}.`,
    advice,
    ...(elsewhere === undefined ? [] : [elsewhere]),
  ];
  return new Error(sentences.join(" "));
}
