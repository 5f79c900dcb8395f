// What a shard's journal comes to: the newest sound snapshot, the entries after it, and which
// orders the dedup window's entries decided. So a rebuild takes as long as the window and what is
// open ask for, however old the store is.
import type { Ledger } from "../../ledger/contract.ts";
import type { SnapshotHead } from "../../ledger/snapshots.ts";
import { AHEAD_MS, firstBucketMs, firstIdOf } from "../orders/seen.ts";
import { Replayed } from "./replayed.ts";
import { decodeInto, SNAPSHOT_VERSION } from "./snapshot.ts";

export interface JournalOptions {
  readonly ledger: Pick<Ledger, "replay" | "firstEntrySince" | "snapshots" | "snapshotChunks">;
  readonly isLimited: (saleId: string, sku: string) => boolean;
  readonly log: (event: string, detail: Record<string, unknown>) => void;
  /** Called between chunks; may throw to give up. */
  readonly check: () => void;
}

/** `sinceMs`: orders whose ids are older than this are not remembered. */
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

/** The newest snapshot that is sound, or an empty one before the first entry. */
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

/** What is wrong with the snapshot, if anything is. */
async function restore(
  ledger: JournalOptions["ledger"],
  head: SnapshotHead,
  into: Replayed,
): Promise<string | undefined> {
  if (head.version !== SNAPSHOT_VERSION) return `version ${head.version}`;
  if (!head.inChain) return "its entry is not in the journal";
  const chunks = await ledger.snapshotChunks(head);
  if (!chunks) return "chunks that are missing or altered";
  for (const chunk of chunks) decodeInto(into, chunk);
  into.restored();
  return undefined;
}
