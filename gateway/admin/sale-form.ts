// A sale as operators write it and customers read it.

import { CURRENCIES } from "../../core/domain/currency.ts";
import { MAX_MONEY_MINOR } from "../../core/domain/order.ts";
import {
  MAX_ITEMS_PER_SALE,
  MAX_UNITS_PER_ITEM,
  priceAt,
  type Sale,
  type SaleItem,
} from "../../core/domain/sale.ts";
import { Problem, Refused } from "../http/problem.ts";
import {
  line,
  list,
  name,
  object,
  oneOf,
  optional,
  type Read,
  read,
  time,
  whole,
} from "../http/shape.ts";

export const CURRENCY = oneOf([...CURRENCIES.keys()], {
  ...{ code: "unknown_currency", rule: "an ISO 4217 code in capitals", description: "ISO 4217" },
});
export const PRICE = whole(0, MAX_MONEY_MINOR, "Minor units of the sale's currency");
export const LIMIT = whole(0, MAX_UNITS_PER_ITEM, "Units one user may reserve; 0: no limit");
export const ITEM_MEMBERS = {
  sku: name("The item"),
  name: optional(line("Default: the sku")),
  category: name("Decides which service fulfils it"),
  priceMinor: PRICE,
  limitPerUser: optional(LIMIT),
  initial: whole(0, MAX_UNITS_PER_ITEM, "Units at the start"),
};
/** Every change of an item has a reason. */
export const WHY = line("For the audit");
export const REASON = object({ reason: WHY });
export const NEW_ITEM = object(ITEM_MEMBERS);
export const NEW_SALE = object({
  id: name("The sale"),
  name: optional(line("Default: the sale's id")),
  currency: CURRENCY,
  opensAt: time(),
  closesAt: time("After `opensAt`"),
  items: list(NEW_ITEM, 1, MAX_ITEMS_PER_SALE),
});

/** Reads a sale. Throws Refused. */
export const readSale = (value: unknown): Sale => saleOf(read(NEW_SALE, value));

/** A sale as it was read; `at` is its path in the request. Throws Refused. */
export function saleOf(sale: Read<typeof NEW_SALE>, at = ""): Sale {
  const { id, name = id, currency, opensAt, closesAt } = sale;
  if (closesAt <= opensAt)
    throw new Refused(new Problem("out_of_range", `${at}closesAt`, "after opensAt"));
  const skus = new Set<string>();
  sale.items.forEach(({ sku }, i) => {
    if (skus.size === skus.add(sku).size)
      throw new Refused(new Problem("duplicate_item", `${at}items[${i}].sku`));
  });
  const items = sale.items.map(itemOf);
  return { id, name, currency, opensAtMs: opensAt, closesAtMs: closesAt, items };
}

/** Reads an item. Throws Refused. */
export const readItem = (value: unknown): SaleItem => itemOf(read(NEW_ITEM, value));

/** An item as it was read, without what may stand beside it. */
export function itemOf(item: Read<typeof NEW_ITEM>): SaleItem {
  const { sku, name = sku, category, priceMinor, limitPerUser = 0, initial } = item;
  return { sku, name, category, priceMinor, limitPerUser, initial };
}

/** Each item with its price at `nowMs`, and the prices to come. */
export function showSale(sale: Sale, nowMs: number): Record<string, unknown> {
  const { opensAtMs, closesAtMs, items, ...rest } = sale;
  const window = { opensAt: rfc3339(opensAtMs), closesAt: rfc3339(closesAtMs) };
  return { ...rest, ...window, items: items.map((item) => showItem(item, nowMs)) };
}

function showItem({ prices = [], ...item }: SaleItem, nowMs: number): Record<string, unknown> {
  const coming = prices
    .filter(({ fromMs }) => fromMs > nowMs)
    .map(({ fromMs, priceMinor }) => ({ from: rfc3339(fromMs), priceMinor }));
  const priceMinor = priceAt({ ...item, prices }, nowMs);
  return { ...item, priceMinor, ...(coming.length > 0 ? { prices: coming } : {}) };
}

export function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
