// What a worker does when Redis and the ledger disagree. If Redis has lost something, it is
// rebuilt. If the ledger has, everything halts until an operator decides.
//
// 1. Redis's incarnation is read before the ledger's. A rebuilder raises the ledger's first, and
//    that must not look like a ledger that went back.
// 2. A worker owns no shards while it rebuilds.
// 3. What another worker has rebuilt meanwhile is not rebuilt again.
// 4. After a rebuild that failed, the same worker tries again after a pause, whether or not shards
//    are to be its own by then: its announcement keeps the others from it.
// 5. Only an operator ends a halt. Redis may lose its mark, so the ledger that gave the reason has
//    it on record. Another system's Redis gives no reason against a ledger.
import { messageOf } from "../../core/domain/message-of.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { RebuildStore } from "../../core/stores/rebuild-store.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { ShardStore } from "../../core/stores/shard-store.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import { Announcement } from "./announcement.ts";
import { type RebuildResult, rebuild } from "./rebuild.ts";
import { RebuildPace } from "./rebuild-pace.ts";

/** How long one attempt to record a halt may take. */
const RECORD_MS = 5_000;
const FOREIGN =
  "this Redis belongs to another ledger: correct SLUICE_REDIS_URL or SLUICE_LEDGER_URL, " +
  "or run sluice recover";

export interface RecoveryOptions {
  readonly runtime: Runtime;
  readonly stores: {
    readonly redis: RedisStore;
    readonly store: ShardStore;
    readonly ledger: Ledger;
    readonly writer: LedgerWriter;
  };
  readonly dedupWindowMs: number;
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  /** Releases all shards. */
  readonly dropAll: (why: string) => Promise<void>;
  /** Calls repair() after those that are under way. */
  readonly repairAgain: (seenIn: number) => void;
  readonly rebuilt: (tookMs: number) => void;
  readonly rebuildFailed: () => void;
}

export class Recovery {
  /** Why everything is halted. */
  halted: string | undefined;
  rebuilding = false;
  private readonly store: RebuildStore;
  private readonly announcement: Announcement;
  private readonly pace: RebuildPace;

  constructor(private readonly options: RecoveryOptions) {
    this.store = new RebuildStore(options.stores.redis);
    this.announcement = new Announcement(options.runtime, this.store);
    this.pace = new RebuildPace(options.runtime);
  }

  /** The state in a worker's report. */
  get state(): string {
    if (this.halted !== undefined) return `halted: ${this.halted}`;
    return this.rebuilding || this.resting ? "rebuilding" : "running";
  }

  /** Whether it pauses before the next rebuild. Until then no shard is worth acquiring. */
  get resting(): boolean {
    return this.pace.restMs > 0 && this.waits;
  }
  private waits = false;
  private troubleIn = 0;
  /** Why this worker halted everything, until the ledger has it on record. */
  private unrecorded: string | undefined;

  /**
   * Rebuilds Redis, unless another worker does. `seenIn` is the incarnation in which something was
   * missing.
   */
  async repair(reason: "lost" | "not_ready", seenIn: number): Promise<void> {
    const { stores, dropAll } = this.options;
    const { ledger } = stores;
    if (this.rebuilding || this.resting || (await this.announcement.byAnother())) return;
    const redis = await this.store.state(0); // 1
    const incarnation = await ledger.incarnation();
    if (this.isForeign(redis.store)) return this.haltAsForeign();
    if (redis.state === "halted" || (await this.haltAsRecorded())) return; // 5
    if (redis.incarnation > incarnation)
      return this.haltAll(
        `Redis knows incarnation ${redis.incarnation}, the ledger only ${incarnation}`,
      );
    const rebuilt = reason === "lost" ? incarnation > seenIn : await this.allOpen(incarnation);
    if (rebuilt) this.waits = false;
    if (rebuilt) return; // 3
    this.troubleIn = incarnation;
    this.waits = !this.pace.mayBegin(incarnation);
    if (this.waits) return;
    this.rebuilding = true;
    try {
      await dropAll("Redis is being rebuilt"); // 2
      await this.attempt(incarnation);
    } finally {
      this.rebuilding = false;
    }
  }

  /**
   * Called in every round. Halts as the ledger says. Ends the pause if another worker has rebuilt
   * Redis meanwhile, and tries again after it.
   */
  async check(): Promise<void> {
    if (await ignore(this.haltAsRecorded(), "halt_look")) return;
    if (!this.resting) {
      if (this.waits && !this.rebuilding) this.options.repairAgain(this.troubleIn); // 4
      return;
    }
    const incarnation = await this.options.stores.ledger.incarnation();
    if (incarnation > this.troubleIn && (await this.allOpen(incarnation))) this.pace.whole();
  }

