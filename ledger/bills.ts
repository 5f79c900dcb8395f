// What orders cost: the amount of their latest charge.
import type { Bill } from "./contract.ts";
import type { Db } from "./db.ts";

/** In the order of the question; undefined: the order was never to be charged. At most a page. */
export async function bills(
  db: Db,
  of: readonly { readonly user: string; readonly id: string }[],
): Promise<(Bill | undefined)[]> {
  if (of.length === 0) return [];
  // Users draw their ids themselves, so charges of other users may be among them.
  const rows = await db.run(
    `SELECT usr, id, amount, currency, rate_id, rate, status FROM charges
     WHERE id IN (${of.map(() => "?").join(",")}) ORDER BY generation, attempt`,
    of.map(({ id }) => id),
  );
  const latest = new Map(rows.map((row) => [`${row.usr} ${row.id}`, row]));
  return of.map(({ user, id }) => {
    const row = latest.get(`${user} ${id}`);
    return row && billOf(row);
  });
}

function billOf(r: Record<string, unknown>): Bill {
  const rate = r.rate_id === "" ? {} : { rate: { id: String(r.rate_id), value: String(r.rate) } };
  const waits = r.status === "waiting";
  return { amount: Number(r.amount), currency: String(r.currency), ...rate, waits };
}
