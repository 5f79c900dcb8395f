// What the command line prints with --json has the shapes that HTTP answers with: /openapi.json
// describes both. The commands run in this process, on the real stores.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { PAYMENTS_DEAD } from "../broker/topology.ts";
import type { SaleStock } from "../cli/commands/stock.ts";
import type { ShownWorker } from "../cli/commands/workers.ts";
import { at } from "../core/domain/at.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { misfit, validatorOf } from "../gateway/http/test-openapi.ts";
import { openLedgerWriter } from "../ledger/open.ts";
import { inProcess } from "./in-process.ts";
import { outputOf } from "./output-of.ts";
import { testDir } from "./services.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
/** It may be the first that needs RabbitMQ, on a busy machine. */
const START_MS = 180_000;
let stack: Stack;
/** Paid, and failed. */
const orders: { user: string; id: string }[] = [];
const sluice = (...words: string[]) => inProcess(stack.env, ...words);

beforeAll(async () => {
  stack = await Stack.start({ env: { SLUICE_RETRY_DELAYS: "10ms,10ms,10ms" } });
  await stack.sale({ a: 100, b: 5 });
  await stack.worker("w1");
  await stack.payments();
  for (const [n, payment] of [
    [0, "tok_secret"],
    [1, "stub:decline"],
  ] as const) {
    const { order, row } = makeOrder(userOf(0, n), { a: 2 }, { payment });
    await stack.publish(0, [row]);
    await stack.becomes(order.user, order.id, n === 0 ? "paid" : "payment_failed");
    orders.push(order);
  }
}, START_MS);
afterAll(() => stack?.stop(), TIMEOUT_MS);

/** Whether a JSON text fits the answer to a call, which must be described. */
async function mustFit(method: string, path: string, text: string): Promise<void> {
  const answer = (body: string) =>
    new Response(body, { headers: { "content-type": "application/json" } });
  const url = `http://gateway${path}`;
  expect([path, await misfit(method, url, answer("[[]]"))]).not.toEqual([path, undefined]);
  expect([path, await misfit(method, url, answer(text))]).toEqual([path, undefined]);
}

test(
  "orders: a list, and one found by its id alone, with all that became of it and no token",
  async () => {
    const [{ user, id }, failed] = [at(orders, 0), at(orders, 1)];
    const list = await sluice("orders", "--user", user, "--json");
    await mustFit("GET", "/v1/orders", list);
    expect(JSON.parse(list)).toMatchObject({
      orders: [{ id, status: "paid", amount: expect.any(Number) }],
    });
    const text = await sluice("orders", id, "--json");
    const story = JSON.parse(text);
    const { entry: _, charges: _c, parts: _p, deliveries: _d, ...order } = story;
    await mustFit("GET", `/v1/orders/${id}`, JSON.stringify(order));
    expect(story).toMatchObject({
      ...{ id, user, status: "paid", lines: [{ sku: "a", qty: 2 }] },
      entry: { shard: 0, n: expect.any(Number) },
      charges: [{ generation: 1, attempt: 1, status: "captured", amount: expect.any(Number) }],
      parts: [{ generation: 1, part: 1, service: "", status: "waiting" }],
      deliveries: [],
    });
    const all = JSON.parse(await sluice("orders", "--status", "payment_failed", "--json"));
    expect(all.orders.map((o: { id: string }) => o.id)).toEqual([failed.id]);
    const shown = await sluice("orders", id);
    expect(shown).toMatch(/^status +paid$/m);
    expect([list, text, shown].filter((said) => said.includes("tok_secret"))).toEqual([]);
    const other = JSON.parse(await sluice("orders", failed.id, "--json"));
    expect(other.charges.map((charge: { attempt: number }) => charge.attempt)).toEqual([
      1, 2, 3, 4,
    ]);
    await expect(sluice("orders", id.replace(/.$/, "~"))).rejects.toThrow("is in the ledger");
  },
  TIMEOUT_MS,
);

test(
  "an id that two users have drawn asks for the user",
  async () => {
    const [mine, theirs] = [userOf(0, 8), userOf(0, 9)];
    const { order, row } = makeOrder(mine, { a: 1 });
    const twin = makeOrder(theirs, { a: 1 }, { id: order.id });
    await stack.publish(0, [row, twin.row]);
    for (const user of [mine, theirs]) await stack.becomes(user, order.id, "paid");
    await expect(sluice("orders", order.id)).rejects.toThrow("add --user NAME");
    const one = JSON.parse(await sluice("orders", order.id, "--user", theirs, "--json"));
    expect(one).toMatchObject({ id: order.id, user: theirs });
  },
  TIMEOUT_MS,
);

