// Extracts one order from its message inside the database, so a look-up does not transfer hundreds
// of orders. Both message formats are read: older journals hold rows (format 0).
import { FIELD_NAMES, FIELDS, MESSAGE_VERSION } from "../core/domain/fields.ts";
import { placedAt, readColumns } from "../core/domain/message.ts";
import type { PlacedOrder } from "../core/domain/row.ts";
import { placed0 } from "../core/domain/rows-v0.ts";
import type { Dialect } from "./db.ts";

/** Columns with one value per order. */
const COLUMNS = FIELD_NAMES.filter((name) =>
  (FIELDS[name].kinds as readonly string[]).includes("order"),
);

/**
 * SQL for row `o.idx` of message `m`, as text for placedOf: the order's values, the number of lines
 * of each row, and the lines of all rows. SQLite parses the body once per call for all paths.
 */
const SQLITE = `CASE WHEN m.body LIKE '[%' THEN json_extract(m.body, '$[' || o.idx || ']')
  ELSE '{"row":' || o.idx || ',"found":' || json_extract(m.body,
    ${COLUMNS.map((name) => `'$.${name}[' || o.idx || ']'`).join(", ")},
    '$.lines', '$.sku', '$.qty') || '}' END`;

/** As for SQLite, but with only the order's own lines, since Postgres has to send them. */
const POSTGRES = `(SELECT CASE WHEN substr(m.body, 1, 1) = '[' THEN m.body::json -> o.idx
  ELSE (SELECT json_build_object('row', 0, 'found', json_build_array(
      ${COLUMNS.map((name) => `c."${name}" -> o.idx`).join(", ")},
      json_build_array(c.lines -> o.idx), ${["sku", "qty"].map(ownLines).join(", ")}))
    FROM json_to_record(m.body::json)
      AS c(${[...COLUMNS, "sku", "qty"].map((name) => `"${name}" json`).join(", ")}),
    LATERAL (SELECT coalesce(sum(t.n::numeric) FILTER (WHERE t.at <= o.idx), 0) AS before,
        sum(t.n::numeric) FILTER (WHERE t.at <= o.idx + 1) AS upto
      FROM json_array_elements_text(c.lines) WITH ORDINALITY AS t(n, at)) AS l)
  END)::text`;

function ownLines(column: string): string {
  return `(SELECT json_agg(t.value ORDER BY t.at)
    FROM json_array_elements(c.${column}) WITH ORDINALITY AS t(value, at)
    WHERE t.at > l.before AND t.at <= l.upto)`;
}

/** SQL for placedOf, where `m` is the message of order `o`. */
export const PLACED: Readonly<Record<Dialect, string>> = { sqlite: SQLITE, postgres: POSTGRES };

/** Reads the result of PLACED: the order as it was accepted. */
export function placedOf(text: unknown): PlacedOrder {
  const value = JSON.parse(String(text)) as unknown;
  if (Array.isArray(value)) return placed0(value);
  const { row, found } = value as { readonly row: number; readonly found: readonly unknown[] };
  const columns: Record<string, unknown> = { v: MESSAGE_VERSION };
  COLUMNS.forEach((name, i) => {
    if (found[i] !== null) columns[name] = [found[i]];
  });
  const [counts, sku, qty] = found.slice(COLUMNS.length) as [number[], string[], number[]];
  const from = counts.slice(0, row).reduce((sum, n) => sum + n, 0);
  const to = from + (counts[row] ?? 0);
  return placedAt(
    readColumns({ ...columns, sku: sku.slice(from, to), qty: qty.slice(from, to) }),
    0,
  );
}
