/**
 * Builds every package into its `dist`: JavaScript, declarations, maps.
 *
 * Always from nothing. A dist that is patched up keeps the output of files that are gone, and they
 * would be published; TypeScript 7 builds the whole house in seconds.
 */

import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

/** Answers the compiler's exit code and what it printed. */
export function build(root: string): { code: number; output: string } {
  const outputs = ["packages", "backends", "services", "apps"].flatMap((rooms) => [
    `${rooms}/*/dist`,
    `${rooms}/*/tsconfig.tsbuildinfo`,
  ]);
  for (const path of globSync(outputs, { cwd: root })) {
    rmSync(join(root, path), { recursive: true });
  }
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  const run = spawnSync(process.execPath, [compiler, "-b", "tsconfig.build.json"], {
    cwd: root,
    encoding: "utf8",
  });
  return { code: run.status ?? 1, output: `${run.stdout}${run.stderr}` };
}

export interface PublishedPackage {
  readonly name: string;
  readonly folder: string;
}

/** The packages that users install: all workspaces that are not private. */
export function publishedPackages(root: string): PublishedPackage[] {
  return globSync("{packages,backends,services,apps}/*/package.json", { cwd: root })
    .sort()
    .flatMap((path) => {
      const manifest: unknown = JSON.parse(readFileSync(join(root, path), "utf8"));
      if (typeof manifest !== "object" || manifest === null || !("name" in manifest)) return [];
      if ("private" in manifest && manifest.private === true) return [];
      return [{ name: String(manifest.name), folder: dirname(path) }];
    });
}
