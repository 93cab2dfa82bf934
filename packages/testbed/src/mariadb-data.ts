/** The files of a new MariaDB. */

import { chown, mkdir, writeFile } from "node:fs/promises";
import { spawnProgram } from "./child.ts";
import type { ChildUser } from "./child.ts";
import { copyTemplate } from "./data-template.ts";
import { databaseName, databasePassword, databaseUser } from "./database-user.ts";
import type { RequiredPrograms } from "./required-programs.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";

/** The server, its first files, and the client; not the package with the service. */
export const mariadbPrograms: RequiredPrograms<"mariadbd" | "mariadb-install-db" | "mariadb"> = {
  what: "MariaDB 10.11 or newer",
  programs: ["mariadbd", "mariadb-install-db", "mariadb"],
  packages: ["mariadb-server-core", "mariadb-client-core"],
  folders: ["/usr/sbin"], // which is on the PATH of root only
  elsewhere: "On macOS: brew install mariadb.",
};

export type MariadbPaths = Readonly<Record<(typeof mariadbPrograms.programs)[number], string>>;

export interface MariadbHome {
  readonly programs: MariadbPaths;
  /** Holds the data and the socket. */
  readonly folder: TemporaryDirectory;
  readonly user: ChildUser | undefined;
}

/** What the first files depend on, and every start says again. */
export const storageFlags: Readonly<Record<string, string>> = {
  "innodb-buffer-pool-size": "32M",
  "innodb-log-file-size": "16M",
  "character-set-server": "utf8mb4",
};

const installFlags = [
  "--no-defaults",
  "--auth-root-authentication-method=normal",
  "--skip-test-db",
  "--skip-name-resolve",
  ...Object.entries(storageFlags).map(([name, value]) => `--${name}=${value}`),
  "--innodb-flush-log-at-trx-commit=0", // of the making only
];
const firstStatements = [
  // Root comes in by the socket only, which is in a folder of the server's user.
  "DELETE FROM mysql.global_priv WHERE Host <> 'localhost' OR User = ''",
  "FLUSH PRIVILEGES",
  `CREATE DATABASE ${databaseName}`,
  `CREATE USER ${databaseUser}@'%' IDENTIFIED BY '${databasePassword}'`,
  // Its own database, and others that it makes under names that begin so.
  `GRANT ALL PRIVILEGES ON \`${databaseName}%\`.* TO ${databaseUser}@'%'`,
];

/** Where the data is in the folder. */
export function dataFolderOf(folder: TemporaryDirectory): string {
  return folder.join("data");
}

/** Data of a new server, with the database and the user for clients. */
export async function makeData({ programs, folder, user }: MariadbHome): Promise<void> {
  const data = dataFolderOf(folder);
  await mkdir(data, { mode: 0o700 });
  if (user !== undefined) await chown(data, user.uid, user.gid);
  const template = {
    name: "mariadb",
    program: programs.mariadbd,
    recipe: [...installFlags, ...firstStatements],
    user,
    async build(target: string): Promise<void> {
      const script = folder.join("first.sql");
      await writeFile(script, firstStatements.map((line) => `${line};\n`).join(""));
      const flags = [...installFlags, `--datadir=${target}`, `--extra-file=${script}`];
      const options = { cwd: folder.path, ...(user === undefined ? {} : { user }) };
      await using child = spawnProgram(programs["mariadb-install-db"], flags, options);
      const { code } = await child.exited;
      const said = `${child.stdout}${child.stderr}`;
      if (code !== 0) throw new Error(`mariadb-install-db ${flags.join(" ")} failed:\n${said}`);
    },
  };
  await copyTemplate(template, data);
}
