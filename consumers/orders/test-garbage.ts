// Messages and rows that are not what they should be, in both formats.
import { LIMITS } from "../../core/domain/limits.ts";
import { messageText } from "../../core/domain/message.ts";
import { cancelRow } from "../../core/domain/row.ts";
import { makeOrder, userOf } from "../../test/stack.ts";

export const user = () => userOf(0);
const ID = "0199f0a0-1234-7abc-8def-0123456789ab";
const UTF8_BROKEN = new Uint8Array([0x5b, 0x22, 0xff, 0xfe, 0x22, 0x5d]);
const TOO_MANY = LIMITS.MAX_MESSAGE_ROWS + 1;

/** A message of a sound order, with some columns replaced; undefined removes a column. */
export const columns = (more: Record<string, unknown> = {}): string =>
  JSON.stringify({ ...JSON.parse(messageText([makeOrder(user(), { a: 1 }).row])), ...more });
/** A sound order in format 0, with some places replaced. */
export const row0 = (more: Record<number, unknown> = {}): unknown[] => {
  const id = Bun.randomUUIDv7();
  const sound = ["o", user(), id, "f", Date.now(), "s1", 0, "EUR", ["a", 1], "tok", "", 0];
  for (const [at, value] of Object.entries(more)) sound[Number(at)] = value as never;
  return sound;
};
const raw = (from: string, to: string) => columns().replace(from, to);
const raw0 = (from: string, to: string) => JSON.stringify([row0()]).replace(from, to);
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

type Garbage = readonly (readonly [what: string, body: string | Uint8Array, why: RegExp])[];

/** Messages without an order that could be rejected, and the reasons of their dead letters. */
export const GARBAGE: Garbage = [
  ["nothing", "", /not JSON/],
  ["not JSON", "garbage", /not JSON/],
  ["null", "null", /neither columns nor rows/],
  ["a number", "17", /neither columns nor rows/],
  ["a string", '"text"', /neither columns nor rows/],
  ["an unrelated object", '{"a":1}', /not a known format/],
  ["a leading blank", ` ${columns()}`, /neither columns nor rows/],
  ["no rows", '{"v":1,"order":[]}', /no rows/],
  ["no columns", '{"v":1}', /no rows/],
  ["rows that are not a list", columns({ order: { length: 1, 0: `u ${ID}` } }), /no rows/],
  ["a later version", columns({ v: 2 }), /format 2 is newer/],
  ["an absurd version", columns({ v: 1e300 }), /format 1e\+300 is newer/],
  ["a version in quotes", columns({ v: "1" }), /not a known format/],
  ["a version that is a list", columns({ v: [1] }), /not a known format/],
  ["no version", columns({ v: undefined }), /not a known format/],
  ["an unknown column", columns({ price: [1] }), /no such column: price/],
  ["a column named like a metamethod", raw('"at"', '"__index"'), /no such column/],
  ["a column with a very long name", columns({ ["x".repeat(9_000)]: [1] }), /no such column: x+$/],
  ["a column with half a surrogate", columns({ "\ud800\0": [1] }), /no such column/],
  ["a prototype", raw('"at"', '"__proto__"'), /no such column: __proto__/],
  ["a column that is a string", columns({ at: "1" }), /at: not one value per row/],
  ["a column that is an object", columns({ sale: { 0: "s1" } }), /sale: not one value per row/],
  ["a column that is null", columns({ seq: null }), /seq: not one value per row/],
  ["a short column", columns({ at: [] }), /at: not one value per row/],
  ["a long column", columns({ payment: ["a", "b"] }), /payment: not one value per row/],
  ["one kind too many", columns({ kind: "oo" }), /kind: not one letter per row/],
  ["a kind that is a list", columns({ kind: ["o"] }), /kind: not one letter per row/],
  ["an unknown kind", columns({ kind: "x" }), /kind: not known/],
  ["items that no row counts", columns({ lines: [0] }), /lines: do not add up to/],
  ["more lines than items", columns({ lines: [2] }), /lines: do not add up to/],
  ["an absurd count of lines", columns({ lines: [1e300] }), /lines: do not add up to/],
  ["lines below zero", columns({ lines: [-1] }), /lines: do not add up to/],
  ["half a line", columns({ lines: [0.5] }), /lines: do not add up to/],
  ["lines in quotes", columns({ lines: ["1"] }), /lines: do not add up to/],
  ["lines that answer", columns({ lines: [{ valueOf: 1, toString: 1 }] }), /do not add up/],
  ["items without units", columns({ qty: [] }), /sku, qty: not one value per line/],
  [
    "items that are a string",
    columns({ sku: "a", lines: [1] }),
    /sku, qty: not one value per line/,
  ],
  ["lines lent to another row", lent(), /lines: do not add up to/],
  ["a name that is a number", columns({ order: [17] }), /order: not sound/],
  ["a name that is a list", columns({ order: [[["u"]]] }), /order: not sound/],
  ["a name without a user", columns({ order: [` ${ID}`] }), /order: not sound/],
  ["a name without an id", columns({ order: [user()] }), /order: not sound/],
  ["a user with a space", columns({ order: [`a b ${ID}`] }), /order: not sound/],
  [
    "dashes instead of an id",
    columns({ order: [`${user()} ${"-".repeat(36)}`] }),
    /order: not sound/,
  ],
  ["a cancel with an impossible time", timeless(), /at: not sound/],
  ["a number that only Redis reads", raw('"s1"', "0x1"), /not JSON/],
  ["NaN", raw('"s1"', "NaN"), /not JSON/],
  ["an open decimal", raw('"s1"', "0."), /not JSON/],
  ["a line feed in a string", raw('"tok"', '"to\nk"'), /not JSON/],
  ["a NUL in the text", raw('"tok"', '"to\0k"'), /not JSON/],
  ["nested deeply", `{"v":1,"order":${nested(100_000)}}`, /nested too deeply/],
  ["too many rows in columns", columns({ order: Array(TOO_MANY).fill("u") }), /too many rows/],
  ["a million empty rows", `{"v":1,"order":[${"1,".repeat(500_000)}1]}`, /too many rows/],
  ["too large", `{"v":1,"order":["${"x".repeat(LIMITS.MAX_MESSAGE_BYTES)}"]}`, /too large/],
  ["bytes that are not UTF-8", UTF8_BROKEN, /UTF-8/],
  // Format 0.
  ["an empty array", "[]", /no rows/],
  ["a blank before the array", " [1]", /neither columns nor rows/],
  ["hex in an array", `[${JSON.stringify(row0()).slice(0, -2)}0x1]]`, /not JSON/],
  ["NaN in an array", raw0('"s1",0,', '"s1",NaN,'), /not JSON/],
  ["an array nested deeply", nested(100_000), /nested too deeply/],
  ["members named twice", '[{"a":1,"a":2}]', /not a row/],
  ["rows of an unknown kind", JSON.stringify([row0({ 0: "x" })]), /kind of row/],
  ["a kind that is a list of kinds", JSON.stringify([row0({ 0: ["o"] })]), /kind of row/],
  [
    "dashes instead of an id in an array",
    JSON.stringify([row0({ 2: "-".repeat(36) })]),
    /not sound/,
  ],
  ["a user with a space in an array", JSON.stringify([row0({ 1: "a b" })]), /order: not sound/],
  ["a user who is a number", JSON.stringify([row0({ 1: 17 })]), /no user/],
  [
    "a cancel with an impossible time in an array",
    `[["c","${user()}","${ID}","",-1,"",0]]`,
    /at: not sound/,
  ],
  ["a cancel without a time", `[["c","${user()}","${ID}","",null,"",0]]`, /without a value/],
  ["too many rows in an array", `[${Array(TOO_MANY).fill(1).join()}]`, /too many rows/],
  ["an array that is too large", `["${"x".repeat(LIMITS.MAX_MESSAGE_BYTES)}"]`, /too large/],
];

