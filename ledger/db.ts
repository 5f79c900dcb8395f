// One interface to both databases: Bun.SQL, and the few statements in which SQLite and Postgres
// differ.
import { SQL } from "bun";
import { messageOf } from "../core/domain/message-of.ts";
import { ended, ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { NoAnswer, Silence } from "../core/runtime/silence.ts";

export type Dialect = "sqlite" | "postgres";
export type Value = string | number | null;
/** Runs statements: a database, or a transaction on it. */
export interface Runner {
  run(text: string, values?: readonly Value[]): Promise<Record<string, unknown>[]>;
}

/** The ledger cannot be reached or written. This says nothing about its content. */
export class LedgerUnavailable extends Error {
  override name = "LedgerUnavailable";
}

/** Statements take milliseconds. After this the connection counts as dead. */
const SILENCE_MS = 10_000;
/** For work that reads or rewrites whole tables. */
export const PATIENT_MS = 10 * 60_000;
const CONNECT_TIMEOUT_S = 5;
/**
 * A client that stops answering in a transaction keeps its rows locked. Postgres ends such a
 * transaction after this time, so another worker can take the shard. Longer than SILENCE_MS.
 */
const IDLE_IN_TRANSACTION_MS = 15_000;
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
const CACHE_KIB = 65_536;
/**
 * Bounds each statement of a snapshot and each pause between two: one snapshot may read gigabytes.
 */
const SNAPSHOT_STEP_MS = 600_000;

export class Db implements Runner {
  /** Settles when all SQLite calls so far are done. */
  private tail: Promise<unknown> = Promise.resolve();

  private sql: SQL;

  private constructor(
    readonly runtime: Runtime,
    private readonly connect: () => SQL,
    readonly dialect: Dialect,
    private readonly silenceMs: number,
  ) {
    this.sql = connect();
  }

  /** If Postgres gives no answer for `silenceMs`, its connections are dropped. */
  static async open(runtime: Runtime, url: string, silenceMs = SILENCE_MS): Promise<Db> {
    const dialect = dialectOf(url);
    try {
      if (dialect === "postgres") return new Db(runtime, () => postgres(url), dialect, silenceMs);
      const path = url.slice("sqlite:".length);
      const db = new Db(runtime, () => new SQL(`sqlite://${path}`), dialect, silenceMs);
      await db.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
      await db.run("PRAGMA journal_mode = WAL");
      await db.run("PRAGMA synchronous = FULL");
      await db.run(`PRAGMA wal_autocheckpoint = ${WAL_CHECKPOINT_PAGES}`);
      await db.run(`PRAGMA cache_size = -${CACHE_KIB}`);
      await db.run("PRAGMA foreign_keys = ON");
      // From here on `patiently` waits between tries, so heartbeats can run. An event loop stopped
      // for ten seconds cost a worker its leases.
      await db.run("PRAGMA busy_timeout = 0");
      return db;
    } catch (error) {
      throw new LedgerUnavailable(
        `the ledger ${masked(url)} cannot be opened (SLUICE_LEDGER_URL): ${messageOf(error)}`,
      );
    }
  }

  async run(text: string, values: readonly Value[] = []): Promise<Record<string, unknown>[]> {
    return this.inTurn(() => this.answered((sql) => runOn(sql, this.dialect, text, values)));
  }

  /**
   * Runs `work` in one transaction that holds the write lock from its start; a throw rolls it back.
   */
  async transaction<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    const { dialect } = this;
    const begin = (sql: SQL, heard: () => void) => {
      const body = (tx: SQL) => {
        heard();
        return work({
          run: async (text, values = []) => {
            const rows = await runOn(tx, dialect, text, values);
            heard();
            return rows;
          },
        });
      };
      return (
        dialect === "sqlite" ? sql.begin("immediate", body as never) : sql.begin(body as never)
      ) as Promise<T>;
    };
    return this.inTurn(() => this.answered(begin));
  }

  /**
   * Waits for Postgres for at most `silenceMs`, then replaces all connections. A commit whose
   * answer is lost may or may not have taken effect. SQLite runs in the calling thread, where no
   * timer could fire; `patiently` bounds its waits.
   */
  private async answered<T>(ask: (sql: SQL, heard: () => void) => Promise<T>): Promise<T> {
    const { sql } = this;
    if (this.dialect === "sqlite") return ask(sql, () => undefined);
    const silence = new Silence(this.runtime, this.silenceMs, () => this.redial(sql));
    try {
      const answer = ask(sql, () => silence.heard());
      return await Promise.race([answer, silence.over]);
    } catch (error) {
      throw error instanceof NoAnswer ? new LedgerUnavailable(error.message) : error;
    } finally {
      silence.end();
    }
  }

  /** Everything else in flight on the dead connections fails as well. */
  private redial(silent: SQL): void {
    if (this.sql === silent) this.sql = this.connect();
    void ignore(silent.close({ timeout: 0 }), "ledger_close");
  }

  /**
   * Runs `work` on an unchanging view of the database, as of its first statement. It may only read,
   * and may pause between statements for a limited time.
   */
  async snapshot<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    const { dialect } = this;
    const mode = dialect === "sqlite" ? "deferred" : "isolation level repeatable read read only";
    const body = async (tx: SQL) => {
      const run = (text: string, values: readonly Value[] = []) => runOn(tx, dialect, text, values);
      if (dialect === "postgres")
        for (const limit of ["idle_in_transaction_session_timeout", "statement_timeout"])
          await run(`SET LOCAL ${limit} = ${SNAPSHOT_STEP_MS}`);
      return work({ run });
    };
    return this.inTurn(() => this.sql.begin(mode, body as never) as Promise<T>);
  }

  /**
   * SQLite has one connection: a statement sent while another caller's transaction is open would
   * join it, and could be rolled back after it was reported done. Postgres gives each caller a
   * connection.
   */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.dialect === "postgres") return work();
    const turn = this.tail.then(() => patiently(this.runtime, work));
    this.tail = ended(turn);
    return turn;
  }

  async close(): Promise<void> {
    await this.inTurn(() => this.answered((sql) => sql.close()));
  }
}

