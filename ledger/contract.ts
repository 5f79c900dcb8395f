// What the rest of Sluice can ask of the ledger. SQLite and Postgres share one implementation
// (ledger/open.ts).
import type { Attempt } from "../core/domain/charge.ts";
import type { Entry, EntryId } from "../core/domain/entry.ts";
import type { FeedEvent } from "../core/domain/feed-event.ts";
import type { FeedPosition } from "../core/domain/feed-position.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { Route } from "../core/domain/part.ts";
import type { Rate } from "../core/domain/rate.ts";
import type { Sale, Stock } from "../core/domain/sale.ts";
import type { AuditIntent, AuditLook, AuditPage, AuditQuery, AuditResult } from "./audit-log.ts";
import type { PartLeases } from "./lease-contract.ts";
import type { Correction, Operation, OperationResult } from "./operation.ts";
import type {
  Bill,
  Followed,
  Following,
  OrderEvent,
  OrderPage,
  PageRequest,
  RecordedAttempt,
  RedriveGrant,
  StoredOrder,
} from "./order-contract.ts";
import type { OrderSearch } from "./order-search.ts";
import type { Stretch } from "./replay.ts";
import type { EndedSales } from "./retire.ts";
import type { RevenueReads } from "./revenue.ts";
import type { SnapshotHead } from "./snapshots.ts";
import type { TimelineReads, TimelineWriter } from "./timeline-contract.ts";
import type { Webhooks } from "./webhook-contract.ts";

export type * from "./lease-contract.ts";
export type * from "./operation.ts";
export type * from "./order-contract.ts";

/**
 * The result of recording an entry. `fenced`: a newer epoch owns the shard. `fork`: it does not
 * follow the last recorded entry, since Redis has lost something, or the ledger has. `refused`: it
 * contradicts the ledger, for example stock would fall below zero or an order exists already, since
 * Redis has lost something. `unreadable`: its text cannot be parsed. It is kept as a dead letter,
 * and the chain continues after it.
 */
export type RecordResult = "recorded" | "fenced" | "fork" | "refused" | "unreadable";

export interface SaleVersion {
  readonly id: string;
  /** Compares with the catalogue's version. 0: the sale is older than versions. */
  readonly version: number;
  readonly retired: boolean;
}

/** Why everything is halted, and since when. */
export interface Halt {
  readonly reason: string;
  /** Unix ms. */
  readonly atMs: number;
}

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

/** A message that a recorded entry asks for, published until the broker confirms it. */
export interface FollowUp {
  readonly id: number;
  readonly shard: number;
  readonly exchange: string;
  readonly routingKey: string;
  /** JSON text. */
  readonly body: string;
  readonly overtaken?: boolean; // nobody waits for it: it is marked without being published
}

/** Where a follow-up goes. */
export type Target = Pick<FollowUp, "exchange" | "routingKey">;

/** How many attempts have each status that may need an operator. */
export type Owed = Readonly<Record<"unknown" | "refund_failed" | "unresolved", number>>;

/** Events of all orders: ledger/feed.ts. */
export interface FeedPage {
  /** In the ledger's order for each order. */
  readonly events: readonly FeedEvent[];
  /** Where the next page begins. */
  readonly after: FeedPosition;
  /** Whether the ledger has entries that were not read yet; they may hold no event. */
  readonly more: boolean;
}

/** A dead letter that an operator takes out of its queue. */
export interface LetterRecord {
  /** Its id in its queue. */
  readonly letter: string;
  readonly region: string;
  readonly queue: string;
  readonly fate: "dropped" | "redriven";
  readonly reason: string;
  /** The order it is about; empty if it names none. */
  readonly user: string;
  readonly id: string;
  /** 0 if it names none. */
  readonly generation: number;
  readonly subject: string;
  readonly atMs: number;
  readonly body: string;
}

/** An idempotency key, and the order it is to stand for unless it stands for another. */
export interface KeyClaim {
  readonly user: string;
  /** At most 64 plain characters. */
  readonly key: string;
  readonly id: string;
  readonly fingerprint: string;
}

