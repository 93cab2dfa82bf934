/**
 * Builds every package into its `dist`: JavaScript, declarations, maps.
 *
 * TypeScript writes the declarations, one per source file. The JavaScript is joined by Rolldown,
 * each package by itself: one file per door, and what doors share in `chunks`. A node then loads
 * some forty of our files instead of two hundred, which is a quarter of its cold start.
 *
 * Always from nothing. A dist that is patched up keeps the output of files that are gone, and they
 * would be published; the whole house is built in seconds.
 */

import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { rolldown } from "rolldown";

/** Answers the exit code and what was printed. */
export async function build(root: string): Promise<{ code: number; output: string }> {
  const outputs = ["packages", "backends", "services", "apps"].flatMap((rooms) => [
    `${rooms}/*/dist`,
    `${rooms}/*/tsconfig.tsbuildinfo`,
  ]);
  for (const path of globSync(outputs, { cwd: root })) {
    rmSync(join(root, path), { recursive: true });
  }
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  // What stands on a package that does not compile would only repeat its errors.
  const args = [compiler, "-b", "--stopBuildOnErrors", "tsconfig.build.json"];
  const run = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8" });
  const output = `${run.stdout}${run.stderr}`;
  if (run.status !== 0) return { code: run.status ?? 1, output };
  try {
    const folders = globSync("{packages,backends,services,apps}/*/tsconfig.json", { cwd: root });
    await Promise.all(folders.map((path) => join(root, dirname(path))).map(joinModules));
  } catch (error) {
    return {
      code: 1,
      output: `${output}${error instanceof Error ? error.message : String(error)}`,
    };
  }
  return { code: 0, output };
}

/** Joins the modules of one package, door by door; what is not its own stays an import. */
async function joinModules(folder: string): Promise<void> {
  const doors = doorsOf(folder);
  if (doors.length === 0) return;
  await using bundle = await rolldown({
    input: Object.fromEntries(doors.map((door) => [basename(door, ".ts"), join(folder, door)])),
    external: (id) => !id.startsWith(".") && !id.startsWith("/") && !/^[A-Za-z]:/.test(id),
    platform: "node",
    // Nothing is guessed to be without effect: what a module does at load, it does.
    treeshake: false,
  });
  await bundle.write({
    dir: join(folder, "dist"),
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
  });
}

/** The sources of the package's exports, and of the command's own entry. */
function doorsOf(folder: string): string[] {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const doors = new Set<string>();
  const collect = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    if ("source" in value && typeof value.source === "string") doors.add(value.source);
    else for (const child of Object.values(value)) collect(child);
  };
  if (typeof manifest === "object" && manifest !== null && "exports" in manifest) {
    collect(manifest.exports);
  }
  if (existsSync(join(folder, "src/main.ts"))) doors.add("src/main.ts");
  return [...doors];
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
