// An order older than the records Redis keeps: only the ledger can say whether it has been decided. If it has not, it comes too late
// to be judged and is recorded as `stale`.
import { ORDER_ID, ORDER_USER } from "./row.ts";
import type { Deciding, Work } from "./work.ts";

/** Settles the `past` rows of messages otherwise decided, then acknowledges those messages. */
export async function settlePast(
  decider: Deciding,
  batch: readonly Work[],
  outcomes: readonly string[],
): Promise<void> {
  for (let i = 0; i < batch.length; i++) {
    const words = (outcomes[i] as string).split(",");
    if (!words.includes("past")) continue;
    const work = batch[i] as Work;
    const rows = JSON.parse(work.body) as unknown[][];
    for (let r = 0; r < rows.length; r++) {
      if (words[r] !== "past") continue;
      const word = await settlePastRow(decider, work, rows[r] as unknown[]);
      if (word === undefined) return;
      words[r] = word;
    }
    if (!(await decider.recorded())) return;
    work.done("ack");
    decider.tell(work, words.join(","));
  }
}

/** The word for one late row; undefined when the decider has stopped. */
export async function settlePastRow(
  decider: Deciding,
  work: Work,
  row: readonly unknown[],
): Promise<string | undefined> {
  // What is decided but not yet recorded could be this very order: wait until the ledger knows all there is.
  if (!(await decider.recorded())) return undefined;
  const known = await decider.lookUp(row[ORDER_USER] as string, row[ORDER_ID] as string);
  if (known !== undefined) return `=${known}`;
  const { gateway, batch } = work;
  const decision = await decider.decideOnce(
    [{ gateway, batch, body: JSON.stringify([row]) }],
    "stale",
  );
  return decision?.outcomes[0];
}
