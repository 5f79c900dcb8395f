// What the rest of Sluice asks of the ledger. SQLite and Postgres answer through one implementation
// (ledger/open.ts).
import type { Attempt, ChargeStatus } from "../core/domain/charge.ts";
import type { Entry, EntryId } from "../core/domain/entry.ts";
import type { Order } from "../core/domain/order.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { Route } from "../core/domain/part.ts";
import type { RedriveRow } from "../core/domain/row.ts";
import type { Sale, Stock } from "../core/domain/sale.ts";
import type { Traceparent } from "../core/domain/trace.ts";
import type { Stretch } from "./replay.ts";
import type { EndedSales } from "./retire.ts";
import type { SnapshotHead } from "./snapshots.ts";

/**
 * Why an entry was not recorded. `fenced`: a newer epoch owns the shard. `fork`: it does not follow
 * the last entry recorded, so Redis lost something. `refused`: stock would fall below zero or an
 * order is there already, so Redis lost something. `unreadable`: its text makes no sense. It is
 * kept, goes to the dead letters, and the chain goes on behind it.
 */
export type RecordResult = "recorded" | "fenced" | "fork" | "refused" | "unreadable";

export interface EntryToRecord {
  readonly entry: Entry;
  readonly epoch: number;
}

export interface ShardPosition {
  readonly shard: number;
  readonly epoch: number;
  readonly lastId: EntryId;
  readonly lastN: number;
}

/**
 * A follow-up: something that must be published because of a recorded entry, again and again until
 * it is confirmed.
 */
export interface FollowUp {
  readonly id: number;
  readonly shard: number;
  readonly exchange: string;
  readonly routingKey: string;
  /** JSON text. */
  readonly body: string;
}

/** Where a follow-up goes. */
export type Target = Pick<FollowUp, "exchange" | "routingKey">;

/** How many attempts stand in each status in which an operator may have to look. */
export type Owed = Readonly<Record<"unknown" | "refund_failed" | "unresolved", number>>;

export interface StoredOrder extends Order {
  readonly state: OrderState;
  readonly fingerprint: string;
  readonly acceptedAtMs: number;
  /** Redis's clock. undefined: it is parked. */
  readonly decidedAtMs: number | undefined;
  readonly shard: number;
  /** Of the request it came with; empty when that named none. */
  readonly traceparent: Traceparent;
}

export interface OrderEvent {
  readonly atMs: number;
  /** A state the order went to; `conflict`; or what became of a charge. */
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
  /** JSON text, for example the other fingerprint of a conflict. */
  readonly detail: string;
}

export interface RedriveGrant {
  readonly shard: number;
  /** The order as it was accepted, under its next generation. */
  readonly row: RedriveRow;
}

/** What an order costs, once it has been reserved. */
export interface Bill {
  /** Minor units of `currency`. */
  readonly amount: number;
  readonly currency: string;
  /** The exchange rate it was converted at, if it was. */
  readonly rate?: { readonly id: string; readonly value: string };
  /** Its charge waits until those of the user's earlier orders are settled. */
  readonly waits: boolean;
}

/** An attempt to charge an order, as the ledger has it. */
export interface RecordedAttempt {
  /** Minor units of `currency`. */
  readonly amount: number;
  readonly currency: string;
  readonly status: ChargeStatus;
}

export interface Following {
  readonly user: string;
  readonly id: string;
  /** The last event heard of; 0 for the order's first state, -1 for nothing. */
  readonly after: number;
}

export interface FollowedEvent {
  /** Grows within an order; 0 is its first state. */
  readonly seq: number;
  readonly atMs: number;
  readonly event: string;
  /** JSON text, or empty. */
  readonly detail: string;
}

export interface Followed {
  readonly user: string;
  readonly id: string;
  /** Its state now: the events may be ahead of it. */
  readonly state: string;
  readonly events: readonly FollowedEvent[];
}

/** A dead letter that leaves its queue by an operator's hand. */
export interface LetterRecord {
  /** Its name in its queue. */
  readonly letter: string;
  readonly region: string;
  readonly queue: string;
  readonly fate: "dropped" | "redriven";
  readonly reason: string;
  /** Whose order it is about; empty when it names none. */
  readonly user: string;
  readonly id: string;
  /** 0 when it names none. */
  readonly generation: number;
  readonly subject: string;
  readonly atMs: number;
  readonly body: string;
}

/**
 * An operator's change. `ref` makes it idempotent: the same ref again changes nothing and returns
 * what it did.
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
  | { readonly kind: "open"; readonly ref: string; readonly saleId: string; readonly atMs: number }
  | { readonly kind: "close"; readonly ref: string; readonly saleId: string; readonly atMs: number }
  /** The sale has ended: see ledger/retire.ts. */
  | { readonly kind: "retire"; readonly ref: string; readonly saleId: string }
  /** Empty region: all regions. Empty service: the route is taken back. */
  | ({ readonly kind: "route"; readonly ref: string } & Route);

/** An operation that changes a sale. */
export type SaleOperation = Exclude<Operation, { kind: "route" }>;

/**
 * `done` now, `repeated` (same ref, same content), `ref_conflict` (same ref, other content), or why
 * it cannot be.
 */
