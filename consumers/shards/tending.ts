// What a worker does between beats: is Redis whole, are gaps over, is an operator's change on its
// way? And whether it may own shards at all.
//
// 1. No look waits for another, and none is begun twice (chores.ts).
// 2. A worker whose ledger is silent, or whose Redis shows another time, owns no shard.
// 3. A halted worker asks only whether the halt is over; a paused one leaves the stores alone, but
//    for its leases.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { SharedClock } from "../../core/stores/clock.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Governing } from "../governor/governing.ts";
import type { Recorder } from "../orders/recorder.ts";
import type { Relay } from "../orders/relay.ts";
import type { Recovery } from "../rebuild/recovery.ts";
import type { Acquisition } from "./acquisition.ts";
import { Chores } from "./chores.ts";
import type { DeadCounts } from "./dead-counts.ts";
import { LedgerWatch } from "./ledger-watch.ts";
import type { OwedCounts } from "./owed-counts.ts";
import type { OwnerStop } from "./owner-options.ts";
import { AcquiredShard } from "./shard-owner.ts";
import { CLOCK_JUMPED, WITHOUT_LEDGER } from "./shares.ts";
import type { RouteSync } from "./sync-routes.ts";
import { syncSales } from "./sync-sales.ts";
import type { Upkeep } from "./upkeep.ts";

/** One look in this many brings all sales in line, changed or not. */
const SYNC_ALL_EVERY = 4;

export interface TendingOptions {
  readonly runtime: Runtime;
  readonly stores: { readonly redis: RedisStore; readonly ledger: Ledger };
  readonly clock: Pick<SharedClock, "jumpMs">;
  readonly recorder: Recorder;
  readonly recovery: Recovery;
  readonly governing: Governing;
  readonly relay: Relay;
  readonly looks: {
    readonly routes: RouteSync;
    readonly dead: DeadCounts;
    readonly owed: OwedCounts;
    readonly upkeep: Upkeep;
  };
  readonly worker: {
    /** Releases all shards. */
    readonly dropAll: (why: string) => Promise<void>;
    readonly stop: (owner: AcquiredShard, reason: OwnerStop, detail: string) => Promise<void>;
  };
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

export class Tending {
  private readonly chores: Chores;
  private readonly ledger: LedgerWatch;
  private rounds = 0;

  constructor(private readonly options: TendingOptions) {
    const { runtime, stores, recorder, worker, log } = options;
    this.chores = new Chores(runtime, log);
    const giveUp = () => worker.dropAll("the ledger does not answer");
    this.ledger = new LedgerWatch({ runtime, ledger: stores.ledger, recorder, giveUp, log });
  }

  /** Why this worker may own no shard now, as its report says it. */
  get unfit(): string | undefined {
    if (this.ledger.lost) return WITHOUT_LEDGER; // 2
    return this.options.clock.jumpMs === undefined ? undefined : CLOCK_JUMPED;
  }

  get ledgerAnswers(): boolean {
    return this.ledger.answers;
  }

  /** Begins what is not still under way from the last round. */
  round(owners: ReadonlyMap<number, Acquisition | AcquiredShard>): void {
    const { chores } = this;
    const { recovery, governing, looks, worker } = this.options;
    const { routes, dead, owed, upkeep } = looks;
    chores.begin("ledger", () => this.ledger.look());
    if (this.unfit === CLOCK_JUMPED && owners.size > 0)
      chores.begin("clock", () => worker.dropAll("Redis's clock has jumped"));
    if (recovery.halted !== undefined) {
      chores.begin("halt", () => recovery.watchHalt()); // 3
      return;
    }
    chores.begin("recovery", () => recovery.look());
    for (const owner of owners.values()) {
      if (!(owner instanceof AcquiredShard) || !owner.running) continue;
      if (governing.paused) continue; // 3
      chores.begin(`shard ${owner.shard}`, () => this.shard(owner));
      chores.begin(`upkeep ${owner.shard}`, () => upkeep.look(owner));
    }
    if (!owners.has(0)) return;
    chores.begin("sales", () => this.sales());
    chores.begin("routes", () => routes.sync());
    chores.begin("dead letters", () => dead.look());
    chores.begin("owed", () => owed.look());
  }

  private async shard(owner: AcquiredShard): Promise<void> {
    const { relay, worker } = this.options;
    const problem = await owner.check();
    if (problem) return worker.stop(owner, problem, "found by the check");
    owner.sweepHolds();
    owner.sweepRates();
    // What was left open by a broker that was away, or asked for once more by the operator.
    void relay.followUps(owner.shard);
    // Last: it asks the brokers, and one of them may be slow to answer.
    await owner.sweepGaps();
  }

  /** Now and then all: Redis may have come back without a change, and nothing else missing. */
  private sales(): Promise<void> {
    const { ledger, redis } = this.options.stores;
    return syncSales(ledger, new StockStore(redis), this.rounds++ % SYNC_ALL_EVERY === 0);
  }
}
