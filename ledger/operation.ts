// The operators' changes, as the ledger records them (operations.ts).
import type { Route } from "../core/domain/part.ts";
import type { Sale } from "../core/domain/sale.ts";

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
  /** Ends a closed sale for good; see ledger/retire.ts. */
  | { readonly kind: "retire"; readonly ref: string; readonly saleId: string }
  /** Empty region: all regions. Empty service: the route is removed. */
  | ({ readonly kind: "route"; readonly ref: string } & Route)
  | RegionOperation;

/** `lost`: its broker will not come back. `back`: it has come back after all. */
export interface RegionOperation {
  readonly kind: "region";
  readonly ref: string;
  readonly region: string;
  readonly state: "lost" | "back";
}

/** An operation that changes a sale. */
export type SaleOperation = Exclude<Operation, { kind: "route" | "region" }>;

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
  /** Neither the window nor the stock of a retired sale can change. */
  | "sale_retired";
