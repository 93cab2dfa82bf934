/**
 * The test's half of testpoints: every point a child reports is let go at once, unless somebody
 * wants the child stopped there.
 *
 * I1. The child waits at one point at a time; each gets exactly one answer, or the child dies.
 */

import type { Duplex } from "node:stream";

/** A child that waits at a point. */
export interface StoppedChild {
  readonly point: string;
  /** Lets the child go on. Once. */
  go(): void;
}

interface Stop {
  readonly point: string;
  left: number;
  readonly resolve: (stopped: StoppedChild) => void;
  readonly reject: (error: Error) => void;
}

export class TestpointGate {
  readonly #pipe: Duplex;
  readonly #stops = new Set<Stop>();
  readonly #reached: string[] = [];
  #ending: string | undefined;

  constructor(pipe: Duplex) {
    this.#pipe = pipe;
    let rest = "";
    pipe.setEncoding("utf8");
    pipe.on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const point of parts) this.#atPoint(point);
    });
    // The child died with an answer on its way to it: its exit says so.
    pipe.on("error", () => undefined);
  }

  /** Resolves when the child waits at the point for the nth time, counted from now. */
  stopAt(point: string, nth: number): Promise<StoppedChild> {
    if (this.#ending !== undefined) return Promise.reject(this.#failure(point, this.#ending));
    const { promise, resolve, reject } = Promise.withResolvers<StoppedChild>();
    this.#stops.add({ point, left: nth, resolve, reject });
    return promise;
  }

  end(ending: string): void {
    this.#ending ??= ending;
    for (const { point, reject } of this.#stops) reject(this.#failure(point, ending));
    this.#stops.clear();
  }

  #atPoint(point: string): void {
    this.#reached.push(point);
    let wanted: Stop | undefined;
    for (const stop of this.#stops) {
      if (stop.point !== point) continue;
      stop.left -= 1;
      if (stop.left <= 0) wanted ??= stop;
    }
    if (wanted === undefined) {
      this.#pipe.write("\n");
      return;
    }
    this.#stops.delete(wanted);
    let gone = false;
    const go = (): void => {
      if (!gone) this.#pipe.write("\n");
      gone = true;
    };
    wanted.resolve({ point, go });
  }

  #failure(point: string, ending: string): Error {
    const reached = this.#reached.length === 0 ? "no point" : this.#reached.slice(-10).join(", ");
    return new Error(
      `Point "${point}" was not reached: the child ${ending}. It passed ${reached}.`,
    );
  }
}
