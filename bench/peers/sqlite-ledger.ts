// The SQLite ledger of the peers that have no Postgres: write-ahead log, synchronous=FULL, one
// prepared statement in a transaction per group.
import { Database } from "bun:sqlite";
import type { LedgerRow } from "./check.ts";
import type { Order, Outcome } from "./peer.ts";

const PAGE_ROWS = 50_000;

export class SqliteLedger {
  private readonly db: Database;
  private readonly write: (orders: readonly Order[], outcomes: readonly Outcome[]) => number;

  /** `synchronous`: FULL survives a power cut; NORMAL may lose the last transactions. */
  constructor(file: string, synchronous: "FULL" | "NORMAL" = "FULL") {
    this.db = new Database(file, { create: true });
    this.db.run("PRAGMA journal_mode = WAL");
    this.db.run(`PRAGMA synchronous = ${synchronous}`);
    this.db.run("PRAGMA busy_timeout = 5000");
    this.db.run(
      `CREATE TABLE IF NOT EXISTS orders (
        id TEXT NOT NULL, user TEXT NOT NULL, lines TEXT NOT NULL, outcome TEXT NOT NULL,
        at INTEGER NOT NULL DEFAULT (unixepoch()), PRIMARY KEY (id, user)) WITHOUT ROWID`,
    );
    const insert = this.db.prepare(
      "INSERT OR IGNORE INTO orders (id, user, lines, outcome) VALUES (?, ?, ?, ?)",
    );
    this.write = this.db.transaction((orders: readonly Order[], outcomes: readonly Outcome[]) => {
      let added = 0;
      for (const [i, { id, user, lines }] of orders.entries())
        added += insert.run(id, user, JSON.stringify(lines), outcomes[i] as Outcome).changes;
      return added;
    });
  }

  /** Writes a group in one transaction and returns how many orders were new. */
  record(orders: readonly Order[], outcomes: readonly Outcome[]): number {
    return this.write(orders, outcomes);
  }

  close(): void {
    this.db.close();
  }
}

/** All rows of a ledger, in pages. */
export async function* sqliteRows(file: string): AsyncGenerator<readonly LedgerRow[]> {
  const db = new Database(file);
  try {
    const page = db.prepare<LedgerRow, [string, string, number]>(
      `SELECT id, user, lines, outcome FROM orders
       WHERE (id, user) > (?, ?) ORDER BY id, user LIMIT ?`,
    );
    let rows = page.all("", "", PAGE_ROWS);
    while (rows.length > 0) {
      yield rows;
      const last = rows[rows.length - 1] as LedgerRow;
      rows = page.all(last.id, last.user, PAGE_ROWS);
    }
  } finally {
    db.close();
  }
}
