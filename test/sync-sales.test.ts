// Operators' changes reach Redis, and no item is read for a sale that Redis has in its version.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { loadStock } from "../consumers/rebuild/rebuild.ts";
import { syncSale, syncSales } from "../consumers/shards/sync-sales.ts";
import type { Sale, Stock } from "../core/domain/sale.ts";
import { Bench, STORE_ID } from "../core/lua/testing.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { stockKey } from "../core/stores/keys.ts";
import { Catalogue } from "../gateway/catalogue.ts";
import type { Ledger, Operation } from "../ledger/contract.ts";
import { Db } from "../ledger/db.ts";
import { migrate } from "../ledger/migrations.ts";
import { openLedger } from "../ledger/open.ts";
import { testDir } from "./services.ts";

let bench: Bench;
let ledger: Ledger;
let dir: string;
let url: string;
/** The sales whose items were read. */
let read: string[];

beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(async () => {
  await bench.redis.close();
});
beforeEach(async () => {
  await bench.reset();
  dir = testDir("sync-sales");
  url = `sqlite:${join(dir, "ledger.db")}`;
  ledger = await openLedger({ runtime: realRuntime, url, shards: 2 });
  const { sales } = ledger;
  ledger.sales = async (ids) => {
    const found = await sales.call(ledger, ids);
    read.push(...found.map(({ id }) => id));
    return found;
  };
  for (const id of ["a", "b"])
    await ledger.operate({ kind: "create", ref: `create ${id}`, sale: saleOf(id) }, "test");
  read = [];
});

function saleOf(id: string): Sale {
  const item = { sku: "x", name: "x", category: "c", priceMinor: 1, limitPerUser: 0, initial: 5 };
  return { id, name: id, currency: "EUR", opensAtMs: 1, closesAtMs: 9e12, items: [item] };
}
const restock = (saleId: string, ref: string) =>
  ledger.operate({ kind: "restock", ref, saleId, sku: "x", units: 2 }, "test");
const sync = async (all: boolean) => {
  read = [];
  await syncSales(ledger, bench.stock, all);
  return read;
};
const totals = async () => {
  const units = async (id: string) => (await bench.stock.stock(id))?.get("x")?.total;
  return [await units("a"), await units("b")];
};

test("an open change is applied, and only its sale is read", async () => {
  expect(await sync(false)).toEqual(["a", "b"]);
  expect(await totals()).toEqual([5, 5]);
  await restock("b", "r1");
  expect(await sync(false)).toEqual(["b"]);
  expect(await totals()).toEqual([5, 7]);
  await sync(false);
  expect(await ledger.operationsOpen()).toEqual([]);
});

test("a look at all sales reads only those that Redis lacks or has in an old version", async () => {
  await sync(false);
  expect(await sync(true)).toEqual([]);
  const { client } = bench.redis;
  await client.copy(stockKey("b"), "before");
  await restock("b", "r1");
  await sync(false);
  // Redis loses the change to b, and all of a.
  await client.copy("before", stockKey("b"), "REPLACE");
  await client.del(stockKey("a"));
  expect(await sync(true)).toEqual(["a", "b"]);
  expect(await totals()).toEqual([5, 7]);
  expect(await sync(true)).toEqual([]);
});

test("a gateway reads the sales that changed, and none for a new route", async () => {
  const catalogue = new Catalogue(realRuntime, ledger);
  await catalogue.refresh();
  expect(read).toEqual(["a", "b"]);
  read = [];
  await ledger.operate({ kind: "close", ref: "c1", saleId: "a", atMs: 7 }, "test");
  await catalogue.refresh();
  expect(read).toEqual(["a"]);
  expect(catalogue.all().map(({ id, closesAtMs }) => [id, closesAtMs])).toEqual([
    ["a", 7],
    ["b", 9e12],
  ]);
  read = [];
  await ledger.operate(
    { kind: "route", ref: "r", region: "", category: "c", service: "s" },
    "test",
  );
  await catalogue.refresh();
  expect(read).toEqual([]);
});

