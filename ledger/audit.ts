// The ledger as an auditor reads it: every table as a stream of plain rows. Nothing is derived, and
// no code is shared with the writer.
import { at } from "../core/domain/at.ts";
import type { Runtime } from "../core/runtime/runtime.ts";
import type {
  ChargeRecord,
  EventRecord,
  ItemRecord,
  JournalEntry,
  JournalMessage,
  LetterFate,
  MovementRecord,
  OperationRecord,
  OrderRecord,
  PartRecord,
  PostingRecord,
  SaleRecord,
  Seam,
} from "./audit-records.ts";
import { Db, PATIENT_MS, type Runner, type Value } from "./db.ts";
import { messageId } from "./places.ts";
import type { Found } from "./runner.ts";

export type * from "./audit-records.ts";

/** Where the ledger stands in a shard's journal. */
export interface Position {
  readonly shard: number;
  readonly epoch: number;
  readonly lastId: string;
  readonly lastN: number;
}

/** Rows read at once. */
const CHUNK = 5_000;
/** Entries read at once: each carries up to a few hundred orders. */
const ENTRY_CHUNK = 32;

export class LedgerAudit {
  private constructor(
    private readonly runtime: Runtime,
    private readonly db: Runner,
    private readonly end: () => Promise<void>,
  ) {}

  /** Each query sees the ledger as it is at that moment. */
  static async open(runtime: Runtime, ledger: string | Db): Promise<LedgerAudit> {
    if (typeof ledger !== "string") return new LedgerAudit(ledger.runtime, ledger, async () => {});
    const db = await Db.open(runtime, ledger, PATIENT_MS);
    return new LedgerAudit(runtime, db, () => db.close());
  }

  /** All queries of `work` see the ledger as of its first one. */
  static async snapshot<T>(
    runtime: Runtime,
    ledger: string | Db,
    work: (audit: LedgerAudit) => Promise<T>,
  ): Promise<T> {
    if (typeof ledger !== "string") return work(await LedgerAudit.open(runtime, ledger));
    const db = await Db.open(runtime, ledger, PATIENT_MS);
    try {
      return await db.snapshot((tx) => work(new LedgerAudit(runtime, tx, async () => undefined)));
    } finally {
      await db.close();
    }
  }

  close(): Promise<void> {
    return this.end();
  }

  async shards(): Promise<Position[]> {
    const rows = await this.db.run(
      "SELECT shard, epoch, last_id, last_n FROM shards ORDER BY shard",
    );
    return rows.map((r) => ({
      shard: Number(r.shard),
      epoch: Number(r.epoch),
      lastId: String(r.last_id),
      lastN: Number(r.last_n),
    }));
  }

  /** When each shard's last entry was decided, Unix ms; shards without entries are left out. */
  async lastEntryTimes(): Promise<Map<number, number>> {
    const rows = await this.db.run(
      `SELECT e.shard, e.at_ms FROM entries e
       JOIN shards s ON s.shard = e.shard AND s.last_n = e.n`,
    );
    return new Map(rows.map((r) => [Number(r.shard), Number(r.at_ms)]));
  }

  /** Where a shard's epoch was raised more than once, or Redis's clock went back. */
  async seams(): Promise<Seam[]> {
    const rows = await this.db.run(
      `SELECT shard, at_ms, from_ms, raised FROM (
         SELECT shard, at_ms, LAG(at_ms) OVER w AS from_ms,
           epoch - COALESCE(LAG(epoch) OVER w, 0) AS raised
         FROM entries WINDOW w AS (PARTITION BY shard ORDER BY n)) AS steps
       WHERE raised > 1 OR at_ms < from_ms`,
    );
    return rows.map((r) => ({
      shard: Number(r.shard),
      fromMs: r.from_ms === null ? Number.NEGATIVE_INFINITY : Number(r.from_ms),
      toMs: Number(r.at_ms),
      raised: Number(r.raised),
    }));
  }

  /** A shard's journal, oldest first. */
  async *entries(shard: number): AsyncGenerator<readonly JournalEntry[]> {
    const text = `SELECT n, id, prev, kind, at_ms, epoch, recorded_ms, released, steps FROM entries
      WHERE shard = ? AND n > ? ORDER BY n LIMIT ?`;
    for (let after = -1; ; ) {
      const rows = await this.db.run(text, [shard, after, ENTRY_CHUNK]);
      if (rows.length === 0) return;
      const last = Number(rows[rows.length - 1]?.n);
      const messages = await this.messages(shard, Number(rows[0]?.n), last);
      yield rows.map((r) => ({
        shard,
        n: Number(r.n),
        id: String(r.id),
        prev: String(r.prev),
        kind: String(r.kind),
        atMs: Number(r.at_ms),
        epoch: Number(r.epoch),
        recordedMs: Number(r.recorded_ms),
        released: String(r.released),
        steps: String(r.steps),
        messages: messages.get(Number(r.n)) ?? [],
      }));
      after = last;
    }
  }

