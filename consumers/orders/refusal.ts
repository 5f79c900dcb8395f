// What it means when the ledger does not record an entry.
import type { Entry, EntryId } from "../../core/domain/entry.ts";
import type { RecordResult } from "../../ledger/contract.ts";

/**
 * Why the entry's shard must be released. `lastId` is the entry that the ledger confirmed last to
 * this owner. A fork right after it means that the ledger has lost what it confirmed, which Redis
 * cannot know until it has received the mark. Any other fork is Redis's loss.
 */
export function refusalOf(
  result: Exclude<RecordResult, "recorded" | "unreadable">,
  entry: Entry,
  lastId: EntryId,
): "fenced" | "lost" | "went_back" {
  if (result === "fenced") return "fenced";
  return result === "fork" && entry.prev === lastId ? "went_back" : "lost";
}
