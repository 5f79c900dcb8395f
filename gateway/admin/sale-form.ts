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
import { Fields } from "./fields.ts";

/** Reads a sale; `at` is its path in the request. Throws Refused. */
export function readSale(value: unknown, at = ""): Sale {
  const fields = Fields.of(value, ["id", "name", "currency", "opensAt", "closesAt", "items"], at);
  const id = fields.name("id");
  const currency = fields.name("currency");
  if (!CURRENCIES.has(currency))
    fields.refuse("unknown_currency", "currency", "an ISO 4217 code in capitals");
  const opensAtMs = fields.time("opensAt");
  const closesAtMs = fields.time("closesAt");
  if (closesAtMs <= opensAtMs) fields.refuse("out_of_range", "closesAt", "after opensAt");
  const items = fields
    .list("items", 1, MAX_ITEMS_PER_SALE)
    .map((item, i) => readItem(item, `${at}items[${i}].`));
  const skus = new Set<string>();
  items.forEach((item, i) => {
    if (skus.size === skus.add(item.sku).size) fields.refuse("duplicate_item", `items[${i}].sku`);
  });
  return {
    id,
    name: fields.has("name") ? fields.text("name") : id,
    currency,
    opensAtMs,
    closesAtMs,
    items,
  };
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

const ITEM = ["sku", "name", "category", "priceMinor", "limitPerUser", "initial"];

function readItem(value: unknown, at: string): SaleItem {
  return itemIn(Fields.of(value, ITEM, at));
}

/** An item, with the members named in `more` beside it. Throws Refused. */
export function readItemWith(value: unknown, more: readonly string[]): [SaleItem, Fields] {
  const fields = Fields.of(value, [...ITEM, ...more]);
  return [itemIn(fields), fields];
}

function itemIn(fields: Fields): SaleItem {
  const sku = fields.name("sku");
  return {
    sku,
    name: fields.has("name") ? fields.text("name") : sku,
    category: fields.name("category"),
    priceMinor: fields.whole("priceMinor", 0, MAX_MONEY_MINOR),
    limitPerUser: fields.has("limitPerUser")
      ? fields.whole("limitPerUser", 0, MAX_UNITS_PER_ITEM)
      : 0,
    initial: fields.whole("initial", 0, MAX_UNITS_PER_ITEM),
  };
}
