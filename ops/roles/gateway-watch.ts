// What a gateway learns of the others once a second, for its admission: how much they have on the way to each shard, which shards have nothing
// left, how many gateways share the region's rate, and how full Redis is.
import type { GatewayReport, RoleReport, WorkerReport } from "../../core/domain/report.ts";
import { Members } from "../../core/members.ts";
import type { RedisStore } from "../../core/redis.ts";
import type { Admission, ShardNews } from "../../gateway/admission/admission.ts";
import { redisMemory } from "../overview.ts";

const EVERY_MS = 1_000;
/** A worker's look at its queues may be so old when its report is read. */
const REPORT_AGE_MS = 3_000;

export class GatewayWatch {
  private readonly timer: ReturnType<typeof setInterval>;
  private looking = false;

  constructor(
    private readonly options: {
      readonly redis: RedisStore;
      readonly admission: Admission;
      readonly id: string;
      readonly region: string;
      readonly shards: number;
      readonly redisMemory: number;
    },
  ) {
    this.timer = setInterval(() => void this.look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async look(): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    const { redis, admission, id, region, shards } = this.options;
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
      admission.hear(
        newsOf(
          shards,
          others,
          [...workers.values()].map((text) => JSON.parse(text) as WorkerReport),
        ),
      );
      admission.share(1 + others.filter((g) => g.region === region).length);
      admission.redisMemory(memory.maxBytes > 0 ? memory.usedBytes / memory.maxBytes : 0);
    } catch {
      // Redis is away: what was known before holds on; the lag shows in this gateway's own orders.
    } finally {
      this.looking = false;
    }
  }
}

export function newsOf(shards: number, others: readonly GatewayReport[], workers: readonly WorkerReport[]): ShardNews[] {
  const owned = new Map(workers.flatMap((w) => w.shards.map((s) => [s.shard, s] as const)));
  return Array.from({ length: shards }, (_, shard) => {
    const owner = owned.get(shard);
    const empty = owner !== undefined && owner.load === 0 && owner.regions.every((r) => r.ready === 0 && r.lagMs === 0);
    const pendingElsewhere = others.reduce((sum, g) => sum + (g.shards[shard]?.pending ?? 0), 0);
    return { shard, pendingElsewhere, ...(empty ? { emptyAtMs: performance.now() - REPORT_AGE_MS } : {}) };
  });
}
