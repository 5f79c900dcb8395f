// A sale: its window and its catalogue. The ledger owns it; gateways and Redis keep copies.

export interface SaleItem {
  readonly sku: string;
  readonly name: string;
  readonly category: string;
  /** Minor units of the sale's currency. */
  readonly priceMinor: number;
  /** Units one user may reserve over the whole sale; 0: no limit. */
  readonly limitPerUser: number;
  /** Units at the start. */
  readonly initial: number;
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
 * Units of one item by account. Always: initial + restocked = available + releasing + held + sold.
 */
export interface Stock {
  readonly sku: string;
  readonly initial: number;
  readonly restocked: number;
  readonly available: number;
  readonly releasing: number;
  readonly held: number;
  readonly sold: number;
}

/** Where an item's units are. Only their sum is known here: initial + restocked. */
export type Units = Omit<Stock, "initial" | "restocked">;

export const MAX_ITEMS_PER_SALE = 10_000;
export const MAX_UNITS_PER_ITEM = 1_000_000_000;
