// How much of a shard's queue goes into one call to Redis, and what must not go in unseen.
import { isOdd } from "./sift.ts";
import type { Work } from "./work.ts";

/**
 * Bytes in one FCALL: about 600 orders, some 4 ms of Redis. More would make the other shards wait,
 * less would waste the call.
 */
const MAX_BATCH_BYTES = 128 * 1024;
const MAX_BATCH_MESSAGES = 64;
/**
 * A message that has come this often before is decided by itself, and sifted first: it may be what
 * broke its batch.
 */
const POISON_DELIVERIES = 2;
/** Takes the next batch out of a queue; `share` of the usual bytes while the governor eases off. */
export function takeBatch(queue: Work[], share: number): Work[] {
  const most = MAX_BATCH_BYTES * share;
  let bytes = 0;
  let count = 0;
  for (const work of queue) {
    bytes += work.body.length;
    const alone = work.deliveries >= POISON_DELIVERIES;
    if (count > 0 && (bytes > most || count === MAX_BATCH_MESSAGES || alone)) break;
    count++;
    if (alone) break;
  }
  return queue.splice(0, count);
}

/** Whether a message is sifted before Redis sees it. */
export function isSuspect({ rights, deliveries, body }: Work): boolean {
  return rights !== undefined || deliveries >= POISON_DELIVERIES || isOdd(body);
}
