// What the specification makes of a journal.
import { countWords } from "../../core/domain/finding-words.ts";

export interface Judged {
  /** Entries that are allowed. */
  readonly entries: number;
  readonly orders: number;
  /** Whether units were judged: after a rebuild the journal may lack what Redis had decided. */
  readonly units: boolean;
  /** Which entry is not allowed, and why; undefined if all are. */
  readonly flaw: string | undefined;
}

/** For people. */
export function judgedLine({ entries, orders, units, flaw }: Judged): string {
  const judged = `${countWords(entries, "entry", "entries")} of ${countWords(orders, "order")}`;
  if (flaw !== undefined) return `not allowed after ${judged}: ${flaw}`;
  const left = units ? "" : "; not judged after a rebuild: whether there were units";
  return `the specification allows the journal: ${judged}${left}`;
}
