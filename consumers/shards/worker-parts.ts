// Wires the parts of a worker.
import { Self } from "../../core/metrics/self.ts";
import { Members } from "../../core/stores/members.ts";
import { RateStore } from "../../core/stores/rate-store.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { Governing } from "../governor/governing.ts";
import { Counts } from "../orders/counts.ts";
import { Publishers } from "../orders/publishers.ts";
import { Recorder } from "../orders/recorder.ts";
import { Relay } from "../orders/relay.ts";
import { RateFeed } from "../rates/rate-feed.ts";
import { RateKeeper } from "../rates/rate-keeper.ts";
import { Recovery } from "../rebuild/recovery.ts";
import { DeadCounts } from "./dead-counts.ts";
import { LostRegions } from "./lost-regions.ts";
import { OwedCounts } from "./owed-counts.ts";
import type { OwnerStop } from "./owner-options.ts";
import { pacersOf } from "./pacers.ts";
import type { AcquiredShard } from "./shard-owner.ts";
import { RateSync } from "./sync-rates.ts";
import { RouteSync } from "./sync-routes.ts";
import { Tending } from "./tending.ts";
import { Upkeep } from "./upkeep.ts";
import type { WorkerOptions } from "./worker-options.ts";

/** What the parts call on their worker. */
export interface WorkerCalls {
  /** Releases all shards. */
  readonly dropAll: (why: string) => Promise<void>;
  /** Rebuilds Redis, if that is still to be done. */
  readonly repairAgain: (seenIn: number) => void;
  /** Rates have arrived that orders may wait for. */
  readonly ratesKept: () => void;
  readonly stop: (owner: AcquiredShard, reason: OwnerStop, detail: string) => Promise<void>;
}

export type WorkerParts = ReturnType<typeof workerParts>;

export function workerParts(options: WorkerOptions, worker: WorkerCalls) {
  const { runtime, id, stores, brokers, waits, clock, log } = options;
  const { redis, ledger, writer, ledgerUrl } = stores;
  const { regions } = brokers;
  const { dedupWindowMs, retryDelaysMs } = waits;
  const { now } = clock;
  const counts = new Counts();
  const store = new ShardStore(redis);
  const governing = new Governing(runtime, options.governing.governor, options.governing.cpu, log);
  const timed = {
    begin: () => governing.ledger.begin(),
    took: (seconds: number) => counts.commit.observe(seconds),
  };
  const recorder = new Recorder({ runtime, writer, timed, log });
  const onDone = (followUps: number) => counts.relayed(followUps);
  const relay = new Relay({ runtime, regions, ledger, writer, retryDelaysMs, now, onDone });
  const recovery = new Recovery({
    runtime,
    stores: { redis, store, ledger, writer },
    dedupWindowMs,
    now,
    dropAll: worker.dropAll,
    repairAgain: worker.repairAgain,
    rebuilt: (tookMs) => counts.rebuilt(tookMs),
    rebuildFailed: () => counts.rebuildsFailed++,
    log,
  });
  const { snapshotEntries, makeSnapshot: makeHere } = options;
  const { rateMaxAgeMs, rateMaxStep } = waits;
  const rateStore = new RateStore(redis, { maxAgeMs: rateMaxAgeMs, maxStep: rateMaxStep });
  const routes = new RouteSync({ ledger, regions, log });
  const givenUpIn = (region: string) => routes.givenUpIn(region);
  const tasks = {
    rateSync: new RateSync({ runtime, ledger, store: rateStore }),
    routes,
    dead: new DeadCounts({ runtime, regions, ledger, now: clock.now, givenUpIn }),
    owed: new OwedCounts(runtime, ledger),
    lost: new LostRegions({ regions, ledger, log }),
    upkeep: new Upkeep({
      runtime,
      ledgerUrl,
      ledger,
      store,
      dedupWindowMs,
      snapshotEntries,
      makeHere,
      now,
      log,
    }),
  };
  const { dropAll, stop } = worker;
  return {
    self: new Self(runtime, id),
    members: new Members(redis),
    publishers: new Publishers(brokers.publishers, ledger.shards),
    counts,
    store,
    governing,
    recorder,
    relay,
    ...pacersOf(runtime),
    recovery,
    ...tasks,
    rates: rateFeed(options, rateStore, worker.ratesKept),
    tending: new Tending({
      runtime,
      stores: { redis, ledger },
      clock,
      recorder,
      recovery,
      governing,
      relay,
      tasks,
      worker: { dropAll, stop },
      log,
    }),
  };
}

function rateFeed(
  { runtime, id, stores, brokers, waits, clock, log }: WorkerOptions,
  store: RateStore,
  kept: () => void,
): RateFeed {
  const { ledger, writer } = stores;
  const keeper = new RateKeeper({ runtime, store, ledger, writer, now: clock.now });
  return new RateFeed({
    runtime,
    id,
    regions: brokers.regions,
    maxAgeMs: waits.rateMaxAgeMs,
    now: clock.now,
    put: (rates) => keeper.put(rates),
    kept,
    log,
  });
}
