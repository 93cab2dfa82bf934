/** Opening the subjects of a group, and asking each in its turn for one figure. */

import type { BenchRun } from "../area.ts";
import type { RoundsOptions, Turn } from "../rounds.ts";
import { takeTurns } from "../rounds.ts";
import type { Figures, Question } from "../subject.ts";
import { openSubject } from "../subject-process.ts";
import type { SubjectProcess } from "../subject-process.ts";

/** A file beside this one and its arguments. */
export type SubjectFile = readonly [file: string, ...args: readonly string[]];

/**
 * Opens them one after the other: each fills its store while nobody else is busy. A smoke run,
 * which has next to nothing to fill, opens them at once.
 */
export async function openSubjects(
  { fromSource, quick }: BenchRun,
  stack: AsyncDisposableStack,
  files: readonly SubjectFile[],
): Promise<SubjectProcess[]> {
  const open = async ([file, ...args]: SubjectFile): Promise<SubjectProcess> =>
    stack.use(await openSubject(new URL(file, import.meta.url), { args, fromSource }));
  if (quick) return await Promise.all(files.map(open));
  const subjects: SubjectProcess[] = [];
  for (const file of files) subjects.push(await open(file));
  return subjects;
}

/** One subject and what it is asked in every round. */
export interface Contestant {
  readonly subject: SubjectProcess | undefined;
  readonly measure: string;
  readonly question: Question;
}

/** The figures of each contestant, one per round. */
export function askInTurns(
  contestants: readonly Contestant[],
  rounds: RoundsOptions,
): Promise<Figures[][]> {
  return takeTurns(
    contestants.map(({ subject, measure, question }): Turn<Figures> => async () => {
      if (subject === undefined) throw new Error(`Nobody was opened to measure ${measure}.`);
      return await subject.ask(measure, question);
    }),
    rounds,
  );
}

/** One figure of each round. */
export function seriesOf(samples: readonly Figures[] | undefined, figure: string): number[] {
  return (samples ?? []).map((sample) => sample[figure] ?? NaN);
}
