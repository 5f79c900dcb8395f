// The reads of the ledger, and those with their own files (operations, sales, replay), as one
// object.
import { at } from "../core/domain/at.ts";
import type { Attempt, ChargeStatus } from "../core/domain/charge.ts";
import { shardOf } from "../core/domain/shard.ts";
import { askOnce } from "./ask-again.ts";
import {
  type AuditIntent,
  type AuditPage,
  type AuditQuery,
  type AuditResult,
  audit,
  auditBegin,
  auditEnd,
  auditLog,
} from "./audit-log.ts";
import { bills } from "./bills.ts";
import type {
  Bill,
  Correction,
  FollowUp,
  Halt,
  Ledger,
  LetterRecord,
  Operation,
  OperationResult,
  OrderEvent,
  OrderPage,
  Owed,
  PageRequest,
  RecordedAttempt,
  RecordedRate,
  ShardPosition,
  StoredOrder,
} from "./contract.ts";
import type { Db } from "./db.ts";
import { feed, feedEnd, feedStart } from "./feed.ts";
import { followUps } from "./follow-ups.ts";
import { followed } from "./followed.ts";
import { endHalt, halt, recordHalt } from "./halts.ts";
import { correction, settleCorrection } from "./item-operations.ts";
import { recordLetter } from "./letters.ts";
import { lostRegions, operate, operationsOpen } from "./operations.ts";
import { orderStory, ordersOfAll, ordersWithId, type SearchRequest } from "./order-search.ts";
import { placedOrders, placeOf } from "./placed-order.ts";
import { BUCKETS_PER_SHARD, bucketOf } from "./places.ts";
import { rates } from "./rates.ts";
import { firstEntrySince, replay, type Stretch } from "./replay.ts";
import { endedSales } from "./retire.ts";
import { revenueAfter, salesSince } from "./revenue.ts";
import { formerRoutes, routes } from "./routes.ts";
import { catalogueVersion, sales, saleVersions, stock } from "./sales.ts";
import { type SnapshotHead, snapshotChunks, snapshotHeads } from "./snapshots.ts";
import { states } from "./states.ts";
import { orderPage, ordersOf, selectOrders, storedOrder } from "./stored-orders.ts";
import { history, timeline } from "./timeline.ts";
import type { TimelineQuery } from "./timeline-contract.ts";
import { SqlWebhooks } from "./webhooks.ts";
import { positionOf } from "./writer.ts";

/** A client may send an order with another body as often as it likes, and each adds an event. */
const CONFLICTS_SHOWN = 10;

export class SqlLedger implements Ledger {
  readonly webhooks: SqlWebhooks;

  constructor(
    readonly db: Db,
    readonly storeId: string,
    readonly shards: number,
  ) {
    this.webhooks = new SqlWebhooks(db);
  }

  async incarnation(): Promise<number> {
    return Number((await this.db.run("SELECT incarnation FROM store"))[0]?.incarnation);
  }

  async positions(): Promise<ShardPosition[]> {
    const rows = await this.db.run(
      "SELECT shard, epoch, last_id, last_n FROM shards ORDER BY shard",
    );
    if (this.db.hasServer) await this.db.writable();
    return rows.map(positionOf);
  }

  halt(): Promise<Halt | undefined> {
    return halt(this.db);
  }

  recordHalt(reason: string): Promise<void> {
    return recordHalt(this.db, reason, this.db.runtime.wallMs());
  }

  endHalt(): Promise<void> {
    return endHalt(this.db);
  }

  order(user: string, id: string): Promise<StoredOrder | undefined> {
    return storedOrder(this.db, this.shards, user, id);
  }

  ordersOf(user: string, of: { limit: number; before?: string }): Promise<StoredOrder[]> {
    return ordersOf(this.db, this.shards, user, of);
  }

  orderPage(user: string, of: PageRequest): Promise<OrderPage> {
    return orderPage(this.db, this.shards, user, of);
  }

