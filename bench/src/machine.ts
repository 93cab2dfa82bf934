/** Where and on what a result was measured. */

import { execFileSync } from "node:child_process";
import { cpus, loadavg } from "node:os";
import { resolve } from "node:path";

const root = resolve(import.meta.dirname, "../..");

/** Short name of the commit; `-dirty` when the tree differs from it; `none` without one. */
export function readCommit(): string {
  try {
    const commit = git(["rev-parse", "--short=12", "HEAD"]);
    // The results themselves change with every run.
    const changes = git(["status", "--porcelain", "--", ".", ":!bench/results", ":!BENCHMARKS.md"]);
    return changes === "" ? commit : `${commit}-dirty`;
  } catch {
    // A tarball, or a repository without its first commit.
    return "none";
  }
}

function git(args: readonly string[]): string {
  return execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: "pipe" }).trim();
}

/** Runnable processes over the last minute: above 0 before the run means a disturbed run. */
export function loadNow(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}

export function describeCpu(loadBefore: number, loadAfter: number): string {
  const cores = cpus();
  const model = cores[0]?.model.trim() ?? "unknown";
  return `${cores.length} × ${model}; load ${loadBefore} before the run, ${loadAfter} after it`;
}
