// The sales of orders whose money has left at the provider. The answer does not name the sale, only
// the order does. That is rare, so it is looked up instead of being kept with each charge.
import type { Entry } from "../core/domain/entry.ts";
import type { AnswerRow, Row } from "../core/domain/row.ts";
import { placedOrders, placeOf } from "./placed-order.ts";
import { bucketOf } from "./places.ts";
import type { Runner } from "./runner.ts";
import { lateRows, type Sheet } from "./sheet.ts";

/** By `user id`. */
export async function salesOfTaken(
  tx: Runner,
  sheet: Sheet,
  entries: readonly Entry[],
): Promise<Map<string, string>> {
  const sales = new Map<string, string>();
  const text = "SELECT message, idx FROM orders WHERE bucket = ? AND id = ? AND usr = ?";
  for (const entry of entries)
    for (const { user, id } of lateRows(sheet, entry).filter(takesBack)) {
      const [row] = await tx.run(text, [bucketOf(user, entry.shard), id, user]);
      const [placed] = row ? await placedOrders(tx, [placeOf(row)]) : [];
      if (placed) sales.set(`${user} ${id}`, placed.order.saleId);
    }
  return sales;
}

function takesBack(row: Row): row is AnswerRow {
  return row.kind === "answer" && (row.answer === "returned" || row.answer === "disputed");
}
