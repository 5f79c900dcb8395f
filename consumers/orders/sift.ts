// Takes a message apart that is not as a gateway writes it: rows that can be decided, orders that
// can only be rejected, and the rest, for which the message goes to the dead letters. Costs a
// parse, so a gateway's messages come here only when Redis has refused one.
import { LIMITS } from "../../core/domain/limits.ts";
import type { OrderRow } from "../../core/domain/order.ts";
import { isName, isOrderId, isWhole, rowProblem } from "../../core/domain/row-check.ts";
import { type Rights, rightProblem } from "./rights.ts";

export interface Sifted {
  /** Rows in the message. */
  readonly count: number;
  /** What can be decided, as JSON text; empty when nothing can. */
  readonly body: string;
  /** Where those rows stand in the message. */
  readonly kept: readonly number[];
  /** Orders that can only be rejected: what is recorded in their place, and where they stand. */
  readonly rejected: readonly { readonly at: number; readonly row: OrderRow }[];
  /** Why the message goes to the dead letters. */
  readonly dead?: string | undefined;
}

// Control characters and decimals are all in which Redis's JSON is laxer than JavaScript's. No
// gateway writes them; most messages have none, which costs 17 µs to see in a message of 400
// orders.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x1f]/;
const DECIMAL = /[0-9]\.[^0-9]|-\./;

/** Whether Redis might take a text that is no JSON. */
export function isOdd(body: string): boolean {
  return CONTROL.test(body) || DECIMAL.test(body);
}

export function sift(body: string, rights?: Rights): Sifted {
  const rows = parseRows(body);
  if (typeof rows === "string") return { count: 0, body: "", kept: [], rejected: [], dead: rows };
  const kept: number[] = [];
  const rejected: { at: number; row: OrderRow }[] = [];
  let lost: string | undefined;
  let losses = 0;
  rows.forEach((row, at) => {
    const unsound = rowProblem(row);
    const problem = unsound ?? (rights && rightProblem(row as unknown[], rights));
    if (problem === undefined) kept.push(at);
    else if (unsound !== undefined && rights?.orders !== false && isOrder(row))
      rejected.push({ at, row: rejectable(row) });
    else {
      lost ??= problem;
      losses++;
    }
  });
  return {
    count: rows.length,
    body: kept.length === rows.length ? body : textOf(kept.map((at) => rows[at])),
    kept,
    rejected,
    dead: lost && `${losses} of ${rows.length} rows: ${lost}`,
  };
}

/** The rows, or why the text has none. */
function parseRows(body: string): unknown[] | string {
  if (Buffer.byteLength(body) > LIMITS.MAX_MESSAGE_BYTES) return "too large";
  let rows: unknown;
  try {
    rows = JSON.parse(body);
  } catch {
    return "not a JSON array of rows";
  }
  // Redis wants the bracket first, as everybody writes it.
  if (!Array.isArray(rows) || rows.length === 0 || body.charCodeAt(0) !== 0x5b)
    return "not a JSON array of rows";
  return rows.length > LIMITS.MAX_MESSAGE_ROWS ? "too many rows" : rows;
}

export function textOf(rows: readonly unknown[]): string {
  return rows.length === 0 ? "" : JSON.stringify(rows);
}

/**
 * Whether a row is an order's and says whose it is, and which. Cancels and answers are no orders:
 * they cannot be rejected.
 */
function isOrder(row: unknown): row is unknown[] {
  if (!Array.isArray(row)) return false;
  const [kind, user, id] = row as unknown[];
  return kind === "o" && isName(user) && user !== "" && isOrderId(id);
}

/** Of a row that makes no sense, this much is kept in the rejected order's record. */
const KEPT_TEXT = 1_024;
/** ISO 4217's code for a transaction without a currency. */
const NO_CURRENCY = "XXX";
const UNREADABLE = "unreadable";

/**
 * An order row that can be recorded in place of one that cannot: the same name, the number it used
 * up, and its text.
 */
export function rejectable(row: readonly unknown[]): OrderRow {
  const [, user, id, fingerprint, acceptedAtMs, sale, seq] = row;
  // Cut by characters, half a surrogate pair may be left.
  const text = JSON.stringify(row).slice(0, KEPT_TEXT).toWellFormed();
  return [
    "o",
    user as string,
    id as string,
    isName(fingerprint) ? fingerprint : UNREADABLE,
    isWhole(acceptedAtMs, 0, LIMITS.MAX_TIME_MS) ? acceptedAtMs : 0,
    isName(sale) ? sale : UNREADABLE,
    isWhole(seq, 0, LIMITS.MAX_SEQ) ? seq : 0,
    NO_CURRENCY,
    [UNREADABLE, 1],
    "",
    JSON.stringify({ row: text }),
    0,
  ];
}
