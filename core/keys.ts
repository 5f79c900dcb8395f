// Every key in Redis, in one place. `{n}` is the hash tag of shard n, so that one function call stays on one cluster slot.
//
//   {n}:meta            hash    inc, state, epoch, tip, n, base, basen     incarnation, fence, chain (see core/lua)
//   {n}:outbox          stream  <n>-0 → id, prev, kind, …                  what the ledger has not confirmed yet
//   {n}:seen:<bucket>   hash    <user> <id> → <fingerprint> <state>        decided orders by the hour inside the id
//   {n}:next:<sale>     hash    <user> → next number
//   {n}:bought:<sale>   hash    <user> <sku> → units reserved              only items with a limit
//   {n}:waiting         hash    <sale> <user> → how many are parked
//   {n}:park:<sale>:<user> hash <seq> → [gateway, parkedAtMs, row] or "skip"
//   {n}:gaps            zset    <sale> <user> by the time its gap began
//   stock:<sale>        hash    opens, closes, <sku>:a r h s t l           available releasing held sold total limit
//   workers             hash    <worker> → what it reports                 core/membership
//   worker:<id>         string  its lease

/** How long a decided order's record stays: long past any resend, since the gateway refuses ids older than ten minutes. */
export const DEFAULT_DEDUP_WINDOW_MS = 3_600_000;
export const SEEN_BUCKET_MS = 600_000;

export const shardTag = (shard: number): string => `{${shard}}`;
export const metaKey = (shard: number): string => `${shardTag(shard)}:meta`;
export const outboxKey = (shard: number): string => `${shardTag(shard)}:outbox`;
/** Stock keys are `<prefix><sale>`; on a cluster each shard would pass its own allotment's prefix. */
export const STOCK_PREFIX = "stock:";
export const stockKey = (saleId: string): string => STOCK_PREFIX + saleId;
