// A message's outcomes: one word a row, separated by commas (entry.ts, parseOutcome). Looked at
// without being taken apart, since most messages have nothing to look for; a word counts only as a
// whole.

const COMMA = 0x2c;

export function splitWords(outcomes: string): string[] {
  return outcomes.split(",");
}

/** Whether one of the words is this one. */
export function hasWord(outcomes: string, word: string): boolean {
  for (let at = outcomes.indexOf(word); at >= 0; at = outcomes.indexOf(word, at + 1)) {
    const end = at + word.length;
    const begins = at === 0 || outcomes.charCodeAt(at - 1) === COMMA;
    if (begins && (end === outcomes.length || outcomes.charCodeAt(end) === COMMA)) return true;
  }
  return false;
}

/** How many rows they belong to. */
export function countWords(outcomes: string): number {
  let count = 1;
  for (let i = outcomes.indexOf(","); i >= 0; i = outcomes.indexOf(",", i + 1)) count++;
  return count;
}
