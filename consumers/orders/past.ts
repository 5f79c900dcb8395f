// Settles orders that are older than Redis's records. Only the ledger knows whether they have been
// decided. If not, they are too late and are recorded as `stale`.
import { at } from "../../core/domain/at.ts";
import { idOf, userOf } from "../../core/domain/row.ts";
import { Narrowing, partsOf, type RowInBatch } from "./narrow.ts";
import { sift } from "./sift.ts";
import type { Deciding, OrderName, Verdict, Work } from "./work.ts";

export const PAST = "past";

/** Settles all `past` rows of a batch at once. undefined: the decider has stopped. */
export async function settlePast(
  decider: Deciding,
  batch: readonly Work[],
  verdicts: readonly Verdict[],
): Promise<Verdict[] | undefined> {
  const rows = verdicts.flatMap((verdict, i) => pastRows(at(batch, i), verdict.words, i));
  // These orders may have been decided but not recorded, so wait until the ledger has everything.
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