  orders(): AsyncGenerator<readonly OrderRecord[]> {
    return this.pages(
      "SELECT bucket, id, usr, state, message, idx FROM orders",
      { bucket: -1, id: "", usr: "" },
      (r) => ({
        user: String(r.usr),
        id: String(r.id),
        state: String(r.state),
        message: Number(r.message),
        index: Number(r.idx),
      }),
    );
  }

  /** What happened to orders after their first decision, oldest first. */
  events(): AsyncGenerator<readonly EventRecord[]> {
    return this.pages("SELECT seq, usr, id, event FROM events", { seq: -1 }, (r) => ({
      user: String(r.usr),
      id: String(r.id),
      event: String(r.event),
    }));
  }

  movements(): AsyncGenerator<readonly MovementRecord[]> {
    const text = "SELECT seq, cause, sale, sku, account, units FROM movements";
    return this.pages(text, { seq: -1 }, (r) => ({
      cause: String(r.cause),
      saleId: String(r.sale),
      sku: String(r.sku),
      account: String(r.account),
      units: Number(r.units),
    }));
  }

  async items(): Promise<ItemRecord[]> {
    const columns =
      "limit_per_user, price_minor, initial, restocked, available, releasing, held, sold, " +
      "corrected, correcting_units, ";
    const rows = await this.db.run(
      `SELECT sale, sku, ${columns} retired_ms FROM items
       JOIN sales ON sales.id = sale ORDER BY sale, sku`,
    );
    return rows.map((r) => ({
      saleId: String(r.sale),
      sku: String(r.sku),
      limitPerUser: Number(r.limit_per_user),
      priceMinor: Number(r.price_minor),
      initial: Number(r.initial),
      restocked: Number(r.restocked),
      corrected: Number(r.corrected),
      correcting: Number(r.correcting_units),
      available: Number(r.available),
      releasing: Number(r.releasing),
      held: Number(r.held),
      sold: Number(r.sold),
      ...(Number(r.retired_ms) > 0 ? { retired: true } : {}),
    }));
  }

  async sales(): Promise<SaleRecord[]> {
    const rows = await this.db.run(
      "SELECT id, currency, opens_ms, closes_ms FROM sales ORDER BY id",
    );
    return rows.map((r) => ({
      id: String(r.id),
      currency: String(r.currency),
      opensAtMs: Number(r.opens_ms),
      closesAtMs: Number(r.closes_ms),
    }));
  }

  /** The operator's changes, oldest first. */
  async operations(): Promise<OperationRecord[]> {
    const rows = await this.db.run(
      "SELECT operation, at_ms, applied_ms FROM operations ORDER BY id",
    );
    return rows.map((r) => ({
      operation: JSON.parse(String(r.operation)) as OperationRecord["operation"],
      atMs: Number(r.at_ms),
      appliedMs: Number(r.applied_ms),
    }));
  }

  /** When Redis was rebuilt, Unix ms; undefined: some rebuilds are not on record. */
  async rebuilds(): Promise<number[] | undefined> {
    const rows = await this.db.run("SELECT at_ms FROM rebuilds ORDER BY at_ms");
    const [store] = await this.db.run("SELECT incarnation FROM store");
    return rows.length === Number(store?.incarnation)
      ? rows.map((r) => Number(r.at_ms))
      : undefined;
  }

  /** Dead letters that an operator dropped or redrove. */
  async letters(): Promise<LetterFate[]> {
    const rows = await this.db.run(
      "SELECT letter, queue, fate, reason, usr, id, generation, subject FROM letters ORDER BY seq",
    );
    return rows.map((r) => ({
      letter: String(r.letter),
      queue: String(r.queue),
      fate: String(r.fate),
      reason: String(r.reason),
      user: String(r.usr),
      id: String(r.id),
      generation: Number(r.generation),
      subject: String(r.subject),
    }));
  }

