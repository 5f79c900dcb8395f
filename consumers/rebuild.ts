// Rebuilds Redis from the ledger (X7). Stock is shared by all shards, so the whole store is rebuilt at once:
//
//   1. the ledger raises the incarnation and every shard's epoch (compare-and-set: one rebuilder wins)
//   2. every shard is set to loading under the new incarnation: from here nobody decides
//   3. what Redis held is cleared, and loaded again from the ledger
//   4. every shard is opened; owners take their shards again, and RabbitMQ brings back what was not acknowledged
//
// A rebuilder that dies leaves `loading` behind and its announcement lapses: the next worker begins again, one incarnation later.
import type { OrderRow } from "../core/domain/order.ts";
import { SEEN_BUCKET_DIGITS, SEEN_BUCKET_MS, STOCK_PREFIX, seenKey, shardPrefix, stockKey } from "../core/keys.ts";
import type { RebuildStore } from "../core/rebuild-store.ts";
import type { Ledger, LedgerWriter } from "../ledger/contract.ts";

export interface RebuildOptions {
  readonly store: RebuildStore;
  readonly ledger: Ledger;
  readonly writer: LedgerWriter;
  readonly dedupWindowMs: number;
  readonly now: () => number;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
}

/** How long a rebuild counts as alive after its last sign of life. */
const ANNOUNCE_TTL_MS = 5_000;
const ANNOUNCE_EVERY_MS = 1_000;
/** Buckets outlive their window by this much, as in core/lua/shared/seen.lua. */
const EXPIRY_MARGIN_MS = 60_000;

export type RebuildResult = "rebuilt" | "another" | "halted" | "foreign";

/** Rebuilds from incarnation `from`. `another`: somebody else has begun, or began later. */
export async function rebuild(options: RebuildOptions, from: number): Promise<RebuildResult> {
  const { store, ledger, writer, log } = options;
  const begun = await writer.beginRebuild(from);
  if (begun === undefined) return "another";
  const { incarnation, shards } = begun;
  const startedMs = performance.now();
  await store.announce(incarnation, ANNOUNCE_TTL_MS);
  const alive = setInterval(() => store.announce(incarnation, ANNOUNCE_TTL_MS).catch(() => undefined), ANNOUNCE_EVERY_MS);
  try {
    for (const position of shards) {
      const word = await store.reset(ledger.storeId, incarnation, position);
      if (word === "overtaken") return "another";
      if (word !== "loading") return word;
    }
    await store.clear(incarnation, 0, `${STOCK_PREFIX}*`);
    for (const { shard } of shards) await store.clearShard(incarnation, shard);
    await loadStock(options, incarnation);
    let orders = 0;
    for (const { shard } of shards) orders += await loadShard(options, incarnation, shard);
    for (const { shard } of shards) await store.open(incarnation, shard);
    log("redis rebuilt", { incarnation, shards: shards.length, orders, ms: Math.round(performance.now() - startedMs) });
    return "rebuilt";
  } finally {
    clearInterval(alive);
    await store.retract().catch(() => undefined);
  }
}

async function loadStock({ store, ledger }: RebuildOptions, incarnation: number): Promise<void> {
  const version = await ledger.catalogueVersion();
  for (const sale of await ledger.sales()) {
    const limits = new Map(sale.items.map((item) => [item.sku, item.limitPerUser]));
    const fields: (string | number)[] = ["v", version, "opens", sale.opensAtMs, "closes", sale.closesAtMs];
    for (const s of await ledger.stock(sale.id)) {
      fields.push(`${s.sku}:a`, s.available, `${s.sku}:r`, s.releasing, `${s.sku}:h`, s.held, `${s.sku}:s`, s.sold);
      fields.push(`${s.sku}:t`, s.initial + s.restocked, `${s.sku}:l`, limits.get(s.sku) ?? 0);
    }
    await store.hash(incarnation, 0, stockKey(sale.id), fields);
  }
}

