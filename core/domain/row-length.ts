// How many characters a row adds to its message at most: lanes need a size before the row is written
// (broker/lanes.ts). The sum is too low by no more than the columns' names, some 250 characters a
// message; for an ordinary order it is about half as much again.
import type { Order } from "./order.ts";
import type { Row } from "./row.ts";

/**
 * The values of a row without its names and texts, at their longest, with commas and quotes; of the
 * columns of other kinds of rows the defaults.
 */
const VALUES = 160;
/** A line's quantity, and commas and quotes. */
const LINE = 8;
const TRACE = 58;

/** On the hot path: nothing is written to be measured. */
export function orderLength(order: Order, traced: boolean): number {
  const { user, saleId, payment, metadata, lines } = order;
  // Quotes and backslashes are all that is escaped in them, each by one character.
  let length = VALUES + user.length + saleId.length + 2 * (payment.length + metadata.length);
  for (const { sku } of lines) length += sku.length + LINE;
  return traced ? length + TRACE : length;
}

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
      // A provider's words may hold anything.
      return VALUES + row.user.length + JSON.stringify(row.detail).length;
    case "part":
      return VALUES + row.user.length + row.service.length;
  }
}