/** A cancel with an impossible time. */
function timeless(): string {
  return messageText([cancelRow(user(), ID, -1)]);
}
/** Two rows whose items would go to the wrong order if their counts were believed. */
function lent(): string {
  const rows = [makeOrder(user(), { a: 1 }).row, makeOrder(user(), { a: 1 }).row];
  return JSON.stringify({ ...JSON.parse(messageText(rows)), lines: [3, -1] });
}

/** Orders with one flaw: what it is, its place in format 0, and the columns that have it. */
export const BAD_ORDERS: readonly (readonly [string, string, Record<string, unknown>])[] = [
  ["a negative time", "4", { at: [-1] }],
  ["a time that Lua's JSON cannot write back", "4", { at: [1e15] }],
  ["a number too large", "6", { seq: [1e10] }],
  ["no items", "8", { lines: [0], sku: undefined, qty: undefined }],
  ["a name too long for a sale", "5", { sale: ["s".repeat(65)] }],
  ["a giant maximum", "11", { maxTotal: [1e300] }],
  ["half a surrogate pair", "9", { payment: ["\ud800"] }],
  ["a payment token too long", "9", { payment: ["x".repeat(LIMITS.MAX_TEXT_BYTES + 1)] }],
  ["a NUL in its metadata", "10", { metadata: ["a\0b"] }],
];
/** The changed value, as it stands in format 0. */
export const valueOf0 = (changes: Record<string, unknown>) =>
  "lines" in changes ? [] : (Object.values(changes) as [unknown][])[0]?.[0];
/** An order with one item too many. */
export function crowded(id: string): string {
  const items = Array.from({ length: LIMITS.MAX_LINES + 1 }, (_, i) => [`i${i}`, 1]);
  return messageText([makeOrder(user(), Object.fromEntries(items), { id }).row]);
}
