// A worker: shares the shards with the other running workers, owns some, and rebuilds Redis when it
// has lost something.
//
// With each heartbeat it renews its leases, learns which workers are running, releases shards that
// another worker should own, and acquires free ones that it should own.
//
// 1. A shard is released before its lease ends, whether or not Redis answers.
// 2. A stopping worker keeps its leases until its channels are closed, because the next owner's
//    consumer starts as soon as this one is cancelled.
// 3. A shard is acquired or handed over by one call at a time.
// 4. An owner that was overtaken compares Redis with an older state of the ledger. It halts
//    nothing: its successor checks, too.

import { messageOf } from "../../core/domain/message-of.ts";
import type { WorkerReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Timer } from "../../core/runtime/runtime.ts";
import type { Membership } from "../../core/stores/members.ts";
import { linkState } from "../orders/relay.ts";
import { Acquisition } from "./acquisition.ts";
import { withTimeout } from "./ledger-watch.ts";
import type { OwnerOptions, OwnerStop } from "./owner-options.ts";
import { AcquiredShard } from "./shard-owner.ts";
import { isLast, sharesOf } from "./shares.ts";
import type { WorkerOptions } from "./worker-options.ts";
import { type WorkerParts, workerParts } from "./worker-parts.ts";

/** Heartbeats per lease: two may be lost before it ends. */
const BEATS_PER_LEASE = 4;
/** How long a quiet shutdown waits for work in flight. */
const QUIET_MS = 10_000;

/** A shard whose lease this worker holds. */
type Held = Acquisition | AcquiredShard;

/** Why a shard must be released, and in which incarnation and epoch that was noticed. */
interface Stop {
  readonly reason: OwnerStop;
  readonly incarnation: number;
  readonly epoch: number;
}

const stopOf = ({ claim }: AcquiredShard, reason: OwnerStop): Stop => ({
  reason,
  incarnation: claim.incarnation,
  epoch: claim.epoch,
});

export class Worker {
  /** Shards that are being acquired or have been. */
  private readonly owners = new Map<number, Held>();
  private readonly taking = new Set<number>();
  private readonly parts: WorkerParts;
  private lastBeatMs: number;
  private stopping = false;
  private stopped = false;
  private timer: Timer | undefined;
  private lastBeat: Promise<void> = Promise.resolve();
  private background: Promise<void> = Promise.resolve();

  constructor(private readonly options: WorkerOptions) {
    this.lastBeatMs = options.runtime.monotonicMs();
    this.parts = workerParts(options, {
      dropAll: (why) => this.dropAll(why),
      repairAgain: (seenIn) => this.repair("not_ready", seenIn),
      ratesKept: () => {
        for (const owner of this.running) owner.sweepRates();
      },
      stop: (owner, reason, detail) => this.onStop(owner, stopOf(owner, reason), detail),
    });
  }

  start(): void {
    void this.parts.rates.start();
    this.next(0);
  }

  /** Shards that are being consumed. */
  get shards(): number[] {
    return this.running.map((owner) => owner.shard);
  }

  private get running(): AcquiredShard[] {
    return [...this.owners.values()]
      .filter((owner) => owner instanceof AcquiredShard)
      .filter((owner) => owner.running);
  }

  /** Whether Redis has answered a heartbeat within the lease. */
  get beating(): boolean {
    return this.options.runtime.monotonicMs() - this.lastBeatMs < this.options.waits.leaseMs;
  }

  /** `up`, `away`, or what the ledger's last error says. */
  get ledgerState(): string {
    const { recorder, tending } = this.parts;
    return recorder.downSinceMs === undefined ? tending.ledgerState : recorder.downState;
  }

  report(): WorkerReport {
    return {
      kind: "worker",
      ...this.parts.self.report(),
      state: this.parts.tending.unfit ?? this.parts.recovery.state,
      governor: this.parts.governing.report(),
      ...ledgerOf(this.ledgerState),
      brokers: this.options.brokers.regions.map((link) => ({
        region: link.connection.region,
        state: linkState(link),
      })),
      shards: this.running.map((owner) => owner.report()),
      unrecorded: this.parts.recorder.length,
      ...this.parts.counts.report(),
      ...(this.owners.has(0)
        ? {
            ...this.parts.dead.report(),
            ...this.parts.owed.report(),
            ...this.parts.rateSync.report(),
          }
        : {}),
    };
  }

