/** The lock file is whole: in step with the manifests, with every platform, without a registry. */

import type { Finding, Repo, Rule } from "../repo.ts";

const path = "package-lock.json";

export const lockfile: Rule = {
  name: "lockfile",
  about: "package-lock.json fits the manifests, holds every platform, names no registry.",
  check(repo) {
    if (!repo.has(path)) return [];
    const locked = lockedPackages(repo);
    return [
      ...missingPlatforms(locked),
      ...withoutHash(locked),
      ...outOfStep(repo, locked),
      ...registries(locked),
    ].map((message): Finding => ({ path, line: 1, message }));
  },
};

type Table = Readonly<Record<string, unknown>>;

function lockedPackages(repo: Repo): ReadonlyMap<string, Table> {
  const lock: unknown = JSON.parse(repo.text(path));
  const packages = tableOf(tableOf(lock)["packages"]);
  return new Map(Object.entries(packages).map(([key, value]) => [key, tableOf(value)]));
}

/**
 * npm drops an optional package that the registry lacks at that moment, without a word; on its
 * platform the tool then has no binary, and `npm ci` refuses the file everywhere.
 */
function missingPlatforms(locked: ReadonlyMap<string, Table>): string[] {
  const names = new Set([...locked.keys()].map((key) => key.replace(/^.*node_modules\//, "")));
  return [...locked].flatMap(([key, entry]) =>
    Object.keys(tableOf(entry["optionalDependencies"]))
      .filter((name) => !names.has(name))
      .map((name) => `lacks ${name}, which ${key === "" ? "the root" : key} may need elsewhere.`),
  );
}

/** `npm install --package-lock-only` may leave a hash out; a full `npm install` fills it in. */
function withoutHash(locked: ReadonlyMap<string, Table>): string[] {
  return [...locked]
    .filter(([key, entry]) => key.includes("node_modules/") && entry["link"] !== true)
    .filter(([, entry]) => typeof entry["integrity"] !== "string")
    .map(([key]) => `has no hash for ${key}; run \`npm install\`.`);
}

function outOfStep(repo: Repo, locked: ReadonlyMap<string, Table>): string[] {
  return repo.manifests.flatMap(({ folder, json }) => {
    const entry = locked.get(folder);
    if (entry === undefined) return [`lacks ${folder}; run \`npm install\`.`];
    const changed = ["dependencies", "devDependencies", "peerDependencies"].filter(
      (field) => canonical(entry[field]) !== canonical(json[field]),
    );
    return changed.map((field) => `has other ${field} than ${folder}; run \`npm install\`.`);
  });
}

function registries(locked: ReadonlyMap<string, Table>): string[] {
  return [...locked].flatMap(([key, { resolved }]) =>
    typeof resolved === "string" && resolved.includes("://")
      ? [`names a registry for ${key} (${new URL(resolved).host}); see .npmrc.`]
      : [],
  );
}

function canonical(value: unknown): string {
  return JSON.stringify(Object.entries(tableOf(value)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function tableOf(value: unknown): Table {
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value))
    : {};
}
