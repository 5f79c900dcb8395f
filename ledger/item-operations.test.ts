import { afterAll, describe, expect, test } from "bun:test";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import { LedgerAudit } from "./audit.ts";
import type { Ledger, Operation } from "./contract.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryOf, orderRow, SHARDS, saleOf, stepOf, userOf } from "./test-entries.ts";

const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const thing of open) await thing.close();
});

const databases = [
  ["sqlite", async () => `sqlite:${testDir("items")}/ledger.db`],
  ["postgres", freshDatabase],
] as const;
const USER = userOf(0);
const id = () => Bun.randomUUIDv7("hex");
let refs = 0;

describe.each(databases)("%s", (_, freshUrl) => {
  async function fresh(limitPerUser = 0) {
    const url = await freshUrl();
    const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
    const writer = await openLedgerWriter(realRuntime, url);
    const audit = await LedgerAudit.open(realRuntime, url);
    open.push(ledger, writer, audit);
    const [item] = saleOf(10).items;
    const sale = { ...saleOf(10), items: [{ ...item, limitPerUser } as never] };
    await ledger.operate({ kind: "create", ref: "r1", sale }, "op");
    const { epoch } = await writer.takeShard(0, "w1");
    let n = 0;
    const record = async (
      rows: Parameters<typeof entryOf>[2],
      words: string,
      steps = [] as object[],
    ) =>
      (
        await writer.record([
          { entry: entryOf(0, ++n, rows, words, { steps: steps as never }), epoch },
        ])
      )[0];
    return { url, ledger, writer, audit, record };
  }
  const change = (ledger: Ledger, kind: string, more: object, ref = `ref ${refs++}`) =>
    ledger.operate({ kind, ref, saleId: "s1", sku: "a", reason: "r", ...more } as Operation, "op");
  const stockOf = async (ledger: Ledger) => (await ledger.stock("s1"))[0];

  test("a correction moves its units once, when Redis has taken them", async () => {
    const { ledger, audit } = await fresh();
    expect(await change(ledger, "correct", { units: 11 })).toBe("not_enough");
    expect(await change(ledger, "correct", { units: 4 }, "c1")).toBe("done");
    expect(await change(ledger, "correct", { units: 4 }, "c1")).toBe("repeated");
    expect(await change(ledger, "correct", { units: 1 }, "c2")).toBe("correcting");
    expect(await stockOf(ledger)).toMatchObject({
      available: 10,
      correcting: { ref: "c1", units: 4 },
    });
    expect(await ledger.correction("c1")).toBeUndefined();
    const before = await ledger.catalogueVersion();
    expect(await ledger.settleCorrection("c1", "done")).toBe("done");
    expect(await ledger.settleCorrection("c1", "refused")).toBe("done");
    expect(await ledger.correction("c1")).toBe("done");
    expect(await ledger.catalogueVersion()).toBe(before + 1);
    const after = await stockOf(ledger);
    expect(after).toEqual({
      ...{ sku: "a", initial: 10, restocked: 0, corrected: 4, available: 6 },
      ...{ releasing: 0, held: 0, sold: 0 },
    });
    const moved = [];
    for await (const chunk of audit.movements()) moved.push(...chunk);
    expect(moved.filter(({ cause }) => cause === "correct c1")).toMatchObject([
      { account: "supply", units: 4 },
      { account: "available", units: -4 },
    ]);
  });

  test("a refused correction changes nothing; units the ledger lacks are not taken", async () => {
    const { ledger, record } = await fresh();
    await change(ledger, "correct", { units: 4 }, "c1");
    expect(await ledger.settleCorrection("c1", "refused")).toBe("refused");
    expect(await stockOf(ledger)).toMatchObject({ available: 10 });
    await change(ledger, "correct", { units: 4 }, "c2");
    expect(await record([orderRow(USER, id(), 7)], "reserved")).toBe("recorded");
    expect(await ledger.settleCorrection("c2", "done")).toBe("refused");
    expect(await stockOf(ledger)).toMatchObject({ available: 3, held: 7 });
  });

  test("an order costs what its entry says, others the first price", async () => {
    const { ledger, record } = await fresh();
    const [one, two] = [id(), id()];
    expect(await record([orderRow(USER, one, 2)], "reserved")).toBe("recorded");
    expect(await change(ledger, "price", { priceMinor: 70, fromMs: 5_000 })).toBe("done");
    const step = { what: "price", user: USER, id: two, total: "140" };
    expect(await record([orderRow(USER, two, 2)], "reserved", [step])).toBe("recorded");
    expect(await ledger.bill(USER, one)).toMatchObject({ amount: 200 });
    expect(await ledger.bill(USER, two)).toMatchObject({ amount: 140 });
    const page = [
      { user: USER, id: two },
      { user: "nobody", id: one },
      { user: USER, id: one },
    ];
    const amounts = (await ledger.bills(page)).map((bill) => bill?.amount);
    expect(amounts).toEqual([140, undefined, 200]);
    expect((await ledger.sales())[0]?.items[0]).toMatchObject({
      ...{ priceMinor: 100, prices: [{ fromMs: 5_000, priceMinor: 70 }] },
    });
    const bad = { ...step, total: "1e9" };
    expect(await record([orderRow(USER, id(), 2)], "reserved", [bad])).toBe("unreadable");
  });

  test("the fence follows a raised limit, and an order decided before a lowered one", async () => {
    const { ledger, record } = await fresh(2);
    const [one, two] = [id(), id()];
    expect(await record([orderRow(USER, one, 2)], "reserved")).toBe("recorded");
    expect(await change(ledger, "limit", { limitPerUser: 3 })).toBe("done");
    expect(await record([orderRow(USER, two, 1)], "reserved")).toBe("recorded");
    expect(await change(ledger, "limit", { limitPerUser: 1 })).toBe("done");
    const cancelled = stepOf("cancelled", USER, one, { detail: "held" });
    expect(await record([], "", [cancelled])).toBe("recorded");
    expect(await record([orderRow(USER, id(), 2)], "reserved")).toBe("recorded");
    expect(await record([orderRow(USER, id(), 1)], "reserved")).toBe("refused");
  });

  test("a limit is changed, never begun", async () => {
    const { ledger } = await fresh();
    expect(await change(ledger, "limit", { limitPerUser: 3 })).toBe("not_counted");
    const { ledger: limited } = await fresh(2);
    expect(await change(limited, "limit", { limitPerUser: 0 })).toBe("done");
    expect((await limited.sales())[0]?.items[0]?.limitPerUser).toBe(1_000_000_000);
  });

  test("a writer that knows the sale learns of an added item", async () => {
    const { ledger, record, audit } = await fresh();
    expect(await record([orderRow(USER, id(), 1)], "reserved")).toBe("recorded");
    const item = { ...saleOf(5).items[0], sku: "n", priceMinor: 30, limitPerUser: 1 };
    expect(await change(ledger, "add", { sku: undefined, item })).toBe("done");
    expect(await change(ledger, "add", { sku: undefined, item })).toBe("item_exists");
    const [one, lines] = [id(), [{ sku: "n", qty: 1 }]];
    expect(await record([orderRow(USER, one, 1, { lines })], "reserved")).toBe("recorded");
    expect(await ledger.bill(USER, one)).toMatchObject({ amount: 30 });
    expect(await record([orderRow(USER, id(), 1, { lines })], "reserved")).toBe("refused");
    expect((await audit.items()).map(({ sku, held }) => [sku, held])).toEqual([
      ["a", 1],
      ["n", 1],
    ]);
  });

  test("an item is withdrawn and offered again", async () => {
    const { ledger } = await fresh();
    expect(await change(ledger, "withdraw", {})).toBe("done");
    expect((await ledger.sales())[0]?.items[0]?.withdrawn).toBe(true);
    expect(await change(ledger, "offer", {})).toBe("done");
    expect((await ledger.sales())[0]?.items[0]).not.toHaveProperty("withdrawn");
    expect(await change(ledger, "offer", { sku: "x" })).toBe("unknown_item");
  });

  test("references live per kind, and those of earlier releases are still known", async () => {
    const { ledger, url } = await fresh();
    const route = { kind: "route", ref: "x", category: "c", region: "", service: "s" } as const;
    expect(await ledger.operate(route, "op")).toBe("done");
    const create = { kind: "create", ref: "x", sale: { ...saleOf(1), id: "s2" } } as const;
    expect(await ledger.operate(create, "op")).toBe("done");
    expect(await ledger.operate(create, "op")).toBe("repeated");
    expect(await ledger.operate({ ...route, service: "t" }, "op")).toBe("ref_conflict");
    const { Db } = await import("./db.ts");
    const db = await Db.open(realRuntime, url);
    open.push(db);
    await db.run("UPDATE operations SET ref = 'old' WHERE ref = 'route x'");
    await db.run("UPDATE operations SET ref = 'x' WHERE ref = 'old'");
    expect(await ledger.operate(route, "op")).toBe("repeated");
    expect(await ledger.operate({ ...create, kind: "create", ref: "x" }, "op")).toBe("repeated");
    const close = { kind: "close", ref: "x", saleId: "s2", atMs: 1_500 } as const;
    expect(await ledger.operate(close, "op")).not.toBe("ref_conflict");
  });
});