function postgres(url: string): SQL {
  return new SQL({
    url,
    max: 4,
    connectionTimeout: CONNECT_TIMEOUT_S,
    connection: { idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS },
  });
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

function isBusy(error: unknown): boolean {
  const { code, errno, message } = error as { code?: string; errno?: unknown; message?: string };
  return code?.startsWith("SQLITE_BUSY") || errno === 5 || /database is locked/.test(message ?? "");
}

export function dialectOf(url: string): Dialect {
  if (url.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(ql)?:/.test(url)) return "postgres";
  throw new LedgerUnavailable(
    `SLUICE_LEDGER_URL must begin with sqlite: or postgres:, not '${url.split(":")[0]}:'`,
  );
}

/** Statements are written with `?`; Postgres needs numbered parameters. */
async function runOn(
  sql: SQL,
  dialect: Dialect,
  text: string,
  values: readonly Value[],
): Promise<Record<string, unknown>[]> {
  const statement = dialect === "postgres" && values.length > 0 ? numbered(text) : text;
  return (await sql.unsafe(statement, values as Value[])) as Record<string, unknown>[];
}

const numberedTexts = new Map<string, string>();

function numbered(text: string): string {
  let known = numberedTexts.get(text);
  if (known === undefined) {
    let n = 0;
    known = text.replace(/\?/g, () => `$${++n}`);
    if (numberedTexts.size < 500) numberedTexts.set(text, known);
  }
  return known;
}

/**
 * Rows per INSERT: 500 share the cost of parsing, and stay far below both databases' limits of
 * parameters.
 */
const ROWS_PER_INSERT = 500;

/**
 * Inserts flat values, `columns.length` for each row. `rest` ends the statement (ON CONFLICT …);
 * its RETURNING rows are returned.
 */
export async function insertRows(
  tx: Runner,
  table: string,
  columns: readonly string[],
  flat: readonly Value[],
  rest = "",
): Promise<Record<string, unknown>[]> {
  const width = columns.length;
  const returned: Record<string, unknown>[] = [];
  for (let from = 0; from < flat.length; from += ROWS_PER_INSERT * width) {
    const part = flat.slice(from, from + ROWS_PER_INSERT * width);
    const rows = await tx.run(insertText(table, columns, part.length / width, rest), part);
    if (rest !== "") returned.push(...rows);
  }
  return returned;
}

const insertTexts = new Map<string, string>();

function insertText(table: string, columns: readonly string[], rows: number, rest: string): string {
  const key = `${table} ${columns.length} ${rows} ${rest}`;
  let text = insertTexts.get(key);
  if (text === undefined) {
    const row = `(${columns.map(() => "?").join(",")})`;
    text = `INSERT INTO ${table} (${columns.join(",")})
      VALUES ${Array(rows).fill(row).join(",")} ${rest}`;
    insertTexts.set(key, text);
  }
  return text;
}

/**
 * SQLite's result code for a violated constraint. Extended codes, such as 275 for a CHECK, have it
 * in their low byte.
 */
const SQLITE_CONSTRAINT = 19;

/**
 * Whether the database rejected the data (a check, a unique key, an impossible value), rather than
 * being in trouble itself. Only its error codes count: SQLite's are numbers, of which 2314 is an
 * I/O error. Postgres's are SQLSTATEs; class 22 is a data exception, class 23 a violated
 * constraint.
 */
export function isConstraint(error: unknown, dialect: Dialect): boolean {
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  if (dialect === "postgres") return typeof errno === "string" && /^2[23][0-9A-Z]{3}$/.test(errno);
  if (typeof errno === "number") return (errno & 0xff) === SQLITE_CONSTRAINT;
  return typeof code === "string" && /^SQLITE_CONSTRAINT(_|$)/.test(code);
}

function masked(url: string): string {
  return url.replace(/\/\/[^@/]*@/, "//…@");
}
