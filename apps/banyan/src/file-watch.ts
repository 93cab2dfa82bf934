/** Waits for the first change in files and folders, after things have calmed down. */

import { statSync, watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { basename, dirname, join } from "node:path";
import { systemClock } from "@banyan/kernel";

/** An editor writes a file in several steps; a git checkout writes hundreds. */
const calmMs = 100;

export interface FileWatch extends Disposable {
  /** Path of the first file that changed. Never rejects. */
  readonly changed: Promise<string>;
}

/** Folders are watched with everything below them; what is not there is passed over. */
export function watchFiles(paths: readonly string[]): FileWatch {
  const changed = Promise.withResolvers<string>();
  let first: string | undefined;
  let cancel = (): void => undefined;
  const onChange = (path: string): void => {
    first ??= path;
    cancel();
    cancel = systemClock.setTimer(calmMs, () => changed.resolve(first ?? path), {
      keepAlive: true,
    });
  };
  const watchers = outermost(paths).flatMap((path) => watchOne(path, onChange));
  return {
    changed: changed.promise,
    [Symbol.dispose]() {
      cancel();
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** A folder inside another one is watched with it. */
function outermost(paths: readonly string[]): string[] {
  const unique = [...new Set(paths)];
  return unique.filter((path) => !unique.some((other) => path.startsWith(`${other}/`)));
}

function watchOne(path: string, onChange: (path: string) => void): FSWatcher[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return [];
  // Editors replace a file rather than write it, and a replaced file's watcher hears nothing more.
  const folder = stat.isDirectory() ? path : dirname(path);
  const only = stat.isDirectory() ? undefined : basename(path);
  const watcher = watch(folder, { recursive: only === undefined }, (_event, name) => {
    if (name === null || (only === undefined ? isNoise(name) : name !== only)) return;
    onChange(join(folder, name));
  });
  // A watched folder that is removed is a change like any other, and its watcher is done.
  watcher.on("error", () => onChange(folder));
  return [watcher];
}

/** Not sources: dependencies, hidden files, editors' backups. */
function isNoise(name: string): boolean {
  return name.split(/[\\/]/).some((part) => part === "node_modules" || /^\.|~$|^#/.test(part));
}
