import { afterAll, describe, expect, test } from "bun:test";
import type { AnswerWord } from "../core/domain/charge.ts";
import type { Entry, OrderStep, Step } from "../core/domain/entry.ts";
import type { AnswerRow, Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { LedgerAudit } from "./audit.ts";
import type { LedgerWriter, RecordResult } from "./contract.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

const USER = userOf(0);
const UNITS = 10;

async function fresh(dialect: string) {
  const url = dialect === "sqlite" ? `sqlite:${testDir("steps")}/ledger.db` : await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(UNITS) }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  const audit = await LedgerAudit.open(realRuntime, url);
  closing.push(ledger, writer, audit);
  const { epoch } = await writer.takeShard(0, "w");
  return { ledger, audit, record: recorder(writer, epoch) };
}

/** Records entries in succession. */
function recorder(writer: LedgerWriter, epoch: number) {
  let n = 0;
  return async (
    rows: readonly Row[],
    words: string,
    more: Partial<Entry> = {},
    result: RecordResult = "recorded",
  ) => {
    const entry = entryOf(0, ++n, rows, words, more);
    expect(await writer.record([{ entry, epoch }])).toEqual([result]);
  };
}

const step = (what: OrderStep["what"], id: string, attempt: number, detail = ""): Step =>
  stepOf(what, USER, id, { attempt, detail });

const answer = (id: string, attempt: number, word: AnswerWord): AnswerRow => {
  const of = { user: USER, id, generation: 1, attempt };
  return { kind: "answer", ...of, answer: word, detail: "", atMs: 1 };
};

async function chargesOf(audit: LedgerAudit, id: string): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of audit.charges())
    for (const c of chunk) if (c.id === id) found.push(`${c.attempt} ${c.status} ${c.amount}`);
  return found;
}

/** Account → balance. */
async function balances(audit: LedgerAudit): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for await (const chunk of audit.postings())
    for (const p of chunk) sums[p.account] = (sums[p.account] ?? 0) + p.amount;
  return sums;
}

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("an entry that redrives an order into no known state is refused", async () => {
    const { ledger, record } = await fresh(dialect);
    const id = Bun.randomUUIDv7();
    await record([orderRow(USER, id, 2)], "reserved");
    await record([answer(id, 1, "failed")], "+failed", { steps: [step("payment_failed", id, 1)] });
    await record([], "", { steps: [step("redriven", id, 0, "resolved")] }, "refused");
    expect(await ledger.order(USER, id)).toMatchObject({ state: "payment_failed" });
  });

  test("a failed charge is retried; a later cancel returns the money and the units", async () => {
    const { ledger, audit, record } = await fresh(dialect);
    const id = Bun.randomUUIDv7();
    await record([orderRow(USER, id, 2)], "reserved");
    await record([answer(id, 1, "failed")], "+retry", {
      steps: [step("charge_failed", id, 1, "declined"), step("start", id, 2)],
    });
    await record([answer(id, 2, "captured")], "+paid", { steps: [step("paid", id, 2)] });
    expect(await chargesOf(audit, id)).toEqual(["1 failed 200", "2 captured 200"]);
    expect(await balances(audit)).toEqual({ customer: -200, revenue: 200 });
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 8, held: 0, sold: 2 });
    await record([], "", { steps: [step("cancelled", id, 2, "sold"), step("refund", id, 2)] });
    await record([answer(id, 2, "refunded")], "+late");
    expect(await chargesOf(audit, id)).toEqual(["1 failed 200", "2 refunded 200"]);
    expect(await balances(audit)).toEqual({ customer: 0, revenue: 0, refunds: 0 });
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: UNITS, held: 0, sold: 0 });
    expect((await ledger.order(USER, id))?.state).toBe("cancelled");
    const queues = (await ledger.followUps(0, 10)).map((f) => [
      f.routingKey,
      JSON.parse(f.body)[0].kind ?? f.exchange,
    ]);
    expect(queues).toEqual([
      ["payments", "charge"],
      ["payments.retry.1", "charge"],
      ["elsewhere.c", "fulfilment"],
      ["payments", "refund"],
    ]);
    expect((await ledger.events(USER, id)).map((e) => e.event)).toEqual([
      "charge_failed",
      "paid",
      "cancelled",
      "refund",
      "refunded",
    ]);
  });

  test("the fourth failure returns the units; its dead letter lists every attempt", async () => {
    const { ledger, audit, record } = await fresh(dialect);
    const id = Bun.randomUUIDv7();
    await record([orderRow(USER, id, 2)], "reserved");
    for (const attempt of [1, 2, 3])
      await record([answer(id, attempt, "failed")], "+retry", {
        steps: [step("charge_failed", id, attempt, "no"), step("start", id, attempt + 1)],
      });
    await record([answer(id, 4, "failed")], "+payment_failed", {
      steps: [step("payment_failed", id, 4, "no")],
    });
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: UNITS, held: 0 });
    expect(await chargesOf(audit, id)).toEqual(
      [1, 2, 3, 4].map((attempt) => `${attempt} failed 200`),
    );
    const followUps = await ledger.followUps(0, 10);
    expect(followUps.map((f) => f.routingKey)).toEqual([
      "payments",
      "payments.retry.1",
      "payments.retry.2",
      "payments.retry.3",
      "payments.dead",
    ]);
    expect(JSON.parse(followUps.at(-1)?.body ?? "")).toMatchObject({
      reason: "payment_failed",
      user: USER,
      id,
      attempts: 4,
    });
  });

  test("an order waiting in its lane is charged later, or dropped if cancelled first", async () => {
    const { audit, record } = await fresh(dialect);
    const [first, second, third] = [Bun.randomUUIDv7(), Bun.randomUUIDv7(), Bun.randomUUIDv7()];
    const steps: Step[] = [
      { what: "wait", user: USER, id: second },
      { what: "wait", user: USER, id: third },
    ];
    await record(
      [first, second, third].map((id) => orderRow(USER, id, 2)),
      "reserved,reserved,reserved",
      { steps },
    );
    expect(await audit.chargesOpen()).toBe(3);
    await record([], "", { steps: [step("cancelled", third, 0, "held")] });
    await record([answer(first, 1, "captured")], "+paid", {
      steps: [step("paid", first, 1), step("start", second, 1)],
    });
    expect([
      await chargesOf(audit, first),
      await chargesOf(audit, second),
      await chargesOf(audit, third),
    ]).toEqual([["1 captured 200"], ["1 started 200"], ["0 dropped 200"]]);
    expect(await audit.chargesOpen()).toBe(1);
  });

  test("a capture that no order waits for is refunded once; a repeat changes nothing", async () => {
    const { ledger, audit, record } = await fresh(dialect);
    const id = Bun.randomUUIDv7();
    await record([orderRow(USER, id, 2)], "reserved");
    await record([answer(id, 1, "failed")], "+retry", {
      steps: [step("charge_failed", id, 1), step("start", id, 2)],
    });
    await record([answer(id, 2, "captured")], "+paid", { steps: [step("paid", id, 2)] });
    await record(
      [answer(id, 2, "captured"), answer(id, 1, "captured"), answer(id, 1, "captured")],
      "+late,+late,+late",
    );
    expect(await chargesOf(audit, id)).toEqual(["1 refunding 200", "2 captured 200"]);
    expect((await ledger.followUps(0, 10)).filter((f) => f.body.includes("refund"))).toHaveLength(
      1,
    );
    expect(await balances(audit)).toEqual({ customer: -400, revenue: 200, refunds: 200 });
  });
});
