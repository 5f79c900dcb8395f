// The shard of a user's orders. The number of shards is fixed when a store is created: changing it
// would split a user's orders over two queues.

/** Shards of a new store. More shards spread over more workers; fewer make fuller batches. */
export const DEFAULT_SHARDS = 2;
export const MAX_SHARDS = 256;

/** XXH32 (seed 0) of the user's UTF-8 bytes, modulo the number of shards. */
export function shardOf(user: string, shards: number): number {
  return Bun.hash.xxHash32(user) % shards;
}
