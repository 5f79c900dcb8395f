// R4 and X11, under I5: an order is refused as sold out only if there were too few units. Replays
// the entries of all shards by time, and computes the least number of units for sale of each item
// at every moment:
//
//   1. units that an entry takes are gone from the start of its millisecond;
//   2. returned units are for sale RETURN_MS after the ledger had the entry that freed them, or
// once
//      the shard has a new owner, which sends Redis all that the ledger has before it decides. The
//      new owner records its predecessor's last decisions under their old epoch, so it is at work
//      from the time it recorded the first entry of its own;
//   3. added units are for sale RETURN_MS after Redis received them;
//   4. units of a correction are gone from the moment it was asked for; if it is refused, they are
//      back RETURN_MS after Redis received that.
//
// An order of several items is sold out if any of them is, so refusing it was wrong only if all
// were available. Nothing is judged beyond the horizon or in a period of doubt.
import type { ItemRecord, OperationRecord } from "../../../ledger/audit.ts";
import type { Findings } from "../findings.ts";
import type { DecodedEntry } from "../journal.ts";
import type { Line, PlacedRow } from "../rows.ts";
import { Spans } from "../spans.ts";
import { CLOCK_MS, RETURN_MS } from "../tolerances.ts";

interface Item {
  /**
   * At least this many are for sale. Below zero if units were sold again before they count as
   * returned.
   */
  forSale: number;
  /** At least this many are for sale or being returned. */
  unsold: number;
  /**
   * Periods in which possibly none was left or on its way back, so that a gateway may refuse the
   * item.
   */
  readonly gone: Spans;
}

/** Units being returned. */
interface Freed {
  readonly item: Item;
  readonly units: number;
  readonly epoch: number;
  readonly dueMs: number;
}

interface Added {
  readonly item: Item;
  /** Below zero: taken away. */
  readonly units: number;
  readonly dueMs: number;
}

type Lines = readonly Line[];
type Units = Map<Item, number>;

export interface StockTimes {
  /** Every decision up to then is in the ledger. */
  readonly horizonMs: number;
  readonly doubts: Spans;
}

const FREEING = new Set(["payment_failed", "expired", "cancelled"]);

export class SoldOutCheck {
  private readonly items = new Map<string, Item>();
  /** By shard, oldest first. */
  private readonly freed = new Map<number, Freed[]>();
  /** By shard: the epoch of its last entry, and when the first entry of that epoch was recorded. */
  private readonly owners = new Map<number, { readonly epoch: number; readonly sinceMs: number }>();
  private readonly added: Added[];

  constructor(
    private readonly findings: Findings,
    private readonly times: StockTimes,
    items: readonly ItemRecord[],
    operations: readonly OperationRecord[],
  ) {
    for (const { saleId, sku, initial } of items) {
      const item = { forSale: initial, unsold: initial, gone: new Spans() };
      if (initial === 0) item.gone.begin(Number.NEGATIVE_INFINITY);
      this.items.set(`${saleId} ${sku}`, item);
    }
    this.added = operations.flatMap((o) => this.addedBy(o)).sort((a, b) => a.dueMs - b.dueMs);
  }

  /** Entries of one millisecond. */
  group(entries: readonly DecodedEntry[]): void {
    const atMs = entries[0]?.atMs ?? 0;
    this.comeBack(entries, atMs);
    const taken = new Map<Item, number>();
    for (const entry of entries) this.takings(entry, taken);
    const judged = atMs <= this.times.horizonMs && !this.times.doubts.touch(atMs, atMs);
    if (judged) for (const entry of entries) this.judge(entry, taken);
    for (const [item, units] of taken) {
      item.forSale -= units;
      item.unsold -= units;
      if (item.unsold <= 0) item.gone.begin(atMs);
    }
    for (const entry of entries) this.free(entry);
  }

  /** Whether the item had units the whole time. false for unknown items and for times in doubt. */
  hadUnits(saleId: string, sku: string, fromMs: number, toMs: number): boolean {
    const item = this.items.get(`${saleId} ${sku}`);
    const { horizonMs, doubts } = this.times;
    if (!item || toMs > horizonMs || doubts.touch(fromMs, toMs)) return false;
    return !item.gone.touch(fromMs, toMs);
  }

  private addedBy({ operation, atMs, appliedMs }: OperationRecord): Added[] {
    const { kind, saleId, sku, units = 0, outcome } = operation;
    const item = this.items.get(`${saleId} ${sku}`);
    if (!item) return [];
    if (kind === "correct") return [{ item, units: -units, dueMs: atMs - CLOCK_MS }];
    const adds = kind === "restock" || (kind === "corrected" && outcome === "refused");
    return adds && appliedMs > 0 ? [{ item, units, dueMs: appliedMs + RETURN_MS }] : [];
  }

