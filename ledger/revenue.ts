// What customers have paid, by sale and currency: captured minus refunded, from the postings. Read
// in pieces, because a ledger may have millions of them (cli/operator/revenue-memory.ts).
//
// A posting that changes revenue names its sale. Those of earlier releases do not, and whose they
// are is unknown: then so is the revenue of each sale that existed before the last of them
// (docs/decisions/0033-revenue-by-sale.md).
import type { Db } from "./db.ts";

export interface RevenueReads {
  /** Sums the postings after number `after`, at most `most` of them. */
  revenueAfter(after: number, most: number): Promise<RevenuePiece>;
  /** The sales that were created after posting number `seq`. */
  salesSince(seq: number): Promise<string[]>;
}

export interface RevenuePiece {
  /** Empty `sale`: the postings do not name one. */
  readonly amounts: readonly {
    readonly sale: string;
    readonly currency: string;
    readonly amount: number;
  }[];
  /** The number of the last posting that names no sale; 0: all do. */
  readonly unnamed: number;
  /** The number of the last posting that was read. */
  readonly reached: number;
  /** The number of the last one that there is. */
  readonly last: number;
  /** Whether every number was there. One that was not may be of a transaction still open. */
  readonly whole: boolean;
}

export async function revenueAfter(db: Db, after: number, most: number): Promise<RevenuePiece> {
  const [end] = await db.run("SELECT COALESCE(MAX(seq), 0) AS seq FROM postings");
  const last = Number(end?.seq);
  const reached = Math.max(after, Math.min(last, after + most));
  const groups = await db.run(
    `SELECT account, sale, currency, SUM(amount) AS amount, MAX(seq) AS last, COUNT(*) AS postings
     FROM postings WHERE seq > ? AND seq <= ?
     GROUP BY account, sale, currency ORDER BY sale, currency`,
    [after, reached],
  );
  const found = groups.reduce((sum, { postings }) => sum + Number(postings), 0);
  const revenue = groups.filter(({ account }) => account === "revenue");
  const amounts = revenue.map(({ sale, currency, amount }) => ({
    ...{ sale: String(sale), currency: String(currency), amount: Number(amount) },
  }));
  const unnamed = revenue.filter(({ sale }) => sale === "").map(({ last }) => Number(last));
  const whole = found === reached - after;
  return { amounts, unnamed: Math.max(0, ...unnamed), reached, last, whole };
}

export async function salesSince(db: Db, seq: number): Promise<string[]> {
  const rows = await db.run("SELECT id FROM sales WHERE postings_before >= ?", [seq]);
  return rows.map(({ id }) => String(id));
}