  /**
   * Quiet, then stop: finishes what is in flight and returns the leases, so that other workers
   * continue at once.
   */
  async stop(): Promise<void> {
    this.stopping = true; // 2: the heartbeat continues
    await this.parts.rates.close();
    await Promise.race([
      Promise.all(this.running.map((owner) => owner.quiet())),
      this.options.runtime.sleep(QUIET_MS),
    ]);
    await Promise.all([...this.owners.values()].map((owner) => owner.close()));
    this.stopped = true; // 2
    this.options.runtime.stopTimer(this.timer);
    await this.lastBeat;
    const shards = [...this.owners.keys()];
    await ignore(this.parts.members.release(this.options.id, shards, true), "release");
    await this.parts.recovery.stop();
    this.parts.upkeep.stop();
    this.parts.relay.stop();
    this.parts.recorder.stop();
    this.parts.governing.stop();
    this.parts.self.stop();
  }

  private next(delayMs: number): void {
    if (this.stopped) return;
    this.timer = this.options.runtime.startTimer(() => {
      this.lastBeat = this.beat().finally(() =>
        this.next(this.options.waits.leaseMs / BEATS_PER_LEASE),
      );
    }, delayMs);
  }

  private async beat(): Promise<void> {
    const { id, waits, log } = this.options;
    const { leaseMs } = waits;
    const started = this.options.runtime.monotonicMs();
    try {
      const held = [...this.owners.keys()];
      const ended = this.parts.governing.redis.begin();
      const membership = await withTimeout(
        this.options.runtime,
        this.parts.members.beat(id, leaseMs, JSON.stringify(this.report()), held),
        leaseMs / 2,
      ).finally(ended);
      this.lastBeatMs = started;
      this.parts.governing.byHand(membership.pausedBy === "" ? undefined : membership.pausedBy);
      this.parts.governing.decidesAlone(isLast(id, membership.workers));
      if (this.parts.recovery.halted === undefined && !this.stopping) await this.share(membership);
      if (!this.stopping) this.parts.tending.round(this.owners);
    } catch (error) {
      if (this.owners.size > 0) log("no beat", { error: messageOf(error) });
      // 1: before another worker may acquire them.
      if (this.options.runtime.monotonicMs() - this.lastBeatMs > (leaseMs * 3) / 4)
        await this.dropAll("leases lapse");
    }
  }

  /** Releases the shards that another should own, and acquires those that this one should. */
  private async share({ workers, owners }: Membership): Promise<void> {
    const { id, stores } = this.options;
    const { ledger } = stores;
    const holders = sharesOf(ledger.shards, workers);
    for (let shard = 0; shard < ledger.shards; shard++) {
      const mine = holders[shard] === id;
      const owner = this.owners.get(shard);
      const holder = owners.get(shard);
      if (owner && holder !== undefined && holder !== id)
        await this.drop(owner, "another holds the lease");
      else if (owner instanceof AcquiredShard && !mine) void this.handOver(owner);
      else if (!owner && mine && (holder === undefined || holder === id)) void this.claim(shard);
    }
  }

  private async claim(shard: number): Promise<void> {
    if (this.taking.has(shard) || this.stopping) return; // 3
    if (this.parts.recovery.rebuilding || this.parts.recovery.resting || this.parts.tending.unfit)
      return;
    this.taking.add(shard);
    const { id, waits, log } = this.options;
    try {
      if ((await this.parts.members.claim(id, waits.leaseMs, shard)) !== "claimed") return;
      // Stopped meanwhile: stop() did not know of this lease.
      if (this.stopping) await ignore(this.parts.members.release(id, [shard], false), "release");
      else await this.acquire(shard);
    } catch (error) {
      log("shard not acquired", { shard, error: messageOf(error) });
      const owner = this.owners.get(shard);
      if (owner) await this.drop(owner, "could not be acquired");
    } finally {
      this.taking.delete(shard);
    }
  }