/** The order that a key stands for. */
export type ClaimedKey = Pick<KeyClaim, "id" | "fingerprint">;

/** The last rate of a pair that a worker used or an operator accepted. */
export type RecordedRate = Pick<Rate, "pair" | "value" | "atMs">;

/** What workers write, and gateways for keys and claims. With SQLite it has its own thread. */
export interface LedgerWriter extends PartLeases, TimelineWriter {
  /**
   * Records all entries in one transaction, in order; a shard may have several in succession.
   * Result i belongs to entry i. A refused entry stops the later entries of its shard only. Rejects
   * only if the ledger cannot be reached or written.
   */
  record(entries: readonly EntryToRecord[]): Promise<RecordResult[]>;
  /** Raises the shard's epoch and returns the ledger's position in the shard. */
  takeShard(shard: number, owner: string): Promise<ShardPosition>;
  /**
   * Raises the incarnation and every shard's epoch in one transaction, if the incarnation is still
   * `from` and no halt is on record. undefined: another worker was first.
   */
  beginRebuild(
    from: number,
  ): Promise<
    { readonly incarnation: number; readonly shards: readonly ShardPosition[] } | undefined
  >;
  followUpsDone(ids: readonly number[]): Promise<void>;
  /** Publishes every charge, refund and part without an end again. Returns their number. */
  askAgain(): Promise<number>;
  /**
   * Assigns each key an order for good, or finds the one that it has. Keys claimed before
   * `forgetBeforeMs` may be forgotten first; 0: none.
   */
  claimKeys(claims: readonly KeyClaim[], forgetBeforeMs: number): Promise<ClaimedKey[]>;
  /** Notes the last rate of each pair. */
  noteRates(rates: readonly RecordedRate[]): Promise<void>;
  close(): Promise<void>;
}

/** Reads, and the operators' writes. */
export interface Ledger extends TimelineReads, OrderSearch, RevenueReads {
  /** Random id of this ledger: it shows whether a Redis belongs to another ledger. */
  readonly storeId: string;
  readonly shards: number;
  readonly webhooks: Webhooks;
  incarnation(): Promise<number>;
  /** Rejects also while the ledger can only be read. */
  positions(): Promise<ShardPosition[]>;
  /** The halt that this ledger has on record. */
  halt(): Promise<Halt | undefined>;
  /** Records a halt, unless one is on record. */
  recordHalt(reason: string): Promise<void>;
  /** An operator has decided. */
  endHalt(): Promise<void>;
  /** undefined: it was never recorded. */
  order(user: string, id: string): Promise<StoredOrder | undefined>;
  /** States of the orders that the shard has recorded, by `user id`. */
  states(
    shard: number,
    orders: readonly { readonly user: string; readonly id: string }[],
  ): Promise<Map<string, OrderState>>;
  /** A bounded piece of the user's list. */
  orderPage(user: string, request: PageRequest): Promise<OrderPage>;
  /** Newest id first; only ids below `before`. Reads as far back as it takes. */
  ordersOf(user: string, options: { limit: number; before?: string }): Promise<StoredOrder[]>;
  /** Oldest first; of its conflicts only the first ten. */
  events(user: string, id: string): Promise<OrderEvent[]>;
  bill(user: string, id: string): Promise<Bill | undefined>;
  /** Of a page of orders, in their order. */
  bills(
    of: readonly { readonly user: string; readonly id: string }[],
  ): Promise<(Bill | undefined)[]>;
  /** undefined: no such attempt is recorded. */
  attempt(
    user: string,
    id: string,
    generation: number,
    attempt: number,
  ): Promise<RecordedAttempt | undefined>;
  /** Events of orders since the given ones; orders not yet recorded are left out. */
  followed(orders: readonly Following[]): Promise<Followed[]>;
  /** Where the feed of events begins, or ends now. */
  feedAt(where: "start" | "end"): Promise<FeedPosition>;
  /**
   * About `limit` events after a position: whole entries, so one with more events is a page of its
   * own. `gone`: this ledger does not have the position.
   */
  feed(after: FeedPosition, limit: number): Promise<FeedPage | "gone">;
  /**
   * Open follow-ups of a shard, oldest first. `dueMs`: only those due by then (Redis's clock).
   * `except`: none for these targets.
   */
  followUps(
    shard: number,
    limit: number,
    options?: { readonly dueMs?: number; readonly except?: readonly Target[] },
  ): Promise<FollowUp[]>;
  followUpsOpen(): Promise<number>;
  /** How many attempts are still owed or unknown after their order's end, by status. */
  owed(): Promise<Owed>;

