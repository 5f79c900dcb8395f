// What the ledger returns about orders: an order as recorded, its events, its bill, its pages.
import type { ChargeStatus } from "../core/domain/charge.ts";
import type { Order } from "../core/domain/order.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { RedriveRow } from "../core/domain/row.ts";
import type { Traceparent } from "../core/domain/trace.ts";

export interface StoredOrder extends Order {
  readonly state: OrderState;
  readonly fingerprint: string;
  readonly acceptedAtMs: number;
  /** Redis's clock, Unix ms. undefined: it is parked. */
  readonly decidedAtMs: number | undefined;
  /** What was decided first, `parked` included, and when. */
  readonly first: { readonly state: OrderState; readonly atMs: number };
  readonly shard: number;
  /** The trace of its request; empty if the request named none. */
  readonly traceparent: Traceparent;
}

/** A page of a user's orders. */
export interface PageRequest {
  readonly limit: number;
  /** Only ids below this one. */
  readonly before?: string;
  readonly state?: OrderState;
  readonly saleId?: string;
  /** Orders of all users that the page looks through; default: LOOKED_THROUGH. */
  readonly lookedThrough?: number;
}

export interface OrderPage {
  /** Newest id first. There may be fewer than `limit`, even none, before the end. */
  readonly orders: readonly StoredOrder[];
  /** Where the next page begins; absent: there is none. */
  readonly before?: string;
}

export interface OrderEvent {
  readonly atMs: number;
  /** A new state of the order, `conflict`, or an event of its charge or its parts. */
  readonly event:
    | OrderState
    | "conflict"
    | "charge_failed"
    | "charge_unknown"
    | "charge_unresolved"
    | "refund"
    | "refunded"
    | "refund_failed"
    | "returned"
    | "disputed"
    | "claimed"
    | "done"
    | "redriven";
  /** JSON text, for example the fingerprint of the conflicting order. */
  readonly detail: string;
}

export interface RedriveGrant {
  readonly shard: number;
  /** The order as it was accepted, under its next generation. */
  readonly row: RedriveRow;
}

/** What an order costs once it is reserved. */
export interface Bill {
  /** Minor units of `currency`. */
  readonly amount: number;
  readonly currency: string;
  /** The exchange rate of the conversion, if there was one. */
  readonly rate?: { readonly id: string; readonly value: string };
  /** Its charge waits until the charges of the user's earlier orders are settled. */
  readonly waits: boolean;
}

/** An attempt to charge an order, as recorded. */
export interface RecordedAttempt {
  /** Minor units of `currency`. */
  readonly amount: number;
  readonly currency: string;
  readonly status: ChargeStatus;
}

export interface Following {
  readonly user: string;
  readonly id: string;
  /** The last event the follower received; 0: the order's first state, -1: nothing yet. */
  readonly after: number;
}

export interface FollowedEvent {
  /** Increases within an order; 0 is its first state. */
  readonly seq: number;
  readonly atMs: number;
  readonly event: string;
  /** JSON text, or empty. */
  readonly detail: string;
}

export interface Followed {
  readonly user: string;
  readonly id: string;
  /** Its current state; the events may be ahead of it. */
  readonly state: string;
  readonly events: readonly FollowedEvent[];
}
