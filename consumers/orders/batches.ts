// How many messages of a shard's queue go into one call to Redis, and which are sifted first.
import { isUnsafeForRedis } from "./sift.ts";
import type { Work } from "./work.ts";

/**
 * Bytes in one FCALL: about 600 orders, 4 ms of Redis. With more, the other shards would wait; with
 * less, there would be too many calls.
 */
const MAX_BATCH_BYTES = 128 * 1024;
const MAX_BATCH_MESSAGES = 64;
/** About 200 orders: a call's fixed cost is then a tenth of the whole. */
const ENOUGH_BYTES = 48 * 1024;
/** Half of what the broker sends ahead (PREFETCH, shard-owner.ts). */
const ENOUGH_MESSAGES = 16;
/**
 * A message delivered this many times before is sifted, and decided by itself: it may be what broke
 * its batch.
 */
const POISON_DELIVERIES = 2;

/** Takes the next batch from a queue. `share` is below 1 while the governor slows the worker. */
export function takeBatch(queue: Work[], share: number): Work[] {
  const most = MAX_BATCH_BYTES * share;
  let bytes = 0;
  let count = 0;
  for (const work of queue) {
    bytes += work.body.length;
    const alone = isAlone(work);
    if (count > 0 && (bytes > most || count === MAX_BATCH_MESSAGES || alone)) break;
    count++;
    if (alone) break;
  }
  return queue.splice(0, count);
}

/**
 * Whether what waits is worth a call of its own, without waiting for more. It always is if the next
 * batch cannot grow: it is full, or a message that is decided by itself is in it or ends it.
 */
export function isEnough(queue: readonly Work[], share: number): boolean {
  if (queue.length >= ENOUGH_MESSAGES) return true;
  let bytes = 0;
  for (const work of queue) {
    if (isAlone(work)) return true;
    bytes += work.body.length;
  }
  return bytes >= Math.min(ENOUGH_BYTES, MAX_BATCH_BYTES * share);
}

function isAlone({ deliveries }: Work): boolean {
  return deliveries >= POISON_DELIVERIES;
}

/** Whether to sift a message before Redis sees it. */
export function isSuspect({ rights, deliveries, body }: Work): boolean {
  return rights !== undefined || deliveries >= POISON_DELIVERIES || isUnsafeForRedis(body);
}