/** Loads one shard; returns how many orders it remembers. */
async function loadShard(options: RebuildOptions, incarnation: number, shard: number): Promise<number> {
  const orders = await loadSeen(options, incarnation, shard);
  const { store, ledger } = options;
  const prefix = shardPrefix(shard);
  for await (const chunk of ledger.restoreNext(shard)) {
    for (const [sale, fields] of grouped(
      chunk,
      (r) => r.saleId,
      (r) => [r.user, r.next],
    )) {
      await store.hash(incarnation, shard, `${prefix}next:${sale}`, fields);
    }
  }
  for await (const chunk of ledger.restoreBought(shard)) {
    for (const [sale, fields] of grouped(
      chunk,
      (r) => r.saleId,
      (r) => [`${r.user} ${r.sku}`, r.units],
    )) {
      await store.hash(incarnation, shard, `${prefix}bought:${sale}`, fields);
    }
  }
  await loadParked(options, incarnation, shard);
  return orders;
}

/** The first bucket of ids whose records are kept, as a time: earlier ids are looked up in the ledger when they come. */
function firstBucketMs(options: RebuildOptions): number {
  return Math.floor((options.now() - options.dedupWindowMs) / SEEN_BUCKET_MS) * SEEN_BUCKET_MS;
}

async function loadSeen(options: RebuildOptions, incarnation: number, shard: number): Promise<number> {
  let orders = 0;
  for await (const chunk of options.ledger.restoreSeen(shard, firstBucketMs(options))) {
    orders += chunk.length;
    const byKey = grouped(
      chunk,
      (r) => seenKey(shard, r.id),
      (r) => [`${r.user} ${r.id}`, `${r.fingerprint} ${r.state}`],
    );
    for (const [key, fields] of byKey) {
      const bucket = Number.parseInt(key.slice(-SEEN_BUCKET_DIGITS), 16);
      const expiresAtMs = (bucket + 1) * SEEN_BUCKET_MS + options.dedupWindowMs + EXPIRY_MARGIN_MS;
      await options.store.hash(incarnation, shard, key, fields, expiresAtMs);
    }
  }
  return orders;
}

/** Parked orders and numbers given up ahead of their turn, with the clocks of their gaps. */
async function loadParked({ store, ledger }: RebuildOptions, incarnation: number, shard: number): Promise<void> {
  const prefix = shardPrefix(shard);
  const waiting = new Map<string, { count: number; sinceMs: number }>();
  const keep = async (sale: string, user: string, seq: number, text: string, atMs: number) => {
    const name = `${sale} ${user}`;
    const had = waiting.get(name);
    waiting.set(name, { count: (had?.count ?? 0) + 1, sinceMs: Math.min(had?.sinceMs ?? atMs, atMs) });
    await store.hash(incarnation, shard, `${prefix}park:${sale}:${user}`, [seq, text]);
  };
  for await (const chunk of ledger.restoreParked(shard)) {
    for (const { gateway, row, parkedAtMs } of chunk) await keep(row[5], row[1], row[6], JSON.stringify([gateway, row]), parkedAtMs);
    await loadParkedRecords(store, incarnation, shard, chunk);
  }
  for await (const chunk of ledger.restoreSkips(shard)) {
    for (const { saleId, user, seq, atMs } of chunk) await keep(saleId, user, seq, "skip", atMs);
  }
  if (waiting.size === 0) return;
  await store.hash(
    incarnation,
    shard,
    `${prefix}waiting`,
    [...waiting].flatMap(([name, w]) => [name, w.count]),
  );
  await store.zset(
    incarnation,
    shard,
    `${prefix}gaps`,
    [...waiting].flatMap(([name, w]) => [w.sinceMs, name]),
  );
}

/** A parked order is known as well: a second sending of it must find the first. */
async function loadParkedRecords(
  store: RebuildStore,
  incarnation: number,
  shard: number,
  parked: readonly { row: OrderRow }[],
): Promise<void> {
  const records = grouped(
    parked,
    ({ row }) => seenKey(shard, row[2]),
    ({ row }) => [`${row[1]} ${row[2]}`, `${row[3]} parked`],
  );
  for (const [key, fields] of records) await store.hash(incarnation, shard, key, fields);
}

function grouped<T>(
  rows: readonly T[],
  keyOf: (row: T) => string,
  fieldsOf: (row: T) => (string | number)[],
): Map<string, (string | number)[]> {
  const groups = new Map<string, (string | number)[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group) group.push(...fieldsOf(row));
    else groups.set(key, fieldsOf(row));
  }
  return groups;
}