/** As a release before `sales.version` does. */
async function closeByOldRelease(saleId: string, atMs: number): Promise<void> {
  const database = new Database(join(dir, "ledger.db"));
  const operation = { kind: "close", ref: `old ${saleId}`, saleId, atMs };
  database.run("UPDATE sales SET closes_ms = ? WHERE id = ?", [atMs, saleId]);
  database.run(
    "INSERT INTO operations (ref, operation, subject, at_ms, applied) VALUES (?, ?, 'old', 1, 0)",
    [operation.ref, JSON.stringify(operation)],
  );
  database.close();
}

test("an earlier release's change is read, though another sale changed after it", async () => {
  const catalogue = new Catalogue(realRuntime, ledger);
  await catalogue.refresh();
  await closeByOldRelease("a", 7);
  await restock("b", "r1");
  read = [];
  await catalogue.refresh();
  expect(read).toEqual(["a", "b"]);
  expect(catalogue.get("a")?.sale.closesAtMs).toBe(7);
});

test("an earlier release's change that Redis has lost is found", async () => {
  await sync(false);
  const { client } = bench.redis;
  await client.copy(stockKey("a"), "before");
  await closeByOldRelease("a", 7);
  await sync(false);
  await client.copy("before", stockKey("a"), "REPLACE");
  expect(await sync(true)).toEqual(["a"]);
  expect(await client.hget(stockKey("a"), "closes")).toBe("7");
});

/** The schema before operations numbered their sales. */
const UNNUMBERED = 11;

test("an upgrade keeps items and gives each sale the number of its last operation", async () => {
  const old = `sqlite:${join(dir, "old.db")}`;
  const db = await Db.open(realRuntime, old);
  await migrate(db, UNNUMBERED);
  await db.run(
    "INSERT INTO sales (id, name, currency, opens_ms, closes_ms) VALUES ('a','a','EUR',1,9)",
  );
  await db.run("INSERT INTO items VALUES ('a','x','x','c',1,2,5,2,4,0,1,2)");
  for (const ref of ["r1", "r2"])
    await db.run(
      "INSERT INTO operations (ref, operation, subject, at_ms, applied) VALUES (?, ?, 'o', 1, 1)",
      [ref, JSON.stringify({ kind: "restock", ref, saleId: "a", sku: "x", units: 1 })],
    );
  await db.close();
  const upgraded = await openLedger({ runtime: realRuntime, url: old, shards: 2 });
  expect((await upgraded.saleVersions())[0]).toMatchObject({ id: "a", version: 2 });
  expect(await upgraded.stock("a")).toEqual([
    { sku: "x", initial: 5, restocked: 2, available: 4, releasing: 0, held: 1, sold: 2 },
  ]);
  const limit = { kind: "limit", ref: "l", saleId: "a", sku: "x", limitPerUser: 1, reason: "r" };
  expect(await upgraded.operate(limit as Operation, "test")).toBe("done");
  await upgraded.close();
});

const correct = (ref: string, units: number) =>
  ledger.operate({ kind: "correct", ref, saleId: "a", sku: "x", units, reason: "lost" }, "test");
const units = async () => (await bench.stock.stock("a"))?.get("x");
const stock = async () => (await ledger.stock("a"))[0];

test("a correction is ended by Redis's answer, whoever asks", async () => {
  await sync(true);
  expect(await correct("c1", 2)).toBe("done");
  await sync(false);
  expect(await ledger.correction("c1")).toBe("done");
  expect(await units()).toMatchObject({ total: 3, available: 3 });
  expect(await stock()).toMatchObject({ corrected: 2, available: 3 });
  await sync(false);
  expect(await ledger.operationsOpen()).toEqual([]);
});

test("units that Redis has sold are not taken away, though the ledger has them", async () => {
  await sync(true);
  await bench.redis.client.hincrby("stock:a", "x:a", -4);
  await bench.redis.client.hincrby("stock:a", "x:h", 4);
  expect(await correct("c2", 2)).toBe("done");
  await sync(false);
  expect(await ledger.correction("c2")).toBe("refused");
  expect(await units()).toMatchObject({ total: 5, available: 1, held: 4 });
  expect(await stock()).toMatchObject({ available: 5 });
  await sync(false);
  expect(await ledger.operationsOpen()).toEqual([]);
});

