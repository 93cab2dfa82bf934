/**
 * A group of writes in as few transactions as can be: one, unless something fails.
 *
 * What it owns: the writing connection. What may interrupt it: nothing, it runs in a thread of its
 * own; `kill -9` and power cuts, which SQLite's log is for.
 *
 * G1. Writes take effect in their order; one that failed has changed nothing.
 * G2. A write that is told as done is committed and synced.
 * G3. `unknown` is said of exactly those writes whose commit failed in a way that may have left
 *     them on disk. After it nothing is written any more.
 *
 * A commit that fails because the disk is full left nothing: the frame that makes a transaction
 * valid is the last one written to the log, and with it missing a reader takes none of them. Other
 * failures of a commit, such as of the sync, may come after that frame.
 */

import { DatabaseSync } from "node:sqlite";
import { busOps } from "./bus-ops.ts";
import { identityOf } from "./file-identity.ts";
import type { OpContext, OpShape } from "./op-context.ts";
import { outboxOps } from "./outbox-ops.ts";
import { resultCodeOf } from "./result-code.ts";
import { stateOps } from "./state-ops.ts";
import { StatementCache } from "./statement-cache.ts";
import type { ThreadStart, WriteAnswers, WriteFailure, WriteGroup } from "./thread-messages.ts";

const SQLITE_BUSY = 5;
const SQLITE_FULL = 13;

type OpFunction = (context: OpContext, op: OpShape) => unknown;

// Each function is given the ops of its own name only: `do` looks it up by that name.
const functions = { ...stateOps, ...outboxOps, ...busOps } as unknown as Readonly<
  Record<string, OpFunction>
>;

/** Why some writes were not done, or may not have been. */
type Refusal = Omit<WriteFailure, "at">;

/** How a transaction over a part of the group ended. */
type Ending =
  | { readonly kind: "done" }
  /** The part as a whole, before or at its commit. */
  | { readonly kind: "refused" | "too-much" | "unknown"; readonly refusal: Refusal }
  | { readonly kind: "op-failed"; readonly at: number; readonly refusal: Refusal };

/** Places in a group. */
interface Part {
  readonly from: number;
  /** Excluded. */
  readonly to: number;
}

export interface GroupCommitStart extends Pick<ThreadStart, "path" | "identity" | "busyTimeoutMs"> {
  /** Milliseconds since any start. */
  readonly monotonicMs: () => number;
}

export class GroupCommit {
  readonly #start: GroupCommitStart;
  #connection: WritingConnection | undefined = undefined;
  /** Of the log, once it is open. */
  #logIdentity: string | undefined = undefined;
  #stopped: Refusal | undefined = undefined;
  /** Of the group that runs. */
  #commitMs = 0;

  constructor(start: GroupCommitStart) {
    this.#start = start;
  }

  /** Does all of them; never throws. */
  commit(group: WriteGroup): WriteAnswers {
    const answers: unknown[] = [];
    const failures: WriteFailure[] = [];
    let commits = 0;
    this.#commitMs = 0;
    // What is still to be done, the next part last.
    const parts: Part[] = [{ from: 0, to: group.length }];
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      const { from, to } = part;
      if (from === to) continue;
      const ending = this.#transact(group, part, answers);
      if (ending.kind === "done") {
        commits += 1;
        continue;
      }
      if (ending.kind === "op-failed" && to - from > 1) {
        // It may fail only in this company, and the others only because of it.
        const { at } = ending;
        parts.push({ from: at + 1, to }, { from: at, to: at + 1 }, { from, to: at });
        continue;
      }
      if (ending.kind === "too-much" && to - from > 1) {
        const middle = (from + to) >> 1;
        parts.push({ from: middle, to }, { from, to: middle });
        continue;
      }
      if (ending.kind === "unknown") this.#stop();
      for (let at = from; at < to; at += 1) failures.push({ at, ...ending.refusal });
    }
    return { answers, failures, commits, commitMs: this.#commitMs };
  }