  /** Every attempt to charge, including those that wait in a lane. */
  charges(): AsyncGenerator<readonly ChargeRecord[]> {
    return this.pages(
      `SELECT usr, id, generation, attempt, amount, currency, status, rate_id, rate
       FROM charges`,
      { id: "", usr: "", generation: -1, attempt: -1 },
      (r) => ({
        user: String(r.usr),
        id: String(r.id),
        generation: Number(r.generation),
        attempt: Number(r.attempt),
        amount: Number(r.amount),
        currency: String(r.currency),
        status: String(r.status),
        rateId: String(r.rate_id),
        rate: String(r.rate),
      }),
    );
  }

  parts(): AsyncGenerator<readonly PartRecord[]> {
    return this.pages(
      "SELECT usr, id, generation, part, parts, service, status, lines FROM parts",
      { id: "", usr: "", generation: -1, part: -1 },
      (r) => ({
        user: String(r.usr),
        id: String(r.id),
        generation: Number(r.generation),
        part: Number(r.part),
        of: Number(r.parts),
        service: String(r.service),
        status: String(r.status),
        lines: String(r.lines),
      }),
    );
  }

  postings(): AsyncGenerator<readonly PostingRecord[]> {
    const text = "SELECT seq, cause, sale, currency, account, amount FROM postings";
    return this.pages(text, { seq: -1 }, (r) => ({
      cause: String(r.cause),
      sale: String(r.sale),
      currency: String(r.currency),
      account: String(r.account),
      amount: Number(r.amount),
    }));
  }

  async chargeCount(status: string): Promise<number> {
    return Number(
      (await this.db.run("SELECT COUNT(*) AS charges FROM charges WHERE status = ?", [status]))[0]
        ?.charges,
    );
  }

  /** Charges and refunds without a definite end. */
  async chargesOpen(): Promise<number> {
    const rows = await this.db.run(
      "SELECT COUNT(*) AS open FROM charges WHERE status IN ('started', 'waiting', 'refunding')",
    );
    return Number(rows[0]?.open);
  }

  /** Parts that have a service and are not finished. */
  async partsOpen(): Promise<number> {
    const text =
      "SELECT COUNT(*) AS open FROM parts WHERE status IN ('waiting', 'claimed') AND service <> ''";
    return Number((await this.db.run(text))[0]?.open);
  }

  async orderCount(): Promise<number> {
    return Number((await this.db.run("SELECT COUNT(*) AS orders FROM orders"))[0]?.orders);
  }

  /** Follow-ups that are due and unpublished. Those put off until later do not count. */
  async followUpsOpen(nowMs = this.runtime.wallMs()): Promise<number> {
    const text = "SELECT COUNT(*) AS open FROM follow_ups WHERE done = 0 AND due_ms <= ?";
    return Number((await this.db.run(text, [nowMs]))[0]?.open);
  }

  /** Reads a table in the order of its key, CHUNK rows at a time. `key` is below every row's. */
  private async *pages<T>(
    select: string,
    key: Readonly<Record<string, string | number>>,
    record: (row: Found) => T,
  ): AsyncGenerator<readonly T[]> {
    const columns = Object.keys(key);
    const names = columns.join(", ");
    const marks = columns.map(() => "?").join(", ");
    const text = `${select} WHERE (${names}) > (${marks}) ORDER BY ${names} LIMIT ?`;
    for (let after: readonly Value[] = Object.values(key); ; ) {
      const rows = await this.db.run(text, [...after, CHUNK]);
      if (rows.length === 0) return;
      yield rows.map(record);
      const last = at(rows, rows.length - 1);
      after = Object.entries(key).map(([name, least]) =>
        typeof least === "number" ? Number(last[name]) : String(last[name]),
      );
    }
  }

  /** Messages of a range of entries, by entry number. */
  private async messages(
    shard: number,
    from: number,
    to: number,
  ): Promise<Map<number, JournalMessage[]>> {
    const text = `SELECT id, shard, n, gateway, body, outcomes FROM messages
      WHERE id >= ? AND id < ? ORDER BY id`;
    const rows = await this.db.run(text, [messageId(shard, from), messageId(shard, to + 1)]);
    const byEntry = new Map<number, JournalMessage[]>();
    for (const r of rows) {
      const message = {
        key: Number(r.id),
        gateway: String(r.gateway),
        body: String(r.body),
        outcomes: String(r.outcomes),
      };
      const list = byEntry.get(Number(r.n));
      if (list) list.push(message);
      else byEntry.set(Number(r.n), [message]);
    }
    return byEntry;
  }
}