test("a correction goes on where it stopped: in the ledger, in Redis, or lost", async () => {
  await sync(true);
  await correct("c3", 2);
  const version = await ledger.catalogueVersion();
  const [sale] = (await ledger.sales(["a"])) as [Sale];
  // Redis has taken the units, and whoever asked it died.
  await bench.stock.syncSale(sale, await ledger.stock("a"), version);
  expect(await units()).toMatchObject({ total: 3, available: 3 });
  await sync(false);
  expect(await stock()).toMatchObject({ corrected: 2, available: 3 });
  // A late call of an earlier version brings nothing back.
  const before = { ...(await stock()), corrected: 0 } as Stock;
  expect(await bench.stock.syncSale(sale, [before], version - 1)).toMatchObject({ word: "older" });
  await bench.redis.client.del("stock:a");
  await correct("c4", 3);
  await sync(true);
  expect(await ledger.correction("c4")).toBe("done");
  expect(await units()).toMatchObject({ total: 0, available: 0 });
});

test("two who end a correction differently agree in the end", async () => {
  await sync(true);
  await correct("c5", 2);
  const version = await ledger.catalogueVersion();
  const [sale] = (await ledger.sales(["a"])) as [Sale];
  const pending = await ledger.stock("a");
  expect(await ledger.settleCorrection("c5", "refused")).toBe("refused");
  // The other had its answer from Redis: the units are taken. They come back with the next check.
  await bench.stock.syncSale(sale, pending, version);
  expect(await ledger.settleCorrection("c5", "done")).toBe("refused");
  await sync(false);
  expect(await units()).toMatchObject({ total: 5, available: 5 });
});

test("a correction that is open when its sale retires has an end, whoever ends it", async () => {
  await sync(true);
  await correct("c7", 2);
  const version = await ledger.catalogueVersion();
  const [sale] = (await ledger.sales(["a"])) as [Sale];
  const pending = await ledger.stock("a");
  expect(await ledger.operate({ kind: "retire", ref: "retire a", saleId: "a" }, "test")).toBe(
    "done",
  );
  await sync(false);
  expect(await ledger.correction("c7")).toBe("done");
  expect(await stock()).toMatchObject({ corrected: 2, available: 3 });
  // A caller that had asked Redis before comes late.
  await bench.stock.syncSale(sale, pending, version);
  expect(await ledger.settleCorrection("c7", "refused")).toBe("done");
  await sync(false);
  expect(await ledger.operationsOpen()).toEqual([]);
});

test("a correction left by a release that did not end it ends when asked", async () => {
  await sync(true);
  await correct("c8", 2);
  await ledger.operate({ kind: "retire", ref: "retire a", saleId: "a" }, "test");
  await bench.stock.retireSale("a");
  await ledger.operationsDone((await ledger.operationsOpen()).map(({ id }) => id));
  await syncSale(ledger, bench.stock, "a");
  expect(await ledger.correction("c8")).toBe("done");
  expect(await stock()).toMatchObject({ corrected: 2, available: 3 });
});

test("a Redis that is rebuilt during a correction is loaded without its units", async () => {
  const prices = [{ fromMs: 5, priceMinor: 7 }];
  const change = { saleId: "a", sku: "x", reason: "r" };
  await ledger.operate({ kind: "price", ref: "p", ...change, fromMs: 5, priceMinor: 7 }, "test");
  await ledger.operate({ kind: "withdraw", ref: "w", ...change }, "test");
  await correct("c6", 2);
  for (const shard of [0, 1])
    await bench.rebuild.reset(STORE_ID, 2, { shard, epoch: 1, lastId: "genesis", lastN: 0 });
  const load = bench.rebuild.load(2, [0, 1]);
  await load.clearStock();
  await loadStock({ ledger }, load, await ledger.sales());
  await load.ready();
  expect(await units()).toMatchObject({ total: 3, available: 3 });
  expect(await bench.redis.client.hget(stockKey("a"), "x:q")).toBe("w 5:7");
  expect((await ledger.sales(["a"]))[0]?.items[0]).toMatchObject({ prices, withdrawn: true });
  await sync(true);
  expect(await ledger.correction("c6")).toBe("done");
  expect(await units()).toMatchObject({ total: 3, available: 3 });
});
