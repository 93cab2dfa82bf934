/**
 * The files of a PostgreSQL: new ones, a copy of a primary's, and what else it reads; and the
 * little that it keeps outside of files.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { chown, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawnProgram } from "./child.ts";
import type { ChildOptions, ChildUser } from "./child.ts";
import { copyTemplate } from "./data-template.ts";
import { databaseName, databasePassword, databaseUser } from "./database-user.ts";
import type { RequiredPrograms } from "./required-programs.ts";
import { copyServerTls } from "./server-tls.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import type { ServerTls } from "./test-certificates.ts";

/** The server and what makes its files; all of one version where Debian puts them. */
export const postgresPrograms: RequiredPrograms<"postgres" | "initdb" | "psql" | "pg_basebackup"> =
  {
    what: "PostgreSQL 15 or newer",
    programs: ["postgres", "initdb", "psql", "pg_basebackup"],
    packages: ["postgresql"],
    get folders() {
      return debianFolders();
    },
    elsewhere: "On macOS: brew install postgresql@17, and put its bin folder on the PATH.",
  };

/** The newest version first. */
function debianFolders(): string[] {
  const root = "/usr/lib/postgresql";
  try {
    const versions = readdirSync(root).map(Number).filter(Number.isInteger);
    return versions.sort((a, b) => b - a).map((version) => join(root, String(version), "bin"));
  } catch {
    // Not a Debian, or no package of PostgreSQL: the PATH alone tells.
    return [];
  }
}

export type PostgresPaths = Readonly<Record<(typeof postgresPrograms.programs)[number], string>>;

export interface PostgresHome {
  readonly programs: PostgresPaths;
  /** Holds the data, the socket, and what else the server reads. */
  readonly folder: TemporaryDirectory;
  readonly user: ChildUser | undefined;
}

/** A tool of the system, not of the repository. */
const ipcrm = "ipcrm";

/** The name of the superuser, who comes in by the socket only. */
export const postgresSuperuser = "postgres";

// English is not sorted by bytes: what relies on an order of bytes must say so, as in production.
const initdbFlags = [
  "--username",
  postgresSuperuser,
  "--encoding",
  "UTF8",
  "--no-sync",
  "--locale",
  "C",
  "--locale-provider",
  "icu",
  "--icu-locale",
  "en-US",
];
const firstStatements = [
  `CREATE ROLE ${databaseUser} LOGIN CREATEDB PASSWORD '${databasePassword}'`,
  // Renamed instead of made: a database is 300 files to copy for each test.
  `ALTER DATABASE postgres RENAME TO ${databaseName}`,
  `ALTER DATABASE ${databaseName} OWNER TO ${databaseUser}`,
];

/** Where the data is in the folder. */
export function dataFolderOf(folder: TemporaryDirectory): string {
  return folder.join("data");
}

/** Data of a new server, with the database and the user for clients. */
export async function makeData(home: PostgresHome): Promise<void> {
  const { programs, user } = home;
  const data = await makeDataFolder(home);
  const template = {
    name: "postgres",
    program: programs.postgres,
    recipe: [...initdbFlags, ...firstStatements],
    user,
    async build(folder: string): Promise<void> {
      await run(home, [programs.initdb, ...initdbFlags, "--pgdata", folder]);
      const input = firstStatements.map((line) => `${line}\n`).join("");
      // Each line is a statement to a server without clients.
      await run(home, [programs.postgres, "--single", "-D", folder, "template1"], { input });
    },
  };
  await copyTemplate(template, data);
}

/** A copy of a primary's data, told to follow it; both come by its socket. */
export async function copyPrimary(
  home: PostgresHome,
  primary: { readonly directory: string; readonly port: number },
): Promise<void> {
  const data = await makeDataFolder(home);
  const from = ["-h", primary.directory, "-p", String(primary.port), "-U", postgresSuperuser];
  const how = ["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream", "--no-sync"];
  await run(home, [home.programs.pg_basebackup, ...from, ...how, "-D", data]);
}

/** Who may come in, and how. Written anew for each server. Answers the settings that say so. */
export async function writeAccess(
  { folder, user }: PostgresHome,
  tls: ServerTls | undefined,
): Promise<Record<string, string>> {
  const kind = tls === undefined ? "host" : "hostssl";
  const extra = tls?.requireClientCertificate === true ? " clientcert=verify-ca" : "";
  const lines = ["all", "replication"].flatMap((what) => [
    `local ${what} all trust`, // the folder of the socket is the user's alone
    `${kind} ${what} all 127.0.0.1/32 scram-sha-256${extra}`,
  ]);
  const path = folder.join("pg_hba.conf");
  await writeFile(path, `${lines.join("\n")}\n`);
  if (user !== undefined) await chown(path, user.uid, user.gid);
  if (tls === undefined) return { hba_file: path };
  const { ca, certificate, key } = await copyServerTls(tls, folder, user);
  const files = { ssl_ca_file: ca, ssl_cert_file: certificate, ssl_key_file: key };
  return { hba_file: path, ssl: "on", ...files };
}

/**
 * A PostgreSQL that was killed leaves a segment of System V shared memory, by which the next one on
 * the same data sees that nobody is left. Where no next one comes, it goes here. Synchronous, so
 * that the end of the process can do it too.
 */
export function removeSharedMemory(data: string): void {
  let lines: string[];
  try {
    lines = readFileSync(join(data, "postmaster.pid"), "utf8").split("\n");
  } catch {
    // It ended politely, or was never started.
    return;
  }
  const [, id] = (lines[6] ?? "").trim().split(/\s+/);
  if (id !== undefined && /^\d+$/.test(id)) spawnSync(ipcrm, ["-m", id]);
}

async function makeDataFolder({ folder, user }: PostgresHome): Promise<string> {
  const data = dataFolderOf(folder);
  await mkdir(data, { mode: 0o700 });
  if (user !== undefined) await chown(data, user.uid, user.gid);
  return data;
}

async function run(
  { folder, user }: PostgresHome,
  [program = "", ...args]: readonly string[],
  options: ChildOptions = {},
): Promise<void> {
  const who = user === undefined ? {} : { user };
  const env = { LC_ALL: "C" };
  await using child = spawnProgram(program, args, { cwd: folder.path, env, ...who, ...options });
  const { code } = await child.exited;
  // A server without clients goes on after an error, and ends well.
  if (code === 0 && !/\b(?:ERROR|FATAL): /.test(child.stderr)) return;
  throw new Error(`${program} ${args.join(" ")} failed:\n${child.stdout}${child.stderr}`);
}
