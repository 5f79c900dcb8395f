// The checks notice a peer that breaks a rule.
import { expect, test } from "bun:test";
import { join } from "node:path";
import { testDir } from "../../test/services.ts";
import { check, type LedgerRow } from "./check.ts";
import { Driver } from "./driver.ts";
import type { Front, Order, Outcome } from "./peer.ts";
import { SqliteLedger, sqliteRows } from "./sqlite-ledger.ts";
import { ITEMS, madeAs } from "./workload.ts";

const ORDERS = 1_000;
const CHUNK = 10;
type Fault = "none" | "loses" | "doubles" | "oversells" | "refuses" | "forgets the stock";

/** A peer in this process that breaks one rule, now and then. */
class FaultyPeer implements Front {
  readonly left = new Map(ITEMS.map(({ sku, units }) => [sku, units]));
  private readonly outcomes = new Map<string, Outcome>();
  private readonly ledger: SqliteLedger;

  constructor(
    readonly file: string,
    private readonly fault: Fault,
    private readonly recorded: (orders: number) => void,
  ) {
    this.ledger = new SqliteLedger(file);
  }

  async submit(orders: readonly Order[]): Promise<void> {
    for (const order of orders) this.place(order);
  }

  async close(): Promise<void> {
    this.ledger.close();
  }

  private place(order: Order): void {
    const key = `${order.user}/${order.id}`;
    const known = this.outcomes.get(key);
    if (known && this.fault !== "doubles") return;
    const outcome = this.decide(order);
    this.outcomes.set(key, outcome);
    if (outcome === "reserved" && this.fault !== "forgets the stock")
      for (const { sku, qty } of order.lines) this.left.set(sku, (this.left.get(sku) ?? 0) - qty);
    if (known) return;
    this.recorded(1);
    if (this.fault === "loses" && this.outcomes.size === ORDERS / 2) return;
    this.ledger.record([order], [outcome]);
  }

  private decide({ lines }: Order): Outcome {
    if (this.fault === "refuses" && this.outcomes.size === 0) return "sold_out";
    const spare = this.fault === "oversells" ? 1 : 0;
    const enough = lines.every(({ sku, qty }) => (this.left.get(sku) ?? 0) + spare >= qty);
    return enough ? "reserved" : "sold_out";
  }
}

async function broken(fault: Fault): Promise<string[]> {
  let count = 0;
  const peer = new FaultyPeer(join(testDir("faulty"), "ledger.db"), fault, (orders) => {
    count += orders;
    driver.heard(count);
  });
  const driver = new Driver(peer, { chunk: CHUNK, window: ORDERS });
  await driver.drive({ seconds: 10, orders: ORDERS, twice: true });
  await driver.again();
  const [orders, left] = [driver.submitted, peer.left];
  await peer.close();
  const submitted = (id: string) => madeAs(id, orders);
  return check(sqliteRows(peer.file), { items: ITEMS, left, orders, submitted });
}

test("a peer that keeps the rules passes", async () => {
  expect(await broken("none")).toEqual([]);
});

test.each([
  ["loses an order", "loses", "orders in the ledger"],
  ["lets a repeated order take units again", "doubles", "stock"],
  ["sells what it does not have", "oversells", "oversold"],
  ["refuses what it has", "refuses", "refused although there was stock"],
  ["sells without taking units", "forgets the stock", "stock"],
] as const)("a peer that %s is found", async (_, fault, kind) => {
  const found = await broken(fault);
  expect(found.some((line) => line.startsWith(`${kind}:`))).toBe(true);
});

const ROW: LedgerRow = {
  id: "1",
  user: "ann",
  lines: '[{"sku":"a","qty":1}]',
  outcome: "reserved",
};

async function* pageOf(...rows: LedgerRow[]): AsyncGenerator<LedgerRow[]> {
  yield rows;
}

test.each([
  ["an order twice", [ROW, ROW], "twice in the ledger"],
  ["an order of nobody", [{ ...ROW, user: "bob" }], "in the ledger, but not submitted like that"],
  ["other lines", [{ ...ROW, lines: "[]" }], "in the ledger, but not submitted like that"],
  ["no outcome", [{ ...ROW, outcome: "" }], "no outcome"],
] as const)("a ledger with %s is found", async (_, rows, kind) => {
  const found = await check(pageOf(...rows), {
    items: [{ sku: "a", units: 1 }],
    left: new Map([["a", 0]]),
    orders: 1,
    submitted: () => ({ user: "ann", lines: [{ sku: "a", qty: 1 }] }),
  });
  expect(found.some((line) => line.startsWith(`${kind}:`))).toBe(true);
});
