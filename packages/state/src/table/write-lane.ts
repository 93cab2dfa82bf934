/**
 * The one way to write: what is handed over while a group is on its way is the next group.
 *
 * What it owns: the writing connection, who waits, and the group under way. What may interrupt it:
 * the connection's end, its own deadline for a group, signals of those who still wait.
 *
 * L1. Groups are done one after the other, and the writes of one in their order (E8). Rows stay
 *     locked from the look at them to the commit, so what arrives late on a lost connection cannot
 *     pass what was done since: it waits for the lock or finds the row changed, and is undone.
 * L2. Until the commit is sent nothing is written, and the caller is told so. From then to its
 *     answer the outcome is unknown, and is never tried again.
 * L3. A group that lost to another node is rolled back and tried again, a bounded number of times.
 * L4. One that fails for what is in it is halved until it fails alone.
 * L5. A caller whose time ends while its group is on its way is told that the outcome is unknown;
 *     the group goes on. One that cancels hears how it ended.
 */

import type { Clock, Log, Waiting } from "@banyan/kernel";
import { closedError, isOutOfTime } from "../failures.ts";
import { DueQueue } from "./due-queue.ts";
import { inTime } from "./in-time.ts";
import { keysOf, resolveGroup } from "./resolve-group.ts";
import { isFailure } from "./table-database.ts";
import type { TableDatabase, TableWriter } from "./table-database.ts";
import { fullError, overdueError, unavailableError, unknownError } from "./table-failures.ts";
import type { TableOp, TableOutcome } from "./table-op.ts";

const GROUP_OPS_MAX = 512;
const GROUP_CHANGES_MAX = 2000;
const GROUP_TEXT_MAX = 2 * 1024 * 1024; // characters; a larger write has a group for itself
const RACES_MAX = 20;
const CONNECTS_MAX = 2; // the first may be one that the server dropped while nobody looked

export interface WriteLaneOptions {
  readonly engine: string;
  readonly database: TableDatabase;
  readonly clock: Clock;
  readonly log: Log;
  readonly commandTimeoutMs: number;
  readonly writesWaitingMax: number;
}

