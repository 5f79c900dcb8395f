// Revenue is what was captured minus what was refunded, however it is pieced together.
import { afterAll, expect, test } from "bun:test";
import { RevenueMemory } from "../cli/operator/revenue-memory.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { testDir } from "../test/services.ts";
import { Db } from "./db.ts";
import { openLedger } from "./open.ts";

const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

test("pieces of the postings add up, and what was summed is not summed again", async () => {
  const url = `sqlite:${testDir("revenue")}/ledger.db`;
  const ledger = await openLedger({ runtime: realRuntime, url, shards: 1 });
  const db = await Db.open(realRuntime, url);
  closing.push(ledger, db);
  const post = (currency: string, from: string, to: string, amount: number) =>
    db.run(
      "INSERT INTO postings (cause, currency, account, amount) VALUES ('c',?,?,?),('c',?,?,?)",
      [...[currency, from, -amount, currency, to, amount]],
    );
  let nowMs = 0;
  const memory = new RevenueMemory(ledger, () => nowMs);
  expect(await memory.look()).toEqual([]);
  await post("EUR", "customer", "revenue", 500);
  await post("JPY", "customer", "revenue", 70);
  await post("EUR", "revenue", "refunds", 200);
  expect(await memory.look()).toEqual([
    { currency: "EUR", amount: 300 },
    { currency: "JPY", amount: 70 },
  ]);
  expect(await ledger.revenueAfter(0, 4)).toMatchObject({ reached: 4, last: 6 });
  for (let look = 0; look < 4; look++) {
    nowMs += 61_000;
    await post("EUR", "customer", "revenue", 1);
    expect((await memory.look())?.[0]).toEqual({ currency: "EUR", amount: 301 + look });
  }
});
