// What the ledger's files ask of a database, whichever it is.

export type Dialect = "sqlite" | "postgres";
export type Value = string | number | null;
export type Found = Record<string, unknown>;

/** Rows for one table. */
export interface NewRows {
  readonly table: string;
  readonly columns: readonly string[];
  /** The values of all rows in sequence, `columns.length` for each. */
  readonly flat: readonly Value[];
  /** Ends the statement (ON CONFLICT … RETURNING …). Empty: nothing is returned. */
  readonly rest: string;
}

/**
 * Runs statements: a database, or a transaction on it. Statements run in the order of the calls,
 * also if a call does not wait for the one before.
 */
export interface Runner {
  run(text: string, values?: readonly Value[]): Promise<Found[]>;
  insert(rows: NewRows): Promise<Found[]>;
}

/** A database as db.ts describes it. */
export interface Engine extends Runner {
  transaction<T>(work: (tx: Runner) => Promise<T>): Promise<T>;
  snapshot<T>(work: (tx: Runner) => Promise<T>): Promise<T>;
  /** Rejects if the server takes no writes. Absent: there is no server. */
  writable?(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The ledger cannot be reached or written. This says nothing about its content. `state` is a word
 * for readiness (database-errors.ts).
 */
export class LedgerUnavailable extends Error {
  override name = "LedgerUnavailable";

  constructor(
    text: string,
    readonly state = "away",
  ) {
    super(text);
  }
}

/** SQLSTATE of a statement in a Postgres transaction that has failed before. */
const FAILED_BEFORE = "25P02";

/**
 * Waits for statements that were sent without waiting for each other's answers. Throws the first
 * error that is not the consequence of another: only that one shows whether the data is at fault.
 */
export async function together(sent: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(sent);
  const errors = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  if (errors.length > 0) throw errors.find((e) => e?.errno !== FAILED_BEFORE) ?? errors[0];
}
