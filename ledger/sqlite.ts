// SQLite: one connection, whose callers take turns.
//
//   1. A statement sent while another caller's transaction is open would join it, and could be
//      rolled back after it was reported done. So each call waits for the one before.
//   2. After a statement has failed, the transaction runs no other. SQLite may have rolled it back
//      already, and a later statement would commit by itself.
import { Database, type Statement } from "bun:sqlite";
import { messageOf } from "../core/domain/message-of.ts";
import { ended } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { databaseTrouble, sqliteCode } from "./database-errors.ts";
import {
  type Engine,
  type Found,
  LedgerUnavailable,
  type NewRows,
  type Runner,
  type Value,
} from "./runner.ts";

/** How long a writer waits for another process's transaction. */
const BUSY_TIMEOUT_MS = 10_000;
/** Wait between two tries; it doubles up to the maximum. */
const BUSY_RETRY_MIN_MS = 1;
const BUSY_RETRY_MAX_MS = 2;
/**
 * 16 MiB of log between checkpoints: fewer and longer ones. At the default of 4 MiB they took a
 * tenth of the writer's time (docs/decisions/0001-journal.md).
 */
const WAL_CHECKPOINT_PAGES = 4_000;
/** Twice the log between checkpoints. */
const WAL_LIMIT_BYTES = 32 * 1024 * 1024;
const CACHE_KIB = 65_536;
/** Texts differ by how many keys they name, so the oldest are dropped. */
const STATEMENTS_KEPT = 200;

export class Sqlite implements Engine {
  /** Settles when all calls so far are done. */
  private tail: Promise<unknown> = Promise.resolve();
  private readonly db: Database;
  private readonly statements = new Map<string, Statement>();

  /**
   * Opens a file. Processes that open a new one at the same moment get in each other's way: SQLite
   * rejects one of two that both switch it to write-ahead logging, however long it may wait.
   */
  static open(runtime: Runtime, path: string): Promise<Sqlite> {
    return patiently(runtime, async () => new Sqlite(runtime, path));
  }

  /** `source`: the file's path, or a database that is already open (in-memory.ts). */
  constructor(
    private readonly runtime: Runtime,
    source: string | Database,
  ) {
    this.db =
      typeof source === "string" ? new Database(source, { create: true, readwrite: true }) : source;
    try {
      this.db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
      this.db.run("PRAGMA journal_mode = WAL");
      this.db.run("PRAGMA synchronous = FULL");
      this.db.run(`PRAGMA wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
      // Behind a long reader it grows beyond this; afterwards it is cut again.
      this.db.run(`PRAGMA journal_size_limit = ${WAL_LIMIT_BYTES}`);
      this.db.run(`PRAGMA cache_size = -${CACHE_KIB}`);
      this.db.run("PRAGMA foreign_keys = ON");
      // From here on `patiently` waits between tries, so heartbeats can run. An event loop stopped
      // for ten seconds cost a worker its leases.
      this.db.run("PRAGMA busy_timeout = 0");
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  run(text: string, values: readonly Value[] = []): Promise<Found[]> {
    return this.inTurn(async () => this.all(text, values));
  }

  insert(rows: NewRows): Promise<Found[]> {
    return this.transaction((tx) => tx.insert(rows));
  }

  transaction<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    return this.inTurn(() => this.begin("IMMEDIATE", work));
  }

  snapshot<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    return this.inTurn(() => this.begin("DEFERRED", work));
  }

  close(): Promise<void> {
    return this.inTurn(async () => {
      for (const statement of this.statements.values()) statement.finalize();
      this.statements.clear();
      this.db.close();
    });
  }

  private async begin<T>(mode: string, work: (tx: Runner) => Promise<T>): Promise<T> {
    this.db.run(`BEGIN ${mode}`);
    try {
      const result = await work(this.untilFailure());
      this.db.run("COMMIT");
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.run("ROLLBACK");
      throw error;
    }
  }

  /** Runs statements of the open transaction until one has failed (2). */
  private untilFailure(): Runner {
    let failed: { readonly error: unknown } | undefined;
    const once = async (work: () => Found[]): Promise<Found[]> => {
      if (failed) throw failed.error;
      try {
        return work();
      } catch (error) {
        failed = { error };
        throw error;
      }
    };
    return {
      run: (text, values = []) => once(() => this.all(text, values)),
      insert: (rows) => once(() => this.insertAll(rows)),
    };
  }

  private all(text: string, values: readonly Value[]): Found[] {
    return this.prepared(text).all(...(values as Value[])) as Found[];
  }

  /**
   * Row by row, with one statement. A statement of many rows keeps a journal of its own to undo
   * half of them, and costs twice as much (docs/decisions/0019-ledger-cost.md).
   */
  private insertAll({ table, columns, flat, rest }: NewRows): Found[] {
    const width = columns.length;
    const places = columns.map(() => "?").join(",");
    const text = `INSERT INTO ${table} (${columns.join(",")}) VALUES (${places}) ${rest}`;
    const statement = this.prepared(text);
    const row: Value[] = new Array(width);
    const returned: Found[] = [];
    for (let from = 0; from < flat.length; from += width) {
      for (let c = 0; c < width; c++) row[c] = flat[from + c] as Value;
      // A list binds its members: no list of arguments is made for each row.
      if (rest === "") statement.run(row as never);
      else returned.push(...(statement.all(row as never) as Found[]));
    }
    return returned;
  }

  /** The statement of a text. The one used longest ago makes room. */
  private prepared(text: string): Statement {
    let statement = this.statements.get(text);
    if (statement) this.statements.delete(text);
    else statement = this.db.prepare(text);
    this.statements.set(text, statement);
    if (this.statements.size > STATEMENTS_KEPT) {
      const [oldest] = this.statements as Iterable<[string, Statement]>;
      oldest?.[1].finalize();
      this.statements.delete(oldest?.[0] as string);
    }
    return statement;
  }

  /** 1 */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.tail.then(() => patiently(this.runtime, work)).catch(classified);
    this.tail = ended(turn);
    return turn;
  }
}

/** Rejects as unavailable, with the word for the state, unless the error blames the statement. */
function classified(error: unknown): never {
  const trouble = databaseTrouble(error);
  throw trouble ? new LedgerUnavailable(messageOf(error), trouble.state) : error;
}

/**
 * Tries again while another process's transaction holds the lock. Work rejected for that reason has
 * not begun.
 */
async function patiently<T>(runtime: Runtime, work: () => Promise<T>): Promise<T> {
  const end = runtime.monotonicMs() + BUSY_TIMEOUT_MS;
  for (let waitMs = BUSY_RETRY_MIN_MS; ; waitMs = Math.min(BUSY_RETRY_MAX_MS, waitMs * 2)) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || runtime.monotonicMs() > end) throw error;
    }
    await runtime.sleep(waitMs);
  }
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  const { code } = error as { code?: string };
  return sqliteCode(error) === SQLITE_BUSY || code?.startsWith("SQLITE_BUSY") === true;
}
