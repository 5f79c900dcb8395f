// Rebuilds Redis from the ledger (X7). Stock is shared by all shards, so the whole store is rebuilt at once:
//
//   1. the ledger raises the incarnation and every shard's epoch (compare-and-set: one rebuilder wins)
//   2. every shard is set to loading under the new incarnation: from here nobody decides
//   3. what Redis held is cleared, and loaded again from the ledger
//   4. every shard is opened; owners take their shards again, and RabbitMQ brings back what was not acknowledged
//
// A rebuilder that dies leaves `loading` behind and its announcement lapses: the next worker begins again, one incarnation later.
import {
  SEEN_BUCKET_DIGITS,
  SEEN_BUCKET_MS,
  STOCK_PREFIX,
  seenKey,
  shardPrefix,
  stockKey,
} from "../core/keys.ts";
import type { RebuildStore } from "../core/rebuild-store.ts";
import type { Ledger, LedgerWriter } from "../ledger/contract.ts";
import { type OpenOrder, type RateWait, Replayed, type Turn } from "./replayed.ts";

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

export type RebuildResult = "rebuilt" | "another" | "halted" | "foreign" | "went_back";

/** Rebuilds from incarnation `from`. `another`: somebody else has begun, or began later. */
export async function rebuild(options: RebuildOptions, from: number): Promise<RebuildResult> {
  const { store, ledger, writer, log } = options;
  const begun = await writer.beginRebuild(from);
  if (begun === undefined) return "another";
  const { incarnation, shards } = begun;
  const startedMs = performance.now();
  await store.announce(incarnation, ANNOUNCE_TTL_MS);
  const alive = setInterval(
    () => store.announce(incarnation, ANNOUNCE_TTL_MS).catch(() => undefined),
    ANNOUNCE_EVERY_MS,
  );
  try {
    for (const position of shards) {
      const word = await store.reset(ledger.storeId, incarnation, position);
      if (word === "overtaken") return "another";
      if (word !== "loading") return word;
    }
    await store.clear(incarnation, 0, `${STOCK_PREFIX}*`);
    for (const { shard } of shards) await store.clearShard(incarnation, shard);
    const limited = await loadStock(options, incarnation);
    let orders = 0;
    for (const { shard } of shards) orders += await loadShard(options, incarnation, shard, limited);
    for (const { shard } of shards) await store.open(incarnation, shard);
    log("redis rebuilt", {
      incarnation,
      shards: shards.length,
      orders,
      ms: Math.round(performance.now() - startedMs),
    });
    return "rebuilt";
  } finally {
    clearInterval(alive);
    await store.retract().catch(() => undefined);
  }
}

/** Loads every sale; returns `sale sku` of the items with a limit per user. */
async function loadStock(
  { store, ledger }: RebuildOptions,
  incarnation: number,
): Promise<Set<string>> {
  const limited = new Set<string>();
  const version = await ledger.catalogueVersion();
  for (const sale of await ledger.sales()) {
    for (const item of sale.items) if (item.limitPerUser > 0) limited.add(`${sale.id} ${item.sku}`);
    const items = new Map(sale.items.map((item) => [item.sku, item]));
    const fields: (string | number)[] = [
      "v",
      version,
      "opens",
      sale.opensAtMs,
      "closes",
      sale.closesAtMs,
      "c",
      sale.currency,
    ];
    for (const s of await ledger.stock(sale.id)) {
      fields.push(
        `${s.sku}:a`,
        s.available,
        `${s.sku}:r`,
        s.releasing,
        `${s.sku}:h`,
        s.held,
        `${s.sku}:s`,
        s.sold,
      );
      fields.push(
        `${s.sku}:t`,
        s.initial + s.restocked,
        `${s.sku}:l`,
        items.get(s.sku)?.limitPerUser ?? 0,
      );
      fields.push(`${s.sku}:p`, items.get(s.sku)?.priceMinor ?? 0);
    }
    await inChunks(fields, (part) => store.hash(incarnation, 0, stockKey(sale.id), part));
  }
  return limited;
}

/** Loads one shard; returns how many orders it remembers. */
async function loadShard(
  options: RebuildOptions,
  incarnation: number,
  shard: number,
  limited: ReadonlySet<string>,
): Promise<number> {
  const firstBucket = Math.floor((options.now() - options.dedupWindowMs) / SEEN_BUCKET_MS);
  const replayed = new Replayed({
    firstId: firstBucket.toString(16).padStart(SEEN_BUCKET_DIGITS, "0"),
    isLimited: (saleId, sku) => limited.has(`${saleId} ${sku}`),
  });
  for await (const entries of options.ledger.replay(shard))
    for (const entry of entries) replayed.apply(entry);
  await loadSeen(options, incarnation, shard, replayed.seen);
  await loadTurns(options, incarnation, shard, [...replayed.turns.values()]);
  await loadOpen(options, incarnation, shard, replayed);
  for (const [sale, units] of replayed.bought) {
    await inChunks([...units].flat(), (fields) =>
      options.store.hash(incarnation, shard, `${shardPrefix(shard)}bought:${sale}`, fields),
    );
  }
  return replayed.seen.size;
}