  /** Called when the worker stops, so that others need not wait for its announcement to expire. */
  stop(): Promise<void> {
    return this.announcement.retract();
  }

  private async attempt(incarnation: number): Promise<void> {
    const { store, announcement, pace, options } = this;
    const { runtime, stores, dedupWindowMs, now, log } = options;
    const { ledger, writer } = stores;
    let result: RebuildResult | "failed";
    const beganMs = runtime.monotonicMs();
    try {
      result = await rebuild(
        { runtime, store, ledger, writer, announcement, dedupWindowMs, now, log },
        incarnation,
      );
    } catch (error) {
      result = "failed";
      log("rebuild failed", { error: messageOf(error) });
    }
    if (result === "lost" || result === "failed") return this.again(incarnation, result);
    await announcement.retract();
    if (result === "rebuilt") {
      pace.ended(incarnation + 1);
      options.rebuilt(runtime.monotonicMs() - beganMs);
    } else if (result === "went_back")
      await this.haltAll("the ledger is behind what it had confirmed");
    else log("rebuild left to others", { result });
  }

  /** Nothing was opened. This worker tries again after a pause; the others leave it to this one. */
  private async again(incarnation: number, result: "lost" | "failed"): Promise<void> {
    const { pace, options, announcement } = this;
    this.troubleIn =
      (await ignore(options.stores.ledger.incarnation(), "rebuild_look")) ?? incarnation;
    pace.ended(this.troubleIn);
    this.waits = true;
    options.rebuildFailed();
    const restMs = Math.round(pace.restMs);
    options.log("rebuild begins again", { result, repeated: pace.repeated, restMs });
    await announcement.rest(incarnation + 1, restMs); // 4
  }

  halt(reason: string): void {
    this.halted = reason;
    this.options.log("halted", { reason, next: "sluice recover" });
  }

  /** Redis or the ledger refused a shard because everything is halted. */
  async haltAsFound(shard: number): Promise<void> {
    if (await ignore(this.haltAsRecorded(), "halt_look")) return;
    const redis = await ignore(this.store.state(shard), "halt_look");
    this.halt(redis?.reason ?? "halted");
  }

  /** Writes nothing: neither this Redis nor this ledger need be ours. */
  async haltAsForeign(): Promise<void> {
    this.halt(FOREIGN);
    await this.options.dropAll("halted");
  }

  /** Halts all workers. */
  async haltAll(reason: string): Promise<void> {
    const { stores, dropAll } = this.options;
    const redis = await ignore(this.store.state(0), "halt_look");
    if (this.isForeign(redis?.store)) return this.haltAsForeign();
    this.halt(reason);
    this.unrecorded = reason;
    const recorded = this.record();
    await dropAll("halted");
    for (let shard = 0; shard < stores.ledger.shards; shard++)
      await ignore(stores.store.halt(shard, reason), "halt_mark");
    await recorded;
  }

  /** Called in every round of a halt. Resumes once an operator has decided (sluice recover). */
  async watchHalt(): Promise<void> {
    await this.record();
    if (this.unrecorded !== undefined) return;
    const { store, state } = await this.store.state(0);
    if (state === "halted" || this.isForeign(store)) return;
    if (await this.options.stores.ledger.halt()) return;
    this.halted = undefined; // 5
    this.options.log("halt lifted", {});
  }

  /** Records the halt, once: a repetition could come after an operator has ended it. */
  private async record(): Promise<void> {
    const { runtime, stores } = this.options;
    if (this.unrecorded === undefined) return;
    const recorded = stores.ledger.recordHalt(this.unrecorded).then(() => true);
    const late = runtime.sleep(RECORD_MS).then(() => false);
    if (await ignore(Promise.race([recorded, late]), "halt_record")) this.unrecorded = undefined;
  }

  /** Whether the ledger has a halt on record. */
  private async haltAsRecorded(): Promise<boolean> {
    const halt = await this.options.stores.ledger.halt();
    if (halt === undefined) return false;
    this.halt(halt.reason);
    await this.options.dropAll("halted");
    return true;
  }

  private isForeign(store: string | undefined): boolean {
    return store !== undefined && store !== this.options.stores.ledger.storeId;
  }

  private async allOpen(incarnation: number): Promise<boolean> {
    for (let shard = 0; shard < this.options.stores.ledger.shards; shard++) {
      const state = await this.store.state(shard);
      if (state.state !== "open" || state.incarnation !== incarnation) return false;
    }
    return true;
  }
}
