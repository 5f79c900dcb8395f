// Every key in Redis, in one place. `{n}` is the hash tag of shard n, so that one function call
// stays on one cluster slot.
//
//   {n}:meta                hash    store, inc, state, epoch, tip, n, base, basen, loaded
//                                   owner, fence and chain (core/lua/shared/shard.lua)
//   {n}:outbox              stream  <n>-0 → id, prev, k, t, r, x, and four fields per message
//                                   entries that the ledger has not confirmed yet
//   {n}:seen:<bucket>       hash    <user> <id> → <fingerprint> <state>
//                                   decided orders, in buckets by the first digits of the id
//   {n}:next:<sale>         hash    <user> → next number
//   {n}:bought:<sale>       hash    <user> <sku> → units reserved, of items with a limit
//   {n}:waiting             hash    <sale> <user> → how many of the user's orders are parked
//   {n}:park:<sale>:<user>  hash    <seq> → {"gateway", "orders": a message} or "skip"
//   {n}:gaps                zset    <sale> <user> by the time its gap began
//   {n}:open                hash    <user> <id> → <state> <generation> <attempt> …
//                                   orders that may still change
//   {n}:lane:<user>         list    <id> …: charged one after the other, at most 1,000
//   {n}:holds               list    <time> <user> <id>
//                                   orders that wait in their lane, oldest first
//   {n}:freed               list    <entry> <sale> <sku> <qty>
//                                   releasing units, until the ledger has the entry
//   {n}:fx                  list    orders that wait for a rate, oldest first
//                                   (core/lua/shared/rate_waits.lua)
//   {n}:redriven:<sale>     hash    <user> <id> → last generation accepted
//   {n}:marks               string  exists if a cancel may have come before its order
//   {n}:marks:<user>        zset    <id> by the time of the cancel
//   stock:<sale>            hash    v, opens, closes, c, e, and per sku <sku>:a r h s t l p:
//                                   available, releasing, held, sold, total, limit, price
//                                   e: edition (core/lua/shared/stock.lua)
//   stock:~retired          set     sales that were retired (core/lua/retire.lua)
//   rates                   hash    <base>/<quote> →
//                                   <id> <value> <mantissa> <scale> <at> <expires>
//   rates:held              hash    <base>/<quote> → <state> <since> <last> and a rate
//                                   rates that jumped, and wait for an operator
//   {members}:workers       hash    <worker> → <lease end> <report>
//   {members}:owners        hash    <shard> → <lease end> <worker>
//   {members}:paused        hash    <worker> → who paused it
//   {members}:roles         hash    <role> → <end> <report>
//                                   gateways, payment workers, services, rates
//   {members}:rebuild       string  <incarnation> <token> of the announced rebuild
import { RULES } from "../domain/limits.ts";

/**
 * How long a decided order is remembered. It is long past any resend: the gateway refuses ids
 * older than ten minutes.
 */
export const DEFAULT_DEDUP_WINDOW_MS = 3_600_000;

/** A bucket of records spans about 17 minutes. */
export const SEEN_BUCKET_DIGITS = RULES.BUCKET_DIGITS;
export const SEEN_BUCKET_MS = RULES.BUCKET_MS;

export const shardPrefix = (shard: number): string => `{${shard}}:`;
export const metaKey = (shard: number): string => `${shardPrefix(shard)}meta`;
export const outboxKey = (shard: number): string => `${shardPrefix(shard)}outbox`;
export const seenKey = (shard: number, id: string): string =>
  `${shardPrefix(shard)}seen:${id.slice(0, SEEN_BUCKET_DIGITS)}`;
/**
 * Stock keys are `<prefix><sale>`. On a cluster each shard would pass a prefix of its own.
 */
export const STOCK_PREFIX = "stock:";
export const stockKey = (saleId: string): string => STOCK_PREFIX + saleId;
/** Cannot clash with a sale: no sale's id may contain `~`. */
export const RETIRED_KEY = `${STOCK_PREFIX}~retired`;
export const RATES_KEY = "rates";
export const HELD_RATES_KEY = "rates:held";
export const WORKERS_KEY = "{members}:workers";
export const OWNERS_KEY = "{members}:owners";
export const PAUSED_KEY = "{members}:paused";
export const ROLES_KEY = "{members}:roles";
export const REBUILD_KEY = "{members}:rebuild";
