// The two databases behind one face: Bun.SQL, with the few words in which SQLite and Postgres
// differ.
import { SQL } from "bun";
import { messageOf } from "../core/domain/message-of.ts";
import { ended, ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { NoAnswer, Silence } from "../core/runtime/silence.ts";

export type Dialect = "sqlite" | "postgres";
export type Value = string | number | null;
/** What can run a statement: the database, or a transaction on it. */
export interface Runner {
  run(text: string, values?: readonly Value[]): Promise<Record<string, unknown>[]>;
}

/** The ledger cannot be reached or written; nothing is known to be wrong with what it holds. */
export class LedgerUnavailable extends Error {
  override name = "LedgerUnavailable";
}

/** A statement answers within milliseconds. Past this its connection is taken for silent. */
const SILENCE_MS = 10_000;
/** For what reads or rewrites whole tables. */
export const PATIENT_MS = 10 * 60_000;
const CONNECT_TIMEOUT_S = 5;
/**
 * A transaction of a client that has fallen silent holds its rows locked: Postgres ends it after
 * this, so that another worker can take the shard. Above what this side waits.
 */
const IDLE_IN_TRANSACTION_MS = 15_000;
/** How long a writer waits for another process's transaction. */
const BUSY_TIMEOUT_MS = 10_000;
/** Between two tries, longer each time. */
const BUSY_RETRY_MIN_MS = 1;
const BUSY_RETRY_MAX_MS = 2;
/**
 * 16 MiB of log between checkpoints: fewer, longer ones; at the default of 4 MiB they took a tenth
 * of the writer's time.
 */
const WAL_CHECKPOINT_PAGES = 4_000;
const CACHE_KIB = 65_536;
/**
 * A statement of a long look, and the thought between two: a history of gigabytes is read in one.
 */
const SNAPSHOT_STEP_MS = 600_000;

export class Db implements Runner {
  /** Settles when everything asked of SQLite so far is done. */
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

  /** `silenceMs`: a Postgres that gives no answer for this long has its connections dropped. */
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
      // From here on waiting is done between the tries, where a heartbeat can go on: ten seconds of
      // a stopped event loop cost a worker its leases.
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
   * Waits for Postgres, but not beyond its silence: then all connections are closed and others are
   * opened. Whether a commit whose answer was lost took effect is not known. (SQLite answers in the
   * calling thread: no timer could run. Its waits are bounded by `patiently`.)
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

  /** Everything else under way on the silent connections fails as well. */
  private redial(silent: SQL): void {
    if (this.sql === silent) this.sql = this.connect();
    void ignore(silent.close({ timeout: 0 }), "ledger_close");
  }

  /**
   * Runs `work` on one unchanging look at the database, as it is at the first statement. It only
   * reads, and may think between its statements, but not for ever.
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
   * SQLite has one connection here: a statement sent while another caller's transaction is open
   * would become part of it, and be undone with it after it was called done. Postgres gives each
   * caller a connection of his own.
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
 * Tries again while another process's transaction is in the way. What is refused for that has not
 * begun.
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

/** Statements are written with `?`; Postgres wants them numbered. */
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
 * Rows per INSERT: at 500 a statement costs its parsing once for many rows, and stays far from
 * either database's limit of parameters.
 */
const ROWS_PER_INSERT = 500;

/**
 * Inserts flat values, `columns.length` a row. `rest` ends the statement (ON CONFLICT …); what it
 * returns is returned.
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
  const key = `${table} ${rows} ${rest}`;
  let text = insertTexts.get(key);
  if (text === undefined) {
    const row = `(${columns.map(() => "?").join(",")})`;
    text = `INSERT INTO ${table} (${columns.join(",")}) VALUES ${Array(rows).fill(row).join(",")} ${rest}`;
    insertTexts.set(key, text);
  }
  return text;
}

/**
 * SQLite's result code for a constraint; an extended one (SQLITE_CONSTRAINT_CHECK is 275) has it in
 * its low byte.
 */
const SQLITE_CONSTRAINT = 19;

/**
 * Whether an error says that the data refuse the change (a check, a unique key, an impossible
 * value), not that the database is in trouble. Judged by the database's own code: SQLite's are
 * numbers, of which 2314 is an I/O error; Postgres's are SQLSTATEs, of which class 22 is a data
 * exception and 23 an integrity constraint violation.
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
