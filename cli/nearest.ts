// What the user may have meant: the known word with the fewest typing errors between it and theirs.
// An error inserts, drops or replaces a letter, or swaps two neighbours.
import { at } from "../core/domain/at.ts";

const MAX_SLIPS = 3;

/** undefined: no known word is close. */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  // A short word resembles many others.
  let least = Math.min(MAX_SLIPS, Math.max(1, Math.floor(bare(word).length / 3))) + 1;
  for (const other of known) {
    const slips = slipsBetween(bare(word), bare(other));
    if (slips >= least) continue;
    [best, least] = [other, slips];
  }
  return best;
}

/** Without the dashes of a flag, which all of them share. */
const bare = (word: string): string => word.replace(/^-+/, "");

function slipsBetween(a: string, b: string): number {
  let [older, last]: [number[], number[]] = [[], [...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    const now = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      now.push(
        Math.min(
          at(last, j) + 1,
          at(now, j - 1) + 1,
          at(last, j - 1) + (same ? 0 : 1),
          swapped ? at(older, j - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    [older, last] = [last, now];
  }
  return at(last, b.length);
}
