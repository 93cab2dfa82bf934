/** Rounds in which every contestant has one turn: what disturbs the machine disturbs them all. */

export interface RoundsOptions {
  readonly rounds: number;
  /** Rounds that are run first and not counted. */
  readonly warmUp: number;
}

/** One turn; answers the sample. */
export type Turn<S> = () => Promise<S>;

/**
 * The samples of each contestant, one per round. Every second round runs backwards, so that nobody
 * always follows the same neighbour.
 */
export async function takeTurns<S>(
  turns: readonly Turn<S>[],
  { rounds, warmUp }: RoundsOptions,
): Promise<S[][]> {
  const samples: S[][] = turns.map(() => []);
  for (let round = -warmUp; round < rounds; round += 1) {
    const order = [...turns.keys()];
    if (round % 2 !== 0) order.reverse();
    for (const index of order) {
      const sample = await turns[index]?.();
      if (round >= 0 && sample !== undefined) samples[index]?.push(sample);
    }
  }
  return samples;
}
