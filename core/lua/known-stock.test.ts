// What Lua remembers of a sale from one batch to the next (shared/stock.lua) never outlives what it
// was read from.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { Bench, bodyOf, cancel, row, STORE_ID } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 1 }, b: { units: 100 } });
});
afterAll(async () => bench?.close());

const KEY = "stock:s1";
const order = async (sku: string, user = "u") => (await bench.words(row(user, { [sku]: 1 })))[0];
const edition = () => bench.redis.client.hget(KEY, "e");

/** Sells out item a, and has Lua know it. */
async function sellOut(): Promise<string> {
  const id = Bun.randomUUIDv7();
  expect(await bench.words(row("first", { a: 1 }, { id }))).toEqual(["reserved"]);
  expect([await order("a"), await order("a")]).toEqual(["sold_out", "sold_out"]);
  return id;
}

test("a restocked item sells in the next call", async () => {
  await sellOut();
  await bench.sale({ a: { units: 3 }, b: { units: 100 } });
  expect([await order("a"), await order("a")]).toEqual(["reserved", "reserved"]);
  expect(await order("a")).toBe("sold_out");
});

test("units that a cancel returned sell as soon as the ledger has it", async () => {
  const id = await sellOut();
  const { entry } = await bench.decide([[cancel("first", id)]]);
  expect(await order("a")).toBe("sold_out");
  await bench.shards.recorded(bench.claim, entry?.id ?? "", entry?.n ?? 0);
  expect(await order("a")).toBe("reserved");
});

test("units that return to an item that had some left leave the edition", async () => {
  const id = Bun.randomUUIDv7();
  await bench.words(row("u", { b: 1 }, { id }));
  const before = await edition();
  const { entry } = await bench.decide([[cancel("u", id)]]);
  await bench.shards.recorded(bench.claim, entry?.id ?? "", entry?.n ?? 0);
  expect(await bench.units("b")).toEqual({ available: 100, held: 0 });
  expect([typeof before, await edition()]).toEqual(["string", before as string]);
});

test("a window, a limit and a price that change count in the next call", async () => {
  expect(await order("b")).toBe("reserved");
  await bench.sale({ b: { units: 100, limit: 1 } });
  expect([await order("b", "v"), await order("b", "v")]).toEqual(["reserved", "over_limit"]);
  await bench.sale({ b: { units: 100, price: 99_999_999_999_999 } });
  expect((await bench.words(row("u", { b: 2 })))[0]).toBe("over_max_total");
  await bench.sale({ b: { units: 100 } }, { opensAtMs: 0, closesAtMs: 1 });
  expect(await order("b")).toBe("sale_closed");
});

test("a Redis that was rebuilt sells what it has now", async () => {
  await sellOut();
  await bench.reset();
  await bench.sale({ a: { units: 2 } });
  expect([await order("a"), await order("b")]).toEqual(["reserved", "unknown_item"]);
});

test("a sale that was retired is not remembered as it was", async () => {
  await sellOut();
  await bench.stock.retireSale("s1");
  expect([await order("a"), await order("b")]).toEqual(["sale_closed", "sale_closed"]);
});

test("an earlier version leaves the edition: what it changed counts after a second", async () => {
  await sellOut();
  await bench.redis.client.hset(KEY, "a:a", 1, "a:t", 2);
  expect(await order("a")).toBe("sold_out");
  await Bun.sleep(1_050);
  expect(await order("a")).toBe("reserved");
});

test("an item that sells out within a call is sold out for the rest of it", async () => {
  const rows = [row("u", { a: 1 }), row("v", { a: 1 }), row("w", { b: 1, a: 1 })];
  expect(await bench.words(...rows)).toEqual(["reserved", "sold_out", "sold_out"]);
  expect(await bench.words(row("x", { b: 1, a: 1 }))).toEqual(["sold_out"]);
  expect(await bench.units("b")).toEqual({ available: 100, held: 0 });
});

test("the records of a bucket expire, also after a rebuild that loaded none", async () => {
  const ttl = async () => {
    const keys = await bench.redis.client.keys("{0}:seen:*");
    return Promise.all(keys.map(async (key) => (await bench.redis.client.pttl(key)) > 0));
  };
  expect([await order("b"), await order("b")]).toEqual(["reserved", "reserved"]);
  expect(await ttl()).toEqual([true]);
  for (const shard of [0, 1])
    await bench.rebuild.reset(STORE_ID, 2, { shard, epoch: 1, lastId: "x", lastN: 9 });
  const load = bench.rebuild.load(2, [0, 1]);
  await load.clearShard(0);
  await load.ready();
  const again = { ...bench.claim, incarnation: 2 };
  const message = { gateway: "g", batch: "1", body: bodyOf(row("u", { b: 1 })) };
  await bench.shards.decide(again, [message], { entryId: "y", dedupWindowMs: 3_600_000 });
  expect(await ttl()).toEqual([true]);
});

test("a bucket made again after its end gets an end, and a longer window moves it", async () => {
  const left = async () => {
    const [key = "", ...others] = await bench.redis.client.keys("{0}:seen:*");
    expect(others).toEqual([]);
    return { key, ms: await bench.redis.client.pttl(key) };
  };
  // In one bucket: its id is given.
  const atMs = Date.now() - 1_000;
  const placed = () => row("u", { b: 1 }, { id: Bun.randomUUIDv7("hex", atMs) });
  expect(await bench.words(placed(), placed())).toEqual(["reserved", "reserved"]);
  const before = await left();
  await bench.redis.client.del(before.key); // as if Redis's clock had been ahead for a while
  expect(await bench.words(placed())).toEqual(["reserved"]);
  expect((await left()).ms).toBeGreaterThan(before.ms - 60_000);
  const message = { gateway: "g", batch: "1", body: bodyOf(placed()) };
  const windowMs = 2 * 3_600_000;
  await bench.shards.decide(bench.claim, [message], { entryId: "y", dedupWindowMs: windowMs });
  expect((await left()).ms).toBeGreaterThan(before.ms + 3_000_000);
  expect(await bench.words(placed())).toEqual(["reserved"]);
  expect((await left()).ms).toBeGreaterThan(before.ms + 3_000_000);
});

test("what Lua no longer needs is collected, though its collector rests at first", async () => {
  const memory = async () => {
    const info = await bench.redis.client.info("memory");
    return Number(/used_memory_vm_functions:(\d+)/.exec(info)?.[1]);
  };
  const metadata = "x".repeat(4_000);
  const order = (_: unknown, i: number) => row("u", { b: 1 }, { metadata: `${metadata}${i}` });
  for (let call = 0; call < 100; call++) await bench.decide([Array.from({ length: 100 }, order)]);
  expect(await memory()).toBeLessThan(48 * 1024 * 1024);
}, 60_000);
