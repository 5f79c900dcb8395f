// Stock and decisions in Redis for the peers that record in SQLite: one Lua call per group.
import { Redis } from "ioredis";
import decide from "./decide.lua" with { type: "text" };
import type { Item, Order, Outcome } from "./peer.ts";

export const STOCK_KEY = "stock";
/** The longest that a call may wait; ioredis would wait forever. */
const COMMAND_TIMEOUT_MS = 10_000;

interface Deciding extends Redis {
  decide(keyCount: number, ...keysAndArguments: (string | number)[]): Promise<string>;
}

export function openRedis(url: string, options: { readonly blocking?: boolean } = {}): Redis {
  const commandTimeout = options.blocking ? undefined : COMMAND_TIMEOUT_MS;
  return new Redis(url, { commandTimeout, maxRetriesPerRequest: null });
}

export class RedisStock {
  private readonly redis: Deciding;

  constructor(url: string) {
    this.redis = openRedis(url) as Deciding;
    this.redis.defineCommand("decide", { lua: decide });
  }

  /** Decides a group. An order that was decided before keeps its outcome and takes nothing. */
  async decide(orders: readonly Order[]): Promise<Outcome[]> {
    const call: (string | number)[] = [STOCK_KEY];
    for (const { user, id } of orders) call.push(`order:${user}:${id}`);
    for (const { lines } of orders) {
      call.push(lines.length);
      for (const { sku, qty } of lines) call.push(sku, qty);
    }
    const letters = await this.redis.decide(orders.length + 1, ...call);
    return Array.from(letters, (letter) => (letter === "r" ? "reserved" : "sold_out"));
  }

  async close(): Promise<void> {
    await this.redis.quit();
  }
}

export async function withRedis<T>(url: string, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = openRedis(url);
  try {
    return await work(redis);
  } finally {
    redis.disconnect();
  }
}

export function prepareStock(url: string, items: readonly Item[]): Promise<unknown> {
  return withRedis(url, (redis) =>
    redis.hset(STOCK_KEY, Object.fromEntries(items.map(({ sku, units }) => [sku, units]))),
  );
}

export async function unitsInRedis(url: string): Promise<Map<string, number>> {
  const units = await withRedis(url, (redis) => redis.hgetall(STOCK_KEY));
  return new Map(Object.entries(units).map(([sku, left]) => [sku, Number(left)]));
}