  private async acquire(shard: number): Promise<void> {
    const acquisition = new Acquisition(this.ownerOptions(shard));
    this.owners.set(shard, acquisition);
    const result = await acquisition.acquire();
    switch (result.kind) {
      case "refused":
        await this.onStop(acquisition, result, "while acquiring the shard");
        return;
      case "cancelled":
        return;
      case "acquired":
        if (acquisition.cancelled) return result.shard.close();
        this.owners.set(shard, result.shard);
        await result.shard.consume();
        if (result.shard.running)
          this.options.log("shard acquired", { shard, epoch: result.shard.claim.epoch });
    }
  }

  private ownerOptions(shard: number): OwnerOptions {
    const { runtime, id, stores, brokers, waits, spans, clock, log } = this.options;
    const { store, publishers, recorder, relay, governing, counts, rates } = this.parts;
    const { decidePacer, markPacer, ackPacer } = this.parts;
    const askRates = (pairs: readonly string[]) => rates.ask(pairs);
    return {
      runtime,
      worker: id,
      shard,
      stores: { store, ledger: stores.ledger, writer: stores.writer },
      brokers: { regions: brokers.regions, publishers, lost: () => this.parts.lost.lost },
      shared: {
        ...{ recorder, relay, governing, counts, spans, askRates },
        ...{ decidePacer, markPacer, ackPacer },
      },
      waits,
      clock,
      log,
      onStop: (owner, reason, detail) => void this.onStop(owner, stopOf(owner, reason), detail),
    };
  }

  private repair(reason: "lost" | "not_ready", seenIn: number): void {
    this.inBackground(async () => {
      if (!this.stopping) await this.parts.recovery.repair(reason, seenIn);
    });
  }

  /** Whether the ledger has another owner's epoch. If it cannot be asked, the next owner looks. */
  private async isOvertaken(shard: number, epoch: number): Promise<boolean> {
    const positions = await ignore(this.options.stores.ledger.positions(), "halt_look");
    const now = positions?.find((position) => position.shard === shard);
    return now === undefined || now.epoch > epoch;
  }

  private async handOver(owner: AcquiredShard): Promise<void> {
    if (this.taking.has(owner.shard)) return; // 3
    this.taking.add(owner.shard);
    await Promise.race([owner.quiet(), this.options.runtime.sleep(QUIET_MS)]);
    await this.drop(owner, "handed over");
    this.taking.delete(owner.shard);
  }

  private async onStop(owner: Held, stop: Stop, detail: string): Promise<void> {
    const { reason, incarnation, epoch } = stop;
    await this.drop(owner, `${reason}: ${detail}`);
    switch (reason) {
      case "lost":
      case "not_ready":
        this.repair(reason, incarnation);
        return;
      case "went_back":
        if (await this.isOvertaken(owner.shard, epoch)) return; // 4
        await this.parts.recovery.haltAll(
          `the ledger is behind what it had confirmed for shard ${owner.shard}`,
        );
        return;
      case "foreign":
        await this.parts.recovery.haltAsForeign();
        return;
      case "halted":
        await this.parts.recovery.haltAsFound(owner.shard);
        return;
      case "clock":
        // Measured at once: no shard is acquired until the clock is right again.
        await ignore(this.options.clock.sync(), "clock_sync");
        return;
      case "fenced":
      case "store_unavailable":
      case "broken":
        return; // later heartbeats acquire it again if this worker should still own it
    }
  }

  private async drop(owner: Held, why: string): Promise<void> {
    if (this.owners.get(owner.shard) !== owner) return;
    this.owners.delete(owner.shard);
    await owner.close();
    this.parts.upkeep.forget(owner.shard);
    this.options.log("shard released", { shard: owner.shard, why });
    void ignore(this.parts.members.release(this.options.id, [owner.shard], false), "release");
  }

  private async dropAll(why: string): Promise<void> {
    // 1: all at once, without waiting for a Redis that may not answer.
    await Promise.all([...this.owners.values()].map((owner) => this.drop(owner, why)));
  }

  /** One task at a time, without delaying a heartbeat. */
  private inBackground(work: () => Promise<void>): void {
    this.background = this.background
      .then(work)
      .catch((error) => this.options.log("task failed", { error: messageOf(error) }));
  }
}

function ledgerOf(state: string): Pick<WorkerReport, "ledger" | "ledgerRefuses"> {
  if (state === "up" || state === "away") return { ledger: state };
  return { ledger: "away", ledgerRefuses: state };
}
