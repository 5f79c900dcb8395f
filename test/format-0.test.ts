// A ledger from before messages had columns: its journal holds rows and steps read by position.
// format-0.json is such a ledger, table by table, written by that release, with what that release
// itself read from it: look-ups, what a rebuild loads, the verdict of verify. It has entries of
// every kind.
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { DeadLetter } from "../broker/dead-letters.ts";
import { letterOf } from "../cli/operator/dead-letters.ts";
import { Announcement } from "../consumers/rebuild/announcement.ts";
import { rebuild } from "../consumers/rebuild/rebuild.ts";
import { realRuntime as runtime } from "../core/runtime/runtime.ts";
import { RebuildStore } from "../core/stores/rebuild-store.ts";
import { RedisStore } from "../core/stores/redis.ts";
import type { LiveStock } from "../core/stores/stock-store.ts";
import { Db, insertRows, type Value } from "../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";
import { entryOf, orderRow } from "../ledger/test-entries.ts";
import { letterOf as letterSeenByVerify } from "../proof/verify/letters.ts";
import { verify } from "../proof/verify/verify.ts";
import written from "./format-0.json";
import { freshDatabase, testDir, testRedis } from "./services.ts";

const TIMEOUT_MS = 60_000;
const YEARS_MS = 1e12;
const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const { ids, redis: replayed } = written;

const closing: { close(): Promise<unknown> }[] = [];
afterAll(async () => {
  for (const one of closing.reverse()) await one.close();
});

/** The database counts these itself. */
const isCounted = (table: string, column: string) =>
  column === "seq" || (table === "follow_ups" && column === "id");

/** A ledger with the tables of format-0.json. */
async function restored(dialect: string) {
  const url = dialect === "sqlite" ? `sqlite:${testDir("old")}/ledger.db` : await freshDatabase();
  const ledger = await openLedger({ runtime, url, shards: 1 });
  const db = await Db.open(runtime, url);
  await db.run("DELETE FROM shards");
  const tables = written.tables as unknown as Record<string, [string[], ...Value[][]]>;
  // Items name their sale.
  for (const table of ["sales", ...Object.keys(tables).filter((name) => name !== "sales")]) {
    const [columns, ...rows] = tables[table] as [string[], ...Value[][]];
    const kept = columns.map((column) => !isCounted(table, column));
    const of = <T>(values: readonly T[]) => values.filter((_, i) => kept[i]);
    await db.transaction((tx) => insertRows(tx, table, of(columns), rows.flatMap(of)));
  }
  const writer = await openLedgerWriter(runtime, url);
  closing.push(ledger, db, writer);
  return { url, ledger, db, writer };
}

