// Orders older than the records Redis keeps: only the ledger can say whether they have been
// decided. What has not been comes too late to be judged and is recorded as `stale`.
import { idOf, userOf } from "../../core/domain/row.ts";
import { Narrowing, partsOf, type RowInBatch } from "./narrow.ts";
import { sift } from "./sift.ts";
import type { Deciding, OrderName, Verdict, Work } from "./work.ts";

export const PAST = "past";

/** Settles the `past` rows of a batch, all at once. undefined: the decider has stopped. */
export async function settlePast(
  decider: Deciding,
  batch: readonly Work[],
  verdicts: readonly Verdict[],
): Promise<Verdict[] | undefined> {
  const rows = verdicts.flatMap((verdict, i) => pastRows(batch[i] as Work, verdict.words, i));
  // What is decided but not yet recorded could be these very orders: wait until the ledger knows
  // all there is.
  if (!(await decider.recorded())) return undefined;
  const known = await decider.lookUp(rows.map(nameOf));
  const words = verdicts.map((verdict) => [...verdict.words]);
  const unknown = rows.filter((row) => {
    const { message, at } = row;
    const { user, id } = nameOf(row);
    const state = known.get(`${user} ${id}`);
    if (state !== undefined) (words[message] as string[])[at] = `=${state}`;
    return state === undefined;
  });
  const narrowing = new Narrowing(decider);
  const put = (message: number, at: number, word: string) => {
    (words[message] as string[])[at] = word;
  };
  if (!(await narrowing.decide(partsOf(batch, unknown), put, "stale"))) return undefined;
  return words.map((own, i) => {
    const dead = verdicts[i]?.dead ?? narrowing.faults.get(i);
    return { words: own, outcomes: own.join(","), dead };
  });
}

function pastRows(work: Work, words: readonly string[], message: number): RowInBatch[] {
  if (!words.includes(PAST)) return [];
  const { kept } = work.sifted ?? sift(work.body);
  const past = kept.filter(({ at }) => words[at] === PAST);
  return past.map((row) => ({ ...row, message }));
}

function nameOf({ row }: RowInBatch): OrderName {
  return { user: userOf(row), id: row.kind === "skip" ? "" : idOf(row) };
}
