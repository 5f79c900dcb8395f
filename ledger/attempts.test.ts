// Entries recorded in one transaction, whose steps are written together.
import { afterAll, describe, expect, test } from "bun:test";
import type { AnswerWord } from "../core/domain/charge.ts";
import type { Entry, OrderStep, Step } from "../core/domain/entry.ts";
import type { AnswerRow, Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { Attempts } from "./attempts.ts";
import { Db } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { Contradiction } from "./refusals.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

const UNITS = 100;
/** More orders than one statement moves. */
const MANY = 600;

async function fresh(dialect: string) {
  const url =
    dialect === "sqlite" ? `sqlite:${testDir("attempts")}/ledger.db` : await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(UNITS * MANY) }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  const db = await Db.open(realRuntime, url);
  closing.push(ledger, writer, db);
  const epochs = new Map<number, number>();
  for (const shard of [0, 1]) epochs.set(shard, (await writer.takeShard(shard, "w")).epoch);
  const record = (entries: readonly Entry[]) =>
    writer.record(entries.map((entry) => ({ entry, epoch: epochs.get(entry.shard) ?? 0 })));
  return { record, db };
}

/** What the ledger says about charges, orders, money and requests. */
async function contentOf(db: Db): Promise<Record<string, unknown>> {
  const rows = (text: string) => db.run(text);
  return {
    charges: await rows(
      "SELECT id, attempt, status, detail, request, amount FROM charges ORDER BY id, attempt",
    ),
    orders: await rows("SELECT id, state FROM orders ORDER BY id"),
    events: await rows("SELECT id, event, detail FROM events ORDER BY seq"),
    money: await rows(
      "SELECT account, SUM(amount) AS sum FROM postings GROUP BY account ORDER BY 1",
    ),
    asked: (
      await rows("SELECT body FROM follow_ups WHERE routing_key LIKE 'payments%' ORDER BY id")
    )
      .flatMap(({ body }) => [JSON.parse(String(body))].flat().map((b) => JSON.stringify(b)))
      .sort(),
  };
}

const answer = (user: string, id: string, attempt: number, word: AnswerWord): AnswerRow => {
  const of = { user, id, generation: 1, attempt };
  return { kind: "answer", ...of, answer: word, detail: "", atMs: 1 };
};

const step = (user: string, what: OrderStep["what"], id: string, attempt: number, detail = "") =>
  stepOf(what, user, id, { attempt, detail });

/** Two orders in one lane: retried, paid, cancelled and refunded; and paid after waiting. */
function lives(shard: number): Entry[] {
  const user = userOf(shard);
  const [a, b] = [`0000000${shard}-0000-7000-8000-00000000000a`, Bun.randomUUIDv7()];
  const later = { kind: "later", request: 1, waitMs: 0, why: "busy" };
  const told: [rows: Row[], words: string, steps: Step[]][] = [
    [
      [orderRow(user, a, 2), orderRow(user, b, 2)],
      "reserved,reserved",
      [{ what: "wait", user, id: b }],
    ],
    [[{ ...answer(user, a, 1, "later"), detail: JSON.stringify(later) }], "+late", []],
    [
      [answer(user, a, 1, "failed")],
      "+retry",
      [step(user, "charge_failed", a, 1, "no"), step(user, "start", a, 2)],
    ],
    // In one entry, so that recording it alone would not help.
    [
      [answer(user, a, 2, "captured")],
      "+paid",
      [
        step(user, "paid", a, 2),
        step(user, "start", b, 1),
        step(user, "cancelled", a, 2, "sold"),
        step(user, "refund", a, 2),
      ],
    ],
    [
      [answer(user, a, 2, "refunded"), answer(user, b, 1, "captured")],
      "+late,+paid",
      [step(user, "paid", b, 1)],
    ],
  ];
  return told.map(([rows, words, steps], i) => entryOf(shard, i + 1, rows, words, { steps }));
}

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("steps of one transaction build on each other as those of several do", async () => {
    const entries = lives(0);
    const together = await fresh(dialect);
    expect(new Set(await together.record(entries))).toEqual(new Set(["recorded"]));
    const apart = await fresh(dialect);
    for (const entry of entries) expect(await apart.record([entry])).toEqual(["recorded"]);
    const content = await contentOf(together.db);
    expect(content).toEqual(await contentOf(apart.db));
    expect(content.money).toHaveLength(3);
    expect((content.orders as { state: string }[]).map(({ state }) => state).sort()).toEqual([
      "cancelled",
      "paid",
    ]);
  });

  test("an impossible step refuses its entry; another shard's entries are recorded", async () => {
    const { record, db } = await fresh(dialect);
    const good = lives(0);
    const bad = lives(1);
    const user = userOf(1);
    const paidTwice = entryOf(1, 6, [], "", {
      steps: [step(user, "paid", "00000001-0000-7000-8000-00000000000a", 2)],
    });
    const results: string[] = await record([...bad, paidTwice, ...good]);
    expect(results).toEqual([
      ...bad.map(() => "recorded"),
      "refused",
      ...good.map(() => "recorded"),
    ]);
    const { orders } = await contentOf(db);
    expect((orders as unknown[]).length).toBe(4);
  });

  test("an attempt that is no longer as it was read is not written", async () => {
    const { record, db } = await fresh(dialect);
    const of = { user: userOf(0), id: Bun.randomUUIDv7(), generation: 1, attempt: 1 };
    await record([entryOf(0, 1, [orderRow(of.user, of.id, 2)], "reserved")]);
    const written = db.transaction(async (tx) => {
      const attempts = await Attempts.read(db.dialect, tx, [of]);
      attempts.move(of, ["started"], "captured", "");
      await tx.run("UPDATE charges SET attempt = 2 WHERE id = ?", [of.id]);
      await attempts.write(tx);
    });
    expect(await written.catch((e: unknown) => e)).toBeInstanceOf(Contradiction);
  });

  test("more steps than one statement holds are all written", async () => {
    const { record, db } = await fresh(dialect);
    const user = userOf(0);
    const ids = Array.from({ length: MANY }, () => Bun.randomUUIDv7());
    const rows = ids.map((id) => orderRow(user, id, 2));
    const words = ids.map(() => "reserved").join(",");
    const steps = ids.map((id) => step(user, "paid", id, 1));
    const answers = ids.map((id) => answer(user, id, 1, "captured"));
    const paid = ids.map(() => "+paid").join(",");
    const count = async (text: string) => Number((await db.run(text))[0]?.n);
    const messages = (queue: string) =>
      count(`SELECT COUNT(*) AS n FROM follow_ups WHERE ${queue}`);
    await record([entryOf(0, 1, rows, words)]);
    expect(await messages("routing_key = 'payments'")).toBe(MANY / 100);
    expect(await record([entryOf(0, 2, answers, paid, { steps })])).toEqual(["recorded"]);
    expect(await messages("exchange = 'fulfilment'")).toBe(MANY / 20);
    expect(await count("SELECT COUNT(*) AS n FROM charges WHERE status = 'captured'")).toBe(MANY);
    expect(await count("SELECT COUNT(*) AS n FROM orders WHERE state = 'paid'")).toBe(MANY);
  });
});
