// A message's outcomes: one word per row, separated by commas (entry.ts, parseOutcome). They are
// split where they arrive, and never searched as text.

export function splitWords(outcomes: string): string[] {
  return outcomes.split(",");
}

/** How often each word occurs in the outcomes of these messages. */
export function tallyOf(messages: readonly { readonly outcomes: string }[]): Tally {
  const tally = new Map<string, number>();
  for (const { outcomes } of messages) {
    // Most rows have the same word as the row before.
    let last = "";
    let run = 0;
    for (const word of outcomes.split(",")) {
      if (word === last) {
        run++;
        continue;
      }
      if (run > 0) tally.set(last, (tally.get(last) ?? 0) + run);
      last = word;
      run = 1;
    }
    if (run > 0) tally.set(last, (tally.get(last) ?? 0) + run);
  }
  return tally;
}

export type Tally = ReadonlyMap<string, number>;