export type OperationResult =
  | "done"
  | "repeated"
  | "ref_conflict"
  | "unknown_sale"
  | "unknown_item"
  | "sale_exists"
  /** It has ended for good: neither its window nor its stock can change. */
  | "sale_retired";

/** What the workers write. With SQLite it runs in a thread of its own. */
export interface LedgerWriter {
  /**
   * One transaction for all entries given (in order; several of one shard may follow each other). A
   * refused entry refuses its shard's later ones, never another shard's. Result i belongs to entry
   * i. Rejects only when the ledger cannot be reached or written.
   */
  record(entries: readonly EntryToRecord[]): Promise<RecordResult[]>;
  /** Raises the shard's epoch and says where the ledger stands. */
  takeShard(shard: number, owner: string): Promise<ShardPosition>;
  /**
   * Compare-and-set on the incarnation: raises it and every shard's epoch in one transaction.
   * undefined: somebody else did.
   */
  beginRebuild(
    from: number,
  ): Promise<
    { readonly incarnation: number; readonly shards: readonly ShardPosition[] } | undefined
  >;
  followUpsDone(ids: readonly number[]): Promise<void>;
  /** Charges, refunds and parts without an end are to be published once more. Returns how many. */
  askAgain(): Promise<number>;
  close(): Promise<void>;
}

/** Reads, and the operator's writes. */
export interface Ledger {
  /** Random id made with the store; a Redis that belongs to another ledger is recognised by it. */
  readonly storeId: string;
  readonly shards: number;
  incarnation(): Promise<number>;
  positions(): Promise<ShardPosition[]>;
  /** undefined: never recorded. */
  order(user: string, id: string): Promise<StoredOrder | undefined>;
  /** The states of those that the shard has recorded, by `user id`. */
  states(
    shard: number,
    orders: readonly { readonly user: string; readonly id: string }[],
  ): Promise<Map<string, OrderState>>;
  /** Newest id first; `before` is the id to go on from. */
  ordersOf(user: string, options: { limit: number; before?: string }): Promise<StoredOrder[]>;
  events(user: string, id: string): Promise<OrderEvent[]>;
  bill(user: string, id: string): Promise<Bill | undefined>;
  /** undefined: no such attempt is recorded. */
  attempt(
    user: string,
    id: string,
    generation: number,
    attempt: number,
  ): Promise<RecordedAttempt | undefined>;
  /** What happened to orders since; those that are not recorded yet are left out. */
  followed(orders: readonly Following[]): Promise<Followed[]>;
  /**
   * Open follow-ups of a shard, oldest first. `dueMs`: those due by then alone (Redis's clock);
   * `except`: none of these targets.
   */
  followUps(
    shard: number,
    limit: number,
    options?: { readonly dueMs?: number; readonly except?: readonly Target[] },
  ): Promise<FollowUp[]>;
  followUpsOpen(): Promise<number>;
  /** Attempts whose money is owed or unknown after their order's end, by status. */
  owed(): Promise<Owed>;

  operate(operation: Operation, subject: string): Promise<OperationResult>;
  /** Operations not yet known to be in Redis, oldest first. */
  operationsOpen(): Promise<{ readonly id: number; readonly operation: Operation }[]>;
  operationsDone(ids: readonly number[]): Promise<void>;
  /** Every admin call, also the refused ones. */
  audit(record: {
    atMs: number;
    subject: string;
    action: string;
    target: string;
    detail: string;
    status: number;
  }): Promise<void>;
  /** A dead letter that is about to be dropped, or was sent on: on record before it is gone. */
  recordLetter(letter: LetterRecord): Promise<void>;
  /** Rises with every change of any sale's window or catalogue. */
  catalogueVersion(): Promise<number>;
  sales(): Promise<Sale[]>;
  /** Sales that closed `delayMs` ago, and which of them may be retired. */
  endedSales(nowMs: number, delayMs: number): Promise<EndedSales>;
  stock(saleId: string): Promise<Stock[]>;
  /**
   * Grants an order whose payment failed in generation `from` the next one, once: the same again
   * gives the same. `settled`: its payment has not failed (any
   * more). `superseded`: it failed again in a later generation. `unknown`: an earlier attempt may
   * still be captured; tried again now, it could be paid twice.
   */
  grantRedrive(
    user: string,
    id: string,
    from: number,
    subject: string,
  ): Promise<RedriveGrant | "settled" | "superseded" | "unknown">;
  /** Asks the provider about one attempt once more. `settled`: there is nothing left to ask. */
  askOnce(of: Attempt): Promise<"asked" | "settled">;
  routes(): Promise<Route[]>;
  /** Every service that ever had a route for a category. */
  formerRoutes(): Promise<{ readonly category: string; readonly service: string }[]>;

  /**
   * What was recorded for a shard, oldest first, in chunks: a rebuild of Redis replays it. The
   * state of an order is what its entries say; nothing else is kept of it.
   */
  replay(shard: number, stretch?: Stretch): AsyncIterable<readonly Entry[]>;
  /**
   * The number of the first entry decided at or after a moment; one past the last when there is
   * none.
   */
  firstEntrySince(shard: number, atMs: number): Promise<number>;
  /** A shard's snapshots, newest first. */
  snapshots(shard: number): Promise<SnapshotHead[]>;
  /** undefined: the snapshot is damaged. */
  snapshotChunks(head: SnapshotHead): Promise<string[] | undefined>;
  close(): Promise<void>;
}
