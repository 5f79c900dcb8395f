// Merges the journals of all shards in the order of Redis's decisions. Entries of the same
// millisecond come as a group, because their order is unknown.
import type { JournalEntry, LedgerAudit } from "../../ledger/audit.ts";
import { type DecodedEntry, decodeEntry } from "./journal.ts";

interface Cursor {
  readonly chunks: AsyncGenerator<readonly JournalEntry[]>;
  waiting: JournalEntry[];
}

/** Entries of one shard keep their order, even where Redis's clock went back. */
export async function* entriesByTime(
  audit: LedgerAudit,
  shards: readonly number[],
): AsyncGenerator<readonly DecodedEntry[]> {
  const cursors: Cursor[] = [];
  for (const shard of shards) {
    const cursor: Cursor = { chunks: audit.entries(shard), waiting: [] };
    if (await fill(cursor)) cursors.push(cursor);
  }
  while (cursors.length > 0) {
    const atMs = Math.min(...cursors.map(({ waiting }) => waiting[0]?.atMs ?? 0));
    const group: DecodedEntry[] = [];
    for (const cursor of [...cursors]) {
      while (cursor.waiting[0]?.atMs === atMs) {
        group.push(decodeEntry(cursor.waiting.shift() as JournalEntry));
        if (!(await fill(cursor))) cursors.splice(cursors.indexOf(cursor), 1);
      }
    }
    yield group;
  }
}

/** Whether there is another entry. */
async function fill(cursor: Cursor): Promise<boolean> {
  if (cursor.waiting.length > 0) return true;
  const { value } = await cursor.chunks.next();
  cursor.waiting = value ? [...value] : [];
  return cursor.waiting.length > 0;
}
