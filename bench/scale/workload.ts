// The standard workload over any number of items: half of them last, and one order in ten is for
// those; the others are sold out from the start. Many items are spread over several sales.
import type { Sale } from "../../core/domain/sale.ts";

const PER_SALE = 10_000;
const HUGE_STOCK = 1_000_000_000;
const DAY_MS = 86_400_000;
/** Bodies that a flood chooses from: each item occurs, up to this number. */
const MIN_BODIES = 100;
const RESERVED_ONE_IN = 10;

/** Even items last. */
const initialOf = (item: number): number => (item % 2 === 0 ? HUGE_STOCK : 0);
const skuOf = (item: number): string => `item-${item}`;
const saleOf = (item: number): string => `scale-${Math.floor(item / PER_SALE)}`;

export function salesOver(items: number, nowMs: number): Sale[] {
  const window = { opensAtMs: nowMs - 60_000, closesAtMs: nowMs + DAY_MS };
  return Array.from({ length: Math.ceil(items / PER_SALE) }, (_, sale) => {
    const from = sale * PER_SALE;
    const length = Math.min(PER_SALE, items - from);
    const numbers = Array.from({ length }, (_, i) => from + i);
    const id = saleOf(from);
    return { id, name: id, currency: "EUR", ...window, items: numbers.map(itemOf) };
  });
}

function itemOf(item: number): Sale["items"][number] {
  const sku = skuOf(item);
  const rest = { category: "scale", priceMinor: 1_000, limitPerUser: 0 };
  return { sku, name: sku, initial: initialOf(item), ...rest };
}

/** Bodies without id and user: one to three lines, as in the standard workload. */
export function bodiesOver(items: number): string[] {
  return Array.from({ length: Math.max(MIN_BODIES, items) }, (_, i) => {
    const lasting = i % RESERVED_ONE_IN === 0;
    const lines = i % 10 < 7 ? 1 : i % 10 < 9 ? 2 : 3;
    const first = itemFor(i, items, lasting);
    const skus = Array.from({ length: lines }, (_, l) => skuOf(beside(first, l, items)));
    const text = skus.map((sku) => `{"sku":"${sku}","qty":1}`).join(",");
    return `"saleId":"${saleOf(first)}","currency":"EUR","lines":[${text}]}`;
  });
}

/** Spreads over all items of its kind. */
function itemFor(i: number, items: number, lasting: boolean): number {
  const half = Math.floor(items / 2);
  return ((i * 7) % half) * 2 + (lasting ? 0 : 1);
}

/** The item of a further line: of the same sale, and as scarce. */
function beside(item: number, line: number, items: number): number {
  const from = Math.floor(item / PER_SALE) * PER_SALE;
  const size = Math.min(PER_SALE, items - from);
  return from + ((item - from + 2 * line) % size);
}
