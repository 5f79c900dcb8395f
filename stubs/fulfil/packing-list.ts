// The store of the example fulfilment service: every part it packed, once, however often it was
// asked. It stands for a warehouse's own system, so it is a separate database, shared by all
// processes of the service. `verify` compares the ledger with it.
import { Database } from "bun:sqlite";
import { type Part, partKey } from "../../core/domain/part.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";

export interface Packed {
  readonly key: string;
  /** JSON: [{sku, qty, category}] */
  readonly lines: string;
}

const BUSY_TIMEOUT_MS = 10_000;

export class PackingList {
  private readonly db: Database;
  private waiting: { part: Part; done: () => void; failed: (error: unknown) => void }[] = [];

  constructor(
    private readonly runtime: Runtime,
    file: string,
  ) {
    this.db = new Database(file, { create: true });
    this.db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    this.db.run("PRAGMA journal_mode = WAL");
    this.db.run("PRAGMA synchronous = FULL");
    this.db.run(
      "CREATE TABLE IF NOT EXISTS packed (key TEXT PRIMARY KEY, lines TEXT NOT NULL, " +
        "times INTEGER NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID",
    );
  }

  /** Resolves when the part is on disk. Calls of one tick share a transaction. */
  pack(part: Part): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.waiting.push({ part, done: resolve, failed: reject }) === 1)
      this.runtime.nextTurn(() => this.flush());
    return promise;
  }

  get count(): number {
    return (this.db.query("SELECT COUNT(*) AS n FROM packed").get() as { n: number }).n;
  }

  close(): void {
    this.db.close();
  }

  private flush(): void {
    const batch = this.waiting.splice(0);
    const insert = this.db.query(
      "INSERT INTO packed (key, lines, times, at_ms) VALUES (?, ?, 1, ?) " +
        "ON CONFLICT (key) DO UPDATE SET times = times + 1",
    );
    try {
      this.db.transaction(() => {
        for (const { part } of batch)
          insert.run(partKey(part), JSON.stringify(part.lines), this.runtime.wallMs());
      })();
      for (const { done } of batch) done();
    } catch (error) {
      for (const { failed } of batch) failed(error);
    }
  }
}

/** Everything a service packed. */
export function readPackingList(file: string): Packed[] {
  const db = new Database(file, { readonly: true });
  try {
    return db.query("SELECT key, lines FROM packed ORDER BY key").all() as Packed[];
  } finally {
    db.close();
  }
}
