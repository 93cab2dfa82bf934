/**
 * The way to the writer thread: collects writes into groups, hands them over, tells their endings.
 *
 * What it owns: the thread, the group that collects, those that wait and those under way.
 * What may interrupt it: the thread's answers and its death, each as an event between two turns.
 *
 * Q1. Groups go over in order and are answered in order, at most `UNDER_WAY_MAX` at a time.
 * Q2. Every write is answered exactly once, also when the thread dies.
 * Q3. The process stays alive exactly as long as a write waits for its answer.
 */

import type { Worker } from "node:worker_threads";
import type { BanyanError, Log } from "@banyan/kernel";
import { closedError } from "@banyan/state";
import {
  isMediumFailure,
  sqliteErrors,
  stoppedError,
  uncloneableError,
  unknownError,
  writeFailure,
} from "./errors.ts";
import type { ThreadStart, WriteAnswers, WriteFailure } from "./thread-messages.ts";
import { endThread, startThread } from "./thread.ts";
import type { WriteOp } from "./write-op.ts";

const UNDER_WAY_MAX = 2; // one is committed while the next is on its way over
const SPLIT_MIN = 32; // smaller groups are not worth two commits
const WRITE_MS = 0.02; // what a write takes of this thread, with what its caller does about it
const GROUP_OPS_MAX = 1024; // its answers are a few milliseconds of the event loop
const GROUP_TEXT_MAX = 4 * 1024 * 1024; // characters; a larger write has a group for itself

interface Waiter {
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Group {
  readonly ops: WriteOp[];
  readonly waiters: Waiter[];
  text: number;
  /** Writes that could not cross; they count as answered when the group is, so that Q1 holds. */
  refused: number;
}

/** A group of writes as it went through. */
export interface AnsweredGroup {
  readonly writes: number;
  readonly failed: number;
  readonly commits: number;
  /** What the commits took in the writer thread, together. */
  readonly commitMs: number;
}

export interface WriteQueueOptions extends Omit<ThreadStart, "role"> {
  readonly log: Log;
  /** Told of every group that was answered. */
  readonly onGroup?: ((group: AnsweredGroup) => void) | undefined;
  /** Writes that wait or are under way; one more is refused. */
  readonly writesWaitingMax: number;
  /** Default: the package's own program. */
  readonly start?: (start: ThreadStart) => Worker;
}

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  /** Started by the first write, or ahead of it by `warmUp`. */
  #thread: Worker | undefined = undefined;
  /** In order; the last one collects. */
  readonly #groups: Group[] = [];
  readonly #underWay: Group[] = [];
  #waiting = 0;
  #isScheduled = false;
  /** Why nothing is written any more. */
  #stopped: BanyanError | undefined = undefined;
  #lastFailure: BanyanError | undefined = undefined;
  #commits = 0;
  /** What a commit took lately, in milliseconds; too much until one was seen. */
  #commitMs = Infinity;
  #closing: Promise<void> | undefined = undefined;
  /** Writes since the start: taken, and answered. */
  #taken = 0;
  #answered = 0;
  /** Who waits for answers, until so many were given. */
  readonly #settling: { readonly until: number; readonly resolve: () => void }[] = [];
  #isGone = false;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /**
   * Why writes failed lately, if the file was the reason and not what was to be written; a write
   * that is done forgets it.
   */
  get lastFailure(): BanyanError | undefined {
    return this.#lastFailure;
  }

  /** Why nothing is written any more. */
  get stopped(): BanyanError | undefined {
    return this.#stopped;
  }

  /** Writes that wait for their answer. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Commits since the start. */
  get commits(): number {
    return this.#commits;
  }

  /** Starts the thread, so that the first write need not wait for that. */
  warmUp(): void {
    if (this.#isGone || this.#closing !== undefined) return;
    this.#startedThread();
  }

  write(op: WriteOp): Promise<unknown> {
    const refusal = this.#refusal();
    if (refusal !== undefined) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      const text = textOf(op);
      const group = this.#groupFor(text);
      group.ops.push(op);
      group.waiters.push({ resolve, reject });
      group.text += text;
      if (this.#waiting === 0) this.#startedThread().ref();
      this.#waiting += 1;
      this.#taken += 1;
      this.#schedule();
    });
  }