test(
  "sales are created, opened, restocked, corrected, edited and closed as over HTTP",
  async () => {
    const file = join(testDir("cli-sales"), "sale.json");
    const item = { sku: "lamp", category: "home", priceMinor: 3_900, initial: 5 };
    const window = { opensAt: "2027-01-01T00:00:00Z", closesAt: "2100-01-01T00:00:00Z" };
    await Bun.write(file, JSON.stringify({ id: "cli", currency: "EUR", ...window, items: [item] }));
    const validChange = validatorOf("Change");
    const change = async (...words: string[]) => {
      const said: unknown = JSON.parse(await sluice("sales", ...words, "--json"));
      expect([words, validChange(said), validChange.errors]).toEqual([words, true, null]);
      return said;
    };
    await sluice("sales", "create", file, "--dry-run");
    expect(await stack.ledger.sales(["cli"])).toEqual([]);
    const warnings = [expect.stringContaining("'home' has no route")];
    expect(await change("create", file)).toMatchObject({ result: "done", applied: true, warnings });
    expect(await change("create", file)).toMatchObject({ result: "repeated" });
    await change("open", "cli", "--closes-at", "2099-01-01T00:00:00Z");
    await change("restock", "cli", "lamp", "7", "--ref", "more");
    expect(await change("restock", "cli", "lamp", "7", "--ref", "more")).toMatchObject({
      result: "repeated",
    });
    await change("correct", "cli", "lamp", "2", "--reason", "broken");
    await change("edit", "cli", "lamp", "--price", "3500", "--reason", "offer");
    await change("edit", "cli", "lamp", "--withdraw", "--reason", "recall");
    const listed = await sluice("sales", "--json");
    await mustFit("GET", "/v1/admin/sales", listed);
    const sale = JSON.parse(listed).sales.find(({ id }: { id: string }) => id === "cli");
    expect(sale).toMatchObject({
      closesAt: "2099-01-01T00:00:00.000Z",
      items: [{ sku: "lamp", withdrawn: true, prices: [{ priceMinor: 3_500 }] }],
      stock: [{ sku: "lamp", initial: 5, restocked: 7, corrected: 2, available: 10 }],
    });
    await change("close", "cli");
    expect((await stack.ledger.sales(["cli"]))[0]?.closesAtMs).toBeLessThanOrEqual(
      Date.now() + 5e3,
    );

    const refused = (...words: string[]) => sluice("sales", ...words).catch(String);
    expect(await refused("correct", "cli", "lamp", "11", "--reason", "x")).toContain(
      "cli lamp: fewer units are free",
    );
    expect(await refused("restock", "nope", "lamp", "1")).toContain("there is no sale 'nope'");
    expect(await refused("restock", "cli", "lamb", "1")).toContain(
      "sale 'cli' has no item 'lamb'; it has lamp",
    );
    await Bun.write(file, JSON.stringify({ id: "bad", currency: "EUR", ...window, items: [{}] }));
    expect(await refused("create", file)).toContain("items[0].sku: Missing field");
    await Bun.write(file, JSON.stringify({ id: "cli", currency: "KWD", ...window, items: [item] }));
    expect(await refused("create", file)).toContain(
      "there is a sale 'cli' already, which was created with other content",
    );
    const audit = await sluice("audit", "--json", "--action", "items.correct");
    await mustFit("GET", "/v1/admin/audit", audit);
    expect(JSON.parse(audit).records.map((r: { status: number }) => r.status)).toEqual([409, 200]);
  },
  TIMEOUT_MS,
);

test(
  "a change says what it did, and minor units are not taken for an amount",
  async () => {
    await stack.sale({ cup: 3 }, { id: "said" });
    const sales = (...words: string[]) => sluice("sales", ...words);
    expect(await sales("restock", "said", "cup", "4")).toBe("said cup: units added: 4\n");
    const price = ["edit", "said", "cup", "--reason", "x", "--price"];
    expect(await sales(...price, "3500")).toMatch(/^said cup: costs 35\.00 EUR from 2\S+Z on\n$/);
    for (const amount of ["35.00", "3.5e3", "0x10", " 35", "+35"])
      await expect(sales(...price, amount)).rejects.toThrow("of minor units: 3500 for 35.00 EUR");
    await sales("correct", "said", "cup", "3", "--reason", "x");
    const [shown] = JSON.parse(await sluice("stock", "said", "--json")).stock as SaleStock[];
    const units = { initial: 3, restocked: 4, corrected: 3, available: 4 };
    expect([shown?.items, shown?.ledger]).toMatchObject([[units], [units]]);
    const [sale] = await stack.ledger.sales(["said"]);
    expect(sale?.items[0]?.prices?.map(({ priceMinor }) => priceMinor)).toEqual([3_500]);
  },
  TIMEOUT_MS,
);

