// Replays a shard's journal: the newest sound snapshot, the entries after it, and the orders that
// were decided within the dedup window. So the time of a rebuild depends on that window and on the
// open orders, not on the age of the store.
import type { Ledger } from "../../ledger/contract.ts";
import type { SnapshotHead } from "../../ledger/snapshots.ts";
import { AHEAD_MS, firstBucketMs, firstIdOf } from "../orders/seen.ts";
import { Replayed } from "./replayed.ts";
import { decodeInto, SNAPSHOT_VERSION } from "./snapshot.ts";

export interface JournalOptions {
  readonly ledger: Pick<Ledger, "replay" | "firstEntrySince" | "snapshots" | "snapshotChunks">;
  readonly isLimited: (saleId: string, sku: string) => boolean;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  /** Called between chunks; may throw to abort. */
  readonly check: () => void;
}

/** Orders whose ids are older than `sinceMs` are not remembered. */
export async function loadJournal(
  options: JournalOptions,
  shard: number,
  sinceMs: number,
): Promise<Replayed> {
  const { ledger, isLimited, check } = options;
  const replay = { firstId: firstIdOf(sinceMs), isLimited };
  const { replayed, n } = await fromSnapshot(options, shard, () => new Replayed(replay));
  const windowN =
    n === 0 ? 1 : await ledger.firstEntrySince(shard, firstBucketMs(sinceMs) - AHEAD_MS);
  for await (const entries of ledger.replay(shard, { after: Math.min(n, windowN - 1) })) {
    check();
    for (const entry of entries) {
      if (entry.n > n) replayed.apply(entry);
      else replayed.applySeen(entry);
    }
  }
  return replayed;
}

/** The newest sound snapshot; if there is none, `empty` before the first entry. */
export async function fromSnapshot(
  { ledger, log }: Pick<JournalOptions, "ledger" | "log">,
  shard: number,
  empty: () => Replayed,
): Promise<{ replayed: Replayed; n: number }> {
  for (const head of await ledger.snapshots(shard)) {
    const replayed = empty();
    const flaw = await restore(ledger, head, replayed);
    if (flaw === undefined) return { replayed, n: head.n };
    log("snapshot skipped", { shard, n: head.n, flaw });
  }
  return { replayed: empty(), n: 0 };
}

/** Returns what is wrong with the snapshot, if anything. */
async function restore(
  ledger: JournalOptions["ledger"],
  head: SnapshotHead,
  into: Replayed,
): Promise<string | undefined> {
  if (head.version !== SNAPSHOT_VERSION) return `version ${head.version}`;
  if (!head.inChain) return "its entry is not in the journal";
  const chunks = await ledger.snapshotChunks(head);
  if (!chunks) return "chunks are missing or altered";
  for (const chunk of chunks) decodeInto(into, chunk);
  into.restored();
  return undefined;
}