async function loadSeen(
  options: RebuildOptions,
  incarnation: number,
  shard: number,
  seen: ReadonlyMap<string, string>,
): Promise<void> {
  const buckets = grouped(
    [...seen],
    ([name]) => name.slice(name.indexOf(" ") + 1).slice(0, SEEN_BUCKET_DIGITS),
    ([name, record]) => [name, record],
  );
  for (const [bucket, fields] of buckets) {
    const expiresAtMs = bucketEndsMs(bucket, options.dedupWindowMs);
    await inChunks(fields, (part) =>
      options.store.hash(incarnation, shard, seenKey(shard, bucket), part, expiresAtMs),
    );
  }
}

/** When a bucket's ids are past for sure, as in core/lua/shared/seen.lua. */
function bucketEndsMs(bucket: string, dedupWindowMs: number): number {
  return (Number.parseInt(bucket, 16) + 1) * SEEN_BUCKET_MS + dedupWindowMs + EXPIRY_MARGIN_MS;
}

/** Numbers due, what is parked or given up ahead, and the clocks of the gaps. */
async function loadTurns(
  { store }: RebuildOptions,
  incarnation: number,
  shard: number,
  turns: readonly Turn[],
): Promise<void> {
  const prefix = shardPrefix(shard);
  const bySale = grouped(
    turns,
    (turn) => turn.saleId,
    (turn) => [turn.user, turn.next],
  );
  for (const [sale, fields] of bySale)
    await inChunks(fields, (part) => store.hash(incarnation, shard, `${prefix}next:${sale}`, part));
  const waiting = turns.filter((turn) => turn.parked.size > 0);
  for (const { saleId, user, parked } of waiting) {
    const fields = [...parked].flatMap(([seq, p]) => [
      seq,
      p.row ? JSON.stringify([p.gateway, p.row]) : "skip",
    ]);
    await store.hash(incarnation, shard, `${prefix}park:${saleId}:${user}`, fields);
  }
  const name = (turn: Turn) => `${turn.saleId} ${turn.user}`;
  await inChunks(
    waiting.flatMap((t) => [name(t), t.parked.size]),
    (part) => store.hash(incarnation, shard, `${prefix}waiting`, part),
  );
  await inChunks(
    waiting.flatMap((t) => [t.gapSinceMs, name(t)]),
    (part) => store.zset(incarnation, shard, `${prefix}gaps`, part),
  );
}

/** Open orders, lanes, holds, and cancels that came before their order: core/lua/shared/open.lua and marks.lua say how they stand there. */
async function loadOpen(
  options: RebuildOptions,
  incarnation: number,
  shard: number,
  replayed: Replayed,
): Promise<void> {
  const { store, dedupWindowMs } = options;
  const prefix = shardPrefix(shard);
  const hash = (name: string, fields: (string | number)[], expiresAtMs = 0) =>
    inChunks(fields, (part) => store.hash(incarnation, shard, prefix + name, part, expiresAtMs));
  const open = [...replayed.open];
  await hash(
    "open",
    open.flatMap(([name, order]) => [name, openText(order)]),
  );
  for (const [user, ids] of replayed.lanes)
    await store.list(incarnation, shard, `${prefix}lane:${user}`, ids);
  const held = open.filter(([, order]) => order.state === "reserved" && order.attempt === 0);
  const oldestFirst = held
    .sort(([, a], [, b]) => a.heldSinceMs - b.heldSinceMs)
    .map(([name, order]) => `${order.heldSinceMs} ${name}`);
  await inChunks(oldestFirst, (part) =>
    store.list(incarnation, shard, `${prefix}holds`, part.map(String)),
  );
  await hash("redriven", [...replayed.redriven].flat());
  const waits = [...replayed.rateWaits.values()].map(rateWaitText);
  await inChunks(waits, (part) => store.list(incarnation, shard, `${prefix}fx`, part.map(String)));
  let lapseMs = 0;
  for (const [user, marks] of replayed.marks) {
    const scores = [...marks].flatMap(([id, atMs]) => [atMs, id]);
    const ownMs = Math.max(
      ...[...marks.keys()].map((id) =>
        bucketEndsMs(id.slice(0, SEEN_BUCKET_DIGITS), dedupWindowMs),
      ),
    );
    lapseMs = Math.max(lapseMs, ownMs);
    await inChunks(scores, (part) =>
      store.zset(incarnation, shard, `${prefix}marks:${user}`, part, ownMs),
    );
  }
  if (replayed.marks.size > 0) await store.text(incarnation, shard, `${prefix}marks`, "1", lapseMs);
}

/** As core/lua/shared/rate_waits.lua writes it. */
export function rateWaitText({ row, gateway, pair, sinceMs }: RateWait): string {
  return JSON.stringify(
    row[6] === 0 ? [sinceMs, pair, gateway, row] : [sinceMs, pair, row[5], row[1], row[2]],
  );
}

/** An open order as core/lua/shared/open.lua writes it. */
export function openText({ row, gateway, state, generation, attempt, parts }: OpenOrder): string {
  const name = /^\S+$/.test(gateway) ? gateway : "-";
  const held = [...(parts?.held ?? [])]
    .sort(([a], [b]) => a - b)
    .map(([part, by]) => `;${part}${by}`);
  return [
    parts ? `${state};${parts.of}${held.join("")}` : state,
    generation,
    attempt,
    row[4],
    name,
    row[3],
    row[5],
    ...row[8],
  ].join(" ");
}

/** Field and value pairs of one call to Redis. */
const PAIRS_PER_CALL = 1_000;

async function inChunks(
  flat: readonly (string | number)[],
  send: (part: (string | number)[]) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < flat.length; from += 2 * PAIRS_PER_CALL)
    await send(flat.slice(from, from + 2 * PAIRS_PER_CALL));
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
