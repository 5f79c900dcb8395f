// A worker: shares the shards with the other living workers, owns some, and rebuilds Redis when it
// has lost something.
//
// Every beat it renews its leases, hears who lives, lets go of shards that should be another's,
// takes those that should be its own and are free, and asks whether Redis still has what the ledger
// recorded. When it cannot beat, it lets go before its leases end.

import { messageOf } from "../../core/domain/message-of.ts";
import type { WorkerReport } from "../../core/domain/report.ts";
import { Self } from "../../core/metrics/self.ts";
import type { SpanRecorder } from "../../core/metrics/spans.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import type { PublisherSetting } from "../../core/settings/setting-readers.ts";
import type { SharedClock } from "../../core/stores/clock.ts";
import { Members, type Membership } from "../../core/stores/members.ts";
import { RateStore } from "../../core/stores/rate-store.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import type { CpuWatch } from "../governor/cpu.ts";
import { Governing, type GovernorSettings } from "../governor/governing.ts";
import { Counts } from "../orders/counts.ts";
import { Publishers } from "../orders/publishers.ts";
import { Recorder } from "../orders/recorder.ts";
import { linkState, type RegionLink, Relay } from "../orders/relay.ts";
import { RateFeed } from "../rates/rate-feed.ts";
import { Recovery } from "../rebuild/recovery.ts";
import { DeadCounts } from "./dead-counts.ts";
import { withTimeout } from "./ledger-watch.ts";
import { OwedCounts } from "./owed-counts.ts";
import { type OwnerOptions, type OwnerStop, ShardOwner } from "./shard-owner.ts";
import { sharesOf } from "./shares.ts";
import { RouteSync } from "./sync-routes.ts";
import { Tending } from "./tending.ts";
import { Upkeep } from "./upkeep.ts";

export interface WorkerOptions {
  readonly runtime: Runtime;
  readonly id: string;
  readonly redis: RedisStore;
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  /** For the thread that makes snapshots. */
  readonly ledgerUrl: string;
  readonly snapshotEntries: number;
  readonly regions: readonly RegionLink[];
  /** What each user of the brokers may publish. */
  readonly publishers: readonly PublisherSetting[];
  readonly leaseMs: number;
  readonly dedupWindowMs: number;
  readonly gapTimeoutMs: number;
  readonly gapMaxMs: number;
  /** How long stock is held for an order whose charge has not started. */
  readonly holdTtlMs: number;
  /** How old a rate may be, and how long an order waits for one. */
  readonly rateMaxAgeMs: number;
  readonly rateWaitMs: number;
  /** How long each retry of a charge waits. */
  readonly retryDelaysMs: readonly number[];
  readonly governor: GovernorSettings;
  /** undefined: the CPU is not looked at. */
  readonly cpu?: CpuWatch | undefined;
  readonly spans?: SpanRecorder | undefined;
  readonly clock: SharedClock;
  /** Redis's clock. */
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** Beats per lease: two may be lost before it ends. */
const BEATS_PER_LEASE = 4;
/** A quiet shutdown waits this long for what is in hand. */
const QUIET_MS = 10_000;

export class Worker {
  private readonly owners = new Map<number, ShardOwner>();
  private readonly taking = new Set<number>();
  private readonly members: Members;
  private readonly store: ShardStore;
  private readonly recovery: Recovery;
  private readonly recorder: Recorder;
  private readonly relay: Relay;
  private readonly publishers: Publishers;
  private readonly routes: RouteSync;
  private readonly dead: DeadCounts;
  private readonly owed: OwedCounts;
  private readonly rates: RateFeed;
  private readonly governing: Governing;
  private readonly counts = new Counts();
  private readonly self: Self;
  private readonly upkeep: Upkeep;
  private lastBeatMs: number;
  private stopping = false;
  private stopped = false;
  private timer: Timer | undefined;
  private lastBeat: Promise<void> = Promise.resolve();
  private readonly tending: Tending;
  private background: Promise<void> = Promise.resolve();