interface WaitingWrite {
  readonly op: TableOp;
  readonly text: number;
  readonly resolve: (outcome: TableOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** How a try of a group ended; but for `unknown` and `done` nothing of it was written. */
type Ending =
  | { readonly kind: "done"; readonly outcomes: readonly TableOutcome[] }
  | { readonly kind: "raced" }
  | { readonly kind: "lost" | "refused" | "invalid" | "unknown"; readonly error: unknown };

export class WriteLane {
  readonly #options: WriteLaneOptions;
  readonly #queue: DueQueue<WaitingWrite>;
  #writer: TableWriter | undefined = undefined;
  #running: Promise<void> | undefined = undefined;
  #isClosed = false;
  #isFailing = false;

  constructor(options: WriteLaneOptions) {
    this.#options = options;
    const { engine, clock, commandTimeoutMs: timeoutMs } = options;
    this.#queue = new DueQueue({ clock, timeoutMs, onDue: () => overdueError(engine, timeoutMs) });
  }

  write(op: TableOp, waiting: Waiting = {}): Promise<TableOutcome> {
    const { engine, writesWaitingMax } = this.#options;
    if (this.#isClosed) throw closedError(engine);
    if (this.#queue.size >= writesWaitingMax) throw fullError(engine, writesWaitingMax);
    return new Promise((resolve, reject) => {
      const write = { op, text: textOf(op), resolve, reject };
      const { signal } = waiting;
      if (signal === undefined) this.#queue.push(write, waiting);
      else this.#pushInTime(write, signal);
      this.#running ??= this.#run();
    });
  }

  /** The same for a caller whose time may end while the group of its write is on its way (L5). */
  #pushInTime(write: WaitingWrite, signal: AbortSignal): void {
    const { engine } = this.#options;
    const onAbort = (): void => {
      // Whoever still waited for a turn was told so by the queue just now, which counts.
      if (isOutOfTime(signal.reason)) write.reject(unknownError(engine, signal.reason));
    };
    const forget = (): void => signal.removeEventListener("abort", onAbort);
    const resolve = (outcome: TableOutcome): void => {
      forget();
      write.resolve(outcome);
    };
    const reject = (error: unknown): void => {
      forget();
      write.reject(error);
    };
    this.#queue.push({ ...write, resolve, reject }, { signal });
    signal.addEventListener("abort", onAbort, { once: true });
  }

  /** Waits for what was handed over, then ends the connection. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#running;
    this.#writer?.destroy();
  }

  async #run(): Promise<void> {
    for (;;) {
      // Who was answered just now writes again in this turn: one group for all of them.
      await nextTurn();
      if (this.#queue.size === 0) break;
      await this.#doNext();
    }
    this.#running = undefined;
  }

  async #doNext(): Promise<void> {
    const { engine } = this.#options;
    try {
      await this.#connected();
    } catch (error) {
      this.#noteFailure(error);
      this.#queue.rejectAll(() => unavailableError(engine, "cannot be reached", error));
      return;
    }
    let text = 0;
    let changes = 0;
    const group = this.#queue.take(({ text: more, op }, taken) => {
      text += more;
      changes += op.changes.length + op.checks.length + (op.letters?.length ?? 0);
      return taken < GROUP_OPS_MAX && text <= GROUP_TEXT_MAX && changes <= GROUP_CHANGES_MAX;
    });
    await this.#commit(group);
  }

  /** Does a group, or tells each of its writes why not. */
  async #commit(group: readonly WaitingWrite[]): Promise<void> {
    if (group.length === 0) return;
    const { engine, clock, commandTimeoutMs } = this.#options;
    let isOver = false;
    const giveUp = (): void => {
      // Nothing else ends a wait for a server.
      isOver = true;
      this.#writer?.destroy();
    };
    const bound = { clock, timeoutMs: commandTimeoutMs, giveUp };
    const ending = await inTime(bound, () => this.#tryAll(group, () => isOver));
    if (ending.kind === "done") {
      this.#noteSuccess();
      for (const [at, outcome] of ending.outcomes.entries()) group[at]?.resolve(outcome);
      return;
    }
    if (ending.kind === "invalid" && group.length > 1) {
      const middle = group.length >> 1;
      await this.#commit(group.slice(0, middle));
      await this.#commit(group.slice(middle));
      return;
    }
    if (ending.kind !== "raced" && ending.kind !== "invalid") this.#noteFailure(ending.error);
    for (const { reject } of group) reject(refusalOf(ending, engine, commandTimeoutMs));
  }

  async #tryAll(group: readonly WaitingWrite[], isOver: () => boolean): Promise<Ending> {
    const ops = group.map(({ op }) => op);
    let ending: Ending = { kind: "raced" };
    for (let races = 0, connects = 0; races < RACES_MAX && connects < CONNECTS_MAX;) {
      let writer: TableWriter;
      try {
        writer = await this.#connected();
      } catch (error) {
        return { kind: "lost", error };
      }
      ending = await attempt(writer, ops);
      if (ending.kind === "raced") races += 1;
      else if (ending.kind === "lost") connects += 1;
      else break;
      if (ending.kind === "lost") writer.destroy();
      if (isOver()) return ending.kind === "raced" ? { kind: "lost", error: undefined } : ending;
    }
    // A server that refuses may be a replica by now: the next group looks for it anew.
    if (ending.kind === "refused" || ending.kind === "unknown") this.#writer?.destroy();
    return ending;
  }

  async #connected(): Promise<TableWriter> {
    if (this.#writer?.isUsable !== true) {
      this.#writer = undefined;
      this.#writer = await this.#options.database.connectWriter();
    }
    return this.#writer;
  }

  #noteFailure(error: unknown): void {
    const { database, log } = this.#options;
    if (!this.#isFailing) log.error("the database takes no writes", { at: database.place, error });
    this.#isFailing = true;
  }

  #noteSuccess(): void {
    const { database, log } = this.#options;
    if (this.#isFailing) log.info("the database takes writes again", { at: database.place });
    this.#isFailing = false;
  }
}

/** One transaction. */
async function attempt(writer: TableWriter, ops: readonly TableOp[]): Promise<Ending> {
  let isSent = false;
  try {
    const keys = keysOf(ops);
    // A transaction of nothing at all is done without asking anybody.
    const isEmpty = keys.length === 0 && ops.every(({ letters = [] }) => letters.length === 0);
    const rows = isEmpty ? [] : await writer.lock(keys);
    const { outcomes, changes } = resolveGroup(ops, rows);
    if (isEmpty) return { kind: "done", outcomes };
    const { inserts, updates, deletes, letters } = changes;
    if (inserts.length + updates.length + deletes.length + letters.length === 0) {
      await writer.undo();
      return { kind: "done", outcomes };
    }
    isSent = true;
    const ended = await writer.commit(changes);
    return ended === "committed" ? { kind: "done", outcomes } : { kind: "raced" };
  } catch (error) {
    if (isFailure(error, "raced")) return { kind: "raced" };
    if (isFailure(error, "invalid")) return { kind: "invalid", error };
    if (isFailure(error, "refused")) return { kind: "refused", error };
    return { kind: isSent ? "unknown" : "lost", error };
  }
}

function refusalOf(ending: Ending, engine: string, timeoutMs: number): unknown {
  switch (ending.kind) {
    case "raced":
      return unavailableError(engine, `lost ${RACES_MAX} times to other nodes`);
    case "unknown":
      return unknownError(engine, ending.error);
    case "lost":
      return unavailableError(engine, `was lost or slower than ${timeoutMs} ms`, ending.error);
    case "refused":
    case "invalid":
      return unavailableError(engine, "refused the write", ending.error);
    case "done":
      return undefined;
    default:
      return assertNever(ending);
  }
}

/** How much text a write carries: what makes it large. */
function textOf({ changes, letters = [] }: TableOp): number {
  let text = 0;
  for (const { load } of letters) text += load.length;
  for (const change of changes) if (change.kind === "set") text += change.value.length;
  return text;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function assertNever(ending: never): never {
  throw new TypeError(`Unknown ending ${JSON.stringify(ending)}.`);
}
