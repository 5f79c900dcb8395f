// R4 and X6, under I5: was each refusal, and each reservation, one that the sale allowed? Judged by what holds at the end: where stock and a
// user's purchases only went one way, what is there at the end was there, or more, before. Where units came back (a cancel, a failed
// charge), a refusal before that cannot be judged so, and is let pass.
import { MAX_LANE } from "../../../core/domain/lane.ts";
import type { ItemRecord, SaleRecord } from "../../../ledger/audit.ts";
import type { Evidence, LedgerOrder } from "../evidence.ts";
import type { Findings } from "../findings.ts";

export interface Catalogue {
  readonly sales: ReadonlyMap<string, SaleRecord>;
  /** By `sale sku`. */
  readonly items: ReadonlyMap<string, ItemRecord>;
}

const TAKING = new Set(["reserved", "paid", "dispatched"]);

export function checkVerdicts(
  { ledger }: Evidence,
  catalogue: Catalogue,
  findings: Findings,
): void {
  const bought = unitsBought(ledger.values(), catalogue);
  const returned = unitsReturned(ledger.values());
  const crowded = crowdedUsers(ledger.values());
  for (const [name, units] of bought) {
    const [user = "", ...item] = name.split(" ");
    const limit = catalogue.items.get(item.join(" "))?.limitPerUser ?? 0;
    if (units > limit)
      findings.violation(
        "I5",
        "a user has more than the limit",
        `${user}: ${units} of ${item.join(" ")}, limit ${limit}`,
      );
  }
  for (const [key, order] of ledger) {
    if (order.state === "over_limit" && crowded.has(order.user)) continue;
    const wrong = verdict(order, catalogue, bought, returned);
    if (wrong) findings.violation("I5", wrong, `${key}: ${order.state}, ${order.body}`);
  }
}

/** `user sale sku` → units taken, of items with a limit. */
function unitsBought(orders: Iterable<LedgerOrder>, { items }: Catalogue): Map<string, number> {
  const bought = new Map<string, number>();
  for (const order of orders) {
    if (!TAKING.has(order.state)) continue;
    for (const { sku, qty } of order.lines) {
      const item = `${order.saleId} ${sku}`;
      if ((items.get(item)?.limitPerUser ?? 0) === 0) continue;
      const name = `${order.user} ${item}`;
      bought.set(name, (bought.get(name) ?? 0) + qty);
    }
  }
  return bought;
}

/** Users who have had enough orders reserved to fill their lane: it may have been full when a later one was turned away. */
function crowdedUsers(orders: Iterable<LedgerOrder>): Set<string> {
  const reserved = new Map<string, number>();
  for (const { user, had } of orders)
    if (had.includes("reserved")) reserved.set(user, (reserved.get(user) ?? 0) + 1);
  return new Set([...reserved].filter(([, count]) => count >= MAX_LANE).map(([user]) => user));
}

/** `sale sku` and `user sale sku` of units that were held once and came back. */
function unitsReturned(orders: Iterable<LedgerOrder>): Set<string> {
  const returned = new Set<string>();
  for (const order of orders) {
    if (!order.had.includes("reserved") || TAKING.has(order.state)) continue;
    for (const { sku } of order.lines)
      returned.add(`${order.saleId} ${sku}`).add(`${order.user} ${order.saleId} ${sku}`);
  }
  return returned;
}

function verdict(
  order: LedgerOrder,
  { sales, items }: Catalogue,
  bought: ReadonlyMap<string, number>,
  returned: ReadonlySet<string>,
): string | undefined {
  const sale = sales.get(order.saleId);
  const known = order.lines.map((line) => items.get(`${order.saleId} ${line.sku}`));
  const inWindow =
    sale !== undefined &&
    order.acceptedAtMs >= sale.opensAtMs &&
    order.acceptedAtMs < sale.closesAtMs;
  switch (order.state) {
    case "sold_out": {
      const explained = order.lines.some((line, i) => {
        const item = known[i];
        return (
          item === undefined ||
          item.restocked > 0 ||
          item.available < line.qty ||
          returned.has(`${order.saleId} ${line.sku}`)
        );
      });
      return explained ? undefined : "an order was turned away as sold out though there was stock";
    }
    case "over_limit": {
      const explained = order.lines.some((line, i) => {
        const limit = known[i]?.limitPerUser ?? 0;
        if (returned.has(`${order.user} ${order.saleId} ${line.sku}`)) return true;
        return (
          limit > 0 &&
          (bought.get(`${order.user} ${order.saleId} ${line.sku}`) ?? 0) + line.qty > limit
        );
      });
      return explained ? undefined : "an order was turned away as over the limit though it was not";
    }
    case "sale_closed":
      return sale && !sale.moved && inWindow
        ? "an order was turned away as too early or late though the sale was open"
        : undefined;
    case "fx_unavailable":
      return sale?.currency === order.currency
        ? "an order in its sale's own currency was turned away for want of a rate"
        : undefined;
    case "over_max_total": {
      if (sale?.currency !== order.currency)
        return order.maxTotal === 0
          ? "an order without a ceiling was turned away as too dear"
          : undefined;
      const total = order.lines.reduce(
        (sum, line, i) => sum + (known[i]?.priceMinor ?? 0) * line.qty,
        0,
      );
      return total > order.maxTotal && order.maxTotal > 0
        ? undefined
        : "an order was turned away as too dear though it was not";
    }
    case "unknown_item":
      return sale && known.every((item) => item !== undefined)
        ? "an order was turned away for an item that exists"
        : undefined;
    case "reserved":
    case "paid":
    case "dispatched":
      if (known.includes(undefined)) return "an order was taken for an item that does not exist";
      return sale && !sale.moved && !inWindow
        ? "an order was taken outside the sale's window"
        : undefined;
    default:
      return undefined;
  }
}
