// What a worker does when Redis and the ledger do not agree: Redis has lost something and is rebuilt; or the ledger has, and everything halts until an
// operator decides.
import { RebuildStore } from "../core/rebuild-store.ts";
import type { RedisStore } from "../core/redis.ts";
import type { ShardStore } from "../core/shard-store.ts";
import type { Ledger, LedgerWriter } from "../ledger/contract.ts";
import { rebuild } from "./rebuild.ts";

export interface RecoveryOptions {
  readonly redis: RedisStore;
  readonly store: ShardStore;
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  readonly dedupWindowMs: number;
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  /** Lets go of all shards. */
  readonly dropAll: (why: string) => Promise<void>;
  readonly rebuilt: () => void;
}

export class Recovery {
  /** Why everything stands still. */
  halted: string | undefined;
  rebuilding = false;
  private readonly store: RebuildStore;

  constructor(private readonly options: RecoveryOptions) {
    this.store = new RebuildStore(options.redis);
  }

  /** As a worker's report says it. */
  get state(): string {
    return this.halted !== undefined
      ? `halted: ${this.halted}`
      : this.rebuilding
        ? "rebuilding"
        : "running";
  }

  /** Rebuilds Redis unless somebody else is at it. `seenIn`: the incarnation in which something was missed. */
  async mend(reason: "lost" | "not_ready", seenIn: number): Promise<void> {
    const { ledger, writer, dedupWindowMs, now, log, dropAll } = this.options;
    if (this.rebuilding || (await this.store.underWay())) return;
    // Redis first: another rebuilder raises the ledger's, then Redis's, and must not look like a ledger that has gone back.
    const redis = await this.store.state(0);
    const incarnation = await ledger.incarnation();
    if (redis.state === "halted") return;
    if (redis.incarnation > incarnation)
      return this.haltAll(
        `Redis knows incarnation ${redis.incarnation}, the ledger only ${incarnation}`,
      );
    const rebuilt = reason === "lost" ? incarnation > seenIn : await this.allOpen(incarnation);
    if (rebuilt) return; // by somebody else, meanwhile
    this.rebuilding = true;
    try {
      await dropAll("Redis is rebuilt");
      const result = await rebuild(
        { store: this.store, ledger, writer, dedupWindowMs, now, log },
        incarnation,
      );
      if (result === "rebuilt") this.options.rebuilt();
      else if (result === "went_back")
        await this.haltAll("the ledger is behind what it had confirmed");
      else log("rebuild left to others", { result });
    } finally {
      this.rebuilding = false;
    }
  }

  halt(reason: string): void {
    this.halted = reason;
    this.options.log("halted", { reason, next: "sluice recover" });
  }

  async haltAsRedisSays(shard: number): Promise<void> {
    this.halt((await this.store.state(shard)).reason ?? "halted");
  }

  /** For all workers. */
  async haltAll(reason: string): Promise<void> {
    const { ledger, store, dropAll } = this.options;
    this.halt(reason);
    await dropAll("halted");
    for (let shard = 0; shard < ledger.shards; shard++)
      await store.halt(shard, reason).catch(() => undefined);
  }

  /** An operator has decided (sluice recover): go on. */
  async watchHalt(): Promise<void> {
    const { store, state } = await this.store.state(0);
    if (state === "halted" || (store !== undefined && store !== this.options.ledger.storeId))
      return;
    this.halted = undefined;
    this.options.log("halt lifted", {});
  }

  private async allOpen(incarnation: number): Promise<boolean> {
    for (let shard = 0; shard < this.options.ledger.shards; shard++) {
      const state = await this.store.state(shard);
      if (state.state !== "open" || state.incarnation !== incarnation) return false;
    }
    return true;
  }
}
