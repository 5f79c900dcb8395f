// Money that is owed, or whose fate is unknown, after its order has ended. The owner of shard 0
// reads it from the ledger for metrics and alerts.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Ledger, Owed } from "../../ledger/contract.ts";

const REFRESH_MS = 5_000;

export class OwedCounts {
  /** undefined: not read yet, which is not zero. */
  private counts: Owed | undefined;
  private refreshedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly runtime: Runtime,
    private readonly ledger: Pick<Ledger, "owed">,
  ) {}

  report(): { readonly owed?: Owed } {
    return this.counts ? { owed: this.counts } : {};
  }

  async refresh(): Promise<void> {
    if (this.runtime.monotonicMs() - this.refreshedAtMs < REFRESH_MS) return;
    this.refreshedAtMs = this.runtime.monotonicMs();
    this.counts = await this.ledger.owed();
  }
}
