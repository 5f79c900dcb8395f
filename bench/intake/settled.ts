import { realRuntime } from "../../core/runtime/runtime.ts";
import { outboxKey } from "../../core/stores/keys.ts";
import type { RedisStore } from "../../core/stores/redis.ts";

const TIMEOUT_S = 300;
const LOOK_MS = 100;
/** Empty looks in a row that count as settled: between batches an outbox may be empty. */
const STILL_LOOKS = 10;

/** Resolves once the outboxes stay empty: everything accepted has been recorded. */
export async function settled(redis: RedisStore, shards: number): Promise<void> {
  let still = 0;
  for (
    const end = realRuntime.monotonicMs() + TIMEOUT_S * 1_000;
    realRuntime.monotonicMs() < end;
    await realRuntime.sleep(LOOK_MS)
  ) {
    const lengths = await Promise.all(
      Array.from({ length: shards }, (_, shard) =>
        redis.run((client) => client.xlen(outboxKey(shard))),
      ),
    );
    still = lengths.every((length) => length === 0) ? still + 1 : 0;
    if (still === STILL_LOOKS) return;
  }
  throw new Error(`some orders were not recorded within ${TIMEOUT_S} s`);
}
