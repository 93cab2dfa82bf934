/** What a package offers is documented where it stands, and its manifest says what it is. */

import { isHouseSource } from "../repo.ts";
import type { Finding, Manifest, Repo, Rule } from "../repo.ts";
import { resolvePath } from "./floors.ts";

export const doorDocs: Rule = {
  name: "door-docs",
  about: "Whatever a users' door (src/index.ts) exports carries a doc comment.",
  check(repo) {
    return repo.paths
      .filter((path) => /^(?:packages|backends)\/[^/]+\/src\/index\.ts$/.test(path))
      .flatMap((door) =>
        repo.facts(door).reexports.flatMap(({ specifier, name }): Finding[] => {
          const path = resolvePath(door, specifier);
          if (!repo.has(path) || !isHouseSource(path)) return [];
          const declared = repo.facts(path).declarations.find((each) => each.name === name);
          if (declared === undefined || declared.isDocumented) return [];
          const message = `${name} is public and has no doc comment.`;
          return [{ path, line: declared.line, message }];
        }),
      );
  },
};

const licence = "Apache-2.0";

export const manifests: Rule = {
  name: "manifests",
  about: "A package.json says ESM, licence and Node 24; sisters and drivers have exact versions.",
  check(repo) {
    return repo.manifests.flatMap((manifest) =>
      manifestProblems(repo, manifest).map((message) => ({
        path: manifest.path,
        line: 1,
        message,
      })),
    );
  },
};

function manifestProblems(repo: Repo, { json }: Manifest): string[] {
  const versions = new Map(
    repo.manifests.map(({ name, json: other }) => [name, textOf(other["version"])]),
  );
  const problems: string[] = [];
  if (json["type"] !== "module") problems.push('"type" must be "module".');
  if (json["license"] !== licence) problems.push(`"license" must be "${licence}".`);
  if (json["private"] !== true) {
    // The command itself starts on Node 20 and finds the pinned 24.
    if (!/^>=2[04]$/.test(textOf(fieldOf(json["engines"], "node")))) {
      problems.push('"engines" needs node ">=24".');
    }
    if (!Array.isArray(json["files"])) problems.push('"files" must list what is published.');
    if (typeof json["description"] !== "string") problems.push('"description" is missing.');
  }
  for (const field of ["dependencies", "devDependencies", "optionalDependencies"]) {
    const table = json[field];
    if (typeof table !== "object" || table === null) continue;
    for (const [name, version] of Object.entries(table)) {
      const wanted = versions.get(name);
      if (wanted !== undefined && version !== wanted) {
        problems.push(`${name} is "${String(version)}" here and "${wanted}" at home.`);
      } else if (!/^\d+\.\d+\.\d+/.test(String(version))) {
        problems.push(`${name} must have an exact version, not "${String(version)}".`);
      }
    }
  }
  return problems;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
