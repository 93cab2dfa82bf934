/**
 * The way of the bus's writes to its file, with the acknowledgements between them.
 *
 * What it owns: acknowledgements that are not safe yet, and the timer of the next try.
 * What may interrupt it: the answers of the writer thread and the timer, between two turns.
 *
 * W1. Everything is handed to the file in the order in which it came, a turn's acknowledgements
 *     before what came after them, and those that failed before all.
 * W2. Acknowledgements of one turn are one write; rows next to each other go by one statement.
 * W3. An acknowledgement is kept until its write succeeds. One that failed goes again with the next
 *     write, or with the next try of its own.
 * W4. After a failure that lies with the file one small write at a time finds out when it is over.
 *     A stopped writer is never over.
 */

import { nextTick } from "node:process";
import type { CancelTimer, Clock } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import { Acknowledgements } from "./bus-acknowledgements.ts";
import { busFailure } from "./bus-failure.ts";
import type { BusOp } from "./bus-ops.ts";
import { isMediumFailure } from "./errors.ts";
import type { SqliteFile } from "./sqlite-file.ts";

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5000;

export class BusWrites {
  /** Called when `takesWrites` has changed. */
  onTakesWrites: (() => void) | undefined = undefined;
  readonly #file: SqliteFile;
  readonly #clock: Clock;
  readonly #waiting = new Acknowledgements();
  /** Acknowledgements that the file has and has not answered. */
  #underWay = 0;
  #isScheduled = false;
  #takesWrites = true;
  /** No write will succeed any more. */
  #isOver = false;
  #retryMs = RETRY_MIN_MS;
  #cancelRetry: CancelTimer | undefined = undefined;
  #isRetrying = false;
  #isClosed = false;

  constructor(file: SqliteFile, clock: Clock) {
    this.#file = file;
    this.#clock = clock;
  }

  get takesWrites(): boolean {
    return this.#takesWrites;
  }

  get unacknowledged(): number {
    return this.#waiting.count + this.#underWay;
  }

  acknowledge(group: number, seq: number): void {
    this.#waiting.add(group, seq);
    if (this.#isScheduled || !this.#takesWrites || this.#isClosed) return;
    this.#isScheduled = true;
    // After what runs now and the promises behind it, before the file sends its group.
    nextTick(this.#onTurn);
  }

  /** @throws MESSAGING_UNAVAILABLE, MESSAGING_OUTCOME_UNKNOWN */
  write(op: BusOp): Promise<unknown> {
    this.#flush();
    return this.#file.write(op).then(this.#onDone, this.#onFailed);
  }

  /** Hands over what is left; what fails from here on stays in `unacknowledged`. */
  close(): void {
    this.#flush();
    this.#isClosed = true;
    this.#cancelRetry?.();
  }

  readonly #onTurn = (): void => {
    this.#isScheduled = false;
    if (this.#takesWrites) this.#flush();
  };

  readonly #onDone = (answer: unknown): unknown => {
    this.#succeeded();
    return answer;
  };

  readonly #onFailed = (error: unknown): never => {
    this.#failed(error);
    throw busFailure(error, this.#file.path);
  };

  /** Hands over the acknowledgements that wait (W1, W2). */
  #flush(): void {
    if (this.#waiting.count > 0 && !this.#isOver && !this.#isClosed) void this.#acknowledge();
  }

  async #acknowledge(): Promise<void> {
    const { count } = this.#waiting;
    const ranges = this.#waiting.take();
    this.#underWay += count;
    try {
      await this.#file.write(["busAcknowledge", ranges]);
    } catch (error) {
      this.#underWay -= count;
      this.#waiting.giveBack(ranges, count);
      this.#failed(error, { isLasting: true });
      return;
    }
    this.#underWay -= count;
    this.#succeeded();
  }

  #succeeded(): void {
    if (this.#takesWrites || this.#isOver) return;
    this.#cancelRetry?.();
    this.#cancelRetry = undefined;
    this.#retryMs = RETRY_MIN_MS;
    this.#flush();
    this.#set(true);
  }

  /** @param why `isLasting`: whatever it was, it was not what was to be written. */
  #failed(error: unknown, { isLasting = isMediumFailure(error) } = {}): void {
    if (!isLasting || this.#isOver || this.#isClosed) return;
    this.#isOver = isLast(error);
    if (this.#isOver) this.#cancelRetry?.();
    this.#set(false);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#takesWrites || this.#isOver || this.#isClosed) return;
    if (this.#isRetrying || this.#cancelRetry !== undefined) return;
    this.#cancelRetry = this.#clock.setTimer(this.#retryMs, () => {
      void this.#retry();
    });
  }

  async #retry(): Promise<void> {
    this.#cancelRetry = undefined;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
    this.#isRetrying = true;
    if (this.#waiting.count > 0) await this.#acknowledge();
    else await this.#probe();
    this.#isRetrying = false;
    this.#retryLater();
  }

  async #probe(): Promise<void> {
    try {
      await this.#file.write(["stateProbe"]);
    } catch (error) {
      this.#failed(error, { isLasting: true });
      return;
    }
    this.#succeeded();
  }

  #set(takesWrites: boolean): void {
    if (this.#takesWrites === takesWrites) return;
    this.#takesWrites = takesWrites;
    this.onTakesWrites?.();
  }
}

/** True for what only another start of the process ends. */
function isLast(error: unknown): boolean {
  if (!isBanyanError(error)) return false;
  const { code } = error;
  return code === "SQLITE_OUTCOME_UNKNOWN" || code === "SQLITE_WRITER_STOPPED" || code === "CLOSED";
}
