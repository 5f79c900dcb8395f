// The ledger knows limits and numbers itself, and rejects decisions of Redis that contradict them.
import { afterAll, describe, expect, test } from "bun:test";
import type { Entry, Step } from "../core/domain/entry.ts";
import type { Row, SkipRow } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { LedgerWriter, RecordResult } from "./contract.ts";
import { Db } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, releasedOf, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const USER = userOf(0);
const LIMIT = 2;
const closing: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of closing) await one.close();
});

const row = (id: string, qty = 1, seq = 0, user = USER) => orderRow(user, id, qty, { seq });
const newId = () => Bun.randomUUIDv7();
const ended = (what: "cancelled" | "payment_failed", id: string, qty = 1): Step => {
  const detail = what === "cancelled" ? "held" : "";
  return stepOf(what, USER, id, { lines: [{ sku: "a", qty }], detail });
};
const passed = (next: number): Step => ({ what: "passed", user: USER, saleId: "s1", next });
const skip = (seq: number): SkipRow => ({ kind: "skip", user: USER, saleId: "s1", seq, atMs: 1 });

describe.each(["sqlite", "postgres"])("%s", (dialect) => {
  async function fresh() {
    const url =
      dialect === "sqlite" ? `sqlite:${testDir("fence")}/ledger.db` : await freshDatabase();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const sale = saleOf(100);
    const items = sale.items.flatMap((item) => [
      { ...item, limitPerUser: LIMIT },
      { ...item, sku: "b" },
    ]);
    await ledger.operate({ kind: "create", ref: "sale", sale: { ...sale, items } }, "test");
    const writer = await openLedgerWriter(realRuntime, url);
    closing.push(ledger, writer);
    return { url, ledger, writer, journal: await Journal.of(writer) };
  }

  /** Records entries of shard 0 in succession; refused ones take no number. */
  class Journal {
    private n = 0;
    private constructor(
      private readonly writer: LedgerWriter,
      private readonly epoch: number,
    ) {}
    static async of(writer: LedgerWriter): Promise<Journal> {
      return new Journal(writer, (await writer.takeShard(0, "w")).epoch);
    }

    async add(rows: readonly Row[], words: string, more: Partial<Entry> = {}) {
      return (await this.together([[rows, words, more]]))[0];
    }

    async together(
      entries: readonly (readonly [readonly Row[], string, Partial<Entry>?])[],
    ): Promise<RecordResult[]> {
      const given = entries.map(([rows, words, more], i) => ({
        entry: entryOf(0, this.n + i + 1, rows, words, more),
        epoch: this.epoch,
      }));
      const results = await this.writer.record(given);
      this.n += results.filter((result) => result === "recorded").length;
      return results;
    }
  }

  test("a user's units may reach an item's limit but not exceed it", async () => {
    const { ledger, journal } = await fresh();
    expect(await journal.add([row(newId())], "reserved")).toBe("recorded");
    expect(await journal.add([row(newId(), 2)], "reserved")).toBe("refused");
    expect(await journal.add([row(newId(), 1)], "reserved")).toBe("recorded");
    expect(await journal.add([row(newId(), 1)], "reserved")).toBe("refused");
    const other = userOf(0).replace("u", "v");
    expect(await journal.add([row(newId(), 3, 0, other)], "reserved")).toBe("refused");
    expect(await ledger.stock("s1")).toMatchObject([{ held: 2 }, { held: 0 }]);
  }, 30_000);

  test("returned units may be reserved again; no more can return than were reserved", async () => {
    const { journal } = await fresh();
    const [first, second] = [newId(), newId()];
    await journal.add([row(first, 2)], "reserved");
    const steps = [ended("cancelled", first, 2)];
    expect(await journal.add([row(second, 2)], "reserved", { steps })).toBe("recorded");
    expect(await journal.add([], "", { steps: [ended("payment_failed", second, 2)] })).toBe(
      "recorded",
    );
    expect(await journal.add([row(newId(), 2)], "reserved")).toBe("recorded");
    const twice = [ended("payment_failed", second, 2), ended("payment_failed", second, 2)];
    expect(await journal.add([], "", { steps: twice })).toBe("refused");
  }, 30_000);

  test("the limit holds over several entries of one transaction", async () => {
    const { journal } = await fresh();
    const [first, second] = [newId(), newId()];
    const results = await journal.together([
      [[row(first, 2)], "reserved"],
      [[row(second, 1)], "reserved"],
      [[], "", { steps: [ended("cancelled", first, 2)] }],
    ]);
    expect(results).toEqual(["recorded", "refused", "refused"]);
  }, 30_000);

  test("a number is decided once, and none below it afterwards", async () => {
    const { journal } = await fresh();
    expect(await journal.add([row(newId(), 1, 1)], "reserved")).toBe("recorded");
    expect(await journal.add([row(newId(), 1, 1)], "sold_out")).toBe("refused");
    expect(await journal.add([row(newId(), 1, 4)], "sold_out")).toBe("recorded");
    for (const seq of [1, 3, 4])
      expect(await journal.add([row(newId(), 1, seq)], "sold_out")).toBe("refused");
    expect(await journal.add([row(newId(), 1, 2)], "superseded")).toBe("recorded");
    expect(await journal.add([row(newId(), 1, 2)], "rejected")).toBe("recorded");
    expect(await journal.add([row(newId(), 1, 2)], "stale")).toBe("recorded");
    expect(await journal.add([row(newId(), 1, 2)], "parked")).toBe("refused");
    expect(await journal.add([skip(2)], "skipped")).toBe("refused");
    const twice = [row(newId(), 1, 5), row(newId(), 1, 5)];
    expect(await journal.add(twice, "sold_out,sold_out")).toBe("refused");
  }, 30_000);

  test("parked orders are released in order, and a turn never goes back", async () => {
    const { journal } = await fresh();
    const [second, third] = [row(newId(), 1, 2), row(newId(), 1, 3)];
    expect(await journal.add([third, second], "parked,parked")).toBe("recorded");
    const released = [second, third].map((order) => releasedOf(order, "sold_out"));
    expect(
      await journal.add([row(newId(), 1, 4), row(newId(), 1, 1)], "sold_out,sold_out", {
        released,
      }),
    ).toBe("recorded");
    expect(await journal.add([], "", { kind: "unpark", released })).toBe("refused");
    expect(await journal.add([], "", { steps: [passed(7)] })).toBe("recorded");
    expect(await journal.add([], "", { steps: [passed(6)] })).toBe("refused");
    expect(await journal.add([row(newId(), 1, 6)], "sold_out")).toBe("refused");
    expect(await journal.add([row(newId(), 1, 7)], "sold_out")).toBe("recorded");
  }, 30_000);

  test("numbers hold over several entries of one transaction", async () => {
    const { journal } = await fresh();
    const results = await journal.together([
      [[row(newId(), 1, 2)], "sold_out"],
      [[row(newId(), 1, 1)], "sold_out"],
    ]);
    expect(results).toEqual(["recorded", "refused"]);
  }, 30_000);

  test("orders without a number or a limit leave no trace", async () => {
    const { url, journal } = await fresh();
    const plain = orderRow(USER, newId(), 1, { lines: [{ sku: "b", qty: 1 }] });
    expect(await journal.add([plain, row(newId(), 9)], "reserved,sold_out")).toBe("recorded");
    const db = await Db.open(realRuntime, url);
    closing.push(db);
    expect(await db.run("SELECT * FROM purchases")).toHaveLength(0);
    expect(await db.run("SELECT * FROM turns")).toHaveLength(0);
  }, 30_000);

  test("in a ledger older than the fence, units reserved before it may return", async () => {
    const { url, journal } = await fresh();
    const before = newId();
    await journal.add([row(before, 2)], "reserved");
    const db = await Db.open(realRuntime, url);
    closing.push(db);
    // As the migration leaves an older ledger.
    await db.run("DELETE FROM purchases");
    await db.run("UPDATE shards SET fenced_n = last_n");
    expect(await journal.add([], "", { steps: [ended("payment_failed", before, 2)] })).toBe(
      "recorded",
    );
    expect(await journal.add([row(newId(), 2)], "reserved")).toBe("recorded");
    const [purchase] = await db.run("SELECT units FROM purchases");
    expect(Number(purchase?.units)).toBe(0);
  }, 30_000);
});
