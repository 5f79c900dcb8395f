import type { Sale } from "../core/domain/sale.ts";

const YEAR_MS = 365 * 24 * 3_600_000;

/** The sale of `sluice up`: open for a year, and small enough to sell out by hand. */
export function demoSale(nowMs: number): Sale {
  return {
    id: "demo",
    name: "Demo sale",
    currency: "EUR",
    opensAtMs: nowMs - 60_000,
    closesAtMs: nowMs + YEAR_MS,
    items: [
      {
        sku: "lamp",
        name: "Desk lamp",
        category: "home",
        priceMinor: 3_900,
        limitPerUser: 0,
        initial: 100,
      },
      {
        sku: "radio",
        name: "Kitchen radio",
        category: "electronics",
        priceMinor: 8_900,
        limitPerUser: 2,
        initial: 50,
      },
      {
        sku: "print",
        name: "Signed print",
        category: "art",
        priceMinor: 25_000,
        limitPerUser: 1,
        initial: 3,
      },
    ],
  };
}
