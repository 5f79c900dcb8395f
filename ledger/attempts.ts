// The attempts to charge that one transaction names. They are read at once, changed in memory, and
// what changed is written at once: a statement for each change cost 40 µs and more
// (docs/decisions/0021-charge-cost.md).
//
//   1. Nobody else changes them meanwhile: the transaction has SQLite's write lock, or has locked
//      the rows in Postgres.
//   2. An attempt moves only from a status that allows it. Anything else is a Contradiction: Redis
//      has lost something.
import type { Attempt } from "../core/domain/charge.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import { type Dialect, insertRows, type Runner, type Value } from "./db.ts";
import { jsonRows, rowsFrom, textIn, wholeIn } from "./json-rows.ts";
import { Contradiction } from "./refusals.ts";

export interface Terms {
  readonly amount: number;
  readonly currency: string;
  readonly payment: string;
  readonly metadata: string;
  readonly trace: Traceparent;
  readonly request: number;
  /** When a request first stayed without a definite answer, Unix ms; 0: never. */
  readonly sinceMs: number;
}

/** An order's charge under one generation: all its attempts. */
export type Charge = Omit<Attempt, "attempt">;

/** A row of `charges`. */
interface Recorded extends Attempt, Terms {
  readonly status: string;
  readonly detail: string;
  readonly rateId: string;
  readonly rate: string;
}

interface Row {
  value: Recorded;
  /** Its number in the table; undefined while it has no row. */
  readonly stored: number | undefined;
  changed: boolean;
}

const COLUMNS = [
  ...["usr", "id", "generation", "attempt", "amount", "currency", "payment", "status", "detail"],
  ...["metadata", "rate_id", "rate", "trace", "request", "since_ms"],
];

/** What attemptIn() reads. */
export const ATTEMPT = COLUMNS.map((column) => `charges.${column}`).join(", ");

export class Attempts {
  /** By `user/id/generation`, the attempts in order. */
  private readonly rows = new Map<string, Row[]>();

  private constructor(private readonly dialect: Dialect) {}

  /** Reads all attempts of these charges. */
  static async read(dialect: Dialect, tx: Runner, charges: Iterable<Charge>): Promise<Attempts> {
    const attempts = new Attempts(dialect);
    const names = new Map<string, Value[]>();
    for (const of of charges) names.set(nameOf(of), [of.id, of.user, of.generation]);
    const text = `SELECT ${ATTEMPT} FROM ${rowsFrom(dialect)} CROSS JOIN charges
      WHERE charges.id = ${textIn(0)} AND charges.usr = ${textIn(1)}
      AND charges.generation = ${wholeIn(2)}
      ${dialect === "postgres" ? "FOR UPDATE OF charges" : ""}`; // 1
    for (const list of jsonRows([...names.values()]))
      for (const row of await tx.run(text, [list])) attempts.add(attemptIn(row), true);
    return attempts;
  }

  statusOf(of: Attempt): string | undefined {
    return this.find(of)?.value.status;
  }

  /** undefined: the ledger has no such attempt. */
  termsOf(of: Attempt): Terms | undefined {
    return this.find(of)?.value;
  }

  /** All attempts of a charge, in order. */
  history(of: Charge): readonly Recorded[] {
    return (this.rows.get(nameOf(of)) ?? []).map(({ value }) => value);
  }

  /** Moves an attempt to a status, from one of those in `from` (2). */
  move(of: Attempt, from: readonly string[], status: string, detail: string): Terms {
    const row = this.find(of);
    if (!row || !from.includes(row.value.status))
      throw new Contradiction(`attempt ${nameOf(of)}/${of.attempt} cannot become ${status}`);
    return change(row, { status, detail });
  }

  /** Starts the attempt that waits in its lane, or the next one after the last has failed (2). */
  start(of: Attempt): Terms {
    const { user, id, attempt } = of;
    const waiting = this.find({ ...of, attempt: 0 });
    const last = this.find({ ...of, attempt: attempt - 1 });
    if (waiting?.value.status === "waiting" && !this.find(of))
      return change(waiting, { attempt, status: "started" });
    if (last?.value.status !== "failed" || this.find(of))
      throw new Contradiction(`attempt ${attempt} of ${user}/${id} cannot start`);
    const fresh = { attempt, status: "started", detail: "", request: 1, sinceMs: 0 };
    return this.add({ ...last.value, ...fresh }, false);
  }

