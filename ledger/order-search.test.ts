// Finding orders of any user: complete pages of bounded stretches, ids that users share, a story.
import { afterAll, describe, expect, test } from "bun:test";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { Ledger } from "./contract.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import type { SearchPage, SearchRequest } from "./order-search.ts";
import { entryId, entryOf, orderRow, SHARDS, saleOf } from "./test-entries.ts";

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const idAt = (n: number) => `0192f0c1-0000-7000-8000-${String(n).padStart(12, "0")}`;
const USERS = Array.from({ length: 12 }, (_, i) => `user-${i}`);
const COUNT = 60;

/** Order n is of user n mod 12, and reserved if n mod 5 is 0. Two users have id 7. */
async function filled(url: string): Promise<Ledger> {
  const opening = { runtime: realRuntime, url, shards: SHARDS, readsInThread: true };
  const ledger = await openLedger(opening);
  const writer = await openLedgerWriter(realRuntime, url);
  open.push(ledger, writer);
  await ledger.operate({ kind: "create", ref: "r1", sale: saleOf(100) }, "op");
  const all = Array.from({ length: COUNT }, (_, n) => ({ n, user: USERS[n % 12] ?? "" }));
  all.push({ n: 7, user: "user-9" });
  for (let shard = 0; shard < SHARDS; shard++) {
    const { epoch } = await writer.takeShard(shard, "w");
    const own = all.filter(({ user }) => shardOf(user, SHARDS) === shard);
    const rows = own.map(({ n, user }) => orderRow(user, idAt(n), 1, { payment: "tok_secret" }));
    const outcomes = own.map(({ n }) => (n % 5 === 0 ? "reserved" : "sold_out")).join(",");
    const entry = entryOf(shard, 1, rows, outcomes);
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  }
  return ledger;
}

async function all(ledger: Ledger, request: SearchRequest): Promise<string[]> {
  const found: string[] = [];
  let page: SearchPage = { orders: [] };
  let count = 0;
  do {
    page = await ledger.ordersOfAll({ ...request, before: page.before });
    found.push(...page.orders.map(({ user, id }) => `${Number(id.slice(-12))} ${user}`));
    expect(++count).toBeLessThan(200);
  } while (page.before !== undefined);
  return found;
}

describe.each([
  ["sqlite", async () => `sqlite:${testDir("search")}/ledger.db`],
  ["postgres", freshDatabase],
])("%s", (_, freshUrl) => {
  test("pages over all users have each order once, newest first", async () => {
    const ledger = await filled(await freshUrl());
    const whole = await all(ledger, { limit: 100 });
    expect(whole).toHaveLength(COUNT + 1);
    expect(new Set(whole).size).toBe(COUNT + 1);
    const numbers = whole.map((text) => Number(text.split(" ")[0]));
    expect(numbers).toEqual(numbers.toSorted((a, b) => b - a));
    for (const request of [{ limit: 1 }, { limit: 7 }, { limit: 50, lookedThrough: 32 }])
      expect((await all(ledger, request)).sort()).toEqual(whole.toSorted());
    const reserved = await all(ledger, { limit: 3, state: "reserved", lookedThrough: 40 });
    expect(reserved).toHaveLength(COUNT / 5);
    expect(await all(ledger, { limit: 50, saleId: "other" })).toEqual([]);
  }, 60_000);

  test("an id alone finds its orders, and a story has the entry that recorded one", async () => {
    const ledger = await filled(await freshUrl());
    const users = (await ledger.ordersWithId(idAt(7))).map(({ user }) => user).sort();
    expect(users).toEqual(["user-7", "user-9"]);
    expect(await ledger.ordersWithId(idAt(99))).toEqual([]);
    const story = await ledger.orderStory("user-5", idAt(5));
    const shard = shardOf("user-5", SHARDS);
    expect(story?.entry).toEqual({ shard, n: 1, id: entryId(shard, 1) });
    expect(story?.charges).toMatchObject([{ generation: 1, attempt: 1, currency: "EUR" }]);
    expect(JSON.stringify(story)).not.toContain("tok_secret");
    expect(await ledger.orderStory("user-6", idAt(5))).toBeUndefined();
  }, 60_000);
});
