// Revenue is what was captured minus what was refunded or taken back, by sale and in all, however
// it is pieced together.
import { afterAll, describe, expect, test } from "bun:test";
import { RevenueMemory } from "../cli/operator/revenue-memory.ts";
import type { AnswerWord } from "../core/domain/charge.ts";
import type { OrderStep, Step } from "../core/domain/entry.ts";
import type { AnswerRow, Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { emptyDatabase, testDir } from "../test/services.ts";
import { Db } from "./db.ts";
import { migrate } from "./migrations.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing.reverse()) await one.close();
});

/** The first database of a run waits for Postgres to start. */
const LIMIT_MS = 60_000;
const USER = userOf(0);
/** The schema before postings named their sale. */
const WITHOUT_SALES = 19;

async function urlOf(dialect: string): Promise<string> {
  return dialect === "sqlite" ? `sqlite:${testDir("revenue")}/ledger.db` : emptyDatabase();
}

async function opened(url: string) {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const db = await Db.open(realRuntime, url);
  closing.push(ledger, db);
  const now = { ms: 0 };
  const memory = new RevenueMemory(ledger, () => now.ms);
  return { ledger, db, now, memory };
}

/** Money that moves without an order; an earlier release names no sale. */
function post(db: Db, from: string, to: string, amount: number, of: object = {}) {
  const { sale = "s1", currency = "EUR" } = of as { sale?: string; currency?: string };
  const row = [currency, from, -amount, sale, currency, to, amount, sale];
  return db.run(
    `INSERT INTO postings (cause, currency, account, amount, sale)
     VALUES ('c', ?, ?, ?, ?), ('c', ?, ?, ?, ?)`,
    row,
  );
}

const EUR = (amount: number) => [{ currency: "EUR", amount }];

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test(
    "what orders pay, what is refunded and what is taken back is its sale's",
    async () => {
      const url = await urlOf(dialect);
      const { ledger, memory } = await opened(url);
      for (const id of ["s1", "s2"])
        await ledger.operate({ kind: "create", ref: id, sale: { ...saleOf(50), id } }, "test");
      const writer = await openLedgerWriter(realRuntime, url);
      closing.push(writer);
      const { epoch } = await writer.takeShard(0, "w");
      let n = 0;
      const record = async (rows: readonly Row[], words: string, steps: readonly Step[] = []) =>
        expect(
          await writer.record([{ entry: entryOf(0, ++n, rows, words, { steps }), epoch }]),
        ).toEqual(["recorded"]);
      const answer = (id: string, word: AnswerWord): AnswerRow => {
        const of = { user: USER, id, generation: 1, attempt: 1 };
        return { kind: "answer", ...of, answer: word, detail: "", atMs: 1 };
      };
      const step = (what: OrderStep["what"], id: string, saleId: string, detail = "") =>
        stepOf(what, USER, id, { saleId, detail });
      const pay = async (saleId: string) => {
        const id = Bun.randomUUIDv7();
        await record([orderRow(USER, id, 2, { saleId })], "reserved");
        await record([answer(id, "captured")], "+paid", [step("paid", id, saleId)]);
        return id;
      };
      const shown = async () => {
        const paid = await memory.look();
        return ["s1", "s2"].map((id) => paid?.of(id));
      };
      expect(await shown()).toEqual([[], []]);
      const [refunded, returned, disputed] = [await pay("s1"), await pay("s1"), await pay("s2")];
      await pay("s2");
      expect(await shown()).toEqual([EUR(400), EUR(400)]);
      await record([], "", [
        step("cancelled", refunded, "s1", "sold"),
        step("refund", refunded, "s1"),
      ]);
      await record([answer(refunded, "refunded")], "+late");
      expect(await shown()).toEqual([EUR(200), EUR(400)]);
      await record([answer(returned, "returned"), answer(disputed, "disputed")], "+late,+late");
      expect(await shown()).toEqual([EUR(0), EUR(200)]);
      // The provider gives up the disputed money: no revenue changes twice.
      await record([answer(disputed, "returned")], "+late");
      expect(await shown()).toEqual([EUR(0), EUR(200)]);
      expect((await memory.look())?.all).toEqual(EUR(200));
    },
    LIMIT_MS,
  );

  test(
    "a sale that has sold under an earlier release is unknown, later ones are not",
    async () => {
      const url = await urlOf(dialect);
      const old = await Db.open(realRuntime, url);
      await migrate(old, WITHOUT_SALES);
      const insert =
        "INSERT INTO sales (id, name, currency, opens_ms, closes_ms) VALUES (?,?,?,?,?)";
      const item = `INSERT INTO items (sale, sku, name, category, price_minor, limit_per_user,
      initial, restocked, available, releasing, held, sold) VALUES (?, 'a', 'A', 'c', 1, 0, 9, 0,
      ?, 0, 0, ?)`;
      for (const [id, sold] of [
        ["sold", 2],
        ["fresh", 0],
      ] as const) {
        await old.run(insert, [id, id, "EUR", 0, 9e12]);
        await old.run(item, [id, 9 - sold, sold]);
      }
      const unnamed =
        "INSERT INTO postings (cause, currency, account, amount) VALUES ('c', 'EUR', ?, ?)";
      await old.run(unnamed, ["customer", -7]);
      await old.run(unnamed, ["revenue", 7]);
      await old.close();
      const { ledger, db, memory } = await opened(url);
      await post(db, "customer", "revenue", 5, { sale: "fresh" });
      const paid = await memory.look();
      expect(paid?.all).toEqual(EUR(12));
      expect(paid?.of("sold")).toBeNull();
      expect(paid?.of("fresh")).toEqual(EUR(5));
      // A worker of the earlier release still runs: its posting may be of any sale so far.
      await db.run(unnamed, ["revenue", 1]);
      await db.run(unnamed, ["customer", -1]);
      await ledger.operate({ kind: "create", ref: "s", sale: { ...saleOf(9), id: "new" } }, "test");
      await post(db, "customer", "revenue", 3, { sale: "new" });
      const later = await memory.look();
      expect(["sold", "fresh", "new"].map((id) => later?.of(id))).toEqual([null, null, EUR(3)]);
      expect(later?.all).toEqual(EUR(16));
    },
    LIMIT_MS,
  );
});

