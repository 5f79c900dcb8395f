// Keeps Redis and a rebuild small, however old the store is: makes snapshots of the shards'
// journals, and retires sales that have ended.
import { SEEN_BUCKET_MS } from "../../core/stores/keys.ts";
import type { Claim, ShardStore } from "../../core/stores/shard-store.ts";
import type { Ledger } from "../../ledger/contract.ts";
import { AHEAD_MS } from "../orders/seen.ts";
import { Snapshots, type SnapshotsOptions } from "../rebuild/snapshots.ts";

export interface UpkeepOptions extends Omit<SnapshotsOptions, "ledger"> {
  readonly ledger: Pick<Ledger, "snapshots" | "saleVersions" | "operate" | "endedSales">;
  readonly store: Pick<ShardStore, "retire">;
}

/** Sales end rarely, and what they leave in Redis does no harm. */
const RETIRE_MS = 5_000;
/** By then the bucket of every id made before the close has ended, even if its clock was ahead. */
const MARGIN_MS = SEEN_BUCKET_MS + AHEAD_MS;
/** Retired sales cleared in one round. A new owner goes through all that ever were. */
const CLEARED_AT_ONCE = 50;

interface Owned {
  readonly shard: number;
  readonly claim: Claim;
  /** The last entry that the ledger has. */
  readonly recorded: { readonly n: number };
}

export class Upkeep {
  private readonly snapshots: Snapshots;
  private retiredAtMs = Number.NEGATIVE_INFINITY;
  /** Whether this worker owns shard 0: one worker retires sales for all. */
  private decides = false;
  /** A closed sale waits for snapshots that show that nothing of it is open. */
  private waited = false;
  private retired: readonly string[] = [];
  /** `shard sale` of what this worker has cleared. */
  private readonly cleared = new Set<string>();

  constructor(private readonly options: UpkeepOptions) {
    this.snapshots = new Snapshots(options);
  }

  /** Called in every round for each shard that is owned and running. */
  async run({ shard, claim, recorded }: Owned): Promise<void> {
    this.decides ||= shard === 0;
    await this.snapshots.makeIfDue(shard, recorded.n, this.waited);
    await this.retireSales();
    await this.clear(claim);
  }

  forget(shard: number): void {
    if (shard === 0) this.decides = false;
    this.snapshots.forget(shard);
  }

  stop(): void {
    this.snapshots.stop();
  }

  private async retireSales(): Promise<void> {
    if (this.options.runtime.monotonicMs() - this.retiredAtMs < RETIRE_MS) return;
    this.retiredAtMs = this.options.runtime.monotonicMs();
    const { ledger, now, dedupWindowMs, log } = this.options;
    const { ended, closed } = await ledger.endedSales(now(), dedupWindowMs + MARGIN_MS);
    this.waited = closed > ended.length;
    for (const saleId of this.decides ? ended : []) {
      const result = await ledger.operate(
        { kind: "retire", ref: `retire ${saleId}`, saleId },
        "sluice",
      );
      if (result === "done") log("sale retired", { saleId });
    }
    this.retired = (await ledger.saleVersions()).flatMap(({ id, retired }) =>
      retired ? [id] : [],
    );
  }

  private async clear(claim: Claim): Promise<void> {
    const name = (saleId: string) => `${claim.shard} ${saleId}`;
    const left = this.retired.filter((saleId) => !this.cleared.has(name(saleId)));
    for (const saleId of left.slice(0, CLEARED_AT_ONCE)) {
      if ((await this.options.store.retire(claim, saleId)) !== "retired") return;
      this.cleared.add(name(saleId));
    }
  }
}