  private comeBack(entries: readonly DecodedEntry[], atMs: number): void {
    for (const entry of entries) {
      if (!this.isTold(entry)) continue;
      const freed = this.freed.get(entry.shard);
      while (freed?.[0] && freed[0].epoch < entry.epoch) this.back(freed.shift() as Freed);
    }
    for (const freed of this.freed.values())
      while (freed[0] && freed[0].dueMs <= atMs) this.back(freed.shift() as Freed);
    while (this.added[0] && this.added[0].dueMs <= atMs) {
      const { item, units } = this.added.shift() as Added;
      item.forSale += units;
      this.unsold(item, units, atMs);
      if (units < 0 && item.unsold <= 0) item.gone.begin(atMs);
    }
  }

  /** Whether the entry's owner had reported to Redis everything the ledger has. */
  private isTold({ shard, epoch, atMs, recordedMs }: DecodedEntry): boolean {
    let owner = this.owners.get(shard);
    if (!owner || owner.epoch !== epoch) {
      owner = { epoch, sinceMs: recordedMs > 0 ? recordedMs : Number.POSITIVE_INFINITY };
      this.owners.set(shard, owner);
    }
    return atMs >= owner.sinceMs + CLOCK_MS;
  }

  private back({ item, units }: Freed): void {
    item.forSale += units;
  }

  private unsold(item: Item, units: number, atMs: number): void {
    item.unsold += units;
    if (item.unsold > 0) item.gone.end(atMs);
  }

  /** What the orders of the entry took. */
  private takings({ decided, released, steps }: DecodedEntry, taken: Units): void {
    for (const { row, effect, state } of decided)
      if (effect === "fresh" && state === "reserved") this.add(taken, row.saleId, row.lines);
    for (const { row, state } of released)
      if (state === "reserved") this.add(taken, row.saleId, row.lines);
    for (const { what, detail, saleId, lines } of steps)
      if (what === "redriven" && detail === "reserved") this.add(taken, saleId, lines);
  }

  private judge(entry: DecodedEntry, taken: Units): void {
    // Units that later rows of the entry took were still there; released orders took theirs at any
    // point in between.
    const later: Units = new Map();
    for (let i = entry.decided.length - 1; i >= 0; i--) {
      const { row, effect, state } = entry.decided[i] as DecodedEntry["decided"][number];
      if (effect !== "fresh") continue;
      if (state === "reserved") this.add(later, row.saleId, row.lines);
      if (state === "sold_out") this.judgeOne(entry, row, taken, later);
    }
    for (const { row, state } of entry.released)
      if (state === "sold_out") this.judgeOne(entry, row, taken);
    for (const step of entry.steps)
      if (step.what === "redriven" && step.detail === "sold_out") this.judgeOne(entry, step, taken);
  }

  private judgeOne(
    { shard, n }: DecodedEntry,
    { user, id, saleId, lines }: Pick<PlacedRow, "user" | "id" | "saleId" | "lines">,
    taken: Units,
    later?: Units,
  ): void {
    const left: string[] = [];
    for (const { sku, qty } of lines) {
      const item = this.items.get(`${saleId} ${sku}`);
      if (!item) return;
      const units = item.forSale - (taken.get(item) ?? 0) + (later?.get(item) ?? 0);
      if (units < qty) return;
      left.push(`${units} of ${sku}`);
    }
    this.findings.violation(
      "I5",
      "an order was refused as sold out though there was stock",
      `${user} ${id}: ${left.join(", ")} left, entry ${shard}-${n}`,
    );
  }

  private free({ shard, epoch, atMs, recordedMs, steps }: DecodedEntry): void {
    const dueMs = recordedMs > 0 ? recordedMs + RETURN_MS : Number.POSITIVE_INFINITY;
    for (const { what, saleId, lines } of steps) {
      if (!FREEING.has(what)) continue;
      const freed = this.freed.get(shard) ?? [];
      this.freed.set(shard, freed);
      for (const { sku, qty } of lines) {
        const item = this.items.get(`${saleId} ${sku}`);
        if (!item) continue;
        freed.push({ item, units: qty, epoch, dueMs });
        this.unsold(item, qty, atMs);
      }
    }
  }

  private add(units: Units, saleId: string, lines: Lines): void {
    for (const { sku, qty } of lines) {
      const item = this.items.get(`${saleId} ${sku}`);
      if (item) units.set(item, (units.get(item) ?? 0) + qty);
    }
  }
}
