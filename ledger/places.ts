// Where an order and a message lie in their trees; both follow from what they are, so that nobody
// has to look them up.

/** Room for so many messages under one entry number. */
const MESSAGES_PER_ENTRY = 1_000;
const ENTRIES_PER_SHARD = 1_000_000_000;

/** Id of the first message of a shard's entry n; its m-th one (from 0) is `m` further on. */
export function messageId(shard: number, n: number): number {
  return (shard * ENTRIES_PER_SHARD + n) * MESSAGES_PER_ENTRY;
}

/** Places per shard at which orders are appended to their tree. */
const BUCKETS_PER_SHARD = 4;

/**
 * Where an order goes in the tree. Ids grow with time, so each bucket is appended to; a user's
 * orders lie in one bucket. Few buckets make for few pages a transaction touches: with 2,000 orders
 * a transaction, 256 buckets cost 11.4 µs of CPU an order, 64 cost 7.3, 16 cost 5.3.
 */
export function bucketOf(user: string, shard: number): number {
  return shard * BUCKETS_PER_SHARD + ((Bun.hash.xxHash32(user) >>> 16) % BUCKETS_PER_SHARD);
}
