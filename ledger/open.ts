// Opens a ledger: migrates its schema, creates its store if it is new, and checks the settings that
// its guarantees rest on.
import { GENESIS } from "../core/domain/entry.ts";
import { messageOf } from "../core/domain/message-of.ts";
import { ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import type { Ledger, LedgerWriter } from "./contract.ts";
import { Db, dialectOf, LedgerUnavailable, PATIENT_MS } from "./db.ts";
import { migrate } from "./migrations.ts";
import { SqlLedger } from "./sql-ledger.ts";
import { ThreadedReader } from "./threaded-reader.ts";
import { ThreadedWriter } from "./threaded-writer.ts";
import { DirectWriter } from "./writer.ts";

export interface LedgerOptions {
  readonly runtime: Runtime;
  /** `sqlite:<path>` or a postgres:// URL. */
  readonly url: string;
  /** Shards of a new ledger; an existing one must have the same number. */
  readonly shards: number;
  /** Whether reads for clients run in a thread of their own. */
  readonly readsInThread?: boolean;
}

/** It answers, but its content or its settings do not fit; the message names the setting. */
class Unfit extends LedgerUnavailable {}

export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const db = await Db.open(options.runtime, options.url);
  try {
    // Checks that it answers at all, since a migration may take minutes.
    await db.run("SELECT 1");
    await prepare(options.runtime, options.url);
    const store = await openStore(db, options.shards);
    if (store.shards !== options.shards) {
      throw new Unfit(
        `the ledger was created with ${store.shards} shards and cannot change: ` +
          `set SLUICE_SHARDS to ${store.shards} (it is ${options.shards})`,
      );
    }
    await checkDurability(db);
    const opening = { url: options.url, storeId: store.id, shards: store.shards };
    return options.readsInThread
      ? new ThreadedReader(db, opening)
      : new SqlLedger(db, store.id, store.shards);
  } catch (error) {
    await ignore(db.close(), "ledger_close");
    if (error instanceof Unfit) throw error;
    const state = error instanceof LedgerUnavailable ? error.state : undefined;
    throw new LedgerUnavailable(`the ledger (SLUICE_LEDGER_URL): ${messageOf(error)}`, state);
  }
}

/** Opens the writer of an existing ledger. Throws LedgerUnavailable. */
export async function openLedgerWriter(runtime: Runtime, url: string): Promise<LedgerWriter> {
  return dialectOf(url) === "sqlite"
    ? new ThreadedWriter(runtime, url)
    : new DirectWriter(await Db.open(runtime, url));
}

/** Creates the store if it is new. */
export async function openStore(db: Db, shards: number): Promise<{ id: string; shards: number }> {
  return db.transaction(async (tx) => {
    await tx.run(
      `INSERT INTO store (one, id, shards, incarnation) VALUES (1, ?, ?, 0)
       ON CONFLICT (one) DO NOTHING`,
      [db.runtime.uuid(), shards],
    );
    const rows = await tx.run("SELECT id, shards FROM store");
    const store = { id: String(rows[0]?.id), shards: Number(rows[0]?.shards) };
    for (let shard = 0; shard < store.shards; shard++) {
      await tx.run(
        `INSERT INTO shards (shard, epoch, owner, last_id, last_n) VALUES (?, 0, '', ?, 0)
         ON CONFLICT (shard) DO NOTHING`,
        [shard, GENESIS],
      );
    }
    return store;
  });
}

/** Migrates with its own deadline: an index on a large table takes longer than any statement. */
async function prepare(runtime: Runtime, url: string): Promise<void> {
  const db = await Db.open(runtime, url, PATIENT_MS);
  try {
    await migrate(db);
  } finally {
    await ignore(db.close(), "ledger_close");
  }
}

/** Throws unless the database writes a commit to disk before reporting it. */
async function checkDurability(db: Db): Promise<void> {
  if (db.dialect === "sqlite") {
    const [sync, journal] = [
      await db.run("PRAGMA synchronous"),
      await db.run("PRAGMA journal_mode"),
    ];
    if (Number(sync[0]?.synchronous) < 2)
      throw new Unfit("the ledger's SQLite does not sync its commits (synchronous < FULL)");
    if (journal[0]?.journal_mode !== "wal")
      throw new Unfit(
        "the ledger's file system has no write-ahead log for SQLite (journal_mode is not WAL)",
      );
    return;
  }
  const rows = await db.run("SHOW synchronous_commit");
  const value = String(rows[0]?.synchronous_commit);
  if (value === "off")
    throw new Unfit(
      "the ledger's Postgres has synchronous_commit = off: a commit could be lost; set it to on",
    );
}
