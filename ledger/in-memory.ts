// A ledger in memory, on SQLite, that several parts of one process share. The simulator uses it: a
// new ledger takes well under a millisecond, and a backup is an array of bytes.
import { Database } from "bun:sqlite";
import type { Runtime } from "../core/runtime/runtime.ts";
import type { Ledger, LedgerWriter } from "./contract.ts";
import { Db } from "./db.ts";
import { migrate } from "./migrations.ts";
import { openStore } from "./open.ts";
import type { Engine } from "./runner.ts";
import { SqlLedger } from "./sql-ledger.ts";
import { Sqlite } from "./sqlite.ts";
import { DirectWriter } from "./writer.ts";

/** The bytes of a whole database. */
export type LedgerImage = Uint8Array;

/** What a process opens: reads, the writer without its thread, and the database below both. */
export interface OpenInMemory {
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  readonly db: Db;
}

/** A migrated ledger without any order. */
export async function emptyLedger(runtime: Runtime, shards: number): Promise<LedgerImage> {
  const database = new Database(":memory:");
  const db = Db.over(runtime, "sqlite", new Sqlite(runtime, database));
  await migrate(db);
  await openStore(db, shards);
  const image = database.serialize();
  await db.close();
  return image;
}

export class MemoryLedger {
  private database: Database;
  private engine: Sqlite;
  /** Follows `restore`, so that what is open stays open. */
  private readonly shared: Engine = {
    run: (text, values) => this.engine.run(text, values),
    insert: (rows) => this.engine.insert(rows),
    transaction: (work) => this.engine.transaction(work),
    snapshot: (work) => this.engine.snapshot(work),
    close: async () => undefined,
  };

  constructor(
    private readonly runtime: Runtime,
    image: LedgerImage,
  ) {
    this.database = Database.deserialize(image);
    this.engine = new Sqlite(runtime, this.database);
  }

  /** Opens it for one process; `close` of the parts leaves the data in place. */
  async open(runtime: Runtime): Promise<OpenInMemory> {
    const db = Db.over(runtime, "sqlite", this.shared);
    const [store] = await db.run("SELECT id, shards FROM store");
    const ledger = new SqlLedger(db, String(store?.id), Number(store?.shards));
    return { ledger, writer: new DirectWriter(db), db };
  }

  /** A backup. */
  image(): LedgerImage {
    return this.database.serialize();
  }

  /** Goes back to a backup. No call may be under way. */
  async restore(image: LedgerImage): Promise<void> {
    await this.engine.close();
    this.database = Database.deserialize(image);
    this.engine = new Sqlite(this.runtime, this.database);
  }

  /** Frees the memory. */
  async free(): Promise<void> {
    await this.engine.close();
  }
}
