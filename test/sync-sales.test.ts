// Operators' changes reach Redis, and no item is read for a sale that Redis has in its version.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { syncSales } from "../consumers/shards/sync-sales.ts";
import type { Sale } from "../core/domain/sale.ts";
import { Bench } from "../core/lua/testing.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { stockKey } from "../core/stores/keys.ts";
import { Catalogue } from "../gateway/catalogue.ts";
import type { Ledger } from "../ledger/contract.ts";
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

/** As a release before `sales.version` does it. */
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

test("an upgrade gives each sale the number of its last operation", async () => {
  await restock("a", "r1");
  const [before] = await ledger.saleVersions();
  const database = new Database(join(dir, "ledger.db"));
  database.run("DROP TRIGGER operations_version");
  database.run("UPDATE sales SET version = 0");
  database.run("DELETE FROM migrations WHERE version = (SELECT MAX(version) FROM migrations)");
  database.close();
  const upgraded = await openLedger({ runtime: realRuntime, url, shards: 2 });
  expect((await upgraded.saleVersions())[0]).toEqual(before);
  await upgraded.close();
});
