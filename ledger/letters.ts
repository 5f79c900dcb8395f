// Dead letters that operators took out of their queues: their content, who decided, and when.
// Without this record, a failure that was dealt with would look like one whose letter was lost.
import type { LetterRecord } from "./contract.ts";
import { insertRow, type Runner } from "./db.ts";

/** Characters kept of a letter: any order fits, and a table of garbage stays small. */
const KEPT_TEXT = 4_096;

export async function recordLetter(db: Runner, letter: LetterRecord): Promise<void> {
  const { letter: key, region, queue, fate, generation, subject, atMs } = letter;
  await insertRow(db, "letters", {
    ...{ letter: key, region, queue, fate, generation, subject, at_ms: atMs },
    ...{ usr: keptText(letter.user), id: keptText(letter.id) },
    ...{ reason: keptText(letter.reason), body: keptText(letter.body) },
  });
}

/** Postgres accepts no zero bytes in a text. */
export function keptText(body: string): string {
  return body.replaceAll("\u0000", "\ufffd").slice(0, KEPT_TEXT);
}
