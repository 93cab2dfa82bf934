/**
 * The processes that one process started, and theirs: also those that made themselves leaders of
 * groups of their own, as PostgreSQL's do. Asked of the system, for nobody else keeps a list.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { until } from "./until.ts";

interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** Ended, and nobody has asked yet how. */
  readonly isZombie: boolean;
}

/** Children first, then theirs. Without the process itself, and without those that ended. */
export function findDescendants(pid: number): number[] {
  const living = listProcesses().filter(({ isZombie }) => !isZombie);
  const found: number[] = [pid];
  // It grows while it is read: whoever was found is asked for children in turn.
  for (const parent of found) {
    found.push(...living.filter((each) => each.parent === parent).map((each) => each.pid));
  }
  return found.slice(1);
}

/** Those of them that run. One that ended and was not asked yet how does not. */
export function findRunning(pids: readonly number[]): number[] {
  const living = listProcesses().filter(({ isZombie }) => !isZombie);
  return pids.filter((pid) => living.some((each) => each.pid === pid));
}

/** Resolves when none of them runs any more; whose child they were is of no matter. */
export async function untilGone(pids: readonly number[]): Promise<void> {
  if (pids.length === 0) return;
  const isGone = (): boolean => findRunning(pids).length === 0;
  await until(isGone, { what: `The end of the processes ${pids.join(", ")}` });
}

function listProcesses(): ProcessEntry[] {
  const names = namesInProc();
  if (names.length === 0) return listWithPs();
  return names.flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The second field is a name in parentheses, which may hold anything, parentheses too.
      const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return [{ pid: Number(name), parent: Number(parent), isZombie: state === "Z" }];
    } catch {
      // It ended while we looked.
      return [];
    }
  });
}

function namesInProc(): string[] {
  try {
    return readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    // A system without /proc, such as macOS.
    return [];
  }
}

function listWithPs(): ProcessEntry[] {
  const { stdout } = spawnSync("ps", ["-A", "-o", "pid=,ppid=,state="], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/);
    if (pid === undefined || parent === undefined) return [];
    return [{ pid: Number(pid), parent: Number(parent), isZombie: state.startsWith("Z") }];
  });
}

/**
 * Waits, without a turn of the event loop, until every thread of the process has stopped: the
 * signal is only on its way when it was sent. Gives up after a second, and where there is no /proc.
 */
export function standUntilStopped(pid: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let tries = 0; tries < 1000 && !isStopped(pid); tries += 1) Atomics.wait(cell, 0, 0, 1);
}

/** Also true of one that is gone, or of which the system does not tell. */
function isStopped(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).every((thread) => isThreadStopped(pid, thread));
  } catch {
    // It is gone, or there is no /proc: nothing to wait for.
    return true;
  }
}

function isThreadStopped(pid: number, thread: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8");
    return /^[TtZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    // It ended meanwhile.
    return true;
  }
}
