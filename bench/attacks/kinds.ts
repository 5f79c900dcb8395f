// The attacks: each is something that a client may send, over and over.
import type { Sale } from "../../core/domain/sale.ts";

export const ATTACKS = {
  subscribe: "one user subscribes to the stock of a sale of 10,000 items, on many sockets",
  follow: "one user follows orders that do not exist",
  strangers: "sockets without a token, opened again as soon as they are closed",
  list: "users without orders list them, on eight connections",
  frames: "bad tokens and frames full of mistakes, on sockets that are opened again",
  stock: "anybody reads the stock of a sale of 10,000 items, on eight connections",
  metrics: "anybody reads the metrics, on eight connections",
  cancels: "a user cancels orders with ids of the year 10889, on eight connections",
  keys: "callers with bad tokens send idempotency keys of 8,000 characters, on eight connections",
} as const;
export type Attack = keyof typeof ATTACKS;

export const BIG_SALE = "big";
/** Milliseconds of a version 7 id are 48 bits; these are all ones. */
export const FAR_ID = "ffffffff-ffff-7fff-bfff-ffffffffffff";
const BIG_ITEMS = 10_000;
const DAY_MS = 86_400_000;

export function bigSale(nowMs: number): Sale {
  const item = { category: "bench", priceMinor: 1_000, limitPerUser: 0, initial: 1_000 };
  const items = Array.from({ length: BIG_ITEMS }, (_, i) => ({
    ...item,
    sku: `big-${i}`,
    name: `Item ${i}`,
  }));
  const window = { opensAtMs: nowMs - 60_000, closesAtMs: nowMs + DAY_MS };
  return { id: BIG_SALE, name: "Big", currency: "EUR", ...window, items };
}
