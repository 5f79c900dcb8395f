// Reads the journal of a shard, as a rebuild of Redis replays it.
import type { DecidedMessage, Entry } from "../core/domain/entry.ts";
import { readReleased, readSteps } from "../core/domain/entry-text.ts";
import type { Db } from "./db.ts";
import { messageId } from "./places.ts";

/** Entries read at once: some hundred kilobytes. */
const CHUNK = 16;

/** Numbers of entries: above `after`, up to and including `upTo`. */
export interface Stretch {
  readonly after?: number;
  readonly upTo?: number;
}

/** Recorded entries of a shard, oldest first, in chunks. */
export async function* replay(
  db: Db,
  shard: number,
  { after: from = 0, upTo = Number.MAX_SAFE_INTEGER }: Stretch = {},
): AsyncGenerator<readonly Entry[]> {
  let after = from;
  while (true) {
    const rows = await db.run(
      `SELECT n, id, prev, kind, at_ms, released, steps FROM entries
       WHERE shard = ? AND n > ? AND n <= ? ORDER BY n LIMIT ?`,
      [shard, after, upTo, CHUNK],
    );
    if (rows.length === 0) return;
    const last = Number(rows[rows.length - 1]?.n);
    const messages = await messagesOf(db, shard, after, last);
    yield rows.map((r) => ({
      shard,
      n: Number(r.n),
      id: String(r.id),
      prev: String(r.prev),
      kind: String(r.kind) as Entry["kind"],
      atMs: Number(r.at_ms),
      released: readReleased(String(r.released)),
      steps: readSteps(String(r.steps)),
      messages: messages.get(Number(r.n)) ?? [],
    }));
    after = last;
  }
}

/**
 * Number of the first entry decided at or after a moment (Redis's clock, Unix ms); one past the
 * last if there is none.
 */
export async function firstEntrySince(db: Db, shard: number, atMs: number): Promise<number> {
  const [position] = await db.run("SELECT last_n FROM shards WHERE shard = ?", [shard]);
  let [low, high] = [1, Number(position?.last_n) + 1];
  // Binary search: entries have no index by time, and their times only rise.
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [entry] = await db.run("SELECT at_ms FROM entries WHERE shard = ? AND n = ?", [
      shard,
      middle,
    ]);
    if (Number(entry?.at_ms ?? 0) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Messages of a shard lie together, in the order of their entries. */
async function messagesOf(
  db: Db,
  shard: number,
  after: number,
  last: number,
): Promise<Map<number, DecidedMessage[]>> {
  const rows = await db.run(
    "SELECT n, gateway, batch, body, outcomes FROM messages WHERE id >= ? AND id < ? ORDER BY id",
    [messageId(shard, after + 1), messageId(shard, last + 1)],
  );
  const byEntry = new Map<number, DecidedMessage[]>();
  for (const r of rows) {
    const message = {
      gateway: String(r.gateway),
      batch: String(r.batch),
      body: String(r.body),
      outcomes: String(r.outcomes),
    };
    const list = byEntry.get(Number(r.n));
    if (list) list.push(message);
    else byEntry.set(Number(r.n), [message]);
  }
  return byEntry;
}
