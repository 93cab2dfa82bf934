/**
 * A whole program from its start: how long until it is ready, what it weighs then.
 *
 * The clock starts before the process is made and stops when the line that says "ready" has come
 * through its pipe, or when it has ended: what somebody at a terminal waits for.
 */

import { execFile, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { promisify } from "node:util";
import { atProcessEnd } from "@banyan/testbed";
import { measuredEnvironment } from "./subject-process.ts";

export interface ProgramSpec {
  /** Arguments of Node. */
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Part of the line that says it is ready. Left out: it ends by itself. */
  readonly readyText?: string;
}

/** A hanging start must not hang the bench. */
const PATIENCE_MS = 30_000;
const execFileDone = promisify(execFile);

/** Milliseconds until a program is ready, or has ended. It is stopped afterwards. */
export async function startMs(spec: ProgramSpec): Promise<number> {
  await using program = await startProgram(spec);
  return program.readyMs;
}

/** Resident megabytes (10^6 bytes) of programs, `idleMs` after the last of them was ready. */
export async function idleMegabytes(
  specs: readonly ProgramSpec[],
  idleMs: number,
): Promise<number[]> {
  await using stack = new AsyncDisposableStack();
  const programs: RunningProgram[] = [];
  for (const spec of specs) programs.push(stack.use(await startProgram(spec)));
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  return await Promise.all(programs.map(({ pid }) => residentMegabytes(pid)));
}

async function residentMegabytes(pid: number): Promise<number> {
  const { stdout } = await execFileDone("ps", ["-o", "rss=", "-p", String(pid)]);
  return (Number.parseInt(stdout, 10) * 1024) / 1e6;
}

interface RunningProgram extends AsyncDisposable {
  readonly pid: number;
  readonly readyMs: number;
}

async function startProgram({ args, cwd, env, readyText }: ProgramSpec): Promise<RunningProgram> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...measuredEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const forget = atProcessEnd(() => void child.kill("SIGKILL"));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    }
    forget();
  };
  try {
    await within(readyText === undefined ? ended(child) : saysReady(child, readyText));
    const readyMs = performance.now() - startedMs;
    return { pid: child.pid ?? 0, readyMs, [Symbol.asyncDispose]: stop };
  } catch (error) {
    child.kill("SIGKILL");
    forget();
    throw new Error(`node ${args.join(" ").slice(0, 200)} did not get ready`, { cause: error });
  }
}

async function ended(child: ChildProcess): Promise<void> {
  await once(child, "exit");
  if (child.exitCode !== 0) throw new Error(`It ended with code ${child.exitCode}.`);
}

function saysReady(child: ChildProcess, readyText: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = "";
  const hear = (chunk: Buffer): void => {
    said += chunk.toString();
    if (said.includes(readyText)) resolve();
  };
  child.stdout?.on("data", hear);
  child.stderr?.on("data", hear);
  child.on("exit", (code) => reject(new Error(`It ended with code ${code} and said:\n${said}`)));
  return promise;
}

async function within(promise: Promise<void>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(() => late.reject(new Error("It took too long.")), PATIENCE_MS);
  try {
    await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
