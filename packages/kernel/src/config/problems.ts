/**
 * Where a value came from, and what is wrong with it.
 *
 * Problems are data: the host collects those of every step, merges them and throws one error that
 * lists all. No message holds a secret, because messages end in logs and terminals.
 */

/** The kinds of place a value can come from, strongest first. */
export const OriginKind = { Flag: "flag", Env: "env", File: "file", Default: "default" } as const;
export type OriginKind = (typeof OriginKind)[keyof typeof OriginKind];

/** The place one value came from. */
export interface Origin {
  readonly kind: OriginKind;
  /** The flag (`--port`), the variable (`BANYAN_HTTP_PORT`), the file's name, or `default`. */
  readonly name: string;
  /** Line in the file, from 1. */
  readonly line?: number;
  /** Column in the file, from 1. */
  readonly column?: number;
}

/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** JSON pointer into the configuration tree; `""` where no place of the tree is meant. */
  readonly pointer: string;
  readonly origin?: Origin;
  /** One sentence that starts with the place: `banyan.yaml:3:9: http.port must be …`. */
  readonly message: string;
  /** What to do about it, as a sentence. */
  readonly fix?: string;
}

/** `banyan.yaml:3:9`, `BANYAN_HTTP_PORT`, `--port` or `default`. */
export function originText(origin: Origin): string {
  if (origin.line === undefined) return origin.name;
  const line = `${origin.name}:${origin.line}`;
  return origin.column === undefined ? line : `${line}:${origin.column}`;
}

/**
 * Joins the problems of several steps, drops repetitions and sorts them: files by place first, then
 * variables, flags, and what is missing altogether.
 */
export function mergeProblems(...lists: readonly (readonly ConfigProblem[])[]): ConfigProblem[] {
  const byText = new Map<string, ConfigProblem>();
  for (const problem of lists.flat()) {
    const key = JSON.stringify([problem.pointer, problem.message]);
    if (!byText.has(key)) byText.set(key, problem);
  }
  return [...byText.values()].toSorted(compareProblems);
}

/** Plain text for a terminal or a log, one block per problem. */
export function formatProblems(problems: readonly ConfigProblem[]): string {
  return problems
    .map(({ message, fix }) => (fix === undefined ? message : `${message}\n  Fix: ${fix}`))
    .join("\n\n");
}

/** Compares by code units, so the order is the same in every locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const sortRank: Readonly<Record<OriginKind | "none", number>> = {
  file: 0,
  env: 1,
  flag: 2,
  default: 3,
  none: 4,
};

function compareProblems(a: ConfigProblem, b: ConfigProblem): number {
  return (
    sortRank[a.origin?.kind ?? "none"] - sortRank[b.origin?.kind ?? "none"] ||
    compareText(a.origin?.name ?? "", b.origin?.name ?? "") ||
    (a.origin?.line ?? 0) - (b.origin?.line ?? 0) ||
    (a.origin?.column ?? 0) - (b.origin?.column ?? 0) ||
    compareText(a.pointer, b.pointer) ||
    compareText(a.message, b.message)
  );
}
