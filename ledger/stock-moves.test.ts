import { afterAll, describe, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { Db } from "./db.ts";
import { openLedger } from "./open.ts";
import { Contradiction } from "./refusals.ts";
import { moveStock } from "./stock-moves.ts";
import { SHARDS, saleOf } from "./test-entries.ts";

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("stock")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;
const SKUS = Array.from({ length: 30 }, (_, i) => `sku-${i}`);
const ROUNDS = 25;

describe.each(databases)("%s", (dialect, freshUrl) => {
  async function fresh(): Promise<[Db, Db]> {
    const url = await freshUrl();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const [item] = saleOf(1_000_000).items;
    const items = SKUS.map((sku) => ({ ...item, sku }) as never);
    const sale = { ...saleOf(0), items };
    expect(await ledger.operate({ kind: "create", ref: "r1", sale }, "op")).toBe("done");
    const two = [await Db.open(realRuntime, url), await Db.open(realRuntime, url)] as const;
    open.push(ledger, ...two);
    return [...two];
  }

  /** One unit of each item, from available to held. */
  const hold = (db: Db, skus: readonly string[]) =>
    db.transaction((tx) =>
      moveStock(dialect, tx, new Map(skus.map((s) => [`s1 ${s}`, { available: -1, held: 1 }]))),
    );

  test("writers that move the same items do not wait for each other in a circle", async () => {
    const [one, two] = await fresh();
    for (let i = 0; i < ROUNDS; i++)
      await Promise.all([hold(one, SKUS), hold(two, SKUS.toReversed()), hold(one, SKUS)]);
    const rows = await one.run("SELECT sku, held FROM items");
    expect(rows.map(({ held }) => Number(held))).toEqual(SKUS.map(() => 3 * ROUNDS));
  }, 30_000);

  test("an item that the sale does not have is a contradiction, and nothing moves", async () => {
    const [db] = await fresh();
    const error = await hold(db, ["sku-1", "none"]).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Contradiction);
    expect(await db.run("SELECT sku FROM items WHERE held > 0")).toEqual([]);
  });
});
