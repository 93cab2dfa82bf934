// "Did you mean …": the known word a mistyped one was most likely meant to be. Used for properties,
// schema keywords, configuration keys, verbs and flags.

const WORD_LENGTH_MAX = 64; // A longer word is no typo worth a quadratic comparison.

/**
 * The candidate nearest to the word by Damerau-Levenshtein distance (optimal string alignment),
 * ignoring case, or `undefined` when none is near: at most one edit for short words, one more per
 * three letters. Ties go to the first candidate.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > WORD_LENGTH_MAX) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Infinity;
  for (const candidate of candidates) {
    if (candidate.length > WORD_LENGTH_MAX) continue;
    const longer = Math.max(word.length, candidate.length);
    const allowed = longer < 3 ? 0 : Math.floor(longer / 3);
    if (Math.abs(word.length - candidate.length) > allowed) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance <= allowed && distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * How many insertions, deletions, substitutions and swaps of neighbours lead from one word to the
 * other, no part being edited twice (optimal string alignment, Boytsov 2011, section 2.2).
 */
export function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let distance = Math.min(
        at(previous, column) + 1,
        at(current, column - 1) + 1,
        at(previous, column - 1) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1;
      if (swapped && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        distance = Math.min(distance, at(beforePrevious, column - 2) + 1);
      }
      current.push(distance);
    }
    beforePrevious = previous;
    previous = current;
  }
  return at(previous, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Infinity;
}