  /** Numbers the attempt's next request. `why`: why the last one settled nothing. */
  nextRequest(of: Attempt, sinceMs: number, why?: string): Terms {
    const row = this.find(of);
    if (!row) throw new Contradiction(`there is no attempt ${nameOf(of)}/${of.attempt}`);
    const { request, detail } = row.value;
    return change(row, { request: request + 1, sinceMs, detail: why ?? detail });
  }

  /** Writes what has changed. */
  async write(tx: Runner): Promise<void> {
    const changed = [...this.rows.values()].flat().filter((row) => row.changed);
    const kept = changed.filter(({ stored, value }) => stored === value.attempt);
    await this.update(tx, "", kept);
    // A new number moves a row to another place in the table.
    const started = changed.filter(
      ({ stored, value }) => stored !== undefined && stored !== value.attempt,
    );
    await this.update(tx, `attempt = ${wholeIn(8)},`, started);
    const fresh = changed.filter(({ stored }) => stored === undefined);
    await insertRows(tx, "charges", COLUMNS, fresh.flatMap(valuesOf));
  }

  private async update(tx: Runner, attempt: string, rows: readonly Row[]): Promise<void> {
    const text = `UPDATE charges SET ${attempt} status = ${textIn(4)}, detail = ${textIn(5)},
      request = ${wholeIn(6)}, since_ms = ${wholeIn(7)} FROM ${rowsFrom(this.dialect)}
      WHERE charges.id = ${textIn(0)} AND charges.usr = ${textIn(1)}
      AND charges.generation = ${wholeIn(2)} AND charges.attempt = ${wholeIn(3)}
      RETURNING charges.id`;
    let updated = 0;
    for (const list of jsonRows(rows.map(changesOf)))
      updated += (await tx.run(text, [list])).length;
    if (updated !== rows.length)
      throw new Contradiction(`${rows.length - updated} attempts that were read are gone`);
  }

  private add(value: Recorded, stored: boolean): Terms {
    const row = { value, stored: stored ? value.attempt : undefined, changed: !stored };
    const name = nameOf(value);
    const others = this.rows.get(name) ?? [];
    const rows = [...others, row].sort((a, b) => a.value.attempt - b.value.attempt);
    this.rows.set(name, rows);
    return value;
  }

  private find(of: Attempt): Row | undefined {
    return this.rows.get(nameOf(of))?.find(({ value }) => value.attempt === of.attempt);
  }
}

function change(row: Row, changes: Partial<Recorded>): Terms {
  row.value = { ...row.value, ...changes };
  row.changed = true;
  return row.value;
}

function nameOf({ user, id, generation }: Charge): string {
  return `${user}/${id}/${generation}`;
}

/** Reads a row with the columns of `ATTEMPT`. */
export function attemptIn(row: Record<string, unknown>): Recorded {
  return {
    user: String(row.usr),
    id: String(row.id),
    generation: Number(row.generation),
    attempt: Number(row.attempt),
    amount: Number(row.amount),
    currency: String(row.currency),
    payment: String(row.payment),
    status: String(row.status),
    detail: String(row.detail),
    metadata: String(row.metadata),
    rateId: String(row.rate_id),
    rate: String(row.rate),
    trace: String(row.trace),
    request: Number(row.request),
    sinceMs: Number(row.since_ms),
  };
}

function changesOf({ value, stored = 0 }: Row): Value[] {
  const { id, user, generation, status, detail, request, sinceMs, attempt } = value;
  return [id, user, generation, stored, status, detail, request, sinceMs, attempt];
}

function valuesOf({ value }: Row): Value[] {
  const { user, id, generation, attempt, amount, currency, payment, status, detail } = value;
  const { metadata, rateId, rate, trace, request, sinceMs } = value;
  const own = [user, id, generation, attempt, amount, currency, payment, status, detail];
  return [...own, metadata, rateId, rate, trace, request, sinceMs];
}
