// Sorts the rows of a message that no gateway would have written, in the current format or in
// format 0: rows that can be decided, orders that can only be rejected, and the rest, because of
// which the message becomes a dead letter. That costs a parse, so a gateway's messages come here
// only after Redis has rejected one.
//
//  1. Whatever the text holds, the result is a Sifted, never an exception.
//  2. What is too large is refused before any work per row.
//  3. What can be decided is in the current format.
import { KINDS } from "../../core/domain/fields.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import {
  lineStarts,
  messageText,
  NoMessage,
  type Rows,
  readColumns,
  rowAt,
} from "../../core/domain/message.ts";
import type { OrderRow, Row } from "../../core/domain/row.ts";
import { isName, isOrderId, isWhole, rowProblem } from "../../core/domain/row-check.ts";
import { row0 } from "../../core/domain/rows-v0.ts";
import { rowProblems0 } from "../../core/domain/rows-v0-check.ts";
import { type Rights, rightProblem } from "./rights.ts";

/** A row, with its index in the message. */
export interface RowInPlace<R extends Row = Row> {
  readonly at: number;
  readonly row: R;
}

export interface Sifted {
  /** Rows in the message. */
  readonly count: number;
  /** The rows that can be decided, as a message; empty if there are none. */
  readonly body: string;
  readonly kept: readonly RowInPlace[];
  /** What is recorded in place of orders that can only be rejected. */
  readonly rejected: readonly RowInPlace<OrderRow>[];
  /** Why the message goes to the dead letters. */
  readonly dead?: string | undefined;
}

// Redis's JSON accepts more than JavaScript's only in control characters and decimals, which no
// gateway writes. Both searches take 17 µs per 400 orders (docs/decisions/0012-messages.md).
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const CONTROL = /[\x00-\x1f]/;
const DECIMAL = /[0-9]\.[^0-9]|-\./;
const OPENING_BRACE = 0x7b;
const OPENING_BRACKET = 0x5b;

/** Whether Redis may accept a text that is not JSON, or cannot read its format. */
export function isUnsafeForRedis(body: string): boolean {
  return body.charCodeAt(0) !== OPENING_BRACE || CONTROL.test(body) || DECIMAL.test(body);
}

/** Whether a message is in format 0, which gateways of earlier releases publish. */
export function isFormat0(body: string): boolean {
  return body.charCodeAt(0) === OPENING_BRACKET;
}

export function sift(body: string, rights?: Rights): Sifted {
  try {
    const rows = rowsIn(body);
    return typeof rows === "string" ? nothingIn(rows) : sort(body, rows, rights);
  } catch (error) {
    const { message } = error as Error;
    return nothingIn(error instanceof NoMessage ? message : `cannot be read: ${message}`);
  }
}

function nothingIn(why: string): Sifted {
  return { count: 0, body: "", kept: [], rejected: [], dead: reason(why) };
}

/** A reason travels in a header, and may repeat text from the message. */
function reason(text: string): string {
  return text.slice(0, MAX_REASON).toWellFormed().replace(UNPRINTABLE, "?");
}

const MAX_REASON = 200;
const UNPRINTABLE = /[^\x20-\x7e]/g;

/** A message's rows, in either format. */
interface Unsorted {
  readonly count: number;
  /** What is wrong with a row; undefined if it can be decided. */
  problem(at: number): string | undefined;
  /** The row with its values unchecked; undefined if it is not a row at all. */
  row(at: number): Row | undefined;
}

/**
 * Whether a text is nested more deeply than any message. A parser needs over 100 ms for a megabyte
 * of brackets (docs/decisions/0012-messages.md).
 */
function isDeep(body: string): boolean {
  let depth = 0;
  for (let i = 0; i < body.length; i++) {
    const char = body.charCodeAt(i);
    if (char === QUOTE) i = endOfText(body, i);
    else if (char === OPENING_BRACKET || char === OPENING_BRACE) depth++;
    else if (char === CLOSING_BRACKET || char === CLOSING_BRACE) depth--;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
}

/** The index of the quote that closes the string opened at `from`. */
function endOfText(body: string, from: number): number {
  for (let i = from + 1; i < body.length; i++) {
    const char = body.charCodeAt(i);
    if (char === BACKSLASH) i++;
    else if (char === QUOTE) return i;
  }
  return body.length;
}

/** A message has two levels in columns and three in rows; unsound values may have a few more. */
const MAX_DEPTH = 20;
const CLOSING_BRACE = 0x7d;
const CLOSING_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The rows, or why the text has none. */
function rowsIn(body: string): Unsorted | string {
  if (Buffer.byteLength(body) > LIMITS.MAX_MESSAGE_BYTES) return "too large";
  if (isDeep(body)) return "nested too deeply";
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return "not JSON";
  }
  const list = Array.isArray(value) ? value : (value as { order?: unknown } | null)?.order;
  if (Array.isArray(list) && list.length > LIMITS.MAX_MESSAGE_ROWS) return "too many rows";
  // The first character tells the formats apart, and no writer puts a blank there.
  if (Array.isArray(value) && isFormat0(body)) return rows0(value);
  if (body.charCodeAt(0) !== OPENING_BRACE) return "neither columns nor rows";
  return rows1(readColumns(value));
}

