/**
 * The tree that the rules look at: paths and texts, nothing else. Rules never touch the disk, so a
 * test gives them a tree of three lines.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolderOf } from "./rooms.ts";
import { readFacts } from "./facts.ts";
import type { SourceFacts } from "./facts.ts";

/** One thing that is wrong, where, and how to mend it. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  /** One sentence for `tidy --rules` and for the reader of the list. */
  readonly about: string;
  check(repo: Repo): Finding[] | Promise<Finding[]>;
}

export interface Manifest {
  readonly folder: string;
  readonly path: string;
  readonly name: string;
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Repo {
  /** Absolute path, or `undefined` for a tree in memory. */
  readonly root: string | undefined;
  /** Sorted, relative to the root, with forward slashes. */
  readonly paths: readonly string[];
  text(path: string): string;
  has(path: string): boolean;
  /** Parsed facts of a TypeScript or JavaScript source. */
  facts(path: string): SourceFacts;
  /** Workspace packages by folder, the root not included. */
  readonly manifests: readonly Manifest[];
}

const foldersIgnored = new Set([
  "node_modules",
  "dist",
  "coverage",
  ".git",
  ".banyan",
  "fixtures",
  "golden",
]);
const extensionsRead = /\.(?:ts|tsx|js|mjs|cjs|json|md|yaml|yml)$/;

export function loadRepo(root: string): Repo {
  const paths: string[] = [];
  collect(root, "", paths);
  return createRepo({
    root,
    paths: paths.sort(),
    read: (path) => readFileSync(join(root, path), "utf8"),
  });
}

/** A tree in memory, for the tests of the rules. */
export function repoOf(files: Readonly<Record<string, string>>): Repo {
  return createRepo({
    root: undefined,
    paths: Object.keys(files).sort(),
    read: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error(`The tree has no file ${path}.`);
      return text;
    },
  });
}

interface RepoParts {
  readonly root: string | undefined;
  readonly paths: readonly string[];
  readonly read: (path: string) => string;
}

function createRepo({ root, paths, read }: RepoParts): Repo {
  const texts = new Map<string, string>();
  const facts = new Map<string, SourceFacts>();
  const known = new Set(paths);
  const text = (path: string): string => {
    const cached = texts.get(path) ?? read(path);
    texts.set(path, cached);
    return cached;
  };
  return {
    root,
    paths,
    text,
    has: (path) => known.has(path),
    facts: (path) => {
      const cached = facts.get(path) ?? readFacts(path, text(path));
      facts.set(path, cached);
      return cached;
    },
    manifests: readManifests(paths, text),
  };
}

function readManifests(paths: readonly string[], text: (path: string) => string): Manifest[] {
  return paths.flatMap((path) => {
    if (!path.endsWith("/package.json")) return [];
    const folder = path.slice(0, -"/package.json".length);
    if (packageFolderOf(path) !== folder) return [];
    // A package.json is an object by npm's own check; its fields are narrowed where they are read.
    const json = JSON.parse(text(path)) as Record<string, unknown>;
    return [{ folder, path, name: String(json["name"]), json }];
  });
}

function collect(root: string, folder: string, paths: string[]): void {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      if (!foldersIgnored.has(entry.name)) collect(root, path, paths);
    } else if (extensionsRead.test(entry.name) && !entry.name.startsWith(".readme-example-")) {
      paths.push(path);
    }
  }
}

// --- What kind of file a path is -------------------------------------------------------------

export function isSource(path: string): boolean {
  return /\.(?:ts|tsx|js|mjs|cjs)$/.test(path);
}

/** A test, or a file that only tests and benches load. */
export function isTestSide(path: string): boolean {
  return (
    /\.(?:test|bench)\.tsx?$/.test(path) ||
    /^(?:bench|tools|packages\/testbed)\//.test(path) ||
    /^[^/]+\/[^/]+\/bench\//.test(path)
  );
}

/** The exported law and its liars: published, yet test code by nature. */
export function isLaw(path: string): boolean {
  return /\/(?:conformance|liars)(?:\.ts$|\/)/.test(path);
}

/** Sources of the house itself: what ships, without tests, benches and tools. */
export function isHouseSource(path: string): boolean {
  return (
    isSource(path) &&
    /^(?:packages|backends|services|apps|examples)\//.test(path) &&
    !isTestSide(path)
  );
}

/** Written by a tool, not by a person. */
export function isGenerated(path: string): boolean {
  return /\.generated\.\w+$/.test(path);
}