test("what was summed is not summed again, unless a number is missing", async () => {
  const { ledger, db, now, memory } = await opened(await urlOf("sqlite"));
  const reads: number[] = [];
  const read = ledger.revenueAfter.bind(ledger);
  ledger.revenueAfter = (after, most) => {
    reads.push(after);
    return read(after, most);
  };
  await post(db, "customer", "revenue", 500);
  await post(db, "customer", "revenue", 70, { currency: "JPY" });
  await post(db, "revenue", "refunds", 200);
  const all = async () => (await memory.look())?.all;
  expect(await all()).toEqual([...EUR(300), { currency: "JPY", amount: 70 }]);
  // In Postgres: 7 and 8 are of a transaction that has not committed yet.
  const at =
    "INSERT INTO postings (seq, cause, currency, account, amount) VALUES (?, 'c', 'EUR', ?, ?)";
  await db.run(at, [9, "revenue", 1]);
  for (let look = 0; look < 2; look++) expect((await all())?.[0]).toEqual(EUR(301)[0]);
  await db.run(at, [7, "revenue", 10]);
  await db.run(at, [8, "customer", -10]);
  expect((await all())?.[0]).toEqual(EUR(311)[0]);
  // 10 was rolled back. Once no transaction can be open any more, what follows is settled.
  await db.run(at, [11, "revenue", 100]);
  for (let look = 0; look < 3; look++) {
    expect((await all())?.[0]).toEqual(EUR(411)[0]);
    now.ms += 61_000;
  }
  expect(reads).toEqual([0, 6, 6, 6, 9, 9, 11, 11]);
  // A backup was restored.
  await db.run("DELETE FROM postings WHERE seq > 2");
  expect(await all()).toBeUndefined();
  expect(await all()).toEqual(EUR(500));
});
