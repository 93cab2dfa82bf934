/** package.json dependencies, tsconfig references and real imports are equal sets. */

import { isSource, isTestSide } from "../repo.ts";
import type { Finding, Manifest, Repo, Rule } from "../repo.ts";
import { packageNameOf } from "./floors.ts";

export const dependencies: Rule = {
  name: "dependencies",
  about: "package.json dependencies = tsconfig references = what the sources import.",
  check(repo) {
    const shared = new Set(repo.has("package.json") ? sharedTools(repo) : []);
    return [
      ...repo.manifests.flatMap((manifest) => [
        ...checkManifest(repo, manifest, shared),
        ...checkReferences(repo, manifest),
      ]),
      ...checkBuildList(repo),
    ];
  },
};

/** Test tools that the root installs once for everybody. */
function sharedTools(repo: Repo): string[] {
  // A package.json is an object by npm's own check.
  const root = JSON.parse(repo.text("package.json")) as Record<string, unknown>;
  return keysOf(root["devDependencies"]);
}

function checkManifest(repo: Repo, manifest: Manifest, shared: ReadonlySet<string>): Finding[] {
  const { json, folder, path } = manifest;
  const imported = importsOf(repo, manifest);
  const declared = new Set([
    ...keysOf(json["dependencies"]),
    ...keysOf(json["peerDependencies"]),
    ...keysOf(json["optionalDependencies"]),
  ]);
  const development = new Set(keysOf(json["devDependencies"]));
  const findings: Finding[] = [];
  const report = (at: string, line: number, message: string): unknown =>
    findings.push({ path: at, line, message });
  for (const [name, place] of imported.house) {
    if (declared.has(name)) continue;
    report(place.path, place.line, `imports ${name}, which ${folder}/package.json does not list.`);
  }
  for (const [name, place] of imported.tests) {
    if (declared.has(name) || development.has(name) || shared.has(name)) continue;
    report(place.path, place.line, `imports ${name}: add it to devDependencies of ${folder}.`);
  }
  for (const name of declared) {
    if (imported.house.has(name)) continue;
    report(path, 1, `lists ${name}, which no source of the package imports.`);
  }
  for (const name of development) {
    if (name.startsWith("@types/") || imported.tests.has(name)) continue;
    report(path, 1, `lists ${name} for development, which no test or bench imports.`);
  }
  return findings;
}

interface Place {
  readonly path: string;
  readonly line: number;
}

interface Imports {
  readonly house: ReadonlyMap<string, Place>;
  readonly tests: ReadonlyMap<string, Place>;
}

function importsOf(repo: Repo, { folder, name: self }: Manifest): Imports {
  const house = new Map<string, Place>();
  const tests = new Map<string, Place>();
  // bench and the testbed are test furniture for others, and sources of their own package.
  const own = (path: string): boolean =>
    !isTestSide(path) || /^(?:bench|packages\/testbed)$/.test(folder);
  for (const path of repo.paths) {
    if (!path.startsWith(`${folder}/`) || !isSource(path)) continue;
    const isTest = !own(path) || /\.test\.tsx?$/.test(path);
    for (const { specifier, line } of repo.facts(path).imports) {
      const name = packageNameOf(specifier);
      if (/^(?:\.|node:|#)/.test(specifier) || name === self) continue;
      const target = isTest ? tests : house;
      if (!target.has(name)) target.set(name, { path, line });
    }
  }
  return { house, tests };
}

function checkReferences(repo: Repo, { folder, json }: Manifest): Finding[] {
  const path = `${folder}/tsconfig.json`;
  if (!repo.has(path)) return [];
  const sisters = repo.manifests.filter(({ name }) =>
    ["dependencies", "peerDependencies"].some((key) => keysOf(json[key]).includes(name)),
  );
  return compareReferences(repo, path, new Set(sisters.map((sister) => sister.folder)));
}

/** `tsc -b` builds what tsconfig.build.json lists: every package that has sources to publish. */
function checkBuildList(repo: Repo): Finding[] {
  const path = "tsconfig.build.json";
  if (!repo.has(path)) return [];
  const built = repo.manifests.filter(
    ({ folder }) =>
      /^(?:packages|backends|services|apps)\//.test(folder) && repo.has(`${folder}/tsconfig.json`),
  );
  return compareReferences(repo, path, new Set(built.map(({ folder }) => folder)));
}

function compareReferences(repo: Repo, path: string, wanted: ReadonlySet<string>): Finding[] {
  const config = parseJsonWithComments(repo.text(path));
  const folder = path.split("/").slice(0, -1).join("/");
  const references = new Set(
    listOf(config["references"]).map((reference) => {
      const target = typeof reference === "object" && reference !== null ? reference : {};
      const relative = "path" in target ? String(target.path) : "";
      return normalize(`${folder}/${relative.replace(/\/tsconfig\.json$/, "")}`);
    }),
  );
  const missing = [...wanted].filter((target) => !references.has(target));
  const strange = [...references].filter((target) => !wanted.has(target));
  return [
    ...missing.map((target) => ({ path, line: 1, message: `lacks a reference to ${target}.` })),
    ...strange.map((target) => ({ path, line: 1, message: `refers to ${target}, no dependency.` })),
  ];
}

function keysOf(value: unknown): string[] {
  return typeof value === "object" && value !== null ? Object.keys(value) : [];
}

function listOf(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

/** JSON as tsconfig files have it: comment lines and trailing comments are taken out first. */
function parseJsonWithComments(text: string): Record<string, unknown> {
  const bare = text.replace(/("(?:[^"\\]|\\.)*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "$1");
  // tsconfig files are objects by the compiler's own check.
  return JSON.parse(bare) as Record<string, unknown>;
}

function normalize(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}
