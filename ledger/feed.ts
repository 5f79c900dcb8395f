// The events of all orders as a feed, read from the journal.
//
//   1. A position names an entry of each shard. Entries of a shard have numbers without gaps and
//      commit in their order, under the lock on the shard's row (record.ts). So no event is skipped
//      or repeated, however the transactions of several shards interleave. A row number over all
//      shards could not promise this: Postgres may commit a lower one later.
//   2. A page takes whole entries, and of each shard the next ones: an order's events are in order.
//   3. A position carries a check over its entries' ids. After the ledger has gone back, other
//      entries may have the same numbers: such a position is refused instead of skipping events.
import { checkOf, type FeedPosition } from "../core/domain/feed-position.ts";
import type { FeedPage } from "./contract.ts";
import type { Db } from "./db.ts";
import { eventsOf, type FeedEntry } from "./feed-events.ts";
import { jsonRows, rowsFrom, wholeIn } from "./json-rows.ts";

/** Entries whose place and time are read for a page, over all shards. */
const HEADS = 512;
/**
 * Entries whose texts are in memory at once, up to some hundred kilobytes each. A few at first:
 * under load they fill a page. Small ones are read more at a time.
 */
const FIRST_ENTRIES = 2;
const MAX_ENTRIES = 16;

interface Head {
  readonly shard: number;
  readonly n: number;
  readonly id: string;
  readonly atMs: number;
}

/** The position before the first event. */
export function feedStart(storeId: string, shards: number): FeedPosition {
  return positionAt(storeId, new Array<number>(shards).fill(0), new Map());
}

/** The position after the last event so far. */
export async function feedEnd(db: Db, storeId: string, shards: number): Promise<FeedPosition> {
  const ids = new Map<number, string>();
  const read = new Array<number>(shards).fill(0);
  for (const { shard, last_n, last_id } of await db.run(
    "SELECT shard, last_n, last_id FROM shards",
  )) {
    read[Number(shard)] = Number(last_n);
    if (Number(last_n) > 0) ids.set(Number(shard), String(last_id));
  }
  return positionAt(storeId, read, ids);
}

/** `gone`: this ledger does not have the position (3). */
export async function feed(
  db: Db,
  storeId: string,
  shards: number,
  after: FeedPosition,
  limit: number,
): Promise<FeedPage | "gone"> {
  const tails = await tailsOf(db);
  const ids = await idsAt(db, after.read);
  const gone = after.read.length !== shards || after.read.some((n, s) => n > (tails.get(s) ?? 0));
  if (gone || positionAt(storeId, after.read, ids).check !== after.check) return "gone";
  const read = [...after.read];
  const events: FeedPage["events"][number][] = [];
  const heads = await headsAfter(db, read, tails);
  for (const some of inChunks(heads)) {
    if (events.length >= limit) break;
    if (events.length > 0) await db.runtime.sleep(0); // SQLite answers without letting others run
    for (const { shard, n, id, events: found } of await eventsOf(db, some)) {
      if (events.length > 0 && events.length + found.length > limit)
        return page(storeId, read, ids, events, true);
      events.push(...found);
      read[shard] = n;
      ids.set(shard, id);
    }
  }
  return page(
    storeId,
    read,
    ids,
    events,
    read.some((n, shard) => n < (tails.get(shard) ?? 0)),
  );
}

function* inChunks(heads: readonly Head[]): Generator<readonly Head[]> {
  for (let from = 0, size = FIRST_ENTRIES; from < heads.length; ) {
    yield heads.slice(from, from + size);
    from += size;
    size = Math.min(2 * size, MAX_ENTRIES);
  }
}

/** One event again; undefined: the ledger has no such event. */
export async function feedEvent(
  db: Db,
  shard: number,
  n: number,
  id: string,
): Promise<FeedEntry["events"][number] | undefined> {
  const [row] = await db.run("SELECT id, at_ms FROM entries WHERE shard = ? AND n = ?", [shard, n]);
  if (!row) return undefined;
  const head = { shard, n, id: String(row.id), atMs: Number(row.at_ms) };
  const [entry] = await eventsOf(db, [head]);
  return entry?.events.find((event) => event.id === id);
}

function page(
  storeId: string,
  read: readonly number[],
  ids: ReadonlyMap<number, string>,
  events: FeedPage["events"],
  more: boolean,
): FeedPage {
  return { events, after: positionAt(storeId, read, ids), more };
}

function positionAt(
  storeId: string,
  read: readonly number[],
  ids: ReadonlyMap<number, string>,
): FeedPosition {
  return {
    read,
    check: checkOf(
      storeId,
      read.map((_, shard) => ids.get(shard) ?? ""),
    ),
  };
}

async function tailsOf(db: Db): Promise<Map<number, number>> {
  const rows = await db.run("SELECT shard, last_n FROM shards");
  return new Map(rows.map((r) => [Number(r.shard), Number(r.last_n)]));
}

/** By shard: the id of its entry at the position, if there is one. */
async function idsAt(db: Db, read: readonly number[]): Promise<Map<number, string>> {
  const ids = new Map<number, string>();
  const begun = read.flatMap((n, shard) => (n > 0 ? [[shard, n]] : []));
  const text = `SELECT e.shard, e.id FROM ${rowsFrom(db.dialect)} JOIN entries e
    ON e.shard = ${wholeIn(0)} AND e.n = ${wholeIn(1)}`;
  for (const list of jsonRows(begun))
    for (const r of await db.run(text, [list])) ids.set(Number(r.shard), String(r.id));
  return ids;
}

/** The next entries of each shard, by the time of their decision; each shard's in its order (2). */
async function headsAfter(
  db: Db,
  read: readonly number[],
  tails: ReadonlyMap<number, number>,
): Promise<Head[]> {
  const behind = read.flatMap((n, shard) => (n < (tails.get(shard) ?? 0) ? [shard] : []));
  const each = Math.max(1, Math.floor(HEADS / Math.max(1, behind.length)));
  const stretches = behind.map((shard) => {
    const n = read[shard] ?? 0;
    return [shard, n, Math.min(n + each, tails.get(shard) ?? 0)];
  });
  const text = `SELECT e.shard, e.n, e.id, e.at_ms FROM ${rowsFrom(db.dialect)} JOIN entries e
    ON e.shard = ${wholeIn(0)} AND e.n > ${wholeIn(1)} AND e.n <= ${wholeIn(2)}`;
  const heads: Head[] = [];
  for (const list of jsonRows(stretches))
    for (const r of await db.run(text, [list]))
      heads.push({
        shard: Number(r.shard),
        n: Number(r.n),
        id: String(r.id),
        atMs: Number(r.at_ms),
      });
  return inOrder(heads);
}

/** A clock that was set back must not move an entry before the one it follows. */
function inOrder(heads: Head[]): Head[] {
  heads.sort((a, b) => a.shard - b.shard || a.n - b.n);
  let [shard, latestMs] = [-1, 0];
  const timed = heads.map((head) => {
    latestMs = head.shard === shard ? Math.max(latestMs, head.atMs) : head.atMs;
    shard = head.shard;
    return { head, latestMs };
  });
  timed.sort(
    (a, b) => a.latestMs - b.latestMs || a.head.shard - b.head.shard || a.head.n - b.head.n,
  );
  return timed.map(({ head }) => head);
}
