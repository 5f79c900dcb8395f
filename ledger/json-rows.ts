// Many rows as one parameter of a statement: a JSON list of lists. The statement's text is the same
// for any number of rows, and one statement takes the place of one for each row
// (docs/decisions/0021-charge-cost.md).
import type { Dialect, Value } from "./db.ts";

/** Rows in one statement; as for inserts, far more gains nothing. */
const ROWS_AT_ONCE = 500;

/** The source of rows for FROM. Its parameter is one of `jsonRows`. */
export function rowsFrom(dialect: Dialect): string {
  return dialect === "sqlite"
    ? "json_each(?) k"
    : // Bun writes a text for a parameter of type jsonb as JSON once more.
      "jsonb_array_elements(CAST(CAST(? AS TEXT) AS JSONB)) k(value)";
}

/** Value `i` of a row, as text. */
export function textIn(i: number): string {
  return `(k.value ->> ${i})`;
}

/** Value `i` of a row, as a whole number. */
export function wholeIn(i: number): string {
  return `CAST(k.value ->> ${i} AS BIGINT)`;
}

/** The parameters for these rows: one for each statement that is needed. */
export function* jsonRows(rows: readonly (readonly Value[])[]): Generator<string> {
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE)
    yield JSON.stringify(rows.slice(from, from + ROWS_AT_ONCE));
}