  /** Resolves when nothing waits for its answer. */
  async empty(): Promise<void> {
    while (this.#waiting > 0) await this.settled();
  }

  /** Resolves when what was handed over before is answered, whatever comes after it (Q1). */
  async settled(): Promise<void> {
    const until = this.#taken;
    if (this.#answered >= until) return;
    await new Promise<void>((resolve) => this.#settling.push({ until, resolve }));
  }

  /** Waits for what was handed over, then ends the thread, which closes the file. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    await this.empty();
    if (this.#thread !== undefined && !this.#isGone) await endThread(this.#thread);
  }

  #startedThread(): Worker {
    if (this.#thread !== undefined) return this.#thread;
    const { path, identity, busyTimeoutMs, start = startThread } = this.#options;
    const thread = start({ role: "writer", path, identity, busyTimeoutMs });
    thread.on("message", (answers: WriteAnswers) => {
      this.#onAnswers(answers);
    });
    thread.on("error", (error) => {
      this.#died(error);
    });
    thread.on("exit", () => {
      this.#died(undefined);
    });
    this.#thread = thread;
    return thread;
  }

  #refusal(): BanyanError | undefined {
    if (this.#closing !== undefined) return closedError("sqlite");
    if (this.#stopped !== undefined) return this.#stopped;
    const { path, writesWaitingMax } = this.#options;
    if (this.#waiting < writesWaitingMax) return undefined;
    return sqliteErrors.SQLITE_WRITE_QUEUE_FULL(
      `${this.#waiting} writes wait for the database file ${path}, and no more may ` +
        `(writesWaitingMax); nothing was written. The disk is slower than the callers: try later.`,
      { details: { file: path, writesWaitingMax } },
    );
  }

  /** The group that collects, or a new one where the write would make it too large. */
  #groupFor(text: number): Group {
    const last = this.#groups.at(-1);
    if (last !== undefined && last.ops.length < GROUP_OPS_MAX) {
      if (last.ops.length === 0 || last.text + text <= GROUP_TEXT_MAX) return last;
    }
    const group: Group = { ops: [], waiters: [], text: 0, refused: 0 };
    this.#groups.push(group);
    return group;
  }

  /** At the end of the turn, so that whoever writes in it is in one group. */
  #schedule(): void {
    if (this.#isScheduled || this.#underWay.length >= this.#underWayMax()) return;
    this.#isScheduled = true;
    setImmediate(this.#send);
  }

  readonly #send = (): void => {
    this.#isScheduled = false;
    const underWayMax = this.#underWayMax();
    while (this.#underWay.length < underWayMax) {
      const group = this.#groups.shift();
      if (group === undefined) return;
      if (this.#underWay.length === 0 && this.#groups.length === 0 && underWayMax > 1) {
        this.#splitOff(group);
      }
      this.#post(group);
    }
  };

  /**
   * A group crosses whole or not at all. Where a value in it cannot cross, its write is refused and
   * the others go (Q2).
   */
  #post(group: Group): void {
    const thread = this.#startedThread();
    try {
      thread.postMessage(group.ops);
    } catch {
      this.#refuseUncloneable(group);
      thread.postMessage(group.ops);
    }
    this.#underWay.push(group);
  }

  #refuseUncloneable(group: Group): void {
    const { ops, waiters } = group;
    const all = ops.splice(0);
    for (const [at, waiter] of waiters.splice(0).entries()) {
      const op = all[at];
      if (op === undefined) continue;
      try {
        structuredClone(op);
        ops.push(op);
        waiters.push(waiter);
      } catch (error) {
        waiter.reject(uncloneableError(op[0], this.#options.path, error));
        group.refused += 1;
      }
    }
  }

  /**
   * Where the disk is slow, one large group after the other is best: each costs the same. Where it
   * is fast, callers that wait for one commit would leave this thread and the other one idle in
   * turns: two groups that alternate keep both at work.
   */
  #underWayMax(): number {
    return this.#commitMs < this.#waiting * WRITE_MS ? UNDER_WAY_MAX : 1;
  }

  /** Puts the second half of a group behind it, so that two can take turns. */
  #splitOff({ ops, waiters }: Group): void {
    if (ops.length < SPLIT_MIN) return;
    const middle = ops.length >> 1;
    // Nothing is added to it any more, so its text need not be known.
    const half = { ops: ops.splice(middle), waiters: waiters.splice(middle) };
    this.#groups.unshift({ ...half, text: Infinity, refused: 0 });
  }

