// Units of a sale, read from a real Redis.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { testRedis } from "../../test/services.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { stockKey } from "./keys.ts";
import { RedisStore } from "./redis.ts";
import { StockStore } from "./stock-store.ts";

const SKUS = Array.from({ length: 600 }, (_, i) => `item-${i}`);
let redis: RedisStore;
let store: StockStore;

beforeAll(async () => {
  redis = new RedisStore({ runtime: realRuntime, url: (await testRedis()).url });
  await redis.connect();
  store = new StockStore(redis);
  await redis.client.flushall();
  const fields = SKUS.flatMap((sku, i) => [
    ...[`${sku}:t`, i + 10, `${sku}:a`, i],
    ...[`${sku}:r`, 1, `${sku}:h`, 4, `${sku}:s`, 5],
  ]);
  await redis.client.hset(stockKey("large"), "v", 1, ...fields);
});
afterAll(() => redis.close());

test("a large sale that is read page by page has the same units as one read at once", async () => {
  const whole = await store.stock("large");
  expect(whole?.size).toBe(600);
  expect(whole?.get("item-599")).toEqual({
    ...{ sku: "item-599", total: 609, available: 599 },
    ...{ releasing: 1, held: 4, sold: 5 },
  });
  const calls = async () =>
    Number(/cmdstat_hmget:calls=(\d+)/.exec(await redis.client.info("commandstats"))?.[1] ?? 0);
  const before = await calls();
  const paged = await store.stock("large", SKUS);
  expect((await calls()) - before).toBe(6);
  expect(new Map([...(paged ?? [])].sort())).toEqual(new Map([...(whole ?? [])].sort()));
});

test("a counter that Redis lacks is unknown, however the sale is read", async () => {
  await redis.client.hset(stockKey("torn"), "v", 1, "a:t", 3, "a:a", 0);
  const torn = { sku: "a", total: 3, available: 0, releasing: Number.NaN };
  for (const skus of [[], ["a", ...SKUS]])
    expect((await store.stock("torn", skus))?.get("a")).toMatchObject(torn);
});

test("an item that Redis lacks is left out; a sale that it lacks has no units", async () => {
  const more = [...SKUS, "new"];
  expect((await store.stock("large", more))?.has("new")).toBe(false);
  expect((await store.stock("large", more))?.size).toBe(600);
  expect(await store.stock("other", SKUS)).toBeUndefined();
  expect(await store.stock("other", ["a"])).toBeUndefined();
});
