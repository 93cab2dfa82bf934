/**
 * Whether this node is well, by its load and by its host's own word; looked at in each heartbeat.
 *
 * S1. A load about the bound does not flap: degraded at the bound, well again a tenth below it.
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

const causes: readonly (readonly [figure: keyof LoadFigures, what: string])[] = [
  ["eventLoop", "its event loop is busy"],
  ["cpu", "its process takes a core and more"],
  ["memory", "its memory is used up"],
  ["calls", "it runs as many calls as it may"],
];

export class StatusWatch {
  readonly #loadMax: number;
  readonly #health: (() => HealthReport) | undefined;
  #isBusy = false;

  /** @param loadMax above 0, at most 1 */
  constructor(loadMax: number, health: (() => HealthReport) | undefined) {
    this.#loadMax = loadMax;
    this.#health = health;
  }

  look(figures: LoadFigures): OwnStatus {
    const { load } = figures;
    const max = this.#loadMax;
    this.#isBusy = load >= (this.#isBusy ? max - hysteresis : max);
    const [, cause = "it is busy"] = causes.find(([name]) => figures[name] === load) ?? [];
    const own = this.#isBusy ? [`its load is high: ${cause}`] : [];
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