  #onAnswers({ answers, failures, commits, commitMs }: WriteAnswers): void {
    const group = this.#underWay.shift();
    if (group === undefined) return;
    this.#commits += commits;
    if (commits > 0) this.#observe(commitMs / commits);
    if (this.#groups.length > 0) this.#schedule();
    this.#options.onGroup?.({
      writes: group.waiters.length,
      failed: failures.length,
      commits,
      commitMs,
    });
    const failed = failures.length === 0 ? undefined : this.#errorsOf(failures);
    const failure = failed?.values().find(isMediumFailure);
    // A group that was done in part has not shown that the medium is well again.
    if (failure !== undefined || commits > 0) this.#noteMedium(failure);
    const { waiters } = group;
    for (let at = 0; at < waiters.length; at += 1) {
      const error = failed?.get(at);
      if (error === undefined) waiters[at]?.resolve(answers[at]);
      else waiters[at]?.reject(error);
    }
    this.#settled(waiters.length + group.refused);
  }

  /** Whether the file takes writes; a change of that is a line in the log. */
  #noteMedium(failure: BanyanError | undefined): void {
    const { path, log } = this.#options;
    const before = this.#lastFailure;
    this.#lastFailure = failure;
    if (before === undefined && failure !== undefined) {
      log.error("the database file takes no writes", { file: path, error: failure });
    } else if (before !== undefined && failure === undefined) {
      log.info("the database file takes writes again", { file: path });
    }
  }

  /** A commit that moved the log into the file counts little: it is one of many. */
  #observe(commitMs: number): void {
    this.#commitMs = this.#commitMs === Infinity ? commitMs : (this.#commitMs * 3 + commitMs) / 4;
  }

  /** By place in the group. */
  #errorsOf(failures: readonly WriteFailure[]): ReadonlyMap<number, BanyanError> {
    const { path } = this.#options;
    const errors = new Map(failures.map((failure) => [failure.at, writeFailure(failure, path)]));
    if (failures.some(({ why }) => why === "unknown")) {
      this.#stop(errors.values().find(isMediumFailure));
    }
    return errors;
  }

  /** The thread is no more: what it had is unknown, what it had not is not written. */
  #died(cause: unknown): void {
    if (this.#isGone) return;
    this.#isGone = true;
    const { path } = this.#options;
    if (this.#closing !== undefined && this.#waiting === 0) return;
    const stopped = this.#stop(cause);
    const waiting = this.#waiting;
    const unknown = unknownError(path, cause);
    for (const { waiters } of this.#underWay.splice(0)) {
      for (const { reject } of waiters) reject(unknown);
    }
    for (const { waiters } of this.#groups.splice(0)) {
      for (const { reject } of waiters) reject(stopped);
    }
    this.#settled(waiting);
  }

  #stop(cause: unknown): BanyanError {
    if (this.#stopped !== undefined) return this.#stopped;
    const { path, log } = this.#options;
    log.error("nothing is written to the database file any more", { file: path, error: cause });
    this.#stopped = stoppedError(path, cause);
    return this.#stopped;
  }

  #settled(count: number): void {
    this.#waiting -= count;
    this.#answered += count;
    let [first] = this.#settling; // in the order of what they wait for
    while (first !== undefined && first.until <= this.#answered) {
      this.#settling.shift();
      first.resolve();
      [first] = this.#settling;
    }
    if (this.#waiting === 0) this.#thread?.unref();
  }
}

/** How much text a write carries: what makes it large. */
function textOf(values: readonly unknown[]): number {
  let text = 0;
  for (const value of values) {
    if (typeof value === "string") text += value.length;
    else if (Array.isArray(value)) text += textOf(value);
  }
  return text;
}
