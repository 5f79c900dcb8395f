// Checks each refusal and reservation against the sale's window at that time, its items and prices.
// sold-out.ts checks stock, limits.ts the limits per user.
import type { ItemRecord, SaleRecord } from "../../../ledger/audit.ts";
import type { Evidence, LedgerOrder } from "../evidence.ts";
import type { Findings } from "../findings.ts";
import { type Terms, totalsOf } from "../terms.ts";
import type { Windows } from "../windows.ts";

export interface Catalogue {
  readonly sales: ReadonlyMap<string, SaleRecord>;
  /** By `sale sku`. */
  readonly items: ReadonlyMap<string, ItemRecord>;
  readonly windows: Windows;
  readonly terms: Terms;
}

export function checkVerdicts(
  { ledger }: Evidence,
  catalogue: Catalogue,
  findings: Findings,
): void {
  for (const [key, order] of ledger) {
    const wrong = verdict(order, catalogue);
    if (wrong) findings.violation("I5", wrong, `${key}: ${order.state}, ${order.body}`);
  }
}

function verdict(
  order: LedgerOrder,
  { sales, items, windows, terms }: Catalogue,
): string | undefined {
  const sale = sales.get(order.saleId);
  const known = order.lines.map((line) => items.get(`${order.saleId} ${line.sku}`));
  const offered = order.lines.map(({ sku }) => terms.offered(order.saleId, sku, order.decidedAtMs));
  const inWindow = windows.within(order.saleId, order.acceptedAtMs, order.decidedAtMs);
  switch (order.state) {
    case "sale_closed":
      return sale && inWindow === true
        ? "an order was refused as too early or late though the sale was open"
        : undefined;
    case "fx_unavailable":
      return sale?.currency === order.currency
        ? "an order in its sale's own currency was refused for lack of a rate"
        : undefined;
    case "over_max_total": {
      if (sale?.currency !== order.currency)
        return order.maxTotal === 0
          ? "an order without a price ceiling was refused as too expensive"
          : undefined;
      return order.maxTotal > 0 && totalsOf(order, terms).some((total) => total > order.maxTotal)
        ? undefined
        : "an order was refused as too expensive though it was not";
    }
    case "unknown_item":
      return sale && known.every((item) => item !== undefined) && offered.every((was) => was)
        ? "an order was refused as for an unknown item though the item exists"
        : undefined;
    case "reserved":
    case "paid":
    case "dispatched":
      if (known.includes(undefined)) return "an order was reserved for an item that does not exist";
      if (offered.includes(false)) return "an order was reserved for an item that was not offered";
      return sale && inWindow === false
        ? "an order was reserved outside the sale's window"
        : undefined;
    default:
      return undefined;
  }
}
