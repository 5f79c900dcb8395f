// Decides a batch with something wrong in it. Sifts every message (sift.ts), then decides the sound
// rows in one call and rejects unsound orders in another. Every message ends here: it is decided,
// or becomes a dead letter with the reason.
import { at } from "../../core/domain/at.ts";
import { orderIdTimeMs } from "../../core/domain/order-id.ts";
import { Narrowing, partsOf } from "./narrow.ts";
import { type Sifted, sift } from "./sift.ts";
import type { Deciding, Verdict, Work } from "./work.ts";

export interface SetApart {
  readonly decider: Deciding;
  /** Redis may not remember orders with older ids, so the ledger is asked whether it has them. */
  readonly rememberedSinceMs: number;
}

/** The verdicts of a batch, in its order. undefined: the decider has stopped. */
export async function decideApart(
  of: SetApart,
  batch: readonly Work[],
): Promise<Verdict[] | undefined> {
  const sifted = batch.map((work) => work.sifted ?? sift(work.body, work.rights));
  const words = sifted.map(({ count }) => Array<string>(count).fill(""));
  const narrowing = new Narrowing(of.decider);
  if (!(await decideKept(narrowing, batch, sifted, words))) return undefined;
  if (!(await reject(of, narrowing, batch, sifted, words))) return undefined;
  return words.map((own, i) => {
    const { dead = narrowing.faults.get(i) } = at(sifted, i);
    return { words: own, outcomes: own.join(","), dead };
  });
}

async function decideKept(
  narrowing: Narrowing,
  batch: readonly Work[],
  sifted: readonly Sifted[],
  words: readonly string[][],
): Promise<boolean> {
  const parts = batch.flatMap(({ gateway, batch: number }, i) => {
    const { body, kept } = at(sifted, i);
    return body === "" ? [] : [{ at: i, gateway, batch: number, body, rows: kept }];
  });
  return narrowing.decide(parts, (i, row, word) => {
    (words[i] as string[])[row] = word;
  });
}

/** Records orders that cannot be decided. */
async function reject(
  { decider, rememberedSinceMs }: SetApart,
  narrowing: Narrowing,
  batch: readonly Work[],
  sifted: readonly Sifted[],
  words: readonly string[][],
): Promise<boolean> {
  const all = sifted.flatMap(({ rejected }, at) => rejected.map((r) => ({ ...r, message: at })));
  if (all.length === 0) return true;
  const named = all.map(({ row: { order } }) => ({ user: order.user, id: order.id }));
  const old = named.filter(({ id }) => orderIdTimeMs(id) < rememberedSinceMs);
  if (old.length > 0 && !(await decider.recorded())) return false;
  const known = old.length > 0 ? await decider.lookUp(old) : NOTHING;
  const fresh = all.filter(({ message, at, row: { order } }) => {
    const state = known.get(`${order.user} ${order.id}`);
    if (state !== undefined) (words[message] as string[])[at] = `=${state}`;
    return state === undefined;
  });
  const put = (at: number, row: number, word: string) => {
    (words[at] as string[])[row] = word;
  };
  return narrowing.decide(partsOf(batch, fresh), put, "rejected");
}

const NOTHING: ReadonlyMap<string, string> = new Map();
