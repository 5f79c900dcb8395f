// The operators' changes, as the ledger records them (operations.ts).
import type { Route } from "../core/domain/part.ts";
import type { Sale, SaleItem } from "../core/domain/sale.ts";

/**
 * An operator's change. `ref` makes it idempotent: repeating a ref changes nothing and returns the
 * earlier result.
 */
export type Operation =
  | { readonly kind: "create"; readonly ref: string; readonly sale: Sale }
  | {
      readonly kind: "restock";
      readonly ref: string;
      readonly saleId: string;
      readonly sku: string;
      readonly units: number;
    }
  | {
      readonly kind: "open";
      readonly ref: string;
      readonly saleId: string;
      readonly atMs: number;
      /** The window's new end; undefined: it keeps the old one. */
      readonly closesAtMs?: number | undefined;
    }
  | { readonly kind: "close"; readonly ref: string; readonly saleId: string; readonly atMs: number }
  | ItemOperation
  /** Ends a closed sale for good; see ledger/retire.ts. */
  | { readonly kind: "retire"; readonly ref: string; readonly saleId: string }
  /** Empty region: all regions. Empty service: the route is removed. */
  | ({ readonly kind: "route"; readonly ref: string } & Route)
  | RegionOperation
  | RateOperation;

/** A change of one item: see ledger/item-operations.ts. */
export type ItemOperation = {
  readonly ref: string;
  readonly saleId: string;
  readonly reason: string;
} & (
  | { readonly kind: "add"; readonly item: SaleItem }
  | { readonly kind: "correct"; readonly sku: string; readonly units: number }
  | {
      readonly kind: "price";
      readonly sku: string;
      readonly priceMinor: number;
      /** Orders accepted from then on, Unix ms. */
      readonly fromMs: number;
    }
  /** Of an item that has a limit; 0: as good as none. */
  | { readonly kind: "limit"; readonly sku: string; readonly limitPerUser: number }
  | { readonly kind: "withdraw" | "offer"; readonly sku: string }
);

/** How a correction ended: Redis had the units, or had sold them already. */
export type Correction = "done" | "refused";

/** `lost`: its broker will not come back. `back`: it has come back after all. */
export interface RegionOperation {
  readonly kind: "region";
  readonly ref: string;
  readonly region: string;
  readonly state: "lost" | "back";
}

/** An operator's verdict on a rate that waits with about this value (core/lua/settle_rate.lua). */
export interface RateOperation {
  readonly kind: "rate";
  readonly ref: string;
  readonly pair: string;
  readonly value: string;
  readonly verdict: "accept" | "refuse";
}

/** An operation that changes a sale. */
export type SaleOperation = Exclude<Operation, { kind: "route" | "region" | "rate" }>;

/**
 * `done`, `repeated` (same ref, same content), `ref_conflict` (same ref, other content), or why the
 * change is impossible.
 */
export type OperationResult =
  | "done"
  | "repeated"
  | "ref_conflict"
  | "unknown_sale"
  | "unknown_item"
  | "sale_exists"
  /** The sale would close before it opens, or at the same moment. */
  | "bad_window"
  | "item_exists"
  | "too_many_items"
  /** Fewer units are free than a correction would take away. */
  | "not_enough"
  /** An earlier correction of the item has no end yet. */
  | "correcting"
  /** The item was created without a limit, so its users' units were not counted. */
  | "not_counted"
  | "too_many_prices"
  /** Neither the window nor the stock of a retired sale can change. */
  | "sale_retired";
