// Put-off payment requests that no longer need an answer. While a request waits to be asked again,
// the answer to an older copy of it may settle the attempt or give the order up. What was put off
// must not be asked then: it would charge a card for an order that has already failed.
import type { Attempt } from "../core/domain/charge.ts";
import type { Db } from "./db.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";
import { kindOf } from "./obligations.ts";

/** A follow-up that was put off: one request. */
export interface PutOff {
  readonly id: number;
  /** JSON text. */
  readonly body: string;
}

interface Request extends Attempt {
  readonly kind: string;
  readonly request?: number;
}

/**
 * Ids of the follow-ups whose attempt has a newer request, or waits for none of this kind. Numbers
 * of requests only grow, so what is overtaken stays overtaken.
 */
export async function overtaken(db: Db, putOff: readonly PutOff[]): Promise<ReadonlySet<number>> {
  const gone = new Set<number>();
  const rows = putOff.map(({ id, body }) => {
    const [{ kind, user, id: order, generation, attempt, request = 1 }] = JSON.parse(body) as [
      Request,
    ];
    return [id, kind, user, order, generation, attempt, request];
  });
  const text = `SELECT ${wholeIn(0)} AS follow_up, ${textIn(1)} AS kind, charges.status,
      charges.request > ${wholeIn(6)} AS older
    FROM ${rowsFrom(db.dialect)} CROSS JOIN charges
    WHERE charges.id = ${textIn(3)} AND charges.usr = ${textIn(2)}
    AND charges.generation = ${wholeIn(4)} AND charges.attempt = ${wholeIn(5)}`;
  for (const list of jsonRows(rows))
    for (const { follow_up: id, kind, status, older } of await db.run(text, [list]))
      if (older || kindOf(String(status)) !== kind) gone.add(Number(id));
  return gone;
}
