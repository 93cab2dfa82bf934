/**
 * How busy this process is, in one unit: 0, nothing to do, to 1, no more can be done.
 *
 * What it owns: the last reading, the running means.
 *
 * D1. It is looked at once in a heartbeat; a call pays nothing for it.
 * D2. Each figure is a mean over the last seconds, so that one spike says nothing.
 */

import { totalmem } from "node:os";
import { performance } from "node:perf_hooks";
import type { CallRuntime } from "@banyan/kernel/internal";

/** Each from 0 to 1. */
export interface LoadFigures {
  /** The greatest of the others. */
  readonly load: number;
  /** Share of the time in which the event loop was not idle. */
  readonly eventLoop: number;
  /** CPU time of the whole process by the time that went by: 1 is one core or more. */
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
  readonly cpuMs: number;
  readonly memory: number;
  readonly calls: number;
}

/** A reading counts for 63 % of the mean after so long. */
const smoothingMs = 3000;

type Shares = Omit<LoadFigures, "load">;

export class LoadMeter {
  readonly #read: () => LoadReading;
  #last: LoadReading;
  /** A process that starts is busy with that, which nobody need hear of: the means begin at 0. */
  #means: Shares = { eventLoop: 0, cpu: 0, memory: 0, calls: 0 };

  constructor(read: () => LoadReading) {
    this.#read = read;
    this.#last = read();
  }

  /** Reads again, and answers the means. */
  sample(): LoadFigures {
    const last = this.#last;
    const next = this.#read();
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
        cpu: mean("cpu", (next.cpuMs - last.cpuMs) / passedMs),
        memory: mean("memory", next.memory),
        calls: mean("calls", next.calls),
      };
    }
    const { eventLoop, cpu, memory, calls } = this.#means;
    return { load: Math.max(eventLoop, cpu, memory, calls), eventLoop, cpu, memory, calls };
  }
}

/** Reads this process. */
export function processReader(
  runtime: Pick<CallRuntime, "inFlight" | "inFlightMax">,
): () => LoadReading {
  const constrained = process.constrainedMemory();
  const memoryMax = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return () => {
    const { idle, active } = performance.eventLoopUtilization();
    const { user, system } = process.cpuUsage();
    return {
      idleMs: idle,
      activeMs: active,
      cpuMs: (user + system) / 1000,
      memory: process.memoryUsage.rss() / memoryMax,
      calls: runtime.inFlight / runtime.inFlightMax,
    };
  };
}