  operate(operation: Operation, subject: string): Promise<OperationResult>;
  /** Operations that Redis may not have yet, oldest first. */
  operationsOpen(): Promise<{ readonly id: number; readonly operation: Operation }[]>;
  operationsDone(ids: readonly number[]): Promise<void>;
  /** Ends a correction by what Redis answered. Only the first end counts; returns it. */
  settleCorrection(ref: string, outcome: Correction): Promise<Correction>;
  /** undefined: it has no end yet, or there is no such correction. */
  correction(ref: string): Promise<Correction | undefined>;
  /** Records a call of an operator that changes nothing, with its result. */
  audit(look: AuditLook): Promise<void>;
  /** Records a change before it happens; returns the number of the entry. */
  auditBegin(intent: AuditIntent): Promise<number>;
  /** Adds the result of a change that was begun. */
  auditEnd(seq: number, result: AuditResult): Promise<void>;
  /** The audit log, newest first. */
  auditLog(query: AuditQuery): Promise<AuditPage>;
  /** Records a dead letter that an operator drops, or whose message has been sent again. */
  recordLetter(letter: LetterRecord): Promise<void>;
  /** Increases with every change of a sale's window or catalogue. */
  catalogueVersion(): Promise<number>;
  /** All sales, or those with these ids. Reads every item of each: see saleVersions. */
  sales(ids?: readonly string[]): Promise<Sale[]>;
  saleVersions(): Promise<SaleVersion[]>;
  /** Sales that closed at least `delayMs` ago, and which of them may be retired. */
  endedSales(nowMs: number, delayMs: number): Promise<EndedSales>;
  stock(saleId: string): Promise<Stock[]>;
  /**
   * Grants the generation after `from` to an order whose payment failed in `from`. Asking again
   * returns the same grant. `settled`: its payment has not failed, or not any more. `superseded`:
   * it failed again in a later generation. `unknown`: an earlier attempt may still be captured, so
   * another try could charge twice.
   */
  grantRedrive(
    user: string,
    id: string,
    from: number,
    subject: string,
  ): Promise<RedriveGrant | "settled" | "superseded" | "unknown">;
  /** Asks the provider about one attempt again. `settled`: there is nothing left to ask. */
  askOnce(of: Attempt): Promise<"asked" | "settled">;
  /** Regions that an operator has declared lost. */
  lostRegions(): Promise<ReadonlySet<string>>;
  routes(): Promise<Route[]>;
  /** The last rate of each pair. */
  rates(): Promise<RecordedRate[]>;
  /** Every service that ever had a route for a category. */
  formerRoutes(): Promise<{ readonly category: string; readonly service: string }[]>;

  /**
   * Entries of a shard, oldest first, in chunks. A rebuild of Redis replays them: nothing else
   * holds the state of an order.
   */
  replay(shard: number, stretch?: Stretch): AsyncIterable<readonly Entry[]>;
  /** The first entry decided at or after a moment; one past the last if there is none. */
  firstEntrySince(shard: number, atMs: number): Promise<number>;
  /** A shard's snapshots, newest first. */
  snapshots(shard: number): Promise<SnapshotHead[]>;
  /** undefined: the snapshot is damaged. */
  snapshotChunks(head: SnapshotHead): Promise<string[] | undefined>;
  close(): Promise<void>;
}
