/** Single parts beside the least that does their work: figures to know, without a promise. */

import type { CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import type { BenchCase } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { openSubject } from "../subject-process.ts";

interface Part {
  readonly measure: string;
  readonly name: string;
  readonly unit: string;
  readonly baseline: string;
}

const map = "a Map of copied objects behind a promise";
const parts: readonly Part[] = [
  { measure: "parse", name: "schema: validate and copy", unit: "values/s", baseline: "JSON copy" },
  { measure: "copy", name: "schema: copy", unit: "values/s", baseline: "JSON copy" },
  { measure: "get", name: "memory store: get", unit: "calls/s", baseline: map },
  { measure: "set", name: "memory store: set", unit: "calls/s", baseline: map },
  { measure: "update", name: "memory store: update", unit: "calls/s", baseline: map },
  {
    measure: "publish",
    name: "memory bus: typed publish to handler",
    unit: "events/s",
    baseline: "an EventEmitter behind a promise",
  },
];

/** `schema: …`, `memory store: …`, `memory bus: …`. */
export const singleParts: CaseGroup = {
  name: "parts",
  async run({ fromSource, quick }) {
    const open = (file: string) => openSubject(new URL(file, import.meta.url), { fromSource });
    await using ours = await open("parts-banyan.bench.ts");
    await using raw = await open("parts-raw.bench.ts");
    const question = { inFlight: 1, durationMs: quick ? 15 : 250 };
    const rounds = quick ? { rounds: 2, warmUp: 1 } : { rounds: 11, warmUp: 2 };
    const cases: BenchCase[] = [];
    for (const { measure, name, unit, baseline } of parts) {
      const turns = [ours, raw].map((subject) => async (): Promise<number> => {
        const { rate = NaN } = await subject.ask(measure, question);
        return rate;
      });
      const [own = [], theirs = []] = await takeTurns(turns, rounds);
      cases.push(caseOf({ name, unit, ours: own, baseline: { name: baseline, values: theirs } }));
    }
    return cases;
  },
};
