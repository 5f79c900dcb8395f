// One interface to both databases (sqlite.ts, postgres.ts).
import { maskedUrl } from "../core/domain/masked.ts";
import { messageOf } from "../core/domain/message-of.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { databaseTrouble } from "./database-errors.ts";
import { Postgres } from "./postgres.ts";
import {
  type Dialect,
  type Engine,
  type Found,
  LedgerUnavailable,
  type NewRows,
  type Runner,
  type Value,
} from "./runner.ts";
import { Sqlite } from "./sqlite.ts";

export { type Dialect, LedgerUnavailable, type Runner, together, type Value } from "./runner.ts";

/** Statements take milliseconds. After this the connection counts as dead. */
const SILENCE_MS = 10_000;
/** For work that reads or rewrites whole tables. */
export const PATIENT_MS = 10 * 60_000;

export class Db implements Runner {
  private constructor(
    readonly runtime: Runtime,
    readonly dialect: Dialect,
    private readonly engine: Engine,
  ) {}

  /** If Postgres gives no answer for `silenceMs`, its connections are dropped. */
  static async open(runtime: Runtime, url: string, silenceMs = SILENCE_MS): Promise<Db> {
    const dialect = dialectOf(url);
    try {
      const engine =
        dialect === "postgres"
          ? new Postgres(runtime, url, silenceMs)
          : await Sqlite.open(runtime, url.slice("sqlite:".length));
      return new Db(runtime, dialect, engine);
    } catch (error) {
      throw new LedgerUnavailable(
        `the ledger ${maskedUrl(url)} cannot be opened (SLUICE_LEDGER_URL): ${messageOf(error)}`,
        databaseTrouble(error)?.state,
      );
    }
  }

  /** A database on an engine that is already open, and may be shared. */
  static over(runtime: Runtime, dialect: Dialect, engine: Engine): Db {
    return new Db(runtime, dialect, engine);
  }

  run(text: string, values: readonly Value[] = []): Promise<Found[]> {
    return this.engine.run(text, values);
  }

  insert(rows: NewRows): Promise<Found[]> {
    return this.engine.insert(rows);
  }

  /**
   * Runs `work` in one transaction that holds the write lock from its start; a throw rolls it back.
   */
  transaction<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    return this.engine.transaction(work);
  }

  /**
   * Runs `work` on an unchanging view of the database, as of its first statement. It may only read,
   * and may pause between statements for a limited time.
   */
  snapshot<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    return this.engine.snapshot(work);
  }

  get hasServer(): boolean {
    return this.engine.writable !== undefined;
  }

  /** Rejects if the server can be read but not written. */
  async writable(): Promise<void> {
    await this.engine.writable?.();
  }

  close(): Promise<void> {
    return this.engine.close();
  }
}

export function dialectOf(url: string): Dialect {
  if (url.startsWith("sqlite:")) return "sqlite";
  if (/^postgres(ql)?:/.test(url)) return "postgres";
  throw new LedgerUnavailable(
    `SLUICE_LEDGER_URL must begin with sqlite: or postgres:, not '${url.split(":")[0]}:'`,
  );
}

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
): Promise<Found[]> {
  return flat.length === 0 ? [] : tx.insert({ table, columns, flat, rest });
}

/** Inserts one row, by the names of its columns. */
export async function insertRow(
  tx: Runner,
  table: string,
  row: Readonly<Record<string, Value>>,
): Promise<void> {
  await insertRows(tx, table, Object.keys(row), Object.values(row));
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
