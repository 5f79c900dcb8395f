import { expect, test } from "bun:test";
import { unroutedOf } from "./routing.ts";
import type { Sale, SaleItem } from "./sale.ts";

const item = (sku: string, category: string, withdrawn = false): SaleItem => ({
  ...{ sku, name: sku, category, priceMinor: 1, limitPerUser: 0, initial: 1, withdrawn },
});
const sale = (id: string, closesAtMs: number, more: Partial<Sale> = {}): Sale => ({
  ...{ id, name: id, currency: "EUR", opensAtMs: 0, closesAtMs },
  items: [item("a", "art"), item("b", "art"), item("c", "home"), item("d", "old", true)],
  ...more,
});

test("categories on sale without a route are named once, those of past sales not", () => {
  const sales = [sale("now", 20), sale("past", 10), sale("gone", 20, { retired: true })];
  const home = { category: "home", region: "eu", service: "depot" };
  expect(unroutedOf(sales, [home], 10)).toEqual([{ saleId: "now", category: "art" }]);
  expect(unroutedOf(sales, [home, { ...home, category: "art", region: "" }], 10)).toEqual([]);
});