  constructor(private readonly options: WorkerOptions) {
    const { runtime, redis, ledger, writer, regions, log } = options;
    this.lastBeatMs = runtime.monotonicMs();
    this.publishers = new Publishers(options.publishers, ledger.shards);
    this.members = new Members(redis);
    this.store = new ShardStore(redis);
    this.self = new Self(runtime, options.id);
    this.recovery = new Recovery({
      ...options,
      store: this.store,
      dropAll: (why) => this.dropAll(why),
      rebuilt: () => this.counts.rebuilds++,
      rebuildFailed: () => this.counts.rebuildsFailed++,
    });
    this.governing = new Governing(runtime, options.governor, options.cpu, log);
    const timed = {
      begin: () => this.governing.ledger.begin(),
      took: (seconds: number) => this.counts.commit.observe(seconds),
    };
    this.recorder = new Recorder({ runtime, writer, timed, log });
    const rates = new RateStore(redis, options.rateMaxAgeMs);
    this.rates = new RateFeed({
      ...{
        runtime,
        id: options.id,
        regions,
        maxAgeMs: options.rateMaxAgeMs,
        now: options.now,
        log,
        held: () => rates.all(),
      },
      put: async (good) => {
        await rates.put(good);
        for (const owner of this.owners.values()) owner.sweepRates();
      },
    });
    this.upkeep = new Upkeep({ ...options, store: this.store });
    this.dead = new DeadCounts(runtime, regions);
    this.owed = new OwedCounts(runtime, ledger);
    this.routes = new RouteSync({ ledger, regions, log });
    this.relay = new Relay({
      ...{ runtime, regions, ledger, writer },
      retryDelaysMs: options.retryDelaysMs,
      now: options.now,
      onDone: (n) => this.counts.relayed(n),
    });
    const { recorder, recovery, governing, relay, routes, dead, owed, upkeep } = this;
    this.tending = new Tending({
      ...{ runtime, redis, ledger, clock: options.clock, log },
      ...{ recorder, recovery, governing, relay, routes, dead, owed, upkeep },
      dropAll: (why) => this.dropAll(why),
      onStop: (owner, reason, detail) => this.onStop(owner, reason, detail),
    });
  }

  start(): void {
    void this.rates.start();
    this.next(0);
  }

  /** Shards that are being consumed. */
  get shards(): number[] {
    return [...this.owners.values()].filter((o) => o.running).map((o) => o.shard);
  }

  /** Whether Redis has answered its last beats. */
  get beating(): boolean {
    return this.options.runtime.monotonicMs() - this.lastBeatMs < this.options.leaseMs;
  }

  /** What this worker says of itself to whoever lists the workers. */
  report(): WorkerReport {
    return {
      kind: "worker",
      ...this.self.report(),
      state: this.tending.unfit ?? this.recovery.state,
      governor: this.governing.report(),
      ledger: this.recorder.downSinceMs === undefined && this.tending.ledgerAnswers ? "up" : "away",
      brokers: this.options.regions.map((link) => ({
        region: link.connection.region,
        state: linkState(link),
      })),
      shards: [...this.owners.values()].filter((o) => o.running).map((o) => o.report()),
      unrecorded: this.recorder.length,
      ...this.counts.report(),
      ...(this.owners.has(0) ? { dead: this.dead.counts, ...this.owed.report() } : {}),
    };
  }

  /**
   * Quiet, then stop: what is in hand is finished, leases are given back, so that others go on at
   * once.
   */
  async stop(): Promise<void> {
    // It goes on beating, so that its leases hold until its channels are closed: a consumer that is
    // only cancelled lets the next owner start.
    this.stopping = true;
    await this.rates.close();
    const owners = [...this.owners.values()];
    await Promise.race([
      Promise.all(owners.map((o) => o.quiet())),
      this.options.runtime.sleep(QUIET_MS),
    ]);
    await Promise.all(owners.map((o) => o.close()));
    this.stopped = true;
    this.options.runtime.stopTimer(this.timer);
    await this.lastBeat;
    const shards = [...this.owners.keys()];
    await ignore(this.members.letGo(this.options.id, shards, true), "release");
    await this.recovery.stop();
    this.upkeep.stop();
    this.relay.stop();
    this.recorder.stop();
    this.governing.stop();
    this.self.stop();
  }

  private next(delayMs: number): void {
    if (this.stopped) return;
    this.timer = this.options.runtime.startTimer(() => {
      this.lastBeat = this.beat().finally(() => this.next(this.options.leaseMs / BEATS_PER_LEASE));
    }, delayMs);
  }

  private async beat(): Promise<void> {
    const { id, leaseMs, log } = this.options;
    const started = this.options.runtime.monotonicMs();
    try {
      const held = [...this.owners.keys()];
      const ended = this.governing.redis.begin();
      const membership = await withTimeout(
        this.options.runtime,
        this.members.beat(id, leaseMs, JSON.stringify(this.report()), held),
        leaseMs / 2,
      ).finally(ended);
      this.lastBeatMs = started;
      this.governing.byHand(membership.pausedBy === "" ? undefined : membership.pausedBy);
      if (this.recovery.halted === undefined && !this.stopping) await this.share(membership);
      if (!this.stopping) this.tending.round(this.owners);
    } catch (error) {
      if (this.owners.size > 0) log("no beat", { error: messageOf(error) });
      // Let go before the leases end and another worker takes them.
      if (this.options.runtime.monotonicMs() - this.lastBeatMs > (leaseMs * 3) / 4)
        await this.dropAll("leases lapse");
    }
  }

