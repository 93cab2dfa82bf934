/**
 * The form of `bench/results/<area>.json`, one for all areas, and the only way into it: a series of
 * samples becomes a case here, so that every case is a median with its spread and its verdict.
 */

import { t } from "@banyan/kernel";
import type { Issue, Static } from "@banyan/kernel";
import { compileSchema } from "@banyan/kernel/internal";
import { median, pairedRatio, roundFigure, spreadOf } from "./statistics.ts";

const name = t.String({ minLength: 1 });

const caseSchema = t.Object({
  name,
  unit: t.String({ minLength: 1, description: "Of ours, baseline, peers and spread." }),
  ours: t.Number(),
  baseline: t.Object({ name, value: t.Number() }),
  peers: t.Array(t.Object({ name, version: t.String({ minLength: 1 }), value: t.Number() })),
  ratio: t.Number({
    description:
      "Median over the rounds of ours ÷ what the target compares with, else ÷ the baseline.",
  }),
  target: t.Union([t.String({ minLength: 1 }), t.Null()], {
    description: "In words; null where nothing was promised.",
  }),
  met: t.Union([t.Boolean(), t.Null()], { description: "Null where nothing was promised." }),
  samples: t.Integer({ minimum: 1, description: "Rounds behind `ours`." }),
  spread: t.Object({ min: t.Number(), q1: t.Number(), q3: t.Number(), max: t.Number() }),
});

const words = t.String({ minLength: 1 });
const degree = t.Union([t.Literal("same"), t.Literal("less")]);

const guaranteeSchema = t.Object({
  name,
  confirmed: words,
  durable: words,
  redelivered: words,
  retries: words,
  deadLetters: words,
  publishing: degree,
  handling: degree,
});

const callGuaranteeSchema = t.Object({
  name,
  checked: words,
  deadline: words,
  cancel: words,
  lost: words,
  peer: words,
});

const resultSchema = t.Object({
  area: t.String({ pattern: "^[a-z][a-z-]*$" }),
  commit: t.String({ minLength: 1, description: "With -dirty when the tree had changes." }),
  node: t.String({ pattern: "^v\\d+\\.\\d+\\.\\d+$" }),
  cpu: t.String({
    minLength: 1,
    description: "Cores and model, and the load when it was measured.",
  }),
  date: t.String({ format: "date-time" }),
  cases: t.Array(caseSchema, { minItems: 1 }),
  guarantees: t.Optional(
    t.Array(guaranteeSchema, { description: "Where contestants do not promise the same." }),
  ),
  callGuarantees: t.Optional(
    t.Array(callGuaranteeSchema, { description: "The same of calls between nodes." }),
  ),
});

export type BenchResult = Static<typeof resultSchema>;
export type BenchCase = Static<typeof caseSchema>;
/** What a contestant promises, in words; `same` and `less` are said beside ours. */
export type Guarantee = Static<typeof guaranteeSchema>;
/** What a contestant promises of a call to another process, in words. */
export type CallGuarantee = Static<typeof callGuaranteeSchema>;

const compiled = compileSchema(resultSchema);

/** @throws Error that names what does not fit. */
export function parseResult(value: unknown): BenchResult {
  const issues: Issue[] = [];
  const result = compiled.parse(value, "strict", issues);
  if (result !== undefined && issues.length === 0) return result;
  const list = issues.map((issue) => `${issue.pointer}: ${issue.message}`);
  throw new Error(`This is no bench result:\n  ${list.join("\n  ")}`);
}

/** A bound on our figure itself, or on its ratio to one of the other series, by name. */
export type Target =
  | { readonly atLeast: number; readonly times?: string }
  | { readonly atMost: number; readonly times?: string };

/** What was measured, before it is a case: one sample per round and series. */
export interface Measured {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly baseline: { readonly name: string; readonly values: readonly number[] };
  readonly peers?: readonly PeerSamples[];
  readonly target?: Target;
}

export interface PeerSamples {
  readonly name: string;
  readonly version: string;
  readonly values: readonly number[];
}

export function caseOf(measured: Measured): BenchCase {
  const { unit, ours, baseline, peers = [], target } = measured;
  const own = median(ours);
  const ratio = pairedRatio(ours, comparedSeries(measured));
  return {
    name: measured.name,
    unit,
    ours: roundFigure(own),
    baseline: { name: baseline.name, value: roundFigure(median(baseline.values)) },
    peers: peers.map((peer) => ({
      name: peer.name,
      version: peer.version,
      value: roundFigure(median(peer.values)),
    })),
    ratio: roundFigure(ratio),
    target: target === undefined ? null : targetText(target, unit),
    met: target === undefined ? null : isMet(target, target.times === undefined ? own : ratio),
    samples: ours.length,
    spread: spreadOf(ours),
  };
}

function comparedSeries({
  name: title,
  baseline,
  peers = [],
  target,
}: Measured): readonly number[] {
  const times = target?.times;
  if (times === undefined || times === baseline.name) return baseline.values;
  const peer = peers.find((each) => each.name === times);
  if (peer === undefined) throw new Error(`${title}: nothing measured is called "${times}".`);
  return peer.values;
}

function isMet(target: Target, value: number): boolean {
  return "atLeast" in target ? value >= target.atLeast : value <= target.atMost;
}

function targetText(target: Target, unit: string): string {
  const [sign, bound] = "atLeast" in target ? ["≥", target.atLeast] : ["≤", target.atMost];
  if (target.times !== undefined) return `${sign} ${bound} × ${target.times}`;
  return `${sign} ${bound.toLocaleString("en-US")} ${unit}`;
}