  async events(user: string, id: string): Promise<OrderEvent[]> {
    const text = `SELECT seq, at_ms, event, detail FROM events WHERE id = ? AND usr = ?`;
    const rows = await this.db.run(
      `SELECT * FROM (${text} AND event <> 'conflict') AS own
       UNION ALL SELECT * FROM (${text} AND event = 'conflict' ORDER BY seq LIMIT ?) AS others
       ORDER BY seq`,
      [id, user, id, user, CONFLICTS_SHOWN],
    );
    return rows.map((r) => ({
      atMs: Number(r.at_ms),
      event: String(r.event) as OrderEvent["event"],
      detail: String(r.detail),
    }));
  }

  async bill(user: string, id: string): Promise<Bill | undefined> {
    return (await bills(this.db, [{ user, id }]))[0];
  }

  bills(of: Parameters<Ledger["bills"]>[0]): ReturnType<Ledger["bills"]> {
    return bills(this.db, of);
  }

  async attempt(
    user: string,
    id: string,
    generation: number,
    attempt: number,
  ): Promise<RecordedAttempt | undefined> {
    const text = `SELECT amount, currency, status FROM charges
      WHERE id = ? AND usr = ? AND generation = ? AND attempt = ?`;
    const [row] = await this.db.run(text, [id, user, generation, attempt]);
    if (!row) return undefined;
    const status = String(row.status) as ChargeStatus;
    return { amount: Number(row.amount), currency: String(row.currency), status };
  }

  ordersWithId(id: string): ReturnType<Ledger["ordersWithId"]> {
    return ordersWithId(this.db, this.shards * BUCKETS_PER_SHARD, id);
  }

  ordersOfAll(request: SearchRequest): ReturnType<Ledger["ordersOfAll"]> {
    return ordersOfAll(this.db, this.shards * BUCKETS_PER_SHARD, request);
  }

  orderStory(user: string, id: string): ReturnType<Ledger["orderStory"]> {
    return orderStory(this.db, bucketOf(user, shardOf(user, this.shards)), user, id);
  }

  revenueAfter(...of: Parameters<Ledger["revenueAfter"]>): ReturnType<Ledger["revenueAfter"]> {
    return revenueAfter(this.db, ...of);
  }

  salesSince(seq: number): Promise<string[]> {
    return salesSince(this.db, seq);
  }

  timeline(query: TimelineQuery): ReturnType<Ledger["timeline"]> {
    return timeline(this.db, query);
  }

  history(sinceMs: number): ReturnType<Ledger["history"]> {
    return history(this.db, sinceMs);
  }

  states(...of: Parameters<Ledger["states"]>): ReturnType<Ledger["states"]> {
    return states(this.db, ...of);
  }

  followed(orders: Parameters<Ledger["followed"]>[0]): ReturnType<Ledger["followed"]> {
    return followed(this.db, this.shards, orders);
  }

  async feedAt(where: "start" | "end"): ReturnType<Ledger["feedAt"]> {
    const { storeId, shards } = this;
    return where === "start" ? feedStart(storeId, shards) : feedEnd(this.db, storeId, shards);
  }

  feed(...of: Parameters<Ledger["feed"]>): ReturnType<Ledger["feed"]> {
    return feed(this.db, this.storeId, this.shards, ...of);
  }

  followUps(...of: Parameters<Ledger["followUps"]>): Promise<FollowUp[]> {
    return followUps(this.db, ...of);
  }

  async followUpsOpen(): Promise<number> {
    return Number(
      (await this.db.run("SELECT COUNT(*) AS open FROM follow_ups WHERE done = 0"))[0]?.open,
    );
  }

  async owed(): Promise<Owed> {
    const rows = await this.db.run(
      `SELECT status, COUNT(*) AS attempts FROM charges
       WHERE status IN ('unknown', 'refund_failed', 'unresolved') GROUP BY status`,
    );
    const counts = { unknown: 0, refund_failed: 0, unresolved: 0 };
    for (const r of rows) counts[r.status as keyof Owed] = Number(r.attempts);
    return counts;
  }

  operate(operation: Operation, subject: string): Promise<OperationResult> {
    return operate(this.db, operation, subject, this.db.runtime.wallMs());
  }

  rates(): Promise<RecordedRate[]> {
    return rates(this.db);
  }

  lostRegions(): Promise<ReadonlySet<string>> {
    return lostRegions(this.db);
  }

  operationsOpen(): ReturnType<Ledger["operationsOpen"]> {
    return operationsOpen(this.db);
  }

