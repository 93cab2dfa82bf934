/** Imports go strictly downwards, through doors, and test furniture stays with the tests. */

import { isLaw, isSource, isTestSide } from "../repo.ts";
import type { Finding, Repo, Rule } from "../repo.ts";
import { packageFolderOf, roomOf } from "../rooms.ts";
import type { Room } from "../rooms.ts";

export const floors: Rule = {
  name: "floors",
  about: "A room imports only from strictly lower floors, through a door that exists.",
  check(repo) {
    const byName = new Map(repo.manifests.map((manifest) => [manifest.name, manifest]));
    const findings: Finding[] = [];
    for (const path of repo.paths.filter(isSource)) {
      const room = roomOf(path);
      const folder = packageFolderOf(path);
      if (room === undefined || folder === undefined) continue;
      for (const { specifier, line } of repo.facts(path).imports) {
        const report = (message: string): unknown => findings.push({ path, line, message });
        if (specifier.startsWith(".")) {
          if (room.folder !== "tools" && !resolvePath(path, specifier).startsWith(`${folder}/`)) {
            report(`"${specifier}" leaves the package; import it by its package name.`);
          }
          continue;
        }
        const name = packageNameOf(specifier);
        const target = byName.get(name);
        if (target === undefined) continue;
        const door = specifier.slice(name.length);
        if (!hasDoor(repo, target.path, door)) {
          report(`${name} has no door "${door === "" ? "." : `.${door}`}" in its exports.`);
        }
        if (target.folder === folder) continue;
        const refusal = refuse({ path, room, door, target: roomOf(target.path) });
        if (refusal !== undefined) report(`${refusal} (import of "${specifier}")`);
      }
    }
    return findings;
  },
};

interface Edge {
  readonly path: string;
  readonly room: Room;
  readonly door: string;
  readonly target: Room | undefined;
}

function refuse({ path, room, door, target }: Edge): string | undefined {
  if (target === undefined) return undefined;
  const testSide = isTestSide(path);
  if (target.testsOnly === true) {
    return testSide ? undefined : `${target.folder} may be imported by tests and benches only.`;
  }
  if (/^\/(?:conformance|liars)$/.test(door) && !testSide && !isLaw(path)) {
    return "A law and its liars may be imported by tests only.";
  }
  if (door === "/internal" && !room.internal) {
    return `${room.folder} may use public doors only, as any user would.`;
  }
  const highest = room.reach ?? room.floor - 1;
  if (target.floor <= highest) return undefined;
  return (
    `${room.folder} (floor ${room.floor}) may import floors 0 to ${highest}; ` +
    `${target.folder} is on floor ${target.floor}.`
  );
}

/** `@banyan/kernel/internal` → `@banyan/kernel`. */
export function packageNameOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

/** The path that a relative import means, from the root. */
export function resolvePath(from: string, specifier: string): string {
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function hasDoor(repo: Repo, manifestPath: string, door: string): boolean {
  const manifest = repo.manifests.find(({ path }) => path === manifestPath);
  const doors = manifest?.json["exports"];
  if (typeof doors !== "object" || doors === null) return door === "";
  return door === "/package.json" || `.${door}` in doors;
}
