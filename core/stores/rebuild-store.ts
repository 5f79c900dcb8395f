// The steps of a rebuild in Redis. Each names the incarnation, and does nothing once a later
// rebuild has begun.
import type { EntryId } from "../domain/entry.ts";
import { RULES } from "../domain/limits.ts";
import { metaKey, REBUILD_KEY, RETIRED_KEY, STOCK_PREFIX, shardPrefix } from "./keys.ts";
import type { RedisStore } from "./redis.ts";

/** A later rebuild has begun, or the store was halted, so this one must stop. */
export class Overtaken extends Error {
  override name = "Overtaken";
}

/** Redis lost something while it was being loaded, so the rebuild must start again. */
export class LostWhileLoading extends Error {
  override name = "LostWhileLoading";
}

export type ResetWord = "loading" | "overtaken" | "halted" | "foreign" | "went_back";

const SCAN_COUNT = 1_000;

export class RebuildStore {
  constructor(private readonly redis: RedisStore) {}

  /** Closes a shard to everyone until it has been loaded. */
  async reset(
    storeId: string,
    incarnation: number,
    at: { shard: number; epoch: number; lastId: EntryId; lastN: number },
  ): Promise<ResetWord> {
    const args = [storeId, incarnation, at.epoch, at.lastId, at.lastN];
    const [word] = (await this.redis.call("reset", [metaKey(at.shard)], args)) as [ResetWord];
    return word;
  }

  /** Begins to load and count. `shards` are all shards. */
  load(incarnation: number, shards: readonly number[]): Load {
    return new Load(this.redis, incarnation, shards);
  }

  /** Announces a rebuild for `ttlMs`. `another`: a different rebuilder has announced one. */
  async announce(
    incarnation: number,
    token: string,
    ttlMs: number,
  ): Promise<"announced" | "another"> {
    const args = [incarnation, token, ttlMs];
    const [word] = (await this.redis.call("announce", [REBUILD_KEY], args)) as [
      "announced" | "another",
    ];
    return word;
  }

  /** Withdraws the announcement if it carries this token. */
  async retract(token: string): Promise<void> {
    await this.redis.call("retract", [REBUILD_KEY], [token]);
  }

  /** Whether a rebuild with another token has been announced (core/lua/announce.lua). */
  async underWay(token = ""): Promise<boolean> {
    const [held, standsMs] = await this.redis.run((c) =>
      Promise.all([c.get(REBUILD_KEY), c.pttl(REBUILD_KEY)]),
    );
    if (held === null || standsMs > RULES.ANNOUNCED_MOST_MS) return false;
    return token === "" || !held.endsWith(` ${token}`);
  }

  /** A shard's incarnation and state in Redis. */
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
}

/**
 * Loads Redis under one incarnation. It counts what it sends per shard and for the stock, and Redis
 * counts what it receives. Cleared keys count too; otherwise old content that comes back with an
 * older state of Redis would pass for loaded.
 */
export class Load {
  private readonly sent: Map<number, number>;
  private sentStock = 0;
  /** The shard whose meta hash counts the stock. */
  private readonly guard: number;

  constructor(
    private readonly redis: RedisStore,
    private readonly incarnation: number,
    private readonly shards: readonly number[],
  ) {
    this.sent = new Map(shards.map((shard) => [shard, 0]));
    this.guard = shards[0] ?? 0;
  }

  /** Deletes all stock. */
  clearStock(): Promise<void> {
    return this.clear(`${STOCK_PREFIX}*`, (keys) =>
      this.step(this.guard, "loaded_stock", keys, "clear", []),
    );
  }

  /** Deletes all keys of a shard except its meta hash. */
  clearShard(shard: number): Promise<void> {
    return this.clear(`${shardPrefix(shard)}*`, (keys) =>
      this.step(shard, "loaded", keys, "clear", []),
    );
  }

  /** Fields of a sale's stock hash. */
  stock(key: string, fields: readonly (string | number)[]): Promise<void> {
    return this.step(this.guard, "loaded_stock", [key], "hash", fields);
  }

  /** Adds a sale to the set of retired ones. */
  retired(saleId: string): Promise<void> {
    return this.step(this.guard, "loaded_stock", [RETIRED_KEY], "set", [saleId]);
  }

  /** Fields of a hash; `expiresAtMs` 0 means never. */
  hash(
    shard: number,
    key: string,
    fields: readonly (string | number)[],
    expiresAtMs = 0,
  ): Promise<void> {
    return this.step(shard, "loaded", [key], "hash", fields, expiresAtMs);
  }

  zset(
    shard: number,
    key: string,
    scores: readonly (string | number)[],
    expiresAtMs = 0,
  ): Promise<void> {
    return this.step(shard, "loaded", [key], "zset", scores, expiresAtMs);
  }

  list(shard: number, key: string, values: readonly string[]): Promise<void> {
    return this.step(shard, "loaded", [key], "list", values);
  }

  /** Several lists in one call, since most are short and there may be one for every user. */
  lists(
    shard: number,
    lists: readonly (readonly [key: string, values: readonly string[]])[],
  ): Promise<void> {
    const keys = lists.map(([key]) => key);
    const args = lists.flatMap(([, values]) => [values.length, ...values]);
    return this.step(shard, "loaded", keys, "lists", args);
  }

  text(shard: number, key: string, value: string, expiresAtMs: number): Promise<void> {
    return this.step(shard, "loaded", [key], "text", [value], expiresAtMs);
  }

  /** Opens every shard if Redis holds all that was sent. May be repeated if the answer is lost. */
  async ready(): Promise<void> {
    const counts = this.shards.map((shard) => this.sent.get(shard) ?? 0);
    const args = [this.incarnation, this.sentStock, ...counts];
    this.settle(await this.redis.call("ready", this.shards.map(metaKey), args), "open");
  }

  /**
   * SCAN finds every key that exists from its beginning to its end, and nobody else writes while
   * the shards load.
   */
  private async clear(pattern: string, remove: (keys: string[]) => Promise<void>): Promise<void> {
    let cursor = "0";
    do {
      const [next, found] = await this.redis.run((c) =>
        c.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT),
      );
      const keys = found.filter((key) => !key.endsWith(":meta"));
      if (keys.length > 0) await remove(keys);
      cursor = next;
    } while (cursor !== "0");
  }

  private async step(
    shard: number,
    counter: "loaded" | "loaded_stock",
    keys: readonly string[],
    what: string,
    values: readonly (string | number)[],
    expiresAtMs = 0,
  ): Promise<void> {
    const count = what === "clear" ? keys.length : values.length;
    if (counter === "loaded") this.sent.set(shard, (this.sent.get(shard) ?? 0) + count);
    else this.sentStock += count;
    const args = [this.incarnation, counter, what, expiresAtMs, ...values];
    this.settle(await this.redis.call("restore", [metaKey(shard), ...keys], args), "restored");
  }

  private settle(reply: unknown, wanted: "restored" | "open"): void {
    const [word] = reply as ["restored" | "open" | "overtaken" | "lost"];
    if (word === wanted) return;
    if (word === "lost")
      throw new LostWhileLoading(`Redis lost part of incarnation ${this.incarnation}`);
    throw new Overtaken(`a later rebuild than ${this.incarnation} has begun`);
  }
}
