// An obligation stays open, with one request at a time, until its end is definite. Contradictions
// are refused.
import { afterEach, describe, expect, test } from "bun:test";
import { type AnswerWord, putOffText } from "../core/domain/charge.ts";
import type { Entry, OrderStep, Step } from "../core/domain/entry.ts";
import type { AnswerRow, Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { LedgerAudit } from "./audit.ts";
import type { FollowUp, RecordResult } from "./contract.ts";
import { Db } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
});

const USER = userOf(0);
const START_MS = 1_000_000;
const HOUR_MS = 3_600_000;

/** A ledger with one order reserved, its first charge under way. */
async function charging(dialect: string) {
  const url = dialect === "sqlite" ? `sqlite:${testDir("owed")}/ledger.db` : await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(10) }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  const audit = await LedgerAudit.open(realRuntime, url);
  closing.push(ledger, writer, audit);
  const { epoch } = await writer.takeShard(0, "w");
  const id = Bun.randomUUIDv7();
  let n = 0;
  /** Records an entry; a refused one takes no number. */
  const record = async (
    rows: readonly Row[],
    words: string,
    steps: readonly Step[] = [],
    atMs = START_MS,
  ): Promise<RecordResult> => {
    const entry: Entry = entryOf(0, n + 1, rows, words, { steps, atMs });
    const [result] = await writer.record([{ entry, epoch }]);
    if (result === "recorded") n++;
    return result as RecordResult;
  };
  const step = (what: OrderStep["what"], attempt = 1, detail = ""): Step =>
    stepOf(what, USER, id, { attempt, detail });
  const answer = (word: AnswerWord, detail = "", attempt = 1): AnswerRow => {
    const of = { user: USER, id, generation: 1, attempt };
    return { kind: "answer", ...of, answer: word, detail, atMs: START_MS };
  };
  const late = (word: AnswerWord, detail = "", atMs = START_MS) =>
    record([answer(word, detail)], "+late", [], atMs);
  const pay = () => record([answer("captured")], "+paid", [step("paid")]);
  expect(await record([orderRow(USER, id, 2)], "reserved")).toBe("recorded");
  return { url, ledger, writer, audit, id, record, step, answer, late, pay };
}

type Rig = Awaited<ReturnType<typeof charging>>;

async function statuses({ audit, id }: Rig): Promise<string[]> {
  const found: string[] = [];
  for await (const chunk of audit.charges())
    for (const c of chunk) if (c.id === id) found.push(c.status);
  return found;
}

async function balances({ audit }: Rig): Promise<Record<string, number>> {
  const sums: Record<string, number> = {};
  for await (const chunk of audit.postings())
    for (const p of chunk) sums[p.account] = (sums[p.account] ?? 0) + p.amount;
  return Object.fromEntries(Object.entries(sums).filter(([, sum]) => sum !== 0));
}

/** Open payment requests; marks all follow-ups as published. */
async function open({ ledger, writer }: Rig, dueMs?: number): Promise<Record<string, unknown>[]> {
  const found: FollowUp[] = await ledger.followUps(0, 100, dueMs === undefined ? {} : { dueMs });
  await writer.followUpsDone(found.map((f) => f.id));
  return found
    .filter((f) => f.routingKey.startsWith("payments"))
    .flatMap((f) => JSON.parse(f.body) as Record<string, unknown>[]);
}

