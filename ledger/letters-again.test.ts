// After a broker has lost messages, the dead letters of failures that stand are published again.
import { afterEach, describe, expect, test } from "bun:test";
import type { Entry, Step } from "../core/domain/entry.ts";
import type { Row } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close();
});

const USER = userOf(0);

/** A ledger with an order whose payment failed, and an order that could not be decided. */
async function failing(dialect: string) {
  const url = dialect === "sqlite" ? `sqlite:${testDir("again")}/ledger.db` : await freshDatabase();
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale: saleOf(10) }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  closing.push(ledger, writer);
  const { epoch } = await writer.takeShard(0, "w");
  let n = 0;
  const record = async (rows: readonly Row[], words: string, steps: readonly Step[] = []) => {
    const entry: Entry = entryOf(0, ++n, rows, words, { steps, atMs: 1_000_000 });
    expect(await writer.record([{ entry, epoch }])).toEqual(["recorded"]);
  };
  const [failed, rejected] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
  await record([orderRow(USER, failed, 2)], "reserved");
  await record([], "", [stepOf("payment_failed", USER, failed, { attempt: 1, detail: "no" })]);
  await record([orderRow(USER, rejected, 2)], "rejected");
  /** Dead letters to publish, as published from now on. */
  const published = async () => {
    const open = await ledger.followUps(0, 100);
    await writer.followUpsDone(open.map(({ id }) => id));
    return open.filter(({ routingKey }) => routingKey.endsWith(".dead"));
  };
  const drop = (body: string, id: string) =>
    ledger.recordLetter({
      ...{ letter: "1", region: "eu", queue: "payments.dead", fate: "dropped" as const, body },
      ...{ reason: "payment_failed", user: USER, id, generation: 1, subject: "op", atMs: 1 },
    });
  return { ledger, writer, record, published, drop, failed };
}

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  test("letters of failures that stand are published again, under their own text", async () => {
    const { writer, published } = await failing(dialect);
    const first = await published();
    expect(first.map(({ routingKey }) => routingKey)).toEqual(["payments.dead", "orders.dead"]);
    // An operator sees what could not be charged.
    const charged = { amount: expect.any(Number), currency: "EUR" };
    expect(JSON.parse(first[0]?.body ?? "")).toMatchObject({
      reason: "payment_failed",
      ...charged,
    });
    expect(await published()).toEqual([]);
    await writer.askAgain();
    expect(await published()).toEqual(first);
  });

  test("a letter that an operator dropped does not come back", async () => {
    const { writer, published, drop, failed } = await failing(dialect);
    const [payment] = await published();
    await drop(payment?.body ?? "", failed);
    await writer.askAgain();
    expect((await published()).map(({ routingKey }) => routingKey)).toEqual(["orders.dead"]);
  });

  test("a failure that a redrive has ended has no letter any more", async () => {
    const { ledger, writer, record, published, failed } = await failing(dialect);
    await published();
    const grant = await ledger.grantRedrive(USER, failed, 1, "op");
    if (typeof grant === "string") throw new Error(grant);
    await record([grant.row], "+reserved");
    await writer.askAgain();
    expect((await published()).map(({ routingKey }) => routingKey)).toEqual(["orders.dead"]);
  });
});
