// Reads a message into columns: `rows.order[i]`, `rows.sale[i]`, … belong to row i. This file
// checks the shape (columns and their lengths). row-check.ts checks the values of rows from
// untrusted publishers.
import {
  FIELD_NAMES,
  FIELDS,
  type FieldName,
  KINDS,
  type Kind,
  LINE_FIELDS,
  MESSAGE_VERSION,
  NIL_ID,
} from "./fields.ts";
import { MessageWriter } from "./message-writer.ts";
import type { Line, Order } from "./order.ts";
import type { PlacedOrder, Row } from "./row.ts";
import { version0 } from "./rows-v0.ts";

type Value<F extends FieldName> = (typeof FIELDS)[F]["default"] extends 0 ? number : string;

/** The columns of a message. Each has `count` values, except `sku` and `qty`. */
export type Rows = {
  readonly [F in FieldName]: readonly Value<F>[];
} & {
  readonly count: number;
  /** One letter per row (fields.ts, KINDS); empty if every row is an order. */
  readonly kinds: string;
  readonly sku: readonly string[];
  readonly qty: readonly number[];
};

/** The text is not a message of a known version; `message` tells what is wrong. */
export class NoMessage extends Error {}

const KIND_OF = new Map<string, Kind>(
  Object.entries(KINDS).map(([kind, letter]) => [letter, kind as Kind]),
);
const KNOWN: ReadonlySet<string> = new Set([
  "v",
  "kind",
  ...FIELD_NAMES,
  ...Object.keys(LINE_FIELDS),
]);

/** Reads a message in any known version. Throws NoMessage. */
export function readMessage(text: string): Rows {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new NoMessage("not JSON");
  }
  // Earlier gateways publish version 0, and older journals hold it.
  return Array.isArray(value) ? rowsOf(version0(value)) : readColumns(value);
}

/** Reads the columns of a parsed message. Throws NoMessage. */
export function readColumns(value: unknown): Rows {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new NoMessage("not a JSON object of columns");
  const found = value as Readonly<Record<string, unknown>>;
  const { v, kind = "", order, sku = [], qty = [] } = found;
  if (v !== MESSAGE_VERSION) throw new NoMessage(versionProblem(v));
  if (!Array.isArray(order) || order.length === 0) throw new NoMessage("no rows");
  for (const name in found) if (!KNOWN.has(name)) throw new NoMessage(`no such column: ${name}`);
  const count = order.length;
  if (typeof kind !== "string" || (kind !== "" && kind.length !== count))
    throw new NoMessage("kind: not one letter per row");
  const columns: Record<string, unknown> = { count, kinds: kind, sku, qty };
  for (const name of FIELD_NAMES) {
    const column = name in found ? found[name] : new Array(count).fill(FIELDS[name].default);
    if (!Array.isArray(column) || column.length !== count)
      throw new NoMessage(`${name}: not one value per row`);
    columns[name] = column;
  }
  const rows = columns as unknown as Rows;
  if (!Array.isArray(sku) || !Array.isArray(qty) || sku.length !== qty.length)
    throw new NoMessage("sku, qty: not one value per line");
  if (sku.length === 0 && ("sku" in found || "qty" in found))
    throw new NoMessage("sku, qty: columns without any line");
  if (sku.length !== itemsOf(rows.lines)) throw new NoMessage("lines: do not add up to the items");
  return rows;
}

/** NaN if a count is not a number: then items cannot be assigned to rows. */
function itemsOf(lines: readonly unknown[]): number {
  let items = 0;
  for (const n of lines) items += Number.isInteger(n) && (n as number) >= 0 ? (n as number) : NaN;
  return items;
}

function versionProblem(v: unknown): string {
  if (Number.isInteger(v) && (v as number) > MESSAGE_VERSION)
    return `format ${v} is newer than this worker's (${MESSAGE_VERSION}): upgrade workers first`;
  return "v: not a known format";
}

export function kindOf(rows: Rows, i: number): Kind {
  if (rows.kinds === "") return "order";
  const kind = KIND_OF.get(rows.kinds.charAt(i));
  if (kind === undefined) throw new NoMessage(`kind: no such kind: ${rows.kinds.charAt(i)}`);
  return kind;
}

/** The user of row i. */
export function userAt(rows: Rows, i: number): string {
  const name = rows.order[i] as string;
  return name.slice(0, name.indexOf(" "));
}

/** The id of row i's order; the nil UUID for a skip. */
export function idAt(rows: Rows, i: number): string {
  const name = rows.order[i] as string;
  return name.slice(name.indexOf(" ") + 1);
}

/** Where the lines of each row start in `sku` and `qty`, plus the end as the last value. */
export function lineStarts(rows: Rows): readonly number[] {
  const starts = [0];
  let at = 0;
  for (const lines of rows.lines) {
    at += lines;
    starts.push(at);
  }
  return starts;
}

