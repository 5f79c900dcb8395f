// What customers have paid, by currency: captured minus refunded, from the postings. Read in
// pieces, because a ledger may have millions of them (cli/operator/revenue-memory.ts).
import type { Revenue } from "../core/domain/sale-figures.ts";
import type { Db } from "./db.ts";

export interface RevenueReads {
  /** Sums the postings after number `after`, at most `most` of them. */
  revenueAfter(after: number, most: number): Promise<RevenuePiece>;
}

export interface RevenuePiece {
  readonly amounts: readonly Revenue[];
  /** The number of the last posting that was read. */
  readonly reached: number;
  /** The number of the last one that there is. */
  readonly last: number;
}

export async function revenueAfter(db: Db, after: number, most: number): Promise<RevenuePiece> {
  const [end] = await db.run("SELECT COALESCE(MAX(seq), 0) AS seq FROM postings");
  const last = Number(end?.seq);
  const reached = Math.max(after, Math.min(last, after + most));
  const rows = await db.run(
    `SELECT currency, SUM(amount) AS amount FROM postings
     WHERE seq > ? AND seq <= ? AND account = 'revenue' GROUP BY currency ORDER BY currency`,
    [after, reached],
  );
  const amounts = rows.map((r) => ({ currency: String(r.currency), amount: Number(r.amount) }));
  return { amounts, reached, last };
}