  settleCorrection(ref: string, outcome: Correction): Promise<Correction> {
    return settleCorrection(this.db, ref, outcome, this.db.runtime.wallMs());
  }

  correction(ref: string): Promise<Correction | undefined> {
    return correction(this.db, ref);
  }

  async operationsDone(ids: readonly number[]): Promise<void> {
    const text = "UPDATE operations SET applied = 1, applied_ms = ? WHERE id = ? AND applied = 0";
    for (const id of ids) await this.db.run(text, [this.db.runtime.wallMs(), id]);
  }

  audit(look: Parameters<Ledger["audit"]>[0]): Promise<void> {
    return audit(this.db, look);
  }

  auditBegin(intent: AuditIntent): Promise<number> {
    return auditBegin(this.db, intent, this.db.runtime.wallMs());
  }

  auditEnd(seq: number, result: AuditResult): Promise<void> {
    return auditEnd(this.db, seq, result, this.db.runtime.wallMs());
  }

  auditLog(query: AuditQuery): Promise<AuditPage> {
    return auditLog(this.db, query);
  }

  recordLetter(letter: LetterRecord): Promise<void> {
    return recordLetter(this.db, letter);
  }

  catalogueVersion(): Promise<number> {
    return catalogueVersion(this.db);
  }

  sales(ids?: readonly string[]): ReturnType<Ledger["sales"]> {
    return sales(this.db, ids);
  }

  saleVersions(): ReturnType<Ledger["saleVersions"]> {
    return saleVersions(this.db);
  }

  endedSales(nowMs: number, delayMs: number): ReturnType<Ledger["endedSales"]> {
    return endedSales(this.db, nowMs, delayMs);
  }

  stock(saleId: string): ReturnType<Ledger["stock"]> {
    return stock(this.db, saleId);
  }

  grantRedrive(
    user: string,
    id: string,
    from: number,
    subject: string,
  ): ReturnType<Ledger["grantRedrive"]> {
    return this.db.transaction(async (tx) => {
      const bucket = bucketOf(user, shardOf(user, this.shards));
      const found = (
        await tx.run(
          `${selectOrders(this.db.dialect)} WHERE o.bucket = ? AND o.id = ? AND o.usr = ?`,
          [bucket, id, user],
        )
      )[0];
      if (found?.state !== "payment_failed") return "settled";
      const last = await tx.run(
        "SELECT MAX(generation) AS generation FROM charges WHERE id = ? AND usr = ?",
        [id, user],
      );
      if (Number(last[0]?.generation) !== from) return "superseded";
      const open = await tx.run(
        `SELECT status FROM charges WHERE id = ? AND usr = ?
         AND status IN ('started', 'unknown', 'unresolved')`,
        [id, user],
      );
      if (open.length > 0) return "unknown";
      const generation = from + 1;
      const grant = `INSERT INTO grants (usr, id, generation, subject, at_ms)
        VALUES (?, ?, ?, ?, ?) ON CONFLICT (id, usr, generation) DO NOTHING`;
      await tx.run(grant, [user, id, generation, subject, this.db.runtime.wallMs()]);
      const placed = at(await placedOrders(tx, [placeOf(found)]), 0);
      const row = { kind: "redrive", ...placed, generation } as const;
      return { shard: Number(found.shard), row };
    });
  }

  askOnce(of: Attempt): ReturnType<Ledger["askOnce"]> {
    return askOnce(this.db, this.shards, of);
  }

  routes(): ReturnType<Ledger["routes"]> {
    return routes(this.db);
  }

  formerRoutes(): ReturnType<Ledger["formerRoutes"]> {
    return formerRoutes(this.db);
  }

  replay(shard: number, stretch?: Stretch): ReturnType<Ledger["replay"]> {
    return replay(this.db, shard, stretch);
  }

  firstEntrySince(shard: number, atMs: number): Promise<number> {
    return firstEntrySince(this.db, shard, atMs);
  }

  snapshots(shard: number): Promise<SnapshotHead[]> {
    return snapshotHeads(this.db, shard);
  }

  snapshotChunks(head: SnapshotHead): Promise<string[] | undefined> {
    return snapshotChunks(this.db, head);
  }

  close(): Promise<void> {
    return this.db.close();
  }
}