export function linesAt(rows: Rows, i: number, starts = lineStarts(rows)): Line[] {
  const lines: Line[] = [];
  for (let l = starts[i] as number; l < (starts[i + 1] as number); l++)
    lines.push({ sku: rows.sku[l] as string, qty: rows.qty[l] as number });
  return lines;
}

/** Row i as an object. Pass `starts` to read many rows of one message. */
export function rowAt(rows: Rows, i: number, starts?: readonly number[]): Row {
  const user = userAt(rows, i);
  const id = idAt(rows, i);
  const atMs = rows.at[i] as number;
  const generation = rows.generation[i] as number;
  const kind = kindOf(rows, i);
  switch (kind) {
    case "order":
      return { kind, ...placedAt(rows, i, starts) };
    case "redrive":
      return { kind, ...placedAt(rows, i, starts), generation };
    case "skip":
      return { kind, user, saleId: rows.sale[i] as string, seq: rows.seq[i] as number, atMs };
    case "cancel":
      return { kind, user, id, atMs };
    case "answer":
      return {
        kind,
        user,
        id,
        generation,
        attempt: rows.attempt[i] as number,
        answer: rows.answer[i] as never,
        detail: rows.detail[i] as string,
        atMs,
      };
    case "part":
      return {
        kind,
        user,
        id,
        generation,
        part: rows.part[i] as number,
        of: rows.parts[i] as number,
        ...(rows.request[i] ? { request: rows.request[i] as number } : {}),
        report: rows.report[i] as never,
        service: rows.service[i] as string,
        atMs,
      };
  }
}

/** The order that row i places or redrives. */
export function placedAt(rows: Rows, i: number, starts?: readonly number[]): PlacedOrder {
  const order = orderAt(rows, i, starts);
  const fingerprint = rows.fingerprint[i] as string;
  const atMs = rows.at[i] as number;
  const trace = rows.trace[i] as string;
  // Written out because a spread doubles the cost in the ledger.
  return trace === "" ? { order, fingerprint, atMs } : { order, fingerprint, atMs, trace };
}

export function orderAt(rows: Rows, i: number, starts?: readonly number[]): Order {
  return {
    user: userAt(rows, i),
    id: idAt(rows, i),
    saleId: rows.sale[i] as string,
    seq: rows.seq[i] as number,
    currency: rows.currency[i] as string,
    lines: linesAt(rows, i, starts),
    payment: rows.payment[i] as string,
    metadata: rows.metadata[i] as string,
    maxTotal: rows.maxTotal[i] as number,
  };
}

/** All rows as objects. */
export function allRows(rows: Rows): Row[] {
  const starts = lineStarts(rows);
  return Array.from({ length: rows.count }, (_, i) => rowAt(rows, i, starts));
}

/** A message of these rows, as JSON text. */
export function messageText(rows: readonly Row[]): string {
  const writer = new MessageWriter();
  for (const row of rows) writer.add(row);
  return writer.toString();
}

/** Turns rows into columns without checking their values. Throws NoMessage for no rows. */
export function rowsOf(rows: readonly Row[]): Rows {
  if (rows.length === 0) throw new NoMessage("no rows");
  const columns = Object.fromEntries(FIELD_NAMES.map((name) => [name, [] as unknown[]]));
  const sku: string[] = [];
  const qty: number[] = [];
  let kinds = "";
  for (const row of rows) {
    const values = valuesOf(row);
    for (const name of FIELD_NAMES) columns[name]?.push(values[name] ?? FIELDS[name].default);
    for (const line of values.placed?.lines ?? []) {
      sku.push(line.sku);
      qty.push(line.qty);
    }
    kinds += KINDS[row.kind];
  }
  return { ...columns, count: rows.length, kinds, sku, qty } as never as Rows;
}

/** The fields that a row has. */
function valuesOf(row: Row): { readonly [F in FieldName]?: unknown } & { readonly placed?: Order } {
  const at = row.atMs;
  switch (row.kind) {
    case "order":
    case "redrive": {
      const { order, fingerprint, trace } = row;
      const { user, id, saleId: sale, lines, ...rest } = order;
      const generation = row.kind === "redrive" ? row.generation : 0;
      const name = `${user} ${id}`;
      const own = { order: name, at, fingerprint, sale, lines: lines.length, trace, generation };
      return { ...rest, ...own, placed: order };
    }
    case "skip":
      return { order: `${row.user} ${NIL_ID}`, at, sale: row.saleId, seq: row.seq };
    case "cancel":
      return { order: `${row.user} ${row.id}`, at };
    case "answer": {
      const { generation, attempt, answer, detail } = row;
      return { order: `${row.user} ${row.id}`, at, generation, attempt, answer, detail };
    }
    case "part": {
      const { generation, part, of: parts, report, service, request } = row;
      const name = `${row.user} ${row.id}`;
      return { order: name, at, generation, part, parts, report, service, request };
    }
  }
}
