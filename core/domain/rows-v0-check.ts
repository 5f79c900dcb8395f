// Checks rows of format 0: what may stand at which position here, and the values as in any row
// (row-check.ts).
import { LIMITS } from "./limits.ts";
import { lineStarts, rowsOf } from "./message.ts";
import { isName, isWhole, rowProblem } from "./row-check.ts";
import { version0 } from "./rows-v0.ts";

/** Least and most values of a row. Orders and redriven ones may have a trace at the end. */
const LENGTHS: Readonly<Record<string, readonly [least: number, most: number]>> = {
  o: [12, 13],
  r: [13, 14],
  s: [7, 7],
  c: [7, 7],
  p: [11, 11],
  f: [12, 13],
};

/** The problem of each row; undefined: it can be decided. */
export function rowProblems0(values: readonly unknown[]): (string | undefined)[] {
  const problems = values.map(placesProblem);
  const placed = values.filter((_, i) => problems[i] === undefined);
  if (placed.length === 0) return problems;
  const rows = rowsOf(version0(placed));
  const starts = lineStarts(rows);
  let next = 0;
  return problems.map((problem) => problem ?? rowProblem(rows, next++, starts));
}

function placesProblem(row: unknown): string | undefined {
  if (!Array.isArray(row)) return "not a row";
  const [kind, user, id, fingerprint, , sale, seq] = row as unknown[];
  if (typeof user !== "string") return "no user";
  const lengths = typeof kind === "string" ? LENGTHS[kind] : undefined;
  if (!lengths) return "a kind of row that is not known";
  if (row.length < lengths[0]) return "too few fields";
  if (row.length > lengths[1]) return "too many fields";
  if (row.includes(null)) return "a field without a value";
  if (!isName(sale)) return "no sale";
  if (!isWhole(seq, 0, LIMITS.MAX_SEQ)) return "a number out of range";
  if (typeof id !== "string") return "no order id";
  switch (kind) {
    case "o":
    case "r":
      return linesProblem(row) ?? traceProblem(row, lengths[1] - 1);
    case "s":
      return id === "" && fingerprint === "" ? undefined : "a skip names no order";
    default:
      return fingerprint === "" ? undefined : "a fingerprint where none belongs";
  }
}

function linesProblem({ 8: lines }: readonly unknown[]): string | undefined {
  if (!Array.isArray(lines) || lines.length === 0 || lines.length % 2 !== 0) return "no items";
  return lines.length > 2 * LIMITS.MAX_LINES ? "too many items" : undefined;
}

function traceProblem(row: readonly unknown[], at: number): string | undefined {
  return row.length <= at || (typeof row[at] === "string" && row[at] !== "")
    ? undefined
    : "no trace";
}