describe.each(["sqlite", "postgres"])("%s: a ledger of format 0", (dialect) => {
  let old: Awaited<ReturnType<typeof restored>>;
  beforeAll(async () => {
    old = await restored(dialect);
  }, TIMEOUT_MS);

  test("every order is found as it was", async () => {
    const found = [];
    for (const user of new Set(written.orders.map((order) => order.user)))
      found.push(...(await old.ledger.ordersOf(user, { limit: 10 })));
    const without = found.map(({ first: _first, ...order }) => order);
    expect(without).toEqual(written.orders as never);
    for (const { state, first } of found) if (state === "parked") expect(first.state).toBe(state);
    const dan = await old.ledger.order("dan", ids.dan);
    expect(dan).toMatchObject({ payment: 'to"k', currency: "USD", maxTotal: 500 });
    expect(dan).toMatchObject({ traceparent: TRACE, metadata: '{"to":"Dän \\"x\\""}' });
  });

  test(
    "a rebuild loads what it loaded, with what waits in the form of today",
    async () => {
      const { ledger, writer } = old;
      const redis = new RedisStore({ runtime, url: (await testRedis()).url });
      await redis.connect();
      await redis.client.flushall();
      const store = new RebuildStore(redis);
      const announcement = new Announcement(runtime, store);
      const stores = { runtime, store, ledger, writer, announcement };
      const result = await rebuild(
        { ...stores, dedupWindowMs: YEARS_MS, now: Date.now, log: () => undefined },
        await ledger.incarnation(),
      );
      expect(result).toBe("rebuilt");
      const { client } = redis;
      const hash = (key: string) => client.hgetall(`{0}:${key}`);
      const seen = await client.keys("{0}:seen:*");
      expect(
        Object.assign({}, ...(await Promise.all(seen.map((key) => client.hgetall(key))))),
      ).toEqual(replayed.seen);
      expect(await hash("open")).toEqual(replayed.open);
      expect(await hash("bought:spring")).toEqual(texts(replayed.bought));
      expect(await hash("redriven:spring")).toEqual(texts(replayed.redriven));
      for (const [user, lane] of Object.entries(replayed.lanes))
        expect(await client.lrange(`{0}:lane:${user}`, 0, -1)).toEqual(lane);
      const next = Object.entries(replayed.next).map(([name, n]) => [name.split(" ")[1], n]);
      expect(await hash("next:spring")).toEqual(texts(Object.fromEntries(next)));
      expect(await client.zrange("{0}:marks:hal", "0", "-1")).toEqual([ids.hal]);
      const jon = JSON.parse((await hash("park:spring:jon"))["4"] as string);
      expect(jon).toMatchObject({ gateway: "eu.g", orders: { v: 1, order: [`jon ${ids.jon}`] } });
      const waits = (await client.lrange("{0}:fx", 0, -1)).map((text) => JSON.parse(text));
      expect(waits).toMatchObject([
        { pair: "EUR/USD", gateway: "eu.g", orders: { v: 1, order: [`fay ${ids.fay}`] } },
        { pair: "EUR/USD", sale: "spring", user: "gus", id: ids.gus },
      ]);
      await announcement.retract();
      await redis.close();
    },
    TIMEOUT_MS,
  );

  test(
    "verify comes to the same verdict",
    async () => {
      const live = new Map((written.live as LiveStock[]).map((item) => [item.sku, item]));
      const verdict = await verify({
        ledgerUrl: old.url,
        history: [],
        redis: {
          stock: async () => live,
          outboxLength: async () => 0,
          parked: async () => ({ orders: 0, most: 0 }),
        },
        queues: { depths: async () => [] },
        provider: async () => written.captures,
        packed: async () => written.packed,
      });
      expect(verdict.violations).toEqual([]);
      // Dead letters are not checked here.
      const { deadLettered: _, ...counts } = written.verdict.counts;
      expect(verdict).toMatchObject({ result: written.verdict.result, counts });
    },
    TIMEOUT_MS,
  );

  test("a part that is asked for again has its order's metadata and trace", async () => {
    await old.writer.askAgain();
    const open = await old.ledger.followUps(0, 100);
    // Its service had claimed it, so it goes to that service's queue.
    const asked = open.filter((f) => f.exchange === "" && f.routingKey === "fulfilment.depot");
    const parts = asked.map((f) => JSON.parse(f.body));
    const about = { user: "dan", id: ids.dan, saleId: "spring", metadata: '{"to":"Dän \\"x\\""}' };
    expect(parts).toMatchObject([[{ ...about, traceparent: TRACE, request: 3 }]]);
  });

  test("a failed payment can be redriven as the order it was", async () => {
    await old.db.run("UPDATE orders SET state = 'payment_failed' WHERE usr = 'eve'");
    const grant = await old.ledger.grantRedrive("eve", ids.eve, 2, "test");
    const order = { user: "eve", id: ids.eve, lines: [{ sku: "cap", qty: 1 }] };
    expect(grant).toMatchObject({ row: { kind: "redrive", generation: 3, order } });
  });

  test("the dead letter of a rejected order names it", async () => {
    const letter = (await old.ledger.followUps(0, 100)).find((f) => f.routingKey === "orders.dead");
    const dead = { id: "x", headers: {}, body: Buffer.from(letter?.body ?? "") };
    const named = letterOf({ ...dead, queue: "orders.dead" } as never as DeadLetter);
    const row = { kind: "order", order: { user: "ida", id: ids.ida } };
    expect(named).toMatchObject({ user: "ida", order: ids.ida, body: { row } });
    expect(letterSeenByVerify(dead as never)).toMatchObject({ user: "ida", order: ids.ida });
  });

  test("new decisions follow in today's format", async () => {
    const { ledger, writer } = old;
    const { epoch, lastId, lastN } = await writer.takeShard(0, "w");
    const id = Bun.randomUUIDv7();
    const row = orderRow("dan", id, 1, { saleId: "spring" });
    const entry = entryOf(0, lastN + 1, [row], "sold_out", { prev: lastId });
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
    const found = await ledger.ordersOf("dan", { limit: 10 });
    expect(found.map((order) => [order.id, order.state])).toEqual([
      [id, "sold_out"],
      [ids.dan, "paid"],
    ]);
  });
});

const texts = (values: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(values).map(([name, n]) => [name, String(n)]));
