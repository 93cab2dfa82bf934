/** An area of the bench: what `npm run bench -- <area>` runs. */

import type { BenchCase, CallGuarantee, Guarantee } from "./result.ts";

export interface BenchRun {
  /** A smoke run: few and short rounds, figures that prove nothing. */
  readonly quick: boolean;
  /** Measures the sources instead of what was built: for tests of the runner alone. */
  readonly fromSource: boolean;
  /** Parts of names of cases; empty: all. */
  readonly only: readonly string[];
  /** Says what is going on. */
  readonly say: (text: string) => void;
}

/** A group of cases that share their processes. */
export interface CaseGroup {
  readonly name: string;
  run(bench: BenchRun): Promise<readonly BenchCase[]>;
}

export interface Area {
  readonly name: string;
  readonly groups: readonly CaseGroup[];
  /** What the contestants promise, where they do not promise the same. */
  readonly guarantees?: readonly Guarantee[];
  readonly callGuarantees?: readonly CallGuarantee[];
}

/** Runs the groups that were asked for, one after the other. */
export async function runArea(area: Area, bench: BenchRun): Promise<BenchCase[]> {
  const cases: BenchCase[] = [];
  for (const group of area.groups) {
    if (bench.only.length > 0 && !bench.only.some((part) => group.name.includes(part))) continue;
    const startedMs = performance.now();
    bench.say(`${group.name} …`);
    cases.push(...(await group.run(bench)));
    bench.say(`${group.name}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  }
  if (cases.length === 0) {
    const known = area.groups.map(({ name }) => name).join(", ");
    throw new Error(`No group of "${area.name}" is called ${bench.only.join(" or ")}: ${known}.`);
  }
  return cases;
}
