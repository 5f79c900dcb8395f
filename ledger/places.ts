// Where orders and messages lie in their trees. Both places are computed, so no look-up is needed.

/** Room for this many messages under one entry number. */
const MESSAGES_PER_ENTRY = 1_000;
const ENTRIES_PER_SHARD = 1_000_000_000;

/** Id of the first message of a shard's entry n; message m of the entry (from 0) adds `m`. */
export function messageId(shard: number, n: number): number {
  return (shard * ENTRIES_PER_SHARD + n) * MESSAGES_PER_ENTRY;
}

/** Places per shard at which orders are appended to the tree. */
export const BUCKETS_PER_SHARD = 4;

/**
 * The bucket of a user's orders. Ids grow with time, so each bucket only grows at its end. Few
 * buckets touch few pages per transaction: 16 cost half the CPU of 256 per order
 * (docs/decisions/0002-buckets.md).
 */
export function bucketOf(user: string, shard: number): number {
  return shard * BUCKETS_PER_SHARD + ((Bun.hash.xxHash32(user) >>> 16) % BUCKETS_PER_SHARD);
}
