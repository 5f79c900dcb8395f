// Revenue by currency, without summing all postings each time: what is old enough is summed once.
//
// In Postgres a transaction may commit postings with lower numbers than others that are there
// already. So the sum that is kept ends at postings that are older than any open transaction.
import type { Revenue } from "../../core/domain/sale-figures.ts";
import type { RevenueReads } from "../../ledger/revenue.ts";

/** About 30 ms of the ledger's reader. */
const AT_ONCE = 100_000;
/** Longer than any transaction of the ledger stays open. */
const SETTLED_MS = 60_000;

export class RevenueMemory {
  private readonly settled = new Map<string, number>();
  private upTo = 0;
  /** Where the postings ended, and when. */
  private mark: { readonly seq: number; readonly atMs: number } | undefined;

  constructor(
    private readonly ledger: RevenueReads,
    private readonly monotonicMs: () => number,
  ) {}

  /** undefined: there are more than one look can read. */
  async look(): Promise<readonly Revenue[] | undefined> {
    const nowMs = this.monotonicMs();
    const { mark } = this;
    if (mark && nowMs - mark.atMs >= SETTLED_MS) {
      await this.settle(mark.seq);
      if (this.upTo >= mark.seq) this.mark = undefined;
    }
    const rest = await this.ledger.revenueAfter(this.upTo, AT_ONCE);
    this.mark ??= { seq: rest.last, atMs: nowMs };
    if (rest.reached < rest.last) return undefined;
    const all = new Map(this.settled);
    for (const { currency, amount } of rest.amounts)
      all.set(currency, (all.get(currency) ?? 0) + amount);
    return [...all].map(([currency, amount]) => ({ currency, amount }));
  }

  private async settle(seq: number): Promise<void> {
    const most = Math.min(AT_ONCE, seq - this.upTo);
    if (most <= 0) return;
    const { amounts, reached } = await this.ledger.revenueAfter(this.upTo, most);
    for (const { currency, amount } of amounts)
      this.settled.set(currency, (this.settled.get(currency) ?? 0) + amount);
    this.upTo = reached;
  }
}
