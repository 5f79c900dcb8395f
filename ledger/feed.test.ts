import { afterAll, describe, expect, test } from "bun:test";
import { at } from "../core/domain/at.ts";
import type { AnswerWord } from "../core/domain/charge.ts";
import type { Entry, OrderStep } from "../core/domain/entry.ts";
import type { FeedEvent } from "../core/domain/feed-event.ts";
import { checkOf, type FeedPosition } from "../core/domain/feed-position.ts";
import type { AnswerRow, Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { until } from "../test/until.ts";
import type { FeedPage, Ledger, LedgerWriter } from "./contract.ts";
import { Db } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, releasedOf, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

const [ANN, BOB] = [userOf(0), userOf(1)];

async function fresh(dialect: string, units = 1_000) {
  const url = dialect === "sqlite" ? `sqlite:${testDir("feed")}/ledger.db` : await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(units) }, "test");
  closing.push(ledger);
  return { url, ledger, start: await ledger.feedAt("start") };
}

/** Records the entries of one shard in succession. */
async function owner(url: string, shard: number) {
  const writer: LedgerWriter = await openLedgerWriter(realRuntime, url);
  closing.push(writer);
  const { epoch } = await writer.takeShard(shard, "w");
  let n = 0;
  return async (rows: readonly Row[], words: string, more: Partial<Entry> = {}) => {
    const entry = entryOf(shard, ++n, rows, words, { atMs: n, ...more });
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  };
}

async function page(ledger: Ledger, after: FeedPosition, limit = 1_000): Promise<FeedPage> {
  const found = await ledger.feed(after, limit);
  if (found === "gone") throw new Error("gone");
  return found;
}

const answer = (id: string, word: AnswerWord): AnswerRow => {
  const of = { user: ANN, id, generation: 1, attempt: 1 };
  return { kind: "answer", ...of, answer: word, detail: "", atMs: 1 };
};
const step = (what: OrderStep["what"], id: string, detail = "") =>
  stepOf(what, ANN, id, { detail });
