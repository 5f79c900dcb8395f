// Postgres: each caller has a connection of its own, and every answer has a deadline.
//
// A statement is one text, whatever the number of its rows: Postgres plans it once per connection.
// Rows go there as COPY, or as one array per column if they are few or something is returned
// (docs/decisions/0019-ledger-cost.md).
import { SQL } from "bun";
import { messageOf } from "../core/domain/message-of.ts";
import { ended, ignore } from "../core/runtime/ignored.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import { NoAnswer, Silence } from "../core/runtime/silence.ts";
import { databaseTrouble, ReadOnly } from "./database-errors.ts";
import {
  type Engine,
  type Found,
  LedgerUnavailable,
  type NewRows,
  type Runner,
  together,
  type Value,
} from "./runner.ts";

const CONNECT_TIMEOUT_S = 5;
/**
 * A client that stops answering in a transaction keeps its rows locked. Postgres ends such a
 * transaction after this time, so another worker can take the shard. Longer than SILENCE_MS.
 */
const IDLE_IN_TRANSACTION_MS = 15_000;
/**
 * Bounds each statement of a snapshot and each pause between two: one snapshot may read gigabytes.
 */
const SNAPSHOT_STEP_MS = 600_000;
/**
 * Between two answers are a pause and a statement. Longer than both, so that Postgres, which says
 * what is wrong, ends them first.
 */
const SNAPSHOT_SILENCE_MS = 2 * SNAPSHOT_STEP_MS + 30_000;
/** COPY saves a third per row, and costs one more round trip. */
const COPY_FROM_ROWS = 64;
const MAX_VALUES_ROWS = 32;

export class Postgres implements Engine {
  private sql: SQL;

  /** If Postgres gives no answer for `silenceMs`, its connections are dropped. */
  constructor(
    private readonly runtime: Runtime,
    private readonly url: string,
    private readonly silenceMs: number,
  ) {
    this.sql = connect(url);
  }

  run(text: string, values: readonly Value[] = []): Promise<Found[]> {
    return this.answered((sql) => runOn(sql, text, values));
  }

  insert(rows: NewRows): Promise<Found[]> {
    // Few rows may take several statements: all rows come in, or none.
    if (isFew(rows)) return this.transaction((tx) => tx.insert(rows));
    return this.answered((sql) => insertOn(sql, rows));
  }

  transaction<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    return this.answered(
      (sql, heard) =>
        sql.begin(((tx: SQL) => {
          heard();
          return work(runnerOn(tx, heard));
        }) as never) as Promise<T>,
    );
  }

  snapshot<T>(work: (tx: Runner) => Promise<T>): Promise<T> {
    const mode = "isolation level repeatable read read only";
    return this.answered((sql, heard) => {
      const body = async (tx: SQL) => {
        for (const limit of ["idle_in_transaction_session_timeout", "statement_timeout"])
          await runOn(tx, `SET LOCAL ${limit} = ${SNAPSHOT_STEP_MS}`);
        heard();
        return work(runnerOn(tx, heard));
      };
      return sql.begin(mode, body as never) as Promise<T>;
    }, SNAPSHOT_SILENCE_MS);
  }

  /** A replica, and an old primary after a failover, answer reads and take no writes. */
  async writable(): Promise<void> {
    await this.answered(async (sql) => {
      const [row] = await runOn(sql, "SELECT current_setting('transaction_read_only') AS set");
      if (row?.set === "on") throw new ReadOnly("the server takes no writes");
    });
  }

  async close(): Promise<void> {
    await this.answered((sql) => sql.close());
  }

  /**
   * Waits for an answer for at most `limitMs`, then replaces all connections. A commit whose answer
   * is lost may or may not have taken effect.
   */
  private async answered<T>(
    ask: (sql: SQL, heard: () => void) => Promise<T>,
    limitMs = this.silenceMs,
  ): Promise<T> {
    const { sql } = this;
    const silence = new Silence(this.runtime, limitMs, () => this.redial(sql));
    try {
      const answer = ask(sql, () => silence.heard());
      return await Promise.race([answer, silence.over]);
    } catch (error) {
      if (error instanceof NoAnswer) throw new LedgerUnavailable(error.message);
      const trouble = databaseTrouble(error);
      if (!trouble) throw error;
      if (trouble.treatment === "redial") this.redial(sql);
      throw new LedgerUnavailable(messageOf(error), trouble.state);
    } finally {
      silence.end();
    }
  }

  /** Everything else in flight on the old connections fails as well. */
  private redial(old: SQL): void {
    if (this.sql === old) this.sql = connect(this.url);
    void ignore(old.close({ timeout: 0 }), "ledger_close");
  }
}

function connect(url: string): SQL {
  return new SQL({
    url,
    max: 4,
    connectionTimeout: CONNECT_TIMEOUT_S,
    connection: { idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS },
  });
}

function runnerOn(tx: SQL, heard: () => void): Runner {
  const order = new InOrder(heard);
  return {
    run: (text, values = []) => order.send(() => runOn(tx, text, values)),
    insert: (rows) => (isMany(rows) ? order.sendAlone : order.send)(() => insertOn(tx, rows)),
  };
}

/**
 * Sends the statements of a transaction in the order of the calls, without waiting for answers.
 * Only COPY is alone on its connection: Bun would send it before statements that Postgres has yet
 * to plan. Once a statement has failed, the transaction sends no other: Postgres would refuse it,
 * and would never ask for the rows of a COPY.
 */
class InOrder {
  private readonly sent = new Set<Promise<unknown>>();
  private alone: Promise<unknown> | undefined;
  private failed: { readonly error: unknown } | undefined;

  constructor(private readonly heard: () => void) {}