function rows0(rows: readonly unknown[]): Unsorted | string {
  if (rows.length === 0) return "no rows";
  const problems = rowProblems0(rows);
  return {
    count: rows.length,
    problem: (at) => problems[at],
    row: (at) => row0(rows[at]),
  };
}

const LETTERS: ReadonlySet<string> = new Set(Object.values(KINDS));

function rows1(rows: Rows): Unsorted {
  const starts = lineStarts(rows);
  const names: readonly unknown[] = rows.order;
  const isNamed = (at: number) => {
    const name = names[at];
    if (typeof name !== "string" || name.indexOf(" ") < 1) return false;
    return rows.kinds === "" || LETTERS.has(rows.kinds.charAt(at));
  };
  return {
    count: rows.count,
    problem: (at) => rowProblem(rows, at, starts),
    row: (at) => (isNamed(at) ? rowAt(rows, at, starts) : undefined),
  };
}

function sort(body: string, rows: Unsorted, rights: Rights | undefined): Sifted {
  const { count } = rows;
  const kept: RowInPlace[] = [];
  const rejected: RowInPlace<OrderRow>[] = [];
  const losses: string[] = [];
  for (let at = 0; at < count; at++) {
    const unsound = rows.problem(at);
    const row = rows.row(at);
    const problem = unsound ?? (row && rights && rightProblem(row, rights));
    if (row && problem === undefined) kept.push({ at, row });
    else if (unsound !== undefined && rights?.orders !== false && isOrder(row))
      rejected.push({ at, row: rejectable(row) });
    else losses.push(problem ?? "not a row");
  }
  return {
    count,
    body: kept.length === count && !isFormat0(body) ? body : textOf(kept),
    kept,
    rejected,
    ...(losses.length > 0
      ? { dead: reason(`${losses.length} of ${count} rows: ${losses[0]}`) }
      : {}),
  };
}

/** A message of these rows; empty if there are none. */
export function textOf(rows: readonly RowInPlace[]): string {
  return rows.length === 0 ? "" : messageText(rows.map(({ row }) => row));
}

/** Whether a row is an order with a sound user and id. Only orders can be rejected. */
function isOrder(row: Row | undefined): row is OrderRow {
  if (row?.kind !== "order") return false;
  const { user, id } = row.order;
  return isName(user) && user !== "" && isOrderId(id);
}

/** How much of an unsound row's text the rejected order's record keeps. */
const KEPT_TEXT = 1_024;
/** ISO 4217's code for a transaction without a currency. */
const NO_CURRENCY = "XXX";
const UNREADABLE = "unreadable";

/**
 * An order that can be recorded in place of an unsound one: the same user and id, the number that
 * it used up, and its text.
 */
export function rejectable(row: OrderRow): OrderRow {
  const { order, fingerprint, atMs } = row;
  const { user, id, saleId, seq } = order;
  const lines = order.lines.slice(0, LIMITS.MAX_LINES);
  // The cut may leave half a surrogate pair.
  const text = JSON.stringify({ ...row, order: { ...order, lines } })
    .slice(0, KEPT_TEXT)
    .toWellFormed();
  return {
    kind: "order",
    order: {
      user,
      id,
      saleId: isName(saleId) && saleId !== "" ? saleId : UNREADABLE,
      seq: isWhole(seq, 0, LIMITS.MAX_SEQ) ? seq : 0,
      currency: NO_CURRENCY,
      lines: [{ sku: UNREADABLE, qty: 1 }],
      payment: "",
      metadata: JSON.stringify({ row: text }),
      maxTotal: 0,
    },
    fingerprint: isName(fingerprint) && fingerprint !== "" ? fingerprint : UNREADABLE,
    atMs: isWhole(atMs, 0, LIMITS.MAX_TIME_MS) ? atMs : 0,
  };
}
