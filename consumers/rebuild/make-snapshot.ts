// Makes a shard's next snapshot from the last one and the entries since. It rests between pieces of
// work, so that it does not slow down a rush.

import type { EntryId } from "../../core/domain/entry.ts";
import type { Db } from "../../ledger/db.ts";
import { firstEntrySince, replay } from "../../ledger/replay.ts";
import { sales } from "../../ledger/sales.ts";
import { SnapshotWriter, snapshotChunks, snapshotHeads } from "../../ledger/snapshots.ts";
import { firstIdOf } from "../orders/seen.ts";
import { fromSnapshot } from "./load-journal.ts";
import { Replayed } from "./replayed.ts";
import { encode, openSales, SNAPSHOT_VERSION } from "./snapshot.ts";

export interface SnapshotJob {
  readonly shard: number;
  /** The last entry that the snapshot includes. The ledger must have recorded it. */
  readonly n: number;
  /** Orders with older ids are not remembered. On Redis's clock. */
  readonly sinceMs: number;
}

export interface Pace {
  /** Called after each piece of work. */
  rest(): Promise<void>;
}

/** Returns the last entry in the shard's newest snapshot afterwards. */
export async function makeSnapshot(
  db: Db,
  { shard, n, sinceMs }: SnapshotJob,
  { pace, log }: { pace: Pace; log: (event: string, detail: Record<string, unknown>) => void },
): Promise<number> {
  const limits = new Set<string>();
  const known = await sales(db);
  for (const { id, items } of known)
    for (const { sku, limitPerUser } of items) if (limitPerUser > 0) limits.add(`${id} ${sku}`);
  const isLimited = (saleId: string, sku: string) => limits.has(`${saleId} ${sku}`);
  const firstId = firstIdOf(sinceMs);
  const ledger = {
    snapshots: (of: number) => snapshotHeads(db, of),
    snapshotChunks: (head: Parameters<typeof snapshotChunks>[1]) => snapshotChunks(db, head),
    replay: (of: number) => replay(db, of),
    firstEntrySince: (of: number, atMs: number) => firstEntrySince(db, of, atMs),
  };
  const { replayed, n: after } = await fromSnapshot(
    { ledger, log },
    shard,
    () => new Replayed({ firstId, onlyAhead: true, isLimited }),
  );
  if (after >= n) return after;
  let last: { id: EntryId; n: number; atMs: number } | undefined;
  for await (const entries of replay(db, shard, { after, upTo: n })) {
    for (const entry of entries) replayed.apply(entry);
    last = entries.at(-1);
    await pace.rest();
  }
  if (!last) return after;
  for (const { id, retired } of known) if (retired) replayed.retire(id);
  const writer = await SnapshotWriter.begin(db, shard, last.n);
  for (const chunk of encode(replayed, firstId)) {
    await writer.add(chunk);
    await pace.rest();
  }
  const { id, atMs } = last;
  await writer.finish({ id, version: SNAPSHOT_VERSION, atMs, openSales: openSales(replayed) });
  return last.n;
}
