/**
 * Real child processes for tests: started, watched, frozen and killed as an operating system does
 * it, never simulated.
 *
 * What it owns: one process group (the child leads it), its pipes, and an entry in the list of what
 * must not survive this process.
 * What may interrupt it: the child's own exit, at any moment.
 *
 * I1. `exited` resolves exactly once and never rejects.
 * I2. After disposal nothing of the child's process group runs; with `tree`, no descendant either.
 * I3. One that was let go of keeps this process from ending only while its end is waited for.
 */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";
import { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import { OutputLines } from "./output-lines.ts";
import type { FoundLine, OutputLine, WaitForLineOptions } from "./output-lines.ts";
import { atProcessEnd } from "./process-end.ts";
import { findDescendants, standUntilStopped, untilGone } from "./process-tree.ts";
import { testpointVariable } from "./testpoint.ts";
import { TestpointGate } from "./testpoint-gate.ts";
import type { StoppedChild } from "./testpoint-gate.ts";

export interface ChildOptions {
  readonly cwd?: string;
  /** Added to this process's environment; `undefined` takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Written to the child's standard input, which then ends. Default: no input. */
  readonly input?: string;
  /** Runs as this user. Default: as this process does, which alone can be said without root. */
  readonly user?: ChildUser;
  /**
   * Its descendants are part of it even when they leave its process group, as PostgreSQL's do: what
   * is sent to the group, and the end, reach them too. Default false.
   */
  readonly tree?: boolean;
}

/** A user of the system, by number. */
export interface ChildUser {
  readonly uid: number;
  readonly gid: number;
}

export interface NodeChildOptions extends ChildOptions {
  /** Flags of Node. Default: the `--conditions` flags of this process, so that it reads sources. */
  readonly execArgv?: readonly string[];
  /** Default: the Node that runs this test. */
  readonly nodePath?: string;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface SignalOptions {
  /** To the child's whole process group, as Ctrl-C on a terminal. Default false. */
  readonly group?: boolean;
}

export interface RandomKill {
  readonly seed: number;
  readonly minMs?: number;
  readonly maxMs: number;
}

// Left behind by the runner: a child must not take itself for one of the runner's test files, must
// not be told to paint, and must not write coverage: killed while it writes, it leaves half a file,
// and Node then reports none of the others.
const variablesDropped = [
  "NODE_TEST_CONTEXT",
  "NODE_TEST_WORKER_ID",
  "NODE_V8_COVERAGE",
  "FORCE_COLOR",
];
/** A folder where children keep what they compiled: reading our sources takes most of a start. */
const childCacheVariable = "BANYAN_TEST_COMPILE_CACHE";
const closeGraceMs = 500; // grandchildren may hold the pipes open; the exit does not wait longer

/** Starts a script with Node. `entry` is a path or a `file:` URL. */
export function spawnNode(
  entry: string | URL,
  args: readonly string[] = [],
  options: NodeChildOptions = {},
): Child {
  const { nodePath = process.execPath, execArgv = conditionFlags() } = options;
  const path = entry instanceof URL ? fileURLToPath(entry) : entry;
  return new Child(nodePath, [...execArgv, path, ...args], options);
}

/** Starts any program, such as `npm`. */
export function spawnProgram(
  command: string,
  args: readonly string[] = [],
  options: ChildOptions = {},
): Child {
  return new Child(command, args, options);
}

export class Child implements AsyncDisposable {
  readonly pid: number;
  /** How it ended; what it printed is complete by then. */
  readonly exited: Promise<ChildExit>;
  readonly #process: ChildProcess;
  readonly #output: OutputLines;
  readonly #gate: TestpointGate | undefined;
  readonly #isTree: boolean;
  readonly #forget: () => void;
  #exit: ChildExit | undefined;

  /** Use `spawnNode` or `spawnProgram`. */
  constructor(command: string, args: readonly string[], options: ChildOptions) {
    const stdin = options.input === undefined ? "ignore" : "pipe";
    this.#process = spawn(command, args, {
      cwd: options.cwd,
      env: environmentOf(options.env),
      ...options.user,
      stdio: [stdin, "pipe", "pipe", "pipe"],
      detached: true, // leads its own group, so that its own children can be ended with it
    });
    // A failed start is thrown below; a failed signal is answered by `signal`.
    this.#process.on("error", () => undefined);
    const { pid, stdout, stderr } = this.#process;
    if (pid === undefined || stdout === null || stderr === null) {
      throw new Error(`${command} could not be started; is it there and executable?`);
    }
    this.pid = pid;
    this.#isTree = options.tree ?? false;
    this.#forget = atProcessEnd(() => this.#signalAll("SIGKILL"));
    this.#output = new OutputLines(`${[command, ...args].join(" ").slice(0, 200)} (pid ${pid})`);
    this.#output.collect(stdout, "stdout");
    this.#output.collect(stderr, "stderr");
    const points = this.#process.stdio[3];
    this.#gate = points instanceof Duplex ? new TestpointGate(points) : undefined;
    this.exited = this.#watch();
    if (this.#process.stdin !== null) {
      // A child that does not read its input is its own affair.
      this.#process.stdin.on("error", () => undefined);
      this.#process.stdin.end(options.input);
    }
  }

  /** How it ended, or `undefined` while it runs. */
  get exit(): ChildExit | undefined {
    return this.#exit;
  }

  /** Everything printed so far, in the order it came. */
  get lines(): readonly OutputLine[] {
    return this.#output.lines;
  }

  /** Index of the next line: `waitForLine(p, { from: child.nextIndex })` looks ahead only. */
  get nextIndex(): number {
    return this.#output.nextIndex;
  }

  get stdout(): string {
    return this.#output.textOf("stdout");
  }

  get stderr(): string {
    return this.#output.textOf("stderr");
  }

  /**
   * The first line that fits, printed already or to come. Rejects, with the last lines in the
   * message, when the child ends first or the time is over.
   */
  waitForLine(pattern: RegExp, options: WaitForLineOptions = {}): Promise<FoundLine> {
    return this.#output.wait(pattern, options);
  }

  /** Sends a signal. False when the child is gone. */
  signal(name: NodeJS.Signals, options: SignalOptions = {}): boolean {
    if (options.group === true) return this.#signalAll(name).isSent;
    return this.#exit === undefined && sendSignal(this.pid, name);
  }

  /** Freezes it: it does nothing, answers nothing, and its connections stay open. */
  pause(options: SignalOptions = {}): void {
    if (this.signal("SIGSTOP", options)) standUntilStopped(this.pid);
  }

  resume(options: SignalOptions = {}): void {
    this.signal("SIGCONT", options);
  }

  /**
   * This process may end while the child runs, which ends the child; otherwise one that nobody
   * disposes of keeps this process alive for as long as it lives itself.
   */
  letGo(): void {
    this.#process.unref();
    for (const pipe of this.#process.stdio) if (pipe instanceof Socket) pipe.unref();
  }

  /** Undoes `letGo`: whoever waits for `exited` sees it, though nothing else is left to do. */
  hold(): void {
    this.#process.ref();
    for (const pipe of this.#process.stdio) if (pipe instanceof Socket) pipe.ref();
  }

  /** Kills it as `kill -9` does and waits until it is gone. */
  async kill(options: SignalOptions = {}): Promise<ChildExit> {
    this.hold();
    if (options.group === true) await untilGone(this.#signalAll("SIGKILL").descendants);
    else this.signal("SIGKILL");
    return await this.exited;
  }

  /**
   * Stops it at the nth time it reaches `testpoint(point)`, counted from this call. Called right
   * after the spawn, it counts from the start. Rejects when the child ends first.
   */
  stopAt(point: string, nth = 1): Promise<StoppedChild> {
    return (
      this.#gate?.stopAt(point, nth) ?? Promise.reject(new Error("The child has no points pipe."))
    );
  }

  /** The same, and kills it there with SIGKILL: nothing after the point has happened. */
  async killAt(point: string, nth = 1): Promise<ChildExit> {
    await this.stopAt(point, nth);
    return this.kill();
  }

  /** Kills it after a real time drawn from the seed, uniformly between the two bounds. */
  async killAtRandom({ seed, minMs = 0, maxMs }: RandomKill): Promise<ChildExit> {
    const delayMs = minMs + fractionOf(seed) * (maxMs - minMs);
    const timer = setTimeout(() => this.signal("SIGKILL"), delayMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Kills the child and whatever of its process group still runs (I2). */
  async [Symbol.asyncDispose](): Promise<void> {
    this.hold();
    await untilGone(this.#signalAll("SIGKILL").descendants);
    await this.exited;
    this.#forget();
  }

  /** To the group and, where they are part of it, to the descendants. */
  #signalAll(name: NodeJS.Signals): { readonly isSent: boolean; readonly descendants: number[] } {
    // A pid that ended may be somebody else's by now; a group keeps its own while it lasts.
    const isListed = this.#isTree && this.#exit === undefined;
    // One that is frozen starts no more of them while they are counted.
    const isLast = name === "SIGKILL" || name === "SIGSTOP";
    if (isListed && isLast) sendSignal(this.pid, "SIGSTOP");
    const descendants = isListed ? findDescendants(this.pid) : [];
    for (const pid of descendants) sendSignal(pid, name);
    return { isSent: sendSignal(-this.pid, name), descendants };
  }

  async #watch(): Promise<ChildExit> {
    const closed = once(this.#process, "close");
    await once(this.#process, "exit");
    const { exitCode: code, signalCode: signal } = this.#process;
    // What was printed last is still in the pipes.
    const grace = Promise.withResolvers<void>();
    const timer = setTimeout(grace.resolve, closeGraceMs);
    await Promise.race([closed, grace.promise]);
    clearTimeout(timer);
    for (const pipe of this.#process.stdio) pipe?.destroy();
    this.#exit = { code, signal };
    const ending = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    this.#output.end(ending);
    this.#gate?.end(ending);
    return this.#exit;
  }
}

/** False when there is nobody to get it. */
function sendSignal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    // ESRCH: it is gone, which is what the sender of a last signal wants anyway.
    return false;
  }
}

function environmentOf(own: ChildOptions["env"] = {}): NodeJS.ProcessEnv {
  const inherited: NodeJS.ProcessEnv = { ...process.env };
  // Set to nothing, not deleted: what is not there of the coverage Node would add again.
  for (const name of variablesDropped) inherited[name] = undefined;
  // For children alone: what Node takes from its cache it covers less precisely.
  const cache = process.env[childCacheVariable];
  if (cache !== undefined) inherited["NODE_COMPILE_CACHE"] = cache;
  return { ...inherited, [testpointVariable]: "1", ...own };
}

function conditionFlags(): string[] {
  return process.execArgv.flatMap((flag, index, all) => {
    if (/^(?:--conditions|-C)=/.test(flag)) return [flag];
    const next = all[index + 1];
    return /^(?:--conditions|-C)$/.test(flag) && next !== undefined ? [flag, next] : [];
  });
}

/** A number in [0, 1) from a seed: the mixing step of MurmurHash3 (A. Appleby, public domain). */
function fractionOf(seed: number): number {
  let mixed = Math.imul(seed ^ (seed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}
