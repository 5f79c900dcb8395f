// Revenue by sale and currency, without summing all postings each time: what can no longer change
// is summed once.
//
// In Postgres a transaction may commit postings with lower numbers than others that are there
// already. So a piece is kept once no number is missing in it, or once the missing ones are older
// than any open transaction.
import type { Revenue } from "../../core/domain/sale-figures.ts";
import type { RevenuePiece, RevenueReads } from "../../ledger/revenue.ts";

/** About 50 ms of the ledger's reader. */
const AT_ONCE = 100_000;
/** Longer than any transaction of the ledger stays open. */
const SETTLED_MS = 60_000;

/** What has been paid, by sale (empty: none is named) and currency. */
class Sums {
  private readonly bySale = new Map<string, Map<string, number>>();
  /** The number of the last posting that names no sale; 0: all do. */
  unnamed = 0;

  constructor(others?: Sums) {
    this.unnamed = others?.unnamed ?? 0;
    for (const [sale, sums] of others?.bySale ?? []) this.bySale.set(sale, new Map(sums));
  }

  /** These sums and a piece of the postings. */
  with({ amounts, unnamed }: RevenuePiece): Sums {
    const next = new Sums(this);
    next.unnamed = Math.max(next.unnamed, unnamed);
    for (const { sale, currency, amount } of amounts) {
      const sums = next.bySale.get(sale) ?? new Map<string, number>();
      next.bySale.set(sale, sums.set(currency, (sums.get(currency) ?? 0) + amount));
    }
    return next;
  }

  all(): Revenue[] {
    const all = new Map<string, number>();
    for (const sums of this.bySale.values())
      for (const [currency, amount] of sums) all.set(currency, (all.get(currency) ?? 0) + amount);
    return listed(all);
  }

  of(sale: string): Revenue[] {
    return listed(this.bySale.get(sale) ?? new Map());
  }
}

export interface Paid {
  /** Of all sales. */
  readonly all: readonly Revenue[];
  /** null: a posting that names no sale may be this one's. */
  readonly of: (sale: string) => readonly Revenue[] | null;
}

export class RevenueMemory {
  private settled = new Sums();
  private upTo = 0;
  /** How far a piece with missing numbers reached, and when it was read first. */
  private mark: { readonly seq: number; readonly atMs: number } | undefined;

  constructor(
    private readonly ledger: RevenueReads,
    private readonly monotonicMs: () => number,
  ) {}

  /** undefined: there are more than one look can read. */
  async look(): Promise<Paid | undefined> {
    const { mark } = this;
    if (mark && this.monotonicMs() - mark.atMs >= SETTLED_MS)
      this.settle(await this.ledger.revenueAfter(this.upTo, mark.seq - this.upTo));
    const piece = await this.ledger.revenueAfter(this.upTo, AT_ONCE);
    const { reached, last, whole } = piece;
    if (last < this.upTo) this.startAgain();
    else if (whole) this.settle(piece);
    else this.mark ??= { seq: reached, atMs: this.monotonicMs() };
    if (reached !== last) return undefined;
    return this.paid(whole ? this.settled : this.settled.with(piece));
  }

  private async paid(sums: Sums): Promise<Paid> {
    const { unnamed } = sums;
    const newer = unnamed > 0 ? new Set(await this.ledger.salesSince(unnamed)) : undefined;
    return { all: sums.all(), of: (sale) => (newer?.has(sale) === false ? null : sums.of(sale)) };
  }

  private settle(piece: RevenuePiece): void {
    this.settled = this.settled.with(piece);
    this.upTo = piece.reached;
    this.mark = undefined;
  }

  /** The ledger is an earlier one: a backup was restored. */
  private startAgain(): void {
    this.settled = new Sums();
    this.upTo = 0;
    this.mark = undefined;
  }
}

function listed(sums: ReadonlyMap<string, number>): Revenue[] {
  return [...sums].map(([currency, amount]) => ({ currency, amount }));
}