  /** Lets go of what should be another's and takes what should be its own. */
  private async share({ workers, owners }: Membership): Promise<void> {
    const { id, ledger } = this.options;
    const holders = sharesOf(ledger.shards, workers);
    for (let shard = 0; shard < ledger.shards; shard++) {
      const mine = holders[shard] === id;
      const owner = this.owners.get(shard);
      const holder = owners.get(shard);
      if (owner && holder !== undefined && holder !== id)
        await this.drop(owner, "another holds the lease");
      else if (owner && !mine) void this.handOver(owner);
      else if (!owner && mine && (holder === undefined || holder === id)) void this.take(shard);
    }
  }

  private async take(shard: number): Promise<void> {
    if (this.taking.has(shard) || this.stopping) return;
    if (this.recovery.rebuilding || this.recovery.resting || this.tending.unfit) return;
    this.taking.add(shard);
    const { id, leaseMs, log } = this.options;
    let owner: ShardOwner | undefined;
    try {
      if ((await this.members.claim(id, leaseMs, shard)) !== "claimed") return;
      owner = new ShardOwner(this.ownerOptions(shard));
      this.owners.set(shard, owner);
      const problem = await owner.take();
      if (problem) await this.onStop(owner, problem, "while taking the shard");
      else if (this.owners.get(shard) === owner) log("shard taken", { shard, epoch: owner.epoch });
    } catch (error) {
      log("shard not taken", { shard, error: messageOf(error) });
      if (owner) await this.drop(owner, "could not be taken");
    } finally {
      this.taking.delete(shard);
    }
  }

  private ownerOptions(shard: number): OwnerOptions {
    const { store, recorder, relay, governing, counts } = this;
    const onStop: OwnerOptions["onStop"] = (owner, reason, detail) =>
      void this.onStop(owner, reason, detail);
    const askRates = (pairs: readonly string[]) => this.rates.ask(pairs);
    return {
      ...this.options,
      publishers: this.publishers,
      worker: this.options.id,
      shard,
      store,
      recorder,
      governing,
      counts,
      relay,
      askRates,
      onStop,
    };
  }

  private async handOver(owner: ShardOwner): Promise<void> {
    if (this.taking.has(owner.shard)) return;
    this.taking.add(owner.shard);
    await Promise.race([owner.quiet(), this.options.runtime.sleep(QUIET_MS)]);
    await this.drop(owner, "handed over");
    this.taking.delete(owner.shard);
  }

  private async onStop(owner: ShardOwner, reason: OwnerStop, detail: string): Promise<void> {
    await this.drop(owner, `${reason}: ${detail}`);
    switch (reason) {
      case "lost":
      case "not_ready":
        this.inBackground(async () => {
          if (!this.stopping) await this.recovery.mend(reason, owner.incarnation);
        });
        return;
      case "went_back":
        await this.recovery.haltAll(
          `the ledger is behind what it had confirmed for shard ${owner.shard}`,
        );
        return;
      case "foreign":
        this.recovery.halt(
          "this Redis belongs to another ledger: point SLUICE_REDIS_URL or SLUICE_LEDGER_URL elsewhere, or run sluice recover",
        );
        return;
      case "halted":
        await this.recovery.haltAsRedisSays(owner.shard);
        return;
      case "clock":
        // Measured at once: until it is right again, no shard is taken.
        await ignore(this.options.clock.sync(), "clock_sync");
        return;
      case "fenced":
      case "store_unavailable":
      case "broken":
        return; // the next beats take it again, if it is still to be this worker's
    }
  }

  private async drop(owner: ShardOwner, why: string): Promise<void> {
    if (this.owners.get(owner.shard) !== owner) return;
    this.owners.delete(owner.shard);
    await owner.close();
    this.upkeep.forget(owner.shard);
    this.options.log("shard let go", { shard: owner.shard, why });
    void ignore(this.members.letGo(this.options.id, [owner.shard], false), "release");
  }

  private async dropAll(why: string): Promise<void> {
    // All at once, and nobody waits for a Redis that may not answer.
    await Promise.all([...this.owners.values()].map((owner) => this.drop(owner, why)));
  }

  /** One thing at a time, never in the way of a beat. */
  private inBackground(work: () => Promise<void>): void {
    this.background = this.background
      .then(work)
      .catch((error) => this.options.log("left undone", { error: messageOf(error) }));
  }
}
