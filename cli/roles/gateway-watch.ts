// What a gateway learns once a second for its admission: how many orders other gateways have on the
// way to each shard, which shards are empty, how many gateways share the region's rate, and how
// full Redis is.
import type { GatewayReport, RoleReport, WorkerReport } from "../../core/domain/report.ts";
import { countIgnored } from "../../core/runtime/ignored.ts";
import type { Runtime, Timer } from "../../core/runtime/runtime.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import type { Admission, ShardNews } from "../../gateway/admission/admission.ts";
import { redisMemory } from "../operator/overview.ts";

const EVERY_MS = 1_000;

export class GatewayWatch {
  private readonly timer: Timer;
  private looking = false;

  constructor(
    private readonly options: {
      readonly runtime: Runtime;
      readonly redis: RedisStore;
      readonly admission: Admission;
      readonly id: string;
      /** The gateway's own region, and the one it publishes to now. */
      readonly home: string;
      readonly region: () => string;
      /** Regions that do not answer. */
      readonly silent: () => readonly string[];
      readonly shards: number;
      readonly redisMemory: number;
      /** Redis's clock. */
      readonly now: () => number;
    },
  ) {
    this.timer = this.options.runtime.startInterval(() => void this.look(), EVERY_MS);
  }

  stop(): void {
    this.options.runtime.stopTimer(this.timer);
  }

  private async look(): Promise<void> {
    const { redis, admission, id, home, shards, silent } = this.options;
    for (const region of silent()) admission.away(region === home ? undefined : region);
    if (this.looking) return;
    this.looking = true;
    try {
      const members = new Members(redis);
      const [{ workers }, roles, memory] = await Promise.all([
        members.list(),
        members.roles(),
        redisMemory(redis, this.options.redisMemory),
      ]);
      const others = [...roles.values()]
        .map((text) => JSON.parse(text) as RoleReport)
        .filter((r): r is GatewayReport => r.kind === "gateway" && r.id !== id);
      const reports = [...workers.values()].map((text) => JSON.parse(text) as WorkerReport);
      // Converts times on Redis's clock to this process's clock.
      const region = this.options.region();
      const ownMs = this.options.runtime.monotonicMs() - this.options.now();
      admission.hear(
        newsOf({ shards, region }, others, reports).map((n) => ({
          ...n,
          emptyAtMs: n.emptyAtMs && n.emptyAtMs + ownMs,
          region: region === home ? undefined : region,
        })),
      );
      admission.share(1 + others.filter((g) => g.region === home).length);
      admission.redisMemory(memory.maxBytes > 0 ? memory.usedBytes / memory.maxBytes : 0);
    } catch {
      countIgnored("members_look");
      // Redis is away. The last values stand, and this gateway's own orders show the lag.
    } finally {
      this.looking = false;
    }
  }
}

/**
 * What the reports say about each shard, for a gateway that publishes to `region`. A shard was
 * empty when its owner found nothing ready in this region's queue, if the owner now has nothing in
 * flight. `emptyAtMs` is on Redis's clock.
 */
export function newsOf(
  { shards, region }: { readonly shards: number; readonly region: string },
  others: readonly GatewayReport[],
  workers: readonly WorkerReport[],
): ShardNews[] {
  const owned = new Map(workers.flatMap((w) => w.shards.map((s) => [s.shard, s] as const)));
  return Array.from({ length: shards }, (_, shard) => {
    const owner = owned.get(shard);
    const queue = owner?.regions.find((r) => r.region === region);
    const empty = owner?.load === 0 && queue?.ready === 0;
    const pendingElsewhere = others.reduce((sum, g) => sum + (g.shards[shard]?.pending ?? 0), 0);
    return { shard, pendingElsewhere, emptyAtMs: empty ? queue.lookedAtMs : undefined };
  });
}