  readonly send = (work: () => Promise<Found[]>): Promise<Found[]> =>
    this.tracked(this.alone === undefined ? this.unlessFailed(work) : this.after(this.alone, work));

  readonly sendAlone = (work: () => Promise<Found[]>): Promise<Found[]> => {
    const answer = this.tracked(
      this.sent.size === 0 ? this.unlessFailed(work) : this.after(Promise.all(this.sent), work),
    );
    this.alone = ended(answer);
    return answer;
  };

  private after(others: Promise<unknown>, work: () => Promise<Found[]>): Promise<Found[]> {
    return others.then(() => this.unlessFailed(work));
  }

  private async unlessFailed(work: () => Promise<Found[]>): Promise<Found[]> {
    if (this.failed) throw this.failed.error;
    return work();
  }

  /** Settles after a failure is noted, so that whatever waits for the answer knows of it. */
  private tracked(answer: Promise<Found[]>): Promise<Found[]> {
    const noted = this.noted(answer);
    const over = ended(noted);
    this.sent.add(over);
    void over.then(() => this.sent.delete(over));
    return noted;
  }

  private async noted(answer: Promise<Found[]>): Promise<Found[]> {
    try {
      const found = await answer;
      this.heard();
      return found;
    } catch (error) {
      this.failed ??= { error };
      throw error;
    }
  }
}

async function runOn(sql: SQL, text: string, values: readonly Value[] = []): Promise<Found[]> {
  const statement = values.length > 0 ? numbered(text) : text;
  return (await sql.unsafe(statement, values as Value[])) as Found[];
}

const numberedTexts = new Map<string, string>();

/** Statements are written with `?`; Postgres needs numbered parameters. */
function numbered(text: string): string {
  let known = numberedTexts.get(text);
  if (known === undefined) {
    let n = 0;
    known = text.replace(/\?/g, () => `$${++n}`);
    if (numberedTexts.size < 500) numberedTexts.set(text, known);
  }
  return known;
}

async function insertOn(sql: SQL, rows: NewRows): Promise<Found[]> {
  if (rows.rest !== "") return insertArrays(sql, rows);
  await (isMany(rows) ? copy(sql, rows) : insertFew(sql, rows));
  return [];
}

function isFew(rows: NewRows): boolean {
  return rows.rest === "" && !isMany(rows);
}

function isMany({ flat, columns, rest }: NewRows): boolean {
  return rest === "" && flat.length >= COPY_FROM_ROWS * columns.length;
}

/** One text for any number of rows. Texts are escaped, so it is for short ones. */
async function insertArrays(sql: SQL, { table, columns, flat, rest }: NewRows): Promise<Found[]> {
  const width = columns.length;
  const types = columns.map((_, c) => (isNumber(flat, width, c) ? "bigint" : "text"));
  const text = `INSERT INTO ${table} (${columns.join(",")}) SELECT * FROM
    unnest(${types.map((type, c) => `$${c + 1}::${type}[]`).join(",")}) ${rest}`;
  const arrays = columns.map((_, c) => arrayOf(flat, width, c));
  return (await sql.unsafe(text, arrays)) as Found[];
}

/** In powers of two, so that a table has few texts. All are sent before the first is answered. */
async function insertFew(sql: SQL, { table, columns, flat }: NewRows): Promise<void> {
  const width = columns.length;
  const sent: Promise<unknown>[] = [];
  for (let from = 0, rows = MAX_VALUES_ROWS; from < flat.length; rows /= 2) {
    if (flat.length - from < rows * width) continue;
    const row = `(${columns.map(() => "?").join(",")})`;
    const values = Array(rows).fill(row).join(",");
    const text = `INSERT INTO ${table} (${columns.join(",")}) VALUES ${values}`;
    sent.push(runOn(sql, text, flat.slice(from, from + rows * width)));
    from += rows * width;
  }
  await together(sent);
}

async function copy(sql: SQL, { table, columns, flat }: NewRows): Promise<void> {
  const rows = copyText(flat, columns.length); // first: its error must not leave a COPY open
  const text = `COPY ${table} (${columns.join(",")}) FROM STDIN`;
  const writer = sql.unsafe(text).writable().getWriter();
  try {
    await Promise.all([writer.write(rows), writer.close()]);
  } catch (error) {
    void ended(writer.abort(error));
    throw error;
  }
}

/** The numbers of Sluice's rows are integers. */
function isNumber(flat: readonly Value[], width: number, column: number): boolean {
  for (let i = column; i < flat.length; i += width)
    if (flat[i] !== null) return typeof flat[i] === "number";
  return false;
}

/** A column as the text of a Postgres array. */
export function arrayOf(flat: readonly Value[], width: number, column: number): string {
  let text = "";
  for (let i = column; i < flat.length; i += width) {
    const value = flat[i] as Value;
    text += text === "" ? "{" : ",";
    if (typeof value === "string") text += `"${value.replace(/["\\]/g, "\\$&")}"`;
    else text += value === null ? "NULL" : value;
  }
  return `${text}}`;
}

const COPY_SPECIAL = /[\\\t\n\r]/;
const COPY_ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\t": "\\t",
  "\n": "\\n",
  "\r": "\\r",
};

/** Rows in the text format of COPY. */
export function copyText(flat: readonly Value[], width: number): string {
  let text = "";
  for (let from = 0; from < flat.length; from += width) {
    for (let c = 0; c < width; c++) {
      const value = flat[from + c] as Value;
      if (c > 0) text += "\t";
      if (value === null) text += "\\N";
      else if (typeof value === "string" && COPY_SPECIAL.test(value))
        text += value.replace(/[\\\t\n\r]/g, (special) => COPY_ESCAPES[special] as string);
      else text += value;
    }
    text += "\n";
  }
  return text;
}
