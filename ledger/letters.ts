// Dead letters that operators took out of their queues: their content, who decided, and when.
// Without this record, a failure that was dealt with would look like one whose letter was lost.
import type { LetterRecord } from "./contract.ts";
import type { Runner } from "./db.ts";

/** Characters kept of a letter: any order fits, and a table of garbage stays small. */
const KEPT_TEXT = 4_096;

export async function recordLetter(db: Runner, letter: LetterRecord): Promise<void> {
  const { region, queue, fate, reason, user, id, generation, subject, atMs, body } = letter;
  await db.run(
    `INSERT INTO letters
       (letter, region, queue, fate, reason, usr, id, generation, subject, at_ms, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [
      ...[
        letter.letter,
        region,
        queue,
        fate,
        keptText(reason),
        keptText(user),
        keptText(id),
        generation,
      ],
      ...[subject, atMs, keptText(body)],
    ],
  );
}

/** Postgres accepts no zero bytes in a text. */
export function keptText(body: string): string {
  return body.replaceAll("\u0000", "\ufffd").slice(0, KEPT_TEXT);
}
