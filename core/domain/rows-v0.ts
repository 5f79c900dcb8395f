// Format 0: a JSON array of rows read by position. Earlier gateways publish it, and older journals
// hold it. Only this file reads it, and nothing writes it.
//
//   ["o", user, id, fingerprint, at, sale, seq, currency, [sku, qty, …], payment, metadata,
//    maxTotal, trace?]
//   ["r", as an order's up to maxTotal, generation, trace?]
//   ["s", user, "", "", at, sale, seq]
//   ["c", user, id, "", at, "", 0]
//   ["p", user, id, "", at, "", 0, generation, attempt, answer, detail]
//   ["f", user, id, "", at, "", 0, generation, part, parts, report, service, request?]
import { LIMITS } from "./limits.ts";
import type { Order } from "./order.ts";
import type { PlacedOrder, Row } from "./row.ts";

/** The rows as objects with unchecked values; anything that is not a row is left out. */
export function version0(rows: readonly unknown[]): Row[] {
  return rows.flatMap((row) => row0(row) ?? []);
}

/** One row as an object, unchecked; undefined for anything but a row of a known kind. */
export function row0(row: unknown): Row | undefined {
  if (!Array.isArray(row)) return undefined;
  const [kind, user, id, , atMs, saleId, seq] = row as unknown[];
  const [, , , , , , , generation, second, third, fourth, fifth, sixth] = row as unknown[];
  switch (kind) {
    case "o":
      return { kind: "order", ...placed0(row, row[12]) };
    case "r":
      return { kind: "redrive", ...placed0(row, row[13]), generation: row[12] as number };
    case "s":
      return { kind: "skip", user, saleId, seq, atMs } as Row;
    case "c":
      return { kind: "cancel", user, id, atMs } as Row;
    case "p": {
      const answer = { attempt: second, answer: third, detail: fourth };
      return { kind: "answer", user, id, generation, ...answer, atMs } as Row;
    }
    case "f": {
      const part = { part: second, of: third, report: fourth, service: fifth, request: sixth };
      return { kind: "part", user, id, generation, ...part, atMs } as Row;
    }
    default:
      return undefined;
  }
}

/** An order's row as an object, unchecked. */
export function placed0(row: readonly unknown[], trace: unknown = row[12]): PlacedOrder {
  const [, user, id, fingerprint, atMs, saleId, seq, currency, flat, payment, metadata, maxTotal] =
    row;
  const lines: unknown[] = [];
  // One line too many is enough to be refused.
  const list: readonly unknown[] = Array.isArray(flat)
    ? flat.slice(0, 2 * LIMITS.MAX_LINES + 2)
    : [];
  for (let i = 0; i + 1 < list.length; i += 2) lines.push({ sku: list[i], qty: list[i + 1] });
  const order = { user, id, saleId, seq, currency, lines, payment, metadata, maxTotal };
  return {
    order: order as unknown as Order,
    fingerprint: fingerprint as string,
    atMs: atMs as number,
    ...(typeof trace === "string" ? { trace } : {}),
  };
}
