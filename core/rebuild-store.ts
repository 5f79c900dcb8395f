// The steps of a rebuild in Redis. Every one names the incarnation, and does nothing once a later rebuild has begun.
import type { EntryId } from "./domain/entry.ts";
import { metaKey, REBUILD_KEY, shardPrefix } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

/** A later rebuild has begun, or the store was halted: stop. */
export class Overtaken extends Error {
  override name = "Overtaken";
}

const SCAN_COUNT = 1_000;

export class RebuildStore {
  constructor(private readonly redis: RedisStore) {}

  /** Shuts everyone out of a shard until `open`. */
  async reset(
    storeId: string,
    incarnation: number,
    at: { shard: number; epoch: number; lastId: EntryId; lastN: number },
  ): Promise<"loading" | "overtaken" | "halted" | "foreign" | "went_back"> {
    const reply = await this.redis.call(
      "reset",
      [metaKey(at.shard)],
      [storeId, incarnation, at.epoch, at.lastId, at.lastN],
    );
    return (reply as ["loading" | "overtaken" | "halted" | "foreign" | "went_back"])[0];
  }

  /** Deletes what matches, found by SCAN: the meta hashes stay. */
  async clear(incarnation: number, guardShard: number, pattern: string): Promise<void> {
    let cursor = "0";
    do {
      const [next, found] = await this.redis.run((c) =>
        c.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT),
      );
      const keys = found.filter((key) => !key.endsWith(":meta"));
      if (keys.length > 0) await this.step(guardShard, incarnation, keys, ["clear", 0]);
      cursor = next;
    } while (cursor !== "0");
  }

  /** Deletes all of a shard but its meta hash. */
  async clearShard(incarnation: number, shard: number): Promise<void> {
    await this.clear(incarnation, shard, `${shardPrefix(shard)}*`);
  }

  /** Writes fields of a hash; `expiresAtMs` 0 for never. */
  async hash(
    incarnation: number,
    shard: number,
    key: string,
    fields: readonly (string | number)[],
    expiresAtMs = 0,
  ): Promise<void> {
    await this.step(shard, incarnation, [key], ["hash", expiresAtMs, ...fields]);
  }

  async zset(
    incarnation: number,
    shard: number,
    key: string,
    scores: readonly (string | number)[],
    expiresAtMs = 0,
  ): Promise<void> {
    await this.step(shard, incarnation, [key], ["zset", expiresAtMs, ...scores]);
  }

  async list(
    incarnation: number,
    shard: number,
    key: string,
    values: readonly string[],
  ): Promise<void> {
    await this.step(shard, incarnation, [key], ["list", 0, ...values]);
  }

  async text(
    incarnation: number,
    shard: number,
    key: string,
    value: string,
    expiresAtMs: number,
  ): Promise<void> {
    await this.step(shard, incarnation, [key], ["text", expiresAtMs, value]);
  }

  async open(incarnation: number, shard: number): Promise<void> {
    const reply = (await this.redis.call("ready", [metaKey(shard)], [incarnation])) as [string];
    if (reply[0] !== "open")
      throw new Overtaken(`shard ${shard}: a later rebuild than ${incarnation} has begun`);
  }

  /** Tells the others that the rebuild is alive; lapses after `ttlMs`. */
  async announce(incarnation: number, ttlMs: number): Promise<void> {
    await this.redis.run((c) => c.set(REBUILD_KEY, String(incarnation), "PX", ttlMs));
  }

  async retract(): Promise<void> {
    await this.redis.run((c) => c.del(REBUILD_KEY));
  }

  /** Whether somebody's rebuild is under way. */
  async underWay(): Promise<boolean> {
    return (await this.redis.run((c) => c.exists(REBUILD_KEY))) === 1;
  }

  /** Incarnation and state of a shard as Redis has them. */
  async state(
    shard: number,
  ): Promise<{ store?: string; incarnation: number; state: string; reason?: string }> {
    const [store, inc, state, reason] = await this.redis.run((c) =>
      c.hmget(metaKey(shard), "store", "inc", "state", "reason"),
    );
    return {
      store: store ?? undefined,
      incarnation: Number(inc ?? 0),
      state: state ?? "empty",
      reason: reason ?? undefined,
    };
  }

  private async step(
    shard: number,
    incarnation: number,
    keys: readonly string[],
    args: readonly (string | number)[],
  ): Promise<void> {
    const reply = (await this.redis.call(
      "restore",
      [metaKey(shard), ...keys],
      [incarnation, ...args],
    )) as [string];
    if (reply[0] !== "restored")
      throw new Overtaken(`shard ${shard}: a later rebuild than ${incarnation} has begun`);
  }
}
