// Estimates how many characters a row adds to its message: lanes need a size before the row is
// written (broker/lanes.ts). The sum is too low by at most the columns' names, about 250 characters
// per message. For an ordinary order it is about half as much again as the true size.
import type { Order } from "./order.ts";
import type { Row } from "./row.ts";

/**
 * The values of a row at their longest, without names and texts, with commas and quotes, and
 * defaults in the columns of other kinds.
 */
const VALUES = 160;
/** A line's quantity, commas and quotes. */
const LINE = 8;
const TRACE = 58;

/** Characters. On the hot path, so it adds lengths instead of writing a row. */
export function orderLength(order: Order, traced: boolean): number {
  const { user, saleId, payment, metadata, lines } = order;
  // Only quotes and backslashes are escaped in them, by one character each.
  let length = VALUES + user.length + saleId.length + 2 * (payment.length + metadata.length);
  for (const { sku } of lines) length += sku.length + LINE;
  return traced ? length + TRACE : length;
}

/** Characters of a row of any kind. */
export function rowLength(row: Row): number {
  switch (row.kind) {
    case "order":
    case "redrive":
      return orderLength(row.order, row.trace !== undefined);
    case "skip":
      return VALUES + row.user.length + row.saleId.length;
    case "cancel":
      return VALUES + row.user.length;
    case "answer":
      // A provider's reason may contain anything.
      return VALUES + row.user.length + JSON.stringify(row.detail).length;
    case "part":
      return VALUES + row.user.length + row.service.length;
  }
}