const shown = (events: readonly FeedEvent[]) => events.map((e) => `${e.type} ${e.status}`);

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("an order's events come in its order, with what it costs", async () => {
    const { url, ledger, start } = await fresh(dialect);
    const record = await owner(url, 0);
    const [id, parked, early] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
    const waiting = orderRow(ANN, parked, 2, { seq: 2 });
    await record(
      [orderRow(ANN, id, 2), waiting, orderRow(ANN, early, 1)],
      "reserved,parked,cancelled",
    );
    await record([answer(id, "captured")], "+paid", { steps: [step("paid", id)] });
    await record([], "", { released: [releasedOf(waiting, "sold_out")] });
    await record([], "", { steps: [step("cancelled", id, "sold"), step("refund", id)] });
    await record([answer(id, "refunded")], "+late");
    await record([answer(id, "refunded")], "-late");
    const { events, more } = await page(ledger, start);
    expect(shown(events)).toEqual([
      "order.decided reserved",
      "order.cancelled cancelled",
      "order.paid paid",
      "order.decided sold_out",
      "order.cancelled cancelled",
      "order.refunded refunded",
    ]);
    expect(more).toBe(false);
    const own = events.filter((e) => e.orderId === id);
    expect(own.map((e) => [e.amount, e.currency, e.saleId, e.atMs])).toEqual([
      [200, "EUR", "s1", 1],
      [200, "EUR", "s1", 2],
      [200, "EUR", "s1", 4],
      [200, "EUR", "s1", 5],
    ]);
    expect(own[0]?.lines).toEqual([{ sku: "a", qty: 2 }]);
    expect(events.find((e) => e.orderId === parked)?.amount).toBeUndefined();
    expect(new Set(events.map((e) => e.id)).size).toBe(events.length);
  });

  test("failed, redriven, dispatched, disputed, expired: each with its generation", async () => {
    const { url, ledger, start } = await fresh(dialect);
    const record = await owner(url, 0);
    const [id, late] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
    await record([orderRow(ANN, id, 2), orderRow(ANN, late, 2)], "reserved,reserved", {
      steps: [{ what: "wait", user: ANN, id: late }],
    });
    await record([answer(id, "failed")], "+payment_failed", {
      steps: [step("payment_failed", id)],
    });
    await record([], "", { steps: [stepOf("expired", ANN, late, { attempt: 0 })] });
    const placed = orderRow(ANN, id, 2);
    const { kind: _, ...order } = placed;
    await record([{ kind: "redrive", ...order, generation: 2 }], "+reserved", {
      steps: [stepOf("redriven", ANN, id, { generation: 2, attempt: 0, detail: "reserved" })],
    });
    await record([], "", { steps: [stepOf("paid", ANN, id, { generation: 2 })] });
    await record([], "", { steps: [stepOf("dispatched", ANN, id, { generation: 2 })] });
    await record([{ ...answer(id, "disputed"), generation: 2 }], "+late");
    const { events } = await page(ledger, start);
    expect(events.map((e) => `${e.status} ${e.generation} ${e.amount}`)).toEqual([
      "reserved 1 200",
      "reserved 1 200",
      "payment_failed 1 200",
      "expired 1 200",
      "reserved 2 200",
      "paid 2 200",
      "dispatched 2 200",
      "disputed 2 200",
    ]);
    expect(new Set(events.map((e) => e.saleId))).toEqual(new Set(["s1"]));
  });

  test("pages of any size hold every event once, while both shards go on", async () => {
    const { url, ledger, start } = await fresh(dialect);
    const orders = 40;
    const live = async (shard: number, user: string) => {
      const record = await owner(url, shard);
      for (let i = 0; i < orders; i++) {
        const id = Bun.randomUUIDv7();
        // The clock goes back: the order of the events does not.
        const atMs = 1_000 - i;
        await record([orderRow(user, id, 2)], "reserved", { atMs });
        await record([], "", { steps: [stepOf("paid", user, id)], atMs: atMs - 1 });
      }
    };
    let writing = true;
    const written = Promise.all([live(0, ANN), live(1, BOB)]).finally(() => {
      writing = false;
    });
    const readAll = async () => {
      const seen: FeedEvent[] = [];
      let after = start;
      for (let size = 1; ; size = (size % 7) + 1) {
        await realRuntime.sleep(1); // with SQLite nothing else would run
        const ended = !writing;
        const next = await page(ledger, after, size);
        expect(next.events.length).toBeLessThanOrEqual(size);
        seen.push(...next.events);
        after = next.after;
        if (ended && !next.more) return seen;
      }
    };
    // One reader keeps up, the other one comes when everything is there.
    const readers = [await readAll(), await readAll()];
    await written;
    for (const seen of readers) {
      expect(new Set(seen.map((e) => e.id)).size).toBe(seen.length);
      const byOrder = Map.groupBy(seen, (e) => e.orderId);
      expect(byOrder.size).toBe(2 * orders);
      for (const events of byOrder.values())
        expect(shown(events)).toEqual(["order.decided reserved", "order.paid paid"]);
    }
  }, 30_000);

  test("a position of another history is refused, whatever its numbers", async () => {
    const { url, ledger, start } = await fresh(dialect);
    const record = await owner(url, 0);
    await record([orderRow(ANN, Bun.randomUUIDv7(), 2)], "reserved");
    const { after } = await page(ledger, start);
    expect(await page(ledger, after)).toMatchObject({ events: [], more: false });
    expect(await ledger.feedAt("end")).toEqual(after);
    const others: FeedPosition[] = [
      { ...after, check: checkOf(ledger.storeId, ["another", ""]) },
      { ...start, check: checkOf("another store", ["", ""]) },
      { ...after, read: [2, 0] },
      { ...after, read: [1] },
    ];
    for (const other of others) expect(await ledger.feed(other, 10)).toBe("gone");
  });
});

test("Postgres: a shard that commits late is not skipped", async () => {
  const { url, ledger, start } = await fresh("postgres");
  const [late, early] = [await owner(url, 0), await owner(url, 1)];
  const db = await Db.open(realRuntime, url);
  closing.push(db);
  let recorded: Promise<void> | undefined;
  const after = await db.transaction(async (tx) => {
    await tx.run("SELECT * FROM items FOR UPDATE");
    recorded = late([orderRow(ANN, Bun.randomUUIDv7(), 2)], "reserved");
    // The late transaction has written its entry, and waits for the stock.
    await until("the late one waits", async () => Number((await waiting(db))[0]?.locks) > 0);
    await early([orderRow(BOB, Bun.randomUUIDv7(), 2)], "sold_out");
    const first = await page(ledger, start);
    expect(first.events.map((e) => e.user)).toEqual([BOB]);
    return first.after;
  });
  await recorded;
  expect((await page(ledger, after)).events.map((e) => e.user)).toEqual([ANN]);
  expect(at((await page(ledger, start)).events, 0).user).toBe(ANN);
}, 20_000);

const waiting = (db: Db) =>
  db.run(`SELECT COUNT(*) AS locks FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE NOT l.granted AND a.datname = current_database()`);
