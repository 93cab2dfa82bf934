/**
 * How busy this process is, in one unit: 0, nothing to do, to 1, no more can be done.
 *
 * What it owns: the last reading, the running means, the reader and what that watches.
 *
 * D1. It is looked at once in a heartbeat; a call pays nothing for it.
 * D2. Each figure is a mean over the last seconds, so that one spike says nothing.
 */

import { availableParallelism, totalmem } from "node:os";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { CallRuntime } from "@banyan/kernel/internal";

/** Each from 0 to 1. */
export interface LoadFigures {
  /** The greatest of the others. */
  readonly load: number;
  /** Share of the time in which the event loop was not idle. */
  readonly eventLoop: number;
  /**
   * How long a call that comes at any moment waits for the event loop, by `lagMaxMs`. It is high
   * where others take the CPU as well: then the loop is late and has little to do.
   */
  readonly lag: number;
  /** CPU time of all its threads by what the cores that it may use have. */
  readonly cpu: number;
  /** Resident memory by what this process may have: its container's, or the machine's. */
  readonly memory: number;
  /** Calls in flight by how many may be. */
  readonly calls: number;
}

/** What is read of a process at a moment; times count from its start. */
export interface LoadReading {
  readonly idleMs: number;
  readonly activeMs: number;
  /** Of one core. */
  readonly cpuMs: number;
  /** That the process may use. */
  readonly cores: number;
  /** Since the reading before. */
  readonly lagMs: number;
  readonly memory: number;
  readonly calls: number;
}

/** A reading counts for 63 % of the mean after so long. */
const smoothingMs = 3000;
/** A lag of this is 1: four calls in a row that wait so long are a second that a user waits. */
const lagMaxMs = 250;
/** How exactly the event loop is watched: a timer of the runtime, not of JavaScript. */
const resolutionMs = 20;

/** Reads a process, until it is closed. */
export interface LoadReader {
  read(): LoadReading;
  close(): void;
}

type Shares = Omit<LoadFigures, "load">;

export class LoadMeter {
  readonly #reader: LoadReader;
  #last: LoadReading;
  /** A process that starts is busy with that, which nobody need hear of: the means begin at 0. */
  #means: Shares = { eventLoop: 0, lag: 0, cpu: 0, memory: 0, calls: 0 };

  constructor(reader: LoadReader) {
    this.#reader = reader;
    this.#last = reader.read();
  }

  close(): void {
    this.#reader.close();
  }

  /** Reads again, and answers the means. */
  sample(): LoadFigures {
    const last = this.#last;
    const next = this.#reader.read();
    const active = next.activeMs - last.activeMs;
    const passedMs = active + next.idleMs - last.idleMs;
    if (passedMs > 0) {
      this.#last = next;
      const weight = 1 - Math.exp(-passedMs / smoothingMs);
      const mean = (name: keyof Shares, share: number): number => {
        const before = this.#means[name];
        return before + (Math.min(1, Math.max(0, share)) - before) * weight;
      };
      this.#means = {
        eventLoop: mean("eventLoop", active / passedMs),
        lag: mean("lag", next.lagMs / lagMaxMs),
        cpu: mean("cpu", (next.cpuMs - last.cpuMs) / (passedMs * next.cores)),
        memory: mean("memory", next.memory),
        calls: mean("calls", next.calls),
      };
    }
    return { load: Math.max(...Object.values(this.#means)), ...this.#means };
  }
}

/** Reads this process. */
export function openProcessReader(
  runtime: Pick<CallRuntime, "inFlight" | "inFlightMax">,
): LoadReader {
  const constrained = process.constrainedMemory();
  const memoryMax = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  // Counts what a container or an affinity leaves to this process.
  const cores = availableParallelism();
  const intervals = monitorEventLoopDelay({ resolution: resolutionMs });
  intervals.enable();
  let before = sumsOf(intervals);
  return {
    read() {
      const { idle, active } = performance.eventLoopUtilization();
      const { user, system } = process.cpuUsage();
      // Never reset: the interval in which it is read would be lost, which is all of a long block.
      const seen = sumsOf(intervals);
      const lagMs = lagBetween(before, seen);
      before = seen;
      return {
        idleMs: idle,
        activeMs: active,
        cpuMs: (user + system) / 1000,
        cores,
        lagMs,
        memory: process.memoryUsage.rss() / memoryMax,
        calls: runtime.inFlight / runtime.inFlightMax,
      };
    },
    close: () => intervals.disable(),
  };
}

interface Intervals {
  readonly count: number;
  readonly mean: number;
  readonly stddev: number;
}

/** Of intervals between turns of an event loop: their sum, and that of their squares. */
interface IntervalSums {
  readonly ns: number;
  readonly squares: number;
}

function sumsOf({ count, mean, stddev }: Intervals): IntervalSums {
  return count === 0
    ? { ns: 0, squares: 0 }
    : { ns: count * mean, squares: count * (mean ** 2 + stddev ** 2) };
}

/**
 * Milliseconds that whoever comes at any moment waits. A mean of the intervals would hide a block
 * of a second among 25 turns on time; half of the squares by the sum does not.
 */
export function lagBetween(before: IntervalSums, after: IntervalSums): number {
  const ns = after.ns - before.ns;
  if (!(ns > 0)) return 0;
  const waitNs = (after.squares - before.squares) / (2 * ns);
  return Math.max(0, waitNs / 1e6 - resolutionMs / 2);
}
