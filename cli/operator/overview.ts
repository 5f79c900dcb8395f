// The operator's overview: the roles' own reports, the owners of shards, and Redis's stock.
import type { Overview, RoleReport, WorkerReport } from "../../core/domain/report.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { Members } from "../../core/stores/members.ts";
import { waitingRates } from "../../core/stores/rate-store.ts";
import type { RedisStore } from "../../core/stores/redis.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import type { Ledger } from "../../ledger/contract.ts";

export interface OverviewOptions {
  readonly runtime: Runtime;
  readonly redis: RedisStore;
  readonly ledger: Ledger;
  /** MB; 0: as Redis reports. */
  readonly redisMemory: number;
}

/** Maximum number of sales; those that closed last are omitted first. */
const MAX_SALES = 20;

/** Services that do not answer are shown as away and empty. */
export async function overview(options: OverviewOptions): Promise<Overview> {
  const { runtime, redis, ledger } = options;
  const members = new Members(redis);
  const [membership, others, memory, sales, ratesWaiting] = await Promise.all([
    ask(runtime, members.list()),
    ask(runtime, members.roles()),
    ask(runtime, redisMemory(redis, options.redisMemory)),
    ask(runtime, ledger.sales()),
    ask(runtime, waitingRates(redis)),
  ]);
  const reports = [...(membership?.workers.values() ?? []), ...(others?.values() ?? [])].map(
    (text) => JSON.parse(text) as RoleReport,
  );
  const workers = reports.filter((r): r is WorkerReport => r.kind === "worker");
  const living = (sales ?? []).filter((sale) => !sale.retired);
  const shown = living.toSorted((a, b) => b.closesAtMs - a.closesAtMs).slice(0, MAX_SALES);
  const store = new StockStore(redis);
  return {
    atMs: membership?.nowMs ?? runtime.wallMs(),
    redis: {
      state: membership ? "up" : "away",
      usedBytes: memory?.usedBytes ?? 0,
      maxBytes: memory?.maxBytes ?? 0,
    },
    ledger: { state: sales ? "up" : "away" },
    shardCount: ledger.shards,
    owners: [...(membership?.owners ?? [])].map(([shard, worker]) => ({ shard, worker })),
    sales: await Promise.all(
      shown.map(async ({ id, name, opensAtMs, closesAtMs, items }) => {
        const live = membership && (await ask(runtime, store.stock(id)));
        const units = (sku: string) =>
          live?.get(sku) ?? { total: 0, available: 0, releasing: 0, held: 0, sold: 0 };
        return {
          id,
          name,
          opensAtMs,
          closesAtMs,
          items: items.map((item) => ({ name: item.name, ...units(item.sku), sku: item.sku })),
        };
      }),
    ),
    roles: reports.toSorted((a, b) => a.kind.localeCompare(b.kind) || a.id.localeCompare(b.id)),
    dead: workers.flatMap((w) => w.dead ?? []),
    ratesWaiting,
  };
}

/** A service that takes longer is away; the client has its own time-out. */
const ANSWER_MS = 600;

function ask<T>(runtime: Runtime, question: Promise<T>): Promise<T | undefined> {
  return Promise.race([
    ignore(question, "overview_look"),
    runtime.sleep(ANSWER_MS).then(() => undefined),
  ]);
}

/** Redis's memory use, and its limit. */
export async function redisMemory(
  redis: RedisStore,
  limitMb: number,
): Promise<{ usedBytes: number; maxBytes: number }> {
  const info = await redis.run((client) => client.info("memory"));
  const value = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, "m").exec(info)?.[1] ?? 0);
  return {
    usedBytes: value("used_memory"),
    maxBytes: limitMb > 0 ? limitMb * 2 ** 20 : value("maxmemory"),
  };
}
