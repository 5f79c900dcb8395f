// Whether a row is one that decide takes, said with the reason when it is not: the TypeScript side
// of core/lua/shared/rows.lua. Rows that a gateway has checked do not come here. Those of other
// publishers do, and those of a message that Redis has refused.
import { ANSWER_WORDS, LIMITS, PART_WORDS } from "./limits.ts";

/** What stands in keys, and in records of words between spaces. */
const NAME = new RegExp(`^[A-Za-z0-9._@-]{0,${LIMITS.MAX_NAME}}$`);
const ID = /^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$/;
const TRACE = /^[0-9A-Fa-f]{2}-[0-9A-Fa-f]+-[0-9A-Fa-f]+-[0-9A-Fa-f]{2}$/;
const ANSWERS: ReadonlySet<unknown> = new Set(ANSWER_WORDS);
const FULFILMENTS: ReadonlySet<unknown> = new Set(PART_WORDS);

/** What is wrong with a row; undefined when it can be decided. */
export function rowProblem(row: unknown): string | undefined {
  if (!Array.isArray(row)) return "not a row";
  const [kind, user, , , atMs, sale, seq] = row as unknown[];
  if (!isName(user) || user === "") return "no user";
  if (!isWhole(atMs, 0, LIMITS.MAX_TIME_MS)) return "no time of acceptance";
  if (!isName(sale)) return "no sale";
  if (!isWhole(seq, 0, LIMITS.MAX_SEQ)) return "a number out of range";
  switch (kind) {
    case "o":
      return orderProblem(row, 12) ?? traceProblem(row, 12);
    case "r":
      return orderProblem(row, 13) ?? redriveProblem(row) ?? traceProblem(row, 13);
    case "s":
      return skipProblem(row);
    case "c":
      return bareProblem(row, 7);
    case "p":
      return bareProblem(row, 11) ?? answerProblem(row);
    case "f":
      return bareProblem(row, 13) ?? partProblem(row);
    default:
      return "a kind of row that is not known";
  }
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

/** Of orders and redriven ones; `fields`: how many come before the trace. */
function orderProblem(row: readonly unknown[], fields: number): string | undefined {
  const [, , id, fingerprint, , , , currency, lines, payment, metadata, maxTotal] = row;
  if (row.length > fields + 1) return "too many fields";
  if (!isOrderId(id)) return "no order id";
  if (!isName(fingerprint)) return "no fingerprint";
  if (!isName(currency)) return "no currency";
  if (!isText(payment) || !isText(metadata)) return "text that cannot be kept";
  if (!isWhole(maxTotal, 0, LIMITS.MAX_MONEY_MINOR)) return "a ceiling out of range";
  return linesProblem(lines);
}

function linesProblem(lines: unknown): string | undefined {
  if (!Array.isArray(lines) || lines.length === 0 || lines.length % 2 !== 0) return "no items";
  if (lines.length > 2 * LIMITS.MAX_LINES) return "too many items";
  const skus = new Set<unknown>();
  for (let i = 0; i < lines.length; i += 2) {
    const sku: unknown = lines[i];
    if (!isName(sku) || skus.has(sku)) return "an item without a name, or named twice";
    if (!isWhole(lines[i + 1], 1, LIMITS.MAX_QTY)) return "a quantity out of range";
    skus.add(sku);
  }
  return undefined;
}

function redriveProblem(row: readonly unknown[]): string | undefined {
  const { 6: seq, 12: generation } = row;
  if (seq !== 0) return "a redriven order has no number";
  return isWhole(generation, 2, LIMITS.MAX_COUNT) ? undefined : "a generation out of range";
}

function traceProblem(row: readonly unknown[], at: number): string | undefined {
  if (row.length <= at) return undefined;
  const trace = row[at];
  const sound =
    typeof trace === "string" && trace.length === LIMITS.TRACE_LENGTH && TRACE.test(trace);
  return sound ? undefined : "no trace";
}

function skipProblem(row: readonly unknown[]): string | undefined {
  const [, , id, fingerprint, , , seq] = row;
  if (row.length > 7) return "too many fields";
  if (id !== "" || fingerprint !== "") return "a skip names no order";
  return seq === 0 ? "a skip without a number" : undefined;
}

/** Of rows about an order, which carry nothing of it but its id. */
function bareProblem(row: readonly unknown[], fields: number): string | undefined {
  const [, , id, fingerprint] = row;
  if (row.length > fields) return "too many fields";
  if (!isOrderId(id)) return "no order id";
  return fingerprint === "" ? undefined : "a fingerprint where none belongs";
}

function answerProblem(row: readonly unknown[]): string | undefined {
  const { 7: generation, 8: attempt, 9: answer, 10: detail } = row;
  if (!isWhole(generation, 1, LIMITS.MAX_COUNT) || !isWhole(attempt, 1, LIMITS.MAX_COUNT))
    return "an attempt out of range";
  if (!ANSWERS.has(answer)) return "an answer that is not known";
  return isText(detail) ? undefined : "text that cannot be kept";
}

function partProblem(row: readonly unknown[]): string | undefined {
  const { 7: generation, 8: part, 9: of, 10: word, 11: service, 12: request } = row;
  if (!isWhole(generation, 1, LIMITS.MAX_COUNT)) return "a generation out of range";
  if (!isWhole(of, 1, LIMITS.MAX_LINES) || !isWhole(part, 1, of)) return "a part out of range";
  if (!FULFILMENTS.has(word)) return "a word that is not known";
  if (word !== "later" && row.length > 12) return "too many fields";
  if (word === "later" && !isWhole(request, 1, LIMITS.MAX_COUNT)) return "a request out of range";
  return isName(service) && service !== "" ? undefined : "no service";
}

/** Opaque text: Postgres takes no NUL, and half a surrogate pair is no text. */
function isText(value: unknown): boolean {
  if (typeof value !== "string") return false;
  if (value.includes("\0") || !value.isWellFormed()) return false;
  return Buffer.byteLength(value) <= LIMITS.MAX_TEXT_BYTES;
}
