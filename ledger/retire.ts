// Retires sales that have ended: Redis and the fence forget their users' numbers and units, and
// nothing of them can be reserved any more. The ledger decides this and remembers it. Redis
// follows, as with every change of a sale, and a rebuild leaves retired sales out.
import type { Db, Runner } from "./db.ts";

export interface EndedSales {
  /** Sales that may be retired. */
  readonly ended: readonly string[];
  /** How many closed long enough ago, including these. */
  readonly closed: number;
}

/**
 * Sales that closed at least `delayMs` ago and have no held unit and nothing open. After `delayMs`,
 * no order that was accepted in time is still undecided. Each shard's newest snapshot lists its
 * open sales, if it is young enough or holds the whole journal.
 */
export async function endedSales(db: Db, nowMs: number, delayMs: number): Promise<EndedSales> {
  const closed = await db.run(
    `SELECT id, closes_ms, EXISTS
       (SELECT 1 FROM items WHERE items.sale = sales.id AND (held > 0 OR releasing > 0)) AS held
     FROM sales WHERE retired_ms = 0 AND closes_ms < ? ORDER BY id`,
    [nowMs - delayMs],
  );
  if (closed.length === 0) return { ended: [], closed: 0 };
  const shards = await newestSnapshots(db);
  const ended = closed.flatMap(({ id, closes_ms, held }) => {
    const sinceMs = Number(closes_ms) + delayMs;
    const over = shards.every(
      ({ lastN, n, atMs, openSales }) =>
        lastN === 0 || ((n === lastN || atMs >= sinceMs) && !openSales.has(String(id))),
    );
    return over && !held ? [String(id)] : [];
  });
  return { ended, closed: closed.length };
}

async function newestSnapshots(db: Db) {
  const rows = await db.run(
    `SELECT p.last_n, s.n, s.at_ms, s.open_sales FROM shards p LEFT JOIN snapshots s
     ON s.shard = p.shard AND s.n = (SELECT MAX(n) FROM snapshots WHERE shard = p.shard)`,
  );
  return rows.map(({ last_n, n, at_ms, open_sales }) => ({
    lastN: Number(last_n),
    n: Number(n ?? -1),
    atMs: Number(at_ms ?? -1),
    openSales: new Set(JSON.parse(String(open_sales ?? "[]")) as string[]),
  }));
}

/** Retires a sale, inside its operation. Returns whether the sale exists. */
export async function retireSale(tx: Runner, saleId: string, atMs: number): Promise<boolean> {
  const retire = "UPDATE sales SET retired_ms = ? WHERE id = ? RETURNING id";
  if ((await tx.run(retire, [atMs, saleId])).length === 0) return false;
  for (const table of ["purchases", "turns"])
    await tx.run(`DELETE FROM ${table} WHERE sale = ?`, [saleId]);
  return true;
}

/** The retired ones among some sales. */
export async function retiredOf(tx: Runner, sales: readonly string[]): Promise<Set<string>> {
  const rows = await tx.run(
    `SELECT id FROM sales WHERE retired_ms > 0 AND id IN (${sales.map(() => "?").join(",")})`,
    sales,
  );
  return new Set(rows.map(({ id }) => String(id)));
}