const later = (request: number, waitMs = 0) => putOffText({ request, waitMs, why: "busy" });

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("a late answer to the attempt under way is refused: Redis has lost it", async () => {
    const rig = await charging(dialect);
    for (const word of ["captured", "failed", "unknown"] as const)
      expect(await rig.late(word)).toBe("refused");
    expect(await statuses(rig)).toEqual(["started"]);
    expect((await rig.ledger.order(USER, rig.id))?.state).toBe("reserved");
    expect(await rig.pay()).toBe("recorded");
    // A repeated answer changes nothing.
    for (const word of ["captured", "failed", "unknown"] as const)
      expect(await rig.late(word)).toBe("recorded");
    expect(await statuses(rig)).toEqual(["captured"]);
  });

  test.each<[string, (rig: Rig) => readonly Step[]]>([
    ["a retry after an attempt that has not failed", (rig) => [rig.step("start", 2)]],
    ["an attempt that never started", (rig) => [rig.step("paid", 2)]],
    ["a refund of an attempt that was never charged", (rig) => [rig.step("refund", 3)]],
    ["an order that is dispatched without being paid", (rig) => [rig.step("dispatched")]],
    ["an order that expires while it is charged", (rig) => [rig.step("expired")]],
    ["an order cancelled as sold that is not paid", (rig) => [rig.step("cancelled", 1, "sold")]],
    ["an order that fails twice", (rig) => [1, 1].map(() => rig.step("payment_failed"))],
  ])("%s is refused, and changes nothing", async (_, steps) => {
    const rig = await charging(dialect);
    expect(await rig.record([], "", steps(rig))).toBe("refused");
    expect(await statuses(rig)).toEqual(["started"]);
    expect((await rig.ledger.stock("s1"))[0]).toMatchObject({ available: 8, held: 2, sold: 0 });
    expect(await rig.pay()).toBe("recorded");
  });

  test("what an older copy's answer has overtaken is not published when it is due", async () => {
    const rig = await charging(dialect);
    await open(rig);
    // An operator asks again while a worker has the first copy. The second one is put off.
    expect(await rig.writer.askAgain()).toBe(1);
    expect(await open(rig)).toMatchObject([{ kind: "charge", request: 2 }]);
    await rig.late("later", later(2));
    const gaveUp = [rig.step("given_up"), rig.step("payment_failed")];
    expect(await rig.record([rig.answer("unknown")], "+payment_failed", gaveUp)).toBe("recorded");
    const dueMs = START_MS + 24 * HOUR_MS;
    const due = await rig.ledger.followUps(0, 100, { dueMs });
    const shown = due.map(({ body, overtaken = false }) => {
      const [{ kind = "letter" } = {}] = [JSON.parse(body)].flat() as { kind?: string }[];
      return `${kind}${overtaken ? ", overtaken" : ""}`;
    });
    expect(shown.sort()).toEqual(["charge, overtaken", "letter", "lookup"]);
  });

  test("a request put off comes back when due, later each time, and older copies end", async () => {
    const rig = await charging(dialect);
    expect(await open(rig)).toMatchObject([{ kind: "charge", attempt: 1 }]);
    let atMs = START_MS;
    const waits: number[] = [];
    for (let request = 1; request <= 8; request++) {
      // Two workers had a copy each; only one request follows.
      for (let copy = 0; copy < 2; copy++) await rig.late("later", later(request), atMs);
      expect(await open(rig, atMs)).toEqual([]);
      const [row] = await rig.ledger.followUps(0, 100);
      let dueMs = atMs;
      while ((await rig.ledger.followUps(0, 1, { dueMs })).length === 0) dueMs += 250;
      expect(row).toBeDefined();
      const found = await open(rig);
      expect(found).toMatchObject([
        { kind: "charge", amount: 200, request: request + 1, sinceMs: START_MS },
      ]);
      const { waitedMs } = found[0] as { waitedMs: number };
      expect(waitedMs).toBeGreaterThan(dueMs - START_MS - 250);
      expect(waitedMs).toBeLessThanOrEqual(dueMs - START_MS);
      waits.push(dueMs - atMs);
      atMs = dueMs;
    }
    expect(waits[0]).toBe(1_000);
    expect(waits[7]).toBeGreaterThan(5_000);
    expect(waits).toEqual([...waits].sort((a, b) => a - b));
    // A longer wait that the provider asks for is kept.
    await rig.late("later", later(9, HOUR_MS), atMs);
    // An operator sees why it is not settled.
    const story = await rig.ledger.orderStory(USER, rig.id);
    expect(story?.charges).toMatchObject([{ status: "started", detail: "busy" }]);
    expect(await open(rig, atMs + HOUR_MS - 1)).toEqual([]);
    expect(await open(rig, atMs + HOUR_MS)).toMatchObject([{ request: 10 }]);
    expect(await rig.pay()).toBe("recorded");
    expect(await rig.late("later", later(10))).toBe("recorded");
    const paid = await rig.ledger.orderStory(USER, rig.id);
    expect(paid?.charges).toMatchObject([{ status: "captured", detail: "" }]);
    expect(await open(rig)).toEqual([]);
  });

  test("an unknown charge is looked up to its end before the order is redriven", async () => {
    const rig = await charging(dialect);
    const { ledger, id, step, answer, record } = rig;
    await open(rig);
    const steps = [step("given_up", 1, "too long"), step("payment_failed", 1, "too long")];
    expect(await record([answer("unknown", "too long")], "+payment_failed", steps)).toBe(
      "recorded",
    );
    expect(await statuses(rig)).toEqual(["unknown"]);
    expect((await ledger.stock("s1"))[0]).toMatchObject({ available: 10, held: 0 });
    expect(await ledger.grantRedrive(USER, id, 1, "op")).toBe("unknown");
    expect(await open(rig, START_MS + 4_999)).toMatchObject([{ reason: "payment_failed" }]);
    expect(await open(rig, START_MS + 5_000)).toMatchObject([{ kind: "lookup", request: 2 }]);
    await rig.late("later", later(2), START_MS + HOUR_MS);
    expect(await open(rig)).toMatchObject([{ kind: "lookup", request: 3 }]);
    await rig.late("captured");
    expect(await statuses(rig)).toEqual(["refunding"]);
    expect(await open(rig)).toMatchObject([{ kind: "refund", amount: 200, currency: "EUR" }]);
    expect(await balances(rig)).toEqual({ customer: -200, refunds: 200 });
    expect(await ledger.grantRedrive(USER, id, 1, "op")).toMatchObject({ row: { generation: 2 } });
    await rig.late("refunded");
    expect(await statuses(rig)).toEqual(["refunded"]);
    expect(await balances(rig)).toEqual({});
  });

  test("an abandoned attempt ends when it failed; unresolved, it needs an operator", async () => {
    const rig = await charging(dialect);
    const { ledger, id, step, answer, record } = rig;
    const steps = [step("given_up"), step("payment_failed")];
    await record([answer("unknown")], "+payment_failed", steps);
    await open(rig);
    await rig.late("unresolved", "unknown for too long");
    expect(await statuses(rig)).toEqual(["unresolved"]);
    expect(await open(rig)).toMatchObject([{ reason: "charge_unresolved", amount: 200 }]);
    expect(await ledger.grantRedrive(USER, id, 1, "op")).toBe("unknown");
    const of = { user: USER, id, generation: 1, attempt: 1 };
    expect(await ledger.askOnce(of)).toBe("asked");
    expect(await open(rig)).toMatchObject([{ kind: "lookup" }]);
    await rig.late("failed", "declined");
    expect(await statuses(rig)).toEqual(["failed"]);
    expect(await ledger.askOnce(of)).toBe("settled");
    expect(await ledger.grantRedrive(USER, id, 1, "op")).toMatchObject({ row: { generation: 2 } });
  });

  test("a refused refund is a dead letter, stays owed, and can be redriven", async () => {
    const rig = await charging(dialect);
    const { ledger, id, step, record } = rig;
    await rig.pay();
    await record([], "", [step("cancelled", 1, "sold"), step("refund")]);
    await open(rig);
    await rig.late("refund_failed", "refund window closed");
    expect(await statuses(rig)).toEqual(["refund_failed"]);
    expect((await ledger.events(USER, id)).at(-1)?.event).toBe("refund_failed");
    expect(await balances(rig)).toEqual({ customer: -200, refunds: 200 });
    const [letter] = await ledger.followUps(0, 100);
    expect(letter?.routingKey).toBe("payments.dead");
    const body = JSON.parse(letter?.body ?? "") as Parameters<typeof ledger.askOnce>[0];
    expect(body).toMatchObject({ reason: "refund_failed", amount: 200, user: USER, id });
    expect(await ledger.askOnce(body)).toBe("asked");
    expect((await open(rig)).at(-1)).toMatchObject({ kind: "refund", request: 3 });
    await rig.late("refunded");
    expect(await statuses(rig)).toEqual(["refunded"]);
    expect(await balances(rig)).toEqual({});
  });

  test("asked again three times, an attempt has one open request; older copies end", async () => {
    const rig = await charging(dialect);
    const published = await open(rig);
    for (let i = 0; i < 3; i++) expect(await rig.writer.askAgain()).toBe(1);
    const requests = [...published, ...(await open(rig))].map((r) => r.request);
    expect(requests).toEqual([undefined, 4]);
    for (const request of [1, 2, 3, 4]) await rig.late("later", later(request));
    expect((await open(rig)).map((r) => r.request)).toEqual([5]);
  });

  test("money that leaves at the provider is recorded, and not refunded twice", async () => {
    const rig = await charging(dialect);
    const { step, record } = rig;
    await rig.pay();
    await rig.late("disputed", "chargeback");
    expect([await statuses(rig), await balances(rig)]).toEqual([
      ["disputed"],
      { customer: -200, disputes: 200 },
    ]);
    await record([], "", [step("cancelled", 1, "sold"), step("refund")]);
    expect((await open(rig)).map((r) => r.kind)).not.toContain("refund");
    await rig.late("returned");
    expect([await statuses(rig), await balances(rig)]).toEqual([["returned"], {}]);
    await rig.late("returned");
    expect(await balances(rig)).toEqual({});
  });

  test("an unknown charge of a cancelled order is not forgotten", async () => {
    const rig = await charging(dialect);
    const { step, record, answer } = rig;
    await record([], "", [step("cancelled", 1, "held")]);
    await record([answer("unknown")], "+cancelled", [step("given_up")]);
    expect(await statuses(rig)).toEqual(["unknown"]);
    await rig.late("captured");
    expect(await statuses(rig)).toEqual(["refunding"]);
  });
});

test("asking again in Postgres first waits for the shard, and locks no attempt", async () => {
  const rig = await charging("postgres");
  const of = { user: USER, id: rig.id, generation: 1, attempt: 1 };
  const recorder = await Db.open(realRuntime, rig.url);
  closing.push(recorder);
  for (const again of [() => rig.writer.askAgain(), () => rig.ledger.askOnce(of)]) {
    let asked: Promise<unknown> = Promise.resolve();
    const locks = "SELECT COUNT(*) AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    await recorder.transaction(async (tx) => {
      await tx.run("SELECT epoch FROM shards WHERE shard = 0 FOR UPDATE");
      asked = again();
      while (Number((await recorder.run(`${locks} AND datname = current_database()`))[0]?.n) === 0);
      await tx.run("UPDATE charges SET detail = '' WHERE id = ?", [rig.id]);
    });
    expect([1, "asked"]).toContain((await asked) as number);
  }
}, 20_000);
