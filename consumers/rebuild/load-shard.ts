// Loads a replayed shard into Redis, in the forms that core/lua uses.
import { RULES } from "../../core/domain/limits.ts";
import { messageText } from "../../core/domain/message.ts";
import type { PlacedOrder } from "../../core/domain/row.ts";
import {
  SEEN_BUCKET_DIGITS,
  SEEN_BUCKET_MS,
  seenKey,
  shardPrefix,
} from "../../core/stores/keys.ts";
import type { Load } from "../../core/stores/rebuild-store.ts";
import type { OpenOrder, RateWait, Replayed } from "./replayed.ts";
import type { Parked, Turn } from "./turns.ts";

export interface Loading {
  readonly load: Load;
  readonly shard: number;
  readonly dedupWindowMs: number;
}

/** Lists in one call to Redis. */
const LISTS_PER_CALL = 500;

export async function loadReplayed(loading: Loading, replayed: Replayed): Promise<void> {
  const { load, shard } = loading;
  await loadSeen(loading, replayed.seen);
  await loadTurns(loading, [...replayed.turns.values()]);
  await loadOpen(loading, replayed);
  await loadMarks(loading, replayed.marks);
  for (const [sale, units] of replayed.bought) {
    const key = `${shardPrefix(shard)}bought:${sale}`;
    await inChunks([...units].flat(), (fields) => load.hash(shard, key, fields));
  }
}

async function loadSeen(
  { load, shard, dedupWindowMs }: Loading,
  seen: ReadonlyMap<string, string>,
): Promise<void> {
  const buckets = grouped(
    [...seen],
    ([name]) => name.slice(name.indexOf(" ") + 1).slice(0, SEEN_BUCKET_DIGITS),
    ([name, record]) => [name, record],
  );
  for (const [bucket, fields] of buckets) {
    const expiresAtMs = bucketEndsMs(bucket, dedupWindowMs);
    await inChunks(fields, (part) => load.hash(shard, seenKey(shard, bucket), part, expiresAtMs));
  }
}

/** When a bucket expires, as in core/lua/shared/seen.lua. */
function bucketEndsMs(bucket: string, dedupWindowMs: number): number {
  return (
    (Number.parseInt(bucket, 16) + 1) * SEEN_BUCKET_MS + dedupWindowMs + RULES.EXPIRY_MARGIN_MS
  );
}

/** Next numbers, orders parked or numbers given up ahead of them, and when gaps began. */
async function loadTurns({ load, shard }: Loading, turns: readonly Turn[]): Promise<void> {
  const prefix = shardPrefix(shard);
  const bySale = grouped(
    turns,
    (turn) => turn.saleId,
    (turn) => [turn.user, turn.next],
  );
  for (const [sale, fields] of bySale)
    await inChunks(fields, (part) => load.hash(shard, `${prefix}next:${sale}`, part));
  const waiting = turns.filter((turn) => turn.parked.size > 0);
  for (const { saleId, user, parked } of waiting) {
    const fields = [...parked].flatMap(([seq, of]) => [seq, parkedText(of)]);
    await load.hash(shard, `${prefix}park:${saleId}:${user}`, fields);
  }
  const name = (turn: Turn) => `${turn.saleId} ${turn.user}`;
  await inChunks(
    waiting.flatMap((t) => [name(t), t.parked.size]),
    (part) => load.hash(shard, `${prefix}waiting`, part),
  );
  await inChunks(
    waiting.flatMap((t) => [t.gapSinceMs, name(t)]),
    (part) => load.zset(shard, `${prefix}gaps`, part),
  );
}

/** Open orders, lanes, holds and rate waits, in the forms of core/lua/shared/open.lua. */
async function loadOpen({ load, shard }: Loading, replayed: Replayed): Promise<void> {
  const prefix = shardPrefix(shard);
  const open = [...replayed.open];
  const hash = (name: string, fields: (string | number)[]) =>
    inChunks(fields, (part) => load.hash(shard, prefix + name, part));
  const list = (name: string, values: string[]) =>
    inChunks(values, (part) => load.list(shard, prefix + name, part.map(String)));
  await hash(
    "open",
    open.flatMap(([name, order]) => [name, openText(order)]),
  );
  const lanes = [...replayed.lanes].map(([user, ids]) => [`${prefix}lane:${user}`, ids] as const);
  for (let from = 0; from < lanes.length; from += LISTS_PER_CALL)
    await load.lists(shard, lanes.slice(from, from + LISTS_PER_CALL));
  const held = open.filter(([, order]) => order.state === "reserved" && order.attempt === 0);
  const oldestFirst = held.sort(([, a], [, b]) => a.heldSinceMs - b.heldSinceMs);
  await list(
    "holds",
    oldestFirst.map(([name, order]) => `${order.heldSinceMs} ${name}`),
  );
  for (const [sale, generations] of replayed.redriven)
    await hash(`redriven:${sale}`, [...generations].flat());
  await list("fx", [...replayed.rateWaits.values()].map(rateWaitText));
}

/** Cancels that came before their order, as in core/lua/shared/marks.lua. */
async function loadMarks(
  { load, shard, dedupWindowMs }: Loading,
  all: Replayed["marks"],
): Promise<void> {
  const prefix = shardPrefix(shard);
  let lapseMs = 0;
  for (const [user, marks] of all) {
    const scores = [...marks].flatMap(([id, atMs]) => [atMs, id]);
    const buckets = [...marks.keys()].map((id) => id.slice(0, SEEN_BUCKET_DIGITS));
    const ends = buckets.map((bucket) => bucketEndsMs(bucket, dedupWindowMs));
    const ownMs = Math.max(...ends) + RULES.MARK_MARGIN_MS;
    lapseMs = Math.max(lapseMs, ownMs);
    await inChunks(scores, (part) => load.zset(shard, `${prefix}marks:${user}`, part, ownMs));
  }
  if (all.size > 0) await load.text(shard, `${prefix}marks`, "1", lapseMs);
}

/** As core/lua/shared/parking.lua writes it. */
function parkedText({ gateway, placed }: Parked): string {
  return placed ? JSON.stringify({ gateway, orders: messageOf(placed) }) : "skip";
}

/**
 * As core/lua/shared/rate_waits.lua writes it. A numbered order is only named, because its text is
 * with the parked ones.
 */
export function rateWaitText({ placed, gateway, pair, sinceMs: since }: RateWait): string {
  const { seq, saleId: sale, user, id } = placed.order;
  if (seq !== 0) return JSON.stringify({ since, pair, sale, user, id });
  return JSON.stringify({ since, pair, gateway, orders: messageOf(placed) });
}

/** The message of one order, as an object. */
function messageOf(placed: PlacedOrder): unknown {
  return JSON.parse(messageText([{ kind: "order", ...placed }]));
}

/** An open order as core/lua/shared/open.lua writes it. */
export function openText(order: OpenOrder): string {
  const { placed, gateway, state, generation, attempt, parts } = order;
  const name = /^\S+$/.test(gateway) ? gateway : "-";
  const held = [...(parts?.held ?? [])]
    .sort(([a], [b]) => a - b)
    .map(([part, by]) => `;${part}${by}`);
  return [
    parts ? `${state};${parts.of}${held.join("")}` : state,
    generation,
    attempt,
    placed.atMs,
    name,
    placed.fingerprint,
    placed.order.saleId,
    ...placed.order.lines.flatMap(({ sku, qty }) => [sku, qty]),
  ].join(" ");
}

/** Pairs of field and value in one call to Redis. */
const PAIRS_PER_CALL = 1_000;

export async function inChunks(
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
