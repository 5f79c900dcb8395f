// A sale: its window and its catalogue. The ledger owns it; gateways and Redis keep copies.

export interface SaleItem {
  readonly sku: string;
  readonly name: string;
  readonly category: string;
  /** Minor units of the sale's currency: the first price. */
  readonly priceMinor: number;
  /** Later prices, oldest first. */
  readonly prices?: readonly PriceChange[];
  /** Units one user may reserve over the whole sale; 0: no limit. */
  readonly limitPerUser: number;
  /** Units at the start. */
  readonly initial: number;
  /** New orders for it are refused; reserved ones continue. */
  readonly withdrawn?: boolean;
}

/** Orders accepted from a moment on have this price. */
export interface PriceChange {
  /** Unix ms. */
  readonly fromMs: number;
  readonly priceMinor: number;
}

/** What an order accepted at a moment pays for a unit. */
export function priceAt(
  { priceMinor, prices = [] }: Pick<SaleItem, "priceMinor" | "prices">,
  acceptedAtMs: number,
): number {
  return prices.findLast(({ fromMs }) => fromMs <= acceptedAtMs)?.priceMinor ?? priceMinor;
}

/** `from:price from:price …`, as the ledger and Redis keep it. */
export function pricesText(prices: readonly PriceChange[]): string {
  return prices.map(({ fromMs, priceMinor }) => `${fromMs}:${priceMinor}`).join(" ");
}

export function pricesIn(text: string): PriceChange[] {
  return [...text.matchAll(/(\d+):(\d+)/g)].map(([, fromMs, priceMinor]) => ({
    fromMs: Number(fromMs),
    priceMinor: Number(priceMinor),
  }));
}

export interface Sale {
  readonly id: string;
  readonly name: string;
  /** ISO 4217 currency of the catalogue's prices. */
  readonly currency: string;
  /** Unix ms; orders accepted before it are `sale_closed`. */
  readonly opensAtMs: number;
  /** Unix ms; orders accepted at or after it are `sale_closed`. */
  readonly closesAtMs: number;
  readonly items: readonly SaleItem[];
  /**
   * It has ended for good, and Redis has forgotten it: its orders are `sale_closed`, and its stock
   * is read from the ledger.
   */
  readonly retired?: boolean;
}

/**
 * Units of one item by account. Always: initial + restocked − corrected = available + releasing +
 * held + sold.
 */
export interface Stock {
  readonly sku: string;
  readonly initial: number;
  readonly restocked: number;
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
  /** Units taken away by corrections; undefined: none. */
  readonly corrected?: number;
  /** A correction that Redis has not answered yet: these units are not to be sold. */
  readonly correcting?: { readonly ref: string; readonly units: number };
}

/** Where an item's units are. Only their sum is known here: initial + restocked. */
export type Units = Omit<Stock, "initial" | "restocked">;

export const MAX_ITEMS_PER_SALE = 10_000;
export const MAX_UNITS_PER_ITEM = 1_000_000_000;
export const MAX_PRICES_PER_ITEM = 50;

/** All units of an item, in whichever account. */
export function totalOf({ initial, restocked, corrected = 0 }: Stock): number {
  return initial + restocked - corrected;
}

/** What Redis keeps of an item beside its first price: `w` when it is withdrawn, later prices. */
export function termsText({ withdrawn, prices = [] }: SaleItem): string {
  return [...(withdrawn ? ["w"] : []), pricesText(prices)].join(" ").trim();
}