  close(): void {
    this.#connection?.database.close();
    this.#connection = undefined;
  }

  /** One transaction; unless it is done, nothing of it is (or that cannot be told). */
  #transact(group: WriteGroup, { from, to }: Part, answers: unknown[]): Ending {
    const begun = this.#begin();
    if ("why" in begun) return { kind: "refused", refusal: begun };
    const { database, context } = begun;
    for (let at = from; at < to; at += 1) {
      const op = group[at];
      try {
        if (op !== undefined) answers[at] = context.do(op);
      } catch (error) {
        rollBack(database);
        return { kind: "op-failed", at, refusal: refusalOf(error) };
      }
    }
    try {
      const begunMs = this.#start.monotonicMs();
      context.run("COMMIT");
      this.#commitMs += this.#start.monotonicMs() - begunMs;
      return { kind: "done" };
    } catch (error) {
      rollBack(database);
      const refusal = refusalOf(error);
      const code = refusal.errcode & 0xff;
      if (code === SQLITE_FULL) return { kind: "too-much", refusal };
      if (code === SQLITE_BUSY) return { kind: "refused", refusal };
      return { kind: "unknown", refusal: { ...refusal, why: "unknown" } };
    }
  }

  /** The connection with a transaction begun, or why there is none. Opens the file at first. */
  #begin(): WritingConnection | Refusal {
    if (this.#stopped !== undefined) return this.#stopped;
    try {
      if (!this.#isInPlace()) return { why: "moved", errcode: 0, message: "moved" };
      this.#connection ??= openWriting(this.#start);
      this.#connection.context.run("BEGIN IMMEDIATE");
      this.#logIdentity ??= identityOf(logOf(this.#start));
      return this.#connection;
    } catch (error) {
      return refusalOf(error);
    }
  }

  /**
   * A look at two paths costs microseconds beside a commit, and saves from acknowledging what goes
   * into a deleted file.
   */
  #isInPlace(): boolean {
    const { path, identity } = this.#start;
    if (identityOf(path) !== identity) return false;
    return this.#logIdentity === undefined || identityOf(logOf(this.#start)) === this.#logIdentity;
  }

  #stop(): void {
    this.#stopped = { why: "stopped", errcode: 0, message: "an earlier commit failed" };
  }
}

interface WritingConnection {
  readonly database: DatabaseSync;
  readonly context: OpContext;
}

function logOf({ path }: GroupCommitStart): string {
  return `${path}-wal`;
}

function openWriting({ path, busyTimeoutMs }: GroupCommitStart): WritingConnection {
  const database = new DatabaseSync(path, { timeout: busyTimeoutMs });
  // The journal's mode is the file's, and set already.
  database.exec("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;");
  // Pages of the log before they are moved into the file: four times SQLite's own number writes a
  // quarter to a third more in the same time, and a start after a crash reads 16 MB at most.
  database.exec("PRAGMA wal_autocheckpoint = 4000;");
  database.exec("PRAGMA journal_size_limit = 67108864;"); // after a burst the log shrinks again
  const statements = new StatementCache(database);
  const context: OpContext = {
    run: (sql, ...values) => statements.run(sql, values),
    get: (sql, ...values) => statements.get(sql, values),
    all: (sql, ...values) => statements.all(sql, values),
    do: (op) => functionOf(op)(context, op),
  };
  return { database, context };
}

function functionOf([name]: OpShape): OpFunction {
  const found = functions[name];
  if (found === undefined) throw new TypeError(`There is no write of the name ${name}.`);
  return found;
}

/** Some failures (a full disk) have rolled back already. */
function rollBack(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec("ROLLBACK");
  } catch {
    // The next BEGIN says what is wrong; nothing was committed.
  }
}

function refusalOf(error: unknown): Refusal {
  const message = error instanceof Error ? error.message : String(error);
  return { why: "failed", errcode: resultCodeOf(error), message };
}
