/**
 * Whether this node is well, by its load and by its host's own word; looked at in each heartbeat.
 *
 * S1. A load about the bound does not flap: degraded at the bound, well again when it was a tenth
 *     below it for `calmMs`. Others hear of it at most once in that time.
 * S2. Whoever cannot say that it is well is degraded.
 */

import { issueLengthMax, issuesMax } from "./instance-record.ts";
import type { InstanceRecord } from "./instance-record.ts";
import type { LoadFigures } from "./load-meter.ts";

/** What the host says of its parts. Any issue makes it degraded. */
export interface HealthReport {
  readonly status: "up" | "degraded";
  /** In words that anybody may read: at most 20, of 200 characters. */
  readonly issues: readonly string[];
}

export type OwnStatus = Pick<InstanceRecord, "issues"> & HealthReport;

const hysteresis = 0.1;
/** Longer than the mean of the load remembers, short beside a rollout. */
const calmMs = 10_000;

const causes: readonly (readonly [figure: keyof LoadFigures, what: string])[] = [
  ["eventLoop", "its event loop is busy"],
  ["lag", "its event loop is late"],
  ["cpu", "its process takes the cores that it may use"],
  ["memory", "its memory is used up"],
  ["calls", "it runs as many calls as it may"],
];

export class StatusWatch {
  readonly #loadMax: number;
  readonly #health: (() => HealthReport) | undefined;
  /** Why it is busy, and when it was last; `undefined`: it is not. */
  #busy: { readonly cause: string; readonly atMs: number } | undefined;

  /** @param loadMax above 0, at most 1 */
  constructor(loadMax: number, health: (() => HealthReport) | undefined) {
    this.#loadMax = loadMax;
    this.#health = health;
  }

  /** @param nowMs of a clock that only goes on */
  look(figures: LoadFigures, nowMs: number): OwnStatus {
    const { load } = figures;
    const max = this.#loadMax;
    if (load >= (this.#busy === undefined ? max : max - hysteresis)) {
      const [, cause = "it is busy"] = causes.find(([name]) => figures[name] === load) ?? [];
      this.#busy = { cause, atMs: nowMs };
    } else if (this.#busy !== undefined && nowMs - this.#busy.atMs >= calmMs) {
      this.#busy = undefined;
    }
    const own = this.#busy === undefined ? [] : [`its load is high: ${this.#busy.cause}`];
    const { status, issues } = this.#askedHealth();
    const all = [...own, ...issues].slice(0, issuesMax);
    return {
      status: all.length > 0 ? "degraded" : status,
      issues: all.map((issue) => issue.slice(0, issueLengthMax)),
    };
  }

  #askedHealth(): HealthReport {
    try {
      return this.#health?.() ?? { status: "up", issues: [] };
    } catch {
      // What was thrown may say more than strangers should read; the host knows it.
      return { status: "degraded", issues: ["its health could not be told"] };
    }
  }
}
