/**
 * Hints for names that are misspelt.
 *
 * @module
 */

/** Longer names get no hint: the work grows with the square of the length. */
const LONGEST_NAME = 64;

/**
 * Finds the known name that is nearest to a misspelt one, for the end of an error message.
 *
 * @param name The name that is not known.
 * @param known The names that are.
 * @returns Text such as `; did you mean "origins"?`, or "" if no name is near.
 */
export function didYouMean(name: string, known: Iterable<string>): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? "" : suggest(nearest);
}

/**
 * Suggests a name, for the end of an error message.
 *
 * @param name The name.
 * @returns Text such as `; did you mean "origins"?`.
 */
export function suggest(name: string): string {
  return `; did you mean "${name}"?`;
}

/**
 * Tells whether a name is another one with one mistake at most, in the same case.
 *
 * @param name The name.
 * @param known The other one.
 * @returns `true` if at most one character is missing, added, changed, or swapped with the next one.
 */
export function isNearly(name: string, known: string): boolean {
  return Math.abs(name.length - known.length) <= 1 && mistakes(name, known) <= 1;
}

/** Finds the nearest name: the same but for case, `-` and `_`, or with one mistake in three characters at most. */
function nearestName(name: string, known: Iterable<string>): string | undefined {
  if (name === "" || name.length > LONGEST_NAME) return undefined;
  const wanted = plain(name);
  let least = Math.min(3, Math.floor(wanted.length / 3)) + 1;
  let nearest: string | undefined;
  for (const candidate of known) {
    if (candidate === name || candidate.length > LONGEST_NAME) continue;
    const distance = mistakes(wanted, plain(candidate));
    if (distance >= least) continue;
    least = distance;
    nearest = candidate;
  }
  return nearest;
}

function plain(name: string): string {
  return name.replaceAll("-", "").replaceAll("_", "").toLowerCase();
}

/** Counts characters that are missing, added, changed, or swapped with the next one (Damerau, restricted). */
function mistakes(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const changed = from[row - 1] === to[column - 1] ? 0 : 1;
      let least = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + changed);
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) least = Math.min(least, beforeLast[column - 2]! + 1);
      current.push(least);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length]!;
}
