// Rebuilds Redis from the ledger (X7). All shards share the stock, so the whole store is rebuilt at
// once:
//
//   1. announce the rebuild, unless another rebuilder has announced one
//   2. raise the incarnation and every shard's epoch in the ledger by compare-and-set: one wins
//   3. set every shard to loading under the new incarnation, so that nobody decides
//   4. clear Redis and load it from the ledger; both sides count what is loaded
//   5. compare the counts of all shards and of the stock in one call, and open all or none
//   6. owners acquire their shards again, and RabbitMQ redelivers unacknowledged messages
//
// Redis may lose its tail, or everything, at any moment. Before 5 that shows in the incarnation or
// the counts, and the rebuild starts again. After 5 it leaves shards that are not open or a broken
// chain, which their owners notice. If a rebuilder dies, its announcement expires, and the next
// worker starts one incarnation later.

import { type Sale, termsText, totalOf } from "../../core/domain/sale.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import { stockKey } from "../../core/stores/keys.ts";
import {
  type Load,
  LostWhileLoading,
  Overtaken,
  type RebuildStore,
} from "../../core/stores/rebuild-store.ts";
import { StoreUnavailable } from "../../core/stores/redis.ts";
import type { Ledger, LedgerWriter, ShardPosition } from "../../ledger/contract.ts";
import type { Announcement } from "./announcement.ts";
import { loadJournal } from "./load-journal.ts";
import { inChunks, loadReplayed } from "./load-shard.ts";

export interface RebuildOptions {
  readonly runtime: Runtime;
  readonly store: RebuildStore;
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  readonly announcement: Announcement;
  readonly dedupWindowMs: number;
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** How many times to repeat a `ready` call whose answer is lost, before the rebuild fails. */
const READY_TRIES = 3;
const READY_RETRY_MS = 200;

/**
 * `another`: another rebuild has begun, before or after this one. `lost`: Redis lost something
 * while it was being loaded, so nothing was opened.
 */
export type RebuildResult = "rebuilt" | "another" | "lost" | "halted" | "foreign" | "went_back";

/** Rebuilds from incarnation `from`. The caller renews or withdraws the announcement afterwards. */
export async function rebuild(options: RebuildOptions, from: number): Promise<RebuildResult> {
  const { writer, announcement } = options;
  if (!(await announcement.begin(from + 1))) return "another"; // 1
  try {
    const begun = await writer.beginRebuild(from); // 2
    if (begun === undefined) return "another";
    return await loadAll(options, begun.incarnation, begun.shards);
  } catch (error) {
    if (error instanceof Overtaken) return "another";
    if (error instanceof LostWhileLoading) return "lost";
    throw error;
  } finally {
    announcement.pause();
  }
}

async function loadAll(
  options: RebuildOptions,
  incarnation: number,
  positions: readonly ShardPosition[],
): Promise<RebuildResult> {
  const { runtime, store, ledger, log } = options;
  const startedMs = runtime.monotonicMs();
  for (const position of positions) {
    const word = await store.reset(ledger.storeId, incarnation, position); // 3
    if (word === "overtaken") return "another";
    if (word !== "loading") return word;
  }
  const shards = positions.map(({ shard }) => shard);
  const load = store.load(incarnation, shards);
  await load.clearStock(); // 4
  for (const shard of shards) await load.clearShard(shard);
  const sales = await ledger.sales();
  const limited = await loadStock(options, load, sales);
  const retired = sales.flatMap(({ id, retired }) => (retired ? [id] : []));
  let orders = 0;
  for (const shard of shards) orders += await loadShard(options, load, shard, limited, retired);
  await ready(runtime, load); // 5
  log("redis rebuilt", {
    incarnation,
    shards: shards.length,
    orders,
    ms: Math.round(runtime.monotonicMs() - startedMs),
  });
  return "rebuilt";
}

/** Repeats the call if its answer is lost, since it may have opened the shards. */
async function ready(runtime: Runtime, load: Load): Promise<void> {
  for (let tried = 1; ; tried++) {
    try {
      return await load.ready();
    } catch (error) {
      if (!(error instanceof StoreUnavailable) || tried === READY_TRIES) throw error;
    }
    await runtime.sleep(READY_RETRY_MS * tried);
  }
}

/** Loads every sale that is not retired. Returns `sale sku` of the items with a limit per user. */
export async function loadStock(
  { ledger }: Pick<RebuildOptions, "ledger">,
  load: Load,
  sales: readonly Sale[],
): Promise<Set<string>> {
  const limited = new Set<string>();
  const version = await ledger.catalogueVersion();
  for (const sale of sales) {
    if (sale.retired) {
      await load.retired(sale.id);
      continue;
    }
    const items = new Map(sale.items.map((item) => [item.sku, item]));
    const window = ["opens", sale.opensAtMs, "closes", sale.closesAtMs];
    const fields: (string | number)[] = ["v", version, ...window, "c", sale.currency];
    for (const units of await ledger.stock(sale.id)) {
      const { sku, available, releasing, held, sold, correcting } = units;
      const item = items.get(sku);
      const { limitPerUser = 0, priceMinor = 0 } = item ?? {};
      if (limitPerUser > 0) limited.add(`${sale.id} ${sku}`);
      // Units that are being taken away are not to be sold.
      const away = Math.min(correcting?.units ?? 0, available);
      const counters = { a: available - away, r: releasing, h: held, s: sold };
      const others = { t: totalOf(units) - away, l: limitPerUser, p: priceMinor };
      for (const [letter, value] of Object.entries({ ...counters, ...others }))
        fields.push(`${sku}:${letter}`, value);
      const terms = item ? termsText(item) : "";
      if (terms !== "") fields.push(`${sku}:q`, terms);
    }
    await inChunks(fields, (part) => load.stock(stockKey(sale.id), part));
  }
  return limited;
}

/** Loads one shard. Returns how many orders it remembers. */
async function loadShard(
  { ledger, announcement, dedupWindowMs, now, log }: RebuildOptions,
  load: Load,
  shard: number,
  limited: ReadonlySet<string>,
  retired: readonly string[],
): Promise<number> {
  const isLimited = (saleId: string, sku: string) => limited.has(`${saleId} ${sku}`);
  const journal = { ledger, isLimited, log, check: () => announcement.check() };
  const replayed = await loadJournal(journal, shard, now() - dedupWindowMs);
  for (const saleId of retired) replayed.retire(saleId);
  await loadReplayed({ load, shard, dedupWindowMs }, replayed);
  return replayed.seen.size;
}
