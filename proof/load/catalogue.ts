// The rush's items: twenty, some far hotter than others, a few with a limit per user.
import { at } from "../../core/domain/at.ts";
import type { SaleItem } from "../../core/domain/sale.ts";

export const ITEMS = 20;
/**
 * Weight 1/rank, typical of such sales: the hottest item draws as much as the next few together.
 */
const WEIGHTS = Array.from({ length: ITEMS }, (_, i) => 1 / (i + 1));
const TOTAL_WEIGHT = WEIGHTS.reduce((sum, weight) => sum + weight, 0);
/** Ranks of the items limited to two per user. */
const LIMITED = new Set([2, 6, 10, 14]);
const LIMIT_PER_USER = 2;
const CATEGORIES = ["audio", "games", "home", "books"] as const;

export const skuOf = (rank: number): string => `item-${String(rank + 1).padStart(2, "0")}`;

/** A rank from 0; hot ranks are drawn more often. */
export function drawRank(random: () => number): number {
  let left = random() * TOTAL_WEIGHT;
  for (let rank = 0; rank < ITEMS - 1; rank++) {
    left -= at(WEIGHTS, rank);
    if (left < 0) return rank;
  }
  return ITEMS - 1;
}

/** The items, each with its stock. */
export function itemsWith(stock: readonly number[]): SaleItem[] {
  return stock.map((initial, rank) => ({
    sku: skuOf(rank),
    name: `Item ${rank + 1}`,
    category: at(CATEGORIES, rank % CATEGORIES.length),
    priceMinor: 990 + 500 * rank,
    limitPerUser: LIMITED.has(rank) ? LIMIT_PER_USER : 0,
    initial,
  }));
}
