// A user's list, page by page: complete, and each page looks through a bounded stretch.
import { afterAll, describe, expect, test } from "bun:test";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { Ledger, OrderPage, PageRequest } from "./contract.ts";
import { LedgerUnavailable } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { bucketOf } from "./places.ts";
import { SqlLedger } from "./sql-ledger.ts";
import { entryOf, orderRow, SHARDS, saleOf } from "./test-entries.ts";
import { MAX_READS_WAITING, ThreadedReader } from "./threaded-reader.ts";

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const sqliteUrl = async () => `sqlite:${testDir("ledger")}/ledger.db`;

/** Users whose orders lie in one bucket. */
const [ANN = "", BOB = ""] = Array.from({ length: 100 }, (_, i) => `u${i}`).filter(
  (user) => shardOf(user, SHARDS) === 0 && bucketOf(user, 0) === 0,
);
const idAt = (n: number) => `0192f0c1-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** Bob's 30 orders; ann's are the ids 5, 6 and 25, the last of which bob has as well. */
async function filled(url: string): Promise<Ledger> {
  const ledger = await openLedger({
    runtime: realRuntime,
    url,
    shards: SHARDS,
    readsInThread: true,
  });
  const writer = await openLedgerWriter(realRuntime, url);
  open.push(ledger, writer);
  await ledger.operate({ kind: "create", ref: "r1", sale: saleOf(100) }, "op");
  const { epoch } = await writer.takeShard(0, "w");
  const bobs = Array.from({ length: 30 }, (_, n) => orderRow(BOB, idAt(n), 1));
  const anns = [5, 6, 25].map((n) => orderRow(ANN, idAt(n), 1));
  const rows = [...bobs, ...anns];
  const outcomes = rows.map((_, i) => (i === 31 ? "reserved" : "sold_out")).join(",");
  const entry = entryOf(0, 1, rows, outcomes);
  expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  return ledger;
}

async function pages(ledger: Ledger, user: string, request: PageRequest): Promise<string[][]> {
  const found: string[][] = [];
  let page: OrderPage = { orders: [] };
  do {
    const from = page.before === undefined ? {} : { before: page.before };
    page = await ledger.orderPage(user, { ...request, ...from });
    found.push(page.orders.map(({ id }) => id));
  } while (page.before !== undefined && found.length < 100);
  return found;
}

describe.each([
  ["sqlite", sqliteUrl],
  ["postgres", freshDatabase],
])("%s", (_, freshUrl) => {
  test("pages of bounded stretches have each order once, newest first", async () => {
    const ledger = await filled(await freshUrl());
    const mine = [25, 6, 5].map(idAt);
    // 33 orders in the bucket. A stretch of 5 ends at id 25, which both users have.
    const found = await pages(ledger, ANN, { limit: 10, lookedThrough: 5 });
    expect(found.flat()).toEqual(mine);
    expect(found.length).toBeWithin(6, 9);
    for (const lookedThrough of [1, 2, 3, 7, 1_000])
      for (const limit of [1, 2, 50])
        expect((await pages(ledger, ANN, { limit, lookedThrough })).flat()).toEqual(mine);
    expect((await pages(ledger, BOB, { limit: 7 })).flat()).toHaveLength(30);
    expect(await ledger.ordersOf(ANN, { limit: 2 })).toHaveLength(2);
    expect(await pages(ledger, ANN, { limit: 9, state: "reserved" })).toEqual([[idAt(6)]]);
    expect(await pages(ledger, ANN, { limit: 9, saleId: "s2" })).toEqual([[]]);
    expect(await pages(ledger, "nobody", { limit: 9 })).toEqual([[]]);
  }, 60_000);

  test("a thread reads what the ledger itself would", async () => {
    const url = await freshUrl();
    const ledger = (await filled(url)) as ThreadedReader;
    const direct = new SqlLedger(ledger.db, ledger.storeId, SHARDS);
    expect(await ledger.order(ANN, idAt(6))).toEqual(await direct.order(ANN, idAt(6)));
    expect(await ledger.sales()).toEqual(await direct.sales());
    const following = [{ user: ANN, id: idAt(6), after: -1 }];
    expect(await ledger.followed(following)).toEqual(await direct.followed(following));
    expect(await ledger.order(ANN, idAt(7))).toBeUndefined();
  }, 60_000);
});

test("waiting reads are bounded, and a thread that hangs is replaced", async () => {
  const url = await sqliteUrl();
  const ledger = (await filled(url)) as ThreadedReader;
  const reader = new ThreadedReader(
    ledger.db,
    { url, storeId: ledger.storeId, shards: SHARDS },
    { answerMs: 3_000, script: new URL("./silent-reader.child.ts", import.meta.url).href },
  );
  const read = () =>
    reader.order(ANN, idAt(6)).then(
      (order) => order?.id,
      (error: Error) => error,
    );
  // The first call hangs the thread, but not this one.
  const waiting = Array.from({ length: MAX_READS_WAITING }, read);
  const refused = await read();
  expect(refused).toBeInstanceOf(LedgerUnavailable);
  expect((refused as Error).message).toBe("512 calls wait for the ledger's reader already");
  for (const answer of await Promise.all(waiting)) expect(answer).toBeInstanceOf(LedgerUnavailable);
  expect(await read()).toBe(idAt(6));
  await reader.close();
}, 60_000);
