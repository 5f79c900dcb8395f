// The tasks of a worker between heartbeats: check Redis, sweep gaps, holds and rate waits, apply
// operators' changes. It also knows whether the worker may own shards at all.
//
// 1. No task waits for another, and none is started while it is still running (chores.ts).
// 2. A worker whose ledger is silent, or for which Redis's clock has jumped, owns no shards.
// 3. A halted worker only asks whether the halt is over. A paused one does not touch the stores,
//    except for its leases.
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { SharedClock } from "../../core/stores/clock.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";
import type { Governing } from "../governor/governing.ts";
import { Installation } from "../governor/installation.ts";
import type { Recorder } from "../orders/recorder.ts";
import type { Relay } from "../orders/relay.ts";
import type { Recovery } from "../rebuild/recovery.ts";
import type { Acquisition } from "./acquisition.ts";
import { Chores } from "./chores.ts";
import type { DeadCounts } from "./dead-counts.ts";
import { LedgerWatch } from "./ledger-watch.ts";
import type { LostRegions } from "./lost-regions.ts";
import type { OwedCounts } from "./owed-counts.ts";
import type { OwnerStop } from "./owner-options.ts";
import { AcquiredShard } from "./shard-owner.ts";
import { CLOCK_JUMPED, WITHOUT_LEDGER } from "./shares.ts";
import type { RateSync } from "./sync-rates.ts";
import type { RouteSync } from "./sync-routes.ts";
import { syncSales } from "./sync-sales.ts";
import type { Upkeep } from "./upkeep.ts";

/** Every fourth round syncs all sales, changed or not. */
const SYNC_ALL_EVERY = 4;

export interface TendingOptions {
  readonly runtime: Runtime;
  readonly stores: { readonly redis: RedisStore; readonly ledger: Ledger };
  readonly clock: Pick<SharedClock, "jumpMs">;
  readonly recorder: Recorder;
  readonly recovery: Recovery;
  readonly governing: Governing;
  readonly relay: Relay;
  readonly tasks: {
    readonly rateSync: RateSync;
    readonly routes: RouteSync;
    readonly dead: DeadCounts;
    readonly owed: OwedCounts;
    readonly lost: LostRegions;
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
  private readonly installation: Installation;
  private rounds = 0;

  constructor(private readonly options: TendingOptions) {
    const { runtime, stores, recorder, worker, log } = options;
    this.chores = new Chores(runtime, log);
    this.installation = new Installation(runtime, new Members(stores.redis), options.governing);
    const giveUp = () => worker.dropAll("the ledger does not answer");
    const wentBack = (owner: AcquiredShard) => worker.stop(owner, "went_back", "found by a look");
    const { ledger } = stores;
    this.ledger = new LedgerWatch({ runtime, ledger, recorder, giveUp, wentBack, log });
  }

  /** Why this worker may own no shards now, in the words of its report. */
  get unfit(): string | undefined {
    if (this.ledger.lost) return WITHOUT_LEDGER; // 2
    return this.options.clock.jumpMs === undefined ? undefined : CLOCK_JUMPED;
  }

  /** `up`, `away`, or what the ledger's error says. */
  get ledgerState(): string {
    return this.ledger.state;
  }

  /** Starts every task that is not still running from the last round. */
  round(owners: ReadonlyMap<number, Acquisition | AcquiredShard>): void {
    const { chores } = this;
    const { recovery, governing, tasks, worker } = this.options;
    const { rateSync, routes, dead, owed, upkeep, lost } = tasks;
    const running = [...owners.values()]
      .filter((owner) => owner instanceof AcquiredShard)
      .filter((owner) => owner.running);
    chores.begin("ledger", () => this.ledger.check(running));
    if (this.unfit === CLOCK_JUMPED && owners.size > 0)
      chores.begin("clock", () => worker.dropAll("Redis's clock has jumped"));
    if (recovery.halted !== undefined) {
      chores.begin("halt", () => recovery.watchHalt()); // 3
      return;
    }
    chores.begin("recovery", () => recovery.check());
    chores.begin("lost regions", () => lost.refresh());
    if (governing.watchesCpu) chores.begin("installation", () => this.installation.refresh());
    for (const owner of running) {
      if (governing.paused) continue; // 3
      chores.begin(`shard ${owner.shard}`, () => this.shard(owner));
      chores.begin(`upkeep ${owner.shard}`, () => upkeep.run(owner));
    }
    if (!owners.has(0)) return;
    chores.begin("sales", () => this.sales());
    chores.begin("rates", () => rateSync.refresh());
    chores.begin("routes", () => routes.sync());
    chores.begin("dead letters", () => dead.refresh());
    chores.begin("owed", () => owed.refresh());
  }

  private async shard(owner: AcquiredShard): Promise<void> {
    const { relay, worker } = this.options;
    const problem = await owner.check();
    if (problem) return worker.stop(owner, problem, "found by a check");
    if (owner.waits.has("holds")) owner.sweepHolds();
    if (owner.waits.has("fx")) owner.sweepRates();
    // A broker may have been away, or an operator may have asked for some again.
    void relay.followUps(owner.shard);
    // Last, because it asks the brokers, and one may be slow.
    await owner.sweepGaps();
  }

  /** Now and then syncs all sales: Redis may have lost nothing but an operator's change. */
  private sales(): Promise<void> {
    const { ledger, redis } = this.options.stores;
    return syncSales(ledger, new StockStore(redis), this.rounds++ % SYNC_ALL_EVERY === 0);
  }
}