test(
  "stock, workers, routes, feed, dead letters and webhooks",
  async () => {
    const stock = JSON.parse(await sluice("stock", "--json")).stock as SaleStock[];
    for (const { saleId, items } of stock)
      await mustFit("GET", `/v1/sales/${saleId}/stock`, JSON.stringify({ saleId, items }));
    const skus = stock.flatMap(({ items }) => items?.map(({ sku, initial }) => [sku, initial]));
    expect(skus).toEqual(
      expect.arrayContaining([
        ["a", 100],
        ["b", 5],
      ]),
    );

    await stack.sale({ a: 7 }, { id: "ended" });
    await stack.ledger.operate({ kind: "retire", ref: "ended", saleId: "ended" }, "test");
    const [retired] = JSON.parse(await sluice("stock", "ended", "--json")).stock as SaleStock[];
    expect(retired?.items).toMatchObject([{ sku: "a", initial: 7, available: 7 }]);

    const [worker] = JSON.parse(await sluice("workers", "--json")).workers as ShownWorker[];
    expect(worker).toMatchObject({ kind: "worker", load: 0, state: "running" });
    expect(worker?.shards?.every((shard) => Number.isInteger(shard))).toBe(true);

    await mustFit("GET", "/v1/admin/routes", await sluice("routes", "--json"));
    const feed = await sluice("feed", "--json");
    await mustFit("GET", "/v1/feed", feed);
    const { events, after } = JSON.parse(feed);
    expect(events.map(({ type }: { type: string }) => type)).toContain("order.failed");
    const later = await sluice("feed", "--after", after, "--types", "order.paid", "--json");
    expect(JSON.parse(later)).toEqual({ events: [], after, more: false });

    const writer = await openLedgerWriter(realRuntime, stack.settings.ledgerUrl);
    const what = { kind: "role_lost" as const, subject: "worker-9", what: "it is gone" };
    const add = { holder: "test", leaseMs: 60_000, minutes: [] };
    await writer.keepTimeline({ ...add, events: [] });
    const [first, second] = [Date.now() - 2_000, Date.now() - 1_000];
    const events2 = [first, second].map((atMs) => ({ atMs, ...what }));
    await writer.keepTimeline({ ...add, events: events2 });
    await writer.close();
    const timeline = await sluice("timeline", "--limit", "1", "--json");
    await mustFit("GET", "/v1/admin/timeline", timeline);
    const { entries, next } = JSON.parse(timeline);
    expect(entries).toMatchObject([{ atMs: second, ...what }]);
    const older = await sluice("timeline", "--before", String(next), "--json");
    expect(JSON.parse(older).entries).toMatchObject([{ atMs: first }]);
    const others = await sluice("timeline", "--kind", "halted", "--json");
    expect(JSON.parse(others)).toEqual({ entries: [] });

    const dead = await sluice("dead", "--json");
    await mustFit("GET", "/v1/admin/dead", dead);
    const [letter] = JSON.parse(dead).letters;
    expect(letter).toMatchObject({ queue: PAYMENTS_DEAD, user: at(orders, 1).user });
    await mustFit("GET", `/v1/admin/dead/${letter.id}`, await sluice("dead", "show", letter.id));
    await mustFit("GET", "/v1/admin/webhooks", await sluice("webhooks", "--json"));
  },
  TIMEOUT_MS,
);

test(
  "of dead letters that nobody could be asked for, it is not said that there are none",
  async () => {
    const env = { ...process.env, ...stack.env, SLUICE_REGIONS: "eu=amqp://127.0.0.1:1" };
    const command = [process.execPath, join(import.meta.dir, "..", "cli", "cli.ts"), "dead"];
    const { out, err, code } = await outputOf(command, { env });
    expect([out, code]).toEqual(["", 69]);
    expect(err).toBe("sluice: no connection to the broker of eu\n");
  },
  TIMEOUT_MS,
);
