// Reads one order of a message without building the others. A page of 100 orders may lie in 100
// messages of 500 orders each, and JSON.parse takes 30 ms for all of them
// (docs/decisions/0019-ledger-cost.md).
//
//   1. The result is what message.ts reads. Of two members of the same name the last one counts.
//   2. Whatever this file does not expect is left to message.ts.
import { FIELD_NAMES, LINE_FIELDS } from "../core/domain/fields.ts";
import { placedAt, readColumns, readMessage } from "../core/domain/message.ts";
import type { PlacedOrder } from "../core/domain/row.ts";

/** The order that row `i` of a message places. Throws NoMessage. */
export function placedIn(body: string, i: number): PlacedOrder {
  let columns: Record<string, unknown>;
  try {
    columns = columnsOfRow(body, i);
  } catch {
    return placedAt(readMessage(body), i); // 2
  }
  return placedAt(readColumns(columns), 0);
}

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN, CLOSE] = [0x5b, 0x5d, 0x7b, 0x7d];

/** The columns of a message with row `i` alone. */
function columnsOfRow(text: string, i: number): Record<string, unknown> {
  const starts = startsOf(text);
  const startOf = (name: string) => starts.get(name) as number;
  const columns: Record<string, unknown> = {
    v: JSON.parse(text.slice(startOf("v"), pastValue(text, startOf("v")))),
  };
  for (const name of FIELD_NAMES)
    if (starts.has(name)) columns[name] = valuesIn(text, startOf(name), i, i + 1);
  const counts = valuesIn(text, startOf("lines"), 0, i + 1) as number[];
  const upTo = counts.reduce((sum, n) => sum + n, 0);
  const from = upTo - (counts[i] as number);
  for (const name in LINE_FIELDS)
    if (starts.has(name)) columns[name] = valuesIn(text, startOf(name), from, upTo);
  return columns;
}

/** By name: where the value of each member of the message starts. */
function startsOf(text: string): ReadonlyMap<string, number> {
  const starts = new Map<string, number>();
  let at = expected(text, pastSpace(text, 0), OPEN);
  do {
    at = expected(text, pastSpace(text, at + 1), QUOTE);
    const name = text.slice(at + 1, pastString(text, at) - 1);
    if (name.includes("\\")) throw new SyntaxError("a name with an escape");
    at = expected(text, pastSpace(text, at + name.length + 2), COLON);
    const start = pastSpace(text, at + 1);
    starts.set(name, start); // 1
    at = pastSpace(text, pastMember(text, start));
  } while (text.charCodeAt(at) === COMMA);
  expected(text, at, CLOSE);
  return starts;
}

/** Values `from` to `to` (exclusive) of the list at `start`. */
function valuesIn(text: string, start: number, from: number, to: number): unknown[] {
  if (from === to) return [];
  expected(text, start, OPEN_LIST);
  let at = start + 1;
  for (let i = 0; i < from; i++) at = expected(text, past(text, at), COMMA) + 1;
  const first = at;
  for (let i = from + 1; i < to; i++) at = expected(text, past(text, at), COMMA) + 1;
  return JSON.parse(`[${text.slice(first, past(text, at))}]`) as unknown[];
}

/** Past a list without lists or objects in it, or past another value. */
function pastMember(text: string, start: number): number {
  if (text.charCodeAt(start) !== OPEN_LIST) return pastValue(text, start);
  let at = start;
  do at = past(text, at + 1);
  while (text.charCodeAt(at) === COMMA);
  return expected(text, at, CLOSE_LIST) + 1;
}

/** Past a value and the spaces around it. */
function past(text: string, start: number): number {
  return pastSpace(text, pastValue(text, pastSpace(text, start)));
}

/** Past a string, a number or a word. */
function pastValue(text: string, start: number): number {
  if (text.charCodeAt(start) === QUOTE) return pastString(text, start);
  let at = start;
  for (let c = text.charCodeAt(at); isPlain(c); c = text.charCodeAt(at)) at++;
  return at;
}

/** Whether a character belongs to a number or a word. NaN: the text has ended. */
function isPlain(c: number): boolean {
  return (
    (c >= 0x30 && c <= 0x39) ||
    (c >= 0x61 && c <= 0x7a) ||
    c === 0x2e ||
    c === 0x2d ||
    c === 0x2b ||
    c === 0x45
  );
}

function pastString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  throw new SyntaxError("a string without end");
}

function pastSpace(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) <= 0x20) at++; // recorded text is JSON, so these are spaces
  return at;
}

function expected(text: string, at: number, character: number): number {
  if (text.charCodeAt(at) !== character) throw new SyntaxError(`not expected at ${at}`);
  return at;
}
