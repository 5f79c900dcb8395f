// Whether decide accepts a row, and if not, why: the TypeScript side of
// core/lua/shared/message.lua. Rows that a gateway checked skip this. It checks rows of other
// publishers, and those of messages that Redis has rejected.
import { FIELD_NAMES, FIELDS, type Field, type FieldName, KINDS, NIL_ID } from "./fields.ts";
import { ANSWER_WORDS, LIMITS, PART_WORDS } from "./limits.ts";
import { kindOf, lineStarts, type Rows } from "./message.ts";

/** Values that become parts of keys and of space-separated records. */
const NAME = new RegExp(`^[A-Za-z0-9._@-]{0,${LIMITS.MAX_NAME}}$`);
const ID = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$/;
const TRACE = /^[0-9A-Fa-f]{2}-[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]{2}$/;
const ANSWERS: ReadonlySet<unknown> = new Set(ANSWER_WORDS);
const REPORTS: ReadonlySet<unknown> = new Set(PART_WORDS);
const KNOWN_KINDS = new Set(Object.values(KINDS).join(""));

/** What is wrong with row i; undefined: it can be decided. Pass `starts` to check many rows. */
export function rowProblem(
  rows: Rows,
  i: number,
  starts: readonly number[] = lineStarts(rows),
): string | undefined {
  if (rows.kinds !== "" && !KNOWN_KINDS.has(rows.kinds.charAt(i))) return "kind: not known";
  for (const name of FIELD_NAMES) {
    if (!fits(rows, i, name)) return `${name}: not sound`;
  }
  return lackOf(rows, i) ?? linesProblem(rows, i, starts);
}

/** The first problem in these rows, with its row; undefined: all can be decided. */
export function firstProblem(rows: Rows): string | undefined {
  const starts = lineStarts(rows);
  for (let i = 0; i < rows.count; i++) {
    const problem = rowProblem(rows, i, starts);
    if (problem !== undefined) return `row ${i}: ${problem}`;
  }
  return undefined;
}

export function isName(value: unknown): value is string {
  return typeof value === "string" && NAME.test(value);
}

export function isOrderId(value: unknown): value is string {
  return typeof value === "string" && ID.test(value);
}

export function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

/** Whether a value has its field's type, and the row's kind may have it. */
function fits(rows: Rows, i: number, name: FieldName): boolean {
  const field: Field = FIELDS[name];
  const value: unknown = rows[name][i];
  // Most columns of most rows: every default but that of the order itself is sound.
  if (value === field.default && field.type !== "order") return true;
  if (!isOfType(value, field)) return false;
  return field.kinds.includes(kindOf(rows, i)) || value === field.default;
}

function isOfType(value: unknown, { type, most = 0 }: Field): boolean {
  switch (type) {
    case "order":
      return isOrder(value);
    case "name":
      return isName(value);
    case "text":
      return isText(value);
    case "whole":
      return isWhole(value, 0, most);
    case "trace":
      return value === "" || isTrace(value);
    case "answer":
      return value === "" || ANSWERS.has(value);
    case "report":
      return value === "" || REPORTS.has(value);
  }
}

/** A user name, one space, an id. */
function isOrder(value: unknown): boolean {
  if (typeof value !== "string") return false;
  const space = value.indexOf(" ");
  return space > 0 && isName(value.slice(0, space)) && isOrderId(value.slice(space + 1));
}

function isTrace(value: unknown): boolean {
  return typeof value === "string" && value.length === LIMITS.TRACE_LENGTH && TRACE.test(value);
}

/** Opaque text. Postgres accepts no NUL, and half a surrogate pair is not text. */
function isText(value: unknown): boolean {
  if (typeof value !== "string") return false;
  if (value.includes("\0") || !value.isWellFormed()) return false;
  return Buffer.byteLength(value) <= LIMITS.MAX_TEXT_BYTES;
}

/** What a row of this kind must have and lacks. Its values have their fields' types. */
function lackOf(rows: Rows, i: number): string | undefined {
  const least = (name: "seq" | "lines" | "generation" | "attempt", n: number) =>
    (rows[name][i] as number) >= n ? undefined : `${name}: less than ${n}`;
  switch (kindOf(rows, i)) {
    case "order":
      return least("lines", 1) ?? unnamed(rows, i, "sale", "fingerprint", "currency");
    case "redrive": {
      const lack = least("lines", 1) ?? least("generation", 2);
      return lack ?? unnamed(rows, i, "sale", "fingerprint", "currency");
    }
    case "skip": {
      const lack = least("seq", 1) ?? unnamed(rows, i, "sale");
      return lack ?? (rows.order[i]?.endsWith(NIL_ID) ? undefined : "a skip with an id");
    }
    case "cancel":
      return undefined;
    case "answer": {
      const lack = least("generation", 1) ?? least("attempt", 1);
      return lack ?? (rows.answer[i] === "" ? "answer: none" : undefined);
    }
    case "part":
      return least("generation", 1) ?? partProblem(rows, i);
  }
}

/** An empty name would be lost in a key, or in a record of words between spaces. */
function unnamed(
  rows: Rows,
  i: number,
  ...names: readonly ("sale" | "fingerprint" | "currency")[]
): string | undefined {
  const missing = names.find((name) => rows[name][i] === "");
  return missing && `${missing}: none`;
}

function partProblem(rows: Rows, i: number): string | undefined {
  if (!isWhole(rows.part[i], 1, rows.parts[i] as number)) return "part: out of range";
  if (rows.report[i] === "") return "report: none";
  if (rows.service[i] === "") return "service: none";
  const later = rows.report[i] === "later";
  return later === (rows.request[i] as number) > 0 ? undefined : "request: only with later";
}

function linesProblem(rows: Rows, i: number, starts: readonly number[]): string | undefined {
  const skus = new Set<unknown>();
  for (let l = starts[i] as number; l < (starts[i + 1] as number); l++) {
    const sku: unknown = rows.sku[l];
    if (!isName(sku) || skus.has(sku)) return "sku: without a name, or named twice";
    if (!isWhole(rows.qty[l], 1, LIMITS.MAX_QTY)) return "qty: out of range";
    skus.add(sku);
  }
  return undefined;
}
