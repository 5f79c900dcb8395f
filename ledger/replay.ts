import type { DecidedMessage, Entry, Released, Step } from "../core/domain/entry.ts";
import type { Db } from "./db.ts";
import { messageId } from "./places.ts";

/** Entries read at once: some hundred kilobytes. */
const CHUNK = 16;

/** Everything recorded for a shard, oldest first. */
export async function* replay(db: Db, shard: number): AsyncGenerator<readonly Entry[]> {
  let after = 0;
  while (true) {
    const rows = await db.run(
      "SELECT n, id, prev, kind, at_ms, released, steps FROM entries WHERE shard = ? AND n > ? ORDER BY n LIMIT ?",
      [shard, after, CHUNK],
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
      released: JSON.parse(String(r.released)) as Released[],
      steps: JSON.parse(String(r.steps)) as Step[],
      messages: messages.get(Number(r.n)) ?? [],
    }));
    after = last;
  }
}

/** A shard's messages lie together, in the order of their entries. */
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
