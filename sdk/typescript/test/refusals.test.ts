// What a busy or doubtful gateway answers: a real gateway, with a broker that the test controls.
import { afterEach, expect, test } from "bun:test";
import { OPEN_STATES as OPEN, TERMINAL_STATES } from "../../../core/domain/outcome.ts";
import { PROBLEM_CODES as ALL, titleOf as titles } from "../../../gateway/http/problem.ts";
import { SALE, startTestGateway, type TestGateway, token } from "../../../gateway/testing.ts";
import {
  FINISHED_STATES,
  type Live,
  OPEN_STATES,
  PROBLEM_CODES,
  Sluice,
  Unfinished,
} from "../src/index.ts";

const LAMP = { saleId: SALE.id, currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] };
const RATE = { userPerSecond: 5, userBurst: 1 };
let t: TestGateway;
let live: Live | undefined;
afterEach(async () => {
  live?.close();
  live = undefined;
  await t?.close();
});

async function client(options: Parameters<typeof startTestGateway>[0] = {}): Promise<Sluice> {
  t = await startTestGateway(options);
  return new Sluice({ gateways: t.gateway.url, token: await token("ann") });
}

/** Ids of all orders that reached the broker. */
const published = (): unknown[] =>
  t.broker.rows.map((row) => ("order" in row ? row.order.id : undefined));

test("the client knows every problem and every state of the product", () => {
  expect([...PROBLEM_CODES].sort() as string[]).toEqual([...ALL].sort());
  expect(titles("shed")).not.toBe("");
  expect([OPEN_STATES, FINISHED_STATES] as unknown).toEqual([OPEN, TERMINAL_STATES]);
});

test("a client without an address, or with a wrong one, says which setting is at fault", () => {
  for (const [gateways, said] of [
    [undefined, "gateways: at least one address"],
    [[], "gateways: at least one address"],
    [[undefined], "gateways[0]: not an address"],
    ["eu.shop.example", "gateways[0]: not an address"],
  ] as const)
    expect(() => new Sluice({ gateways, token: "t" } as never)).toThrow(said);
});

test("unconfirmed, over HTTP and a socket: the same order is sent again", async () => {
  const sluice = await client();
  live = await sluice.live();
  t.broker.answer = "unknown";
  const placed = [sluice.place(LAMP), live.place(LAMP)];
  while (new Set(published()).size < 2) await Bun.sleep(1);
  t.broker.answer = "confirmed";
  const ids = (await Promise.all(placed)).map(({ id }) => id);
  expect(published().length).toBeGreaterThanOrEqual(4);
  expect(new Set(published())).toEqual(new Set(ids));
});

test("an order over the user's rate is sent again as soon as the gateway asks", async () => {
  const sluice = await client({ admission: RATE });
  const orders = await Promise.all([sluice.place(LAMP), sluice.place(LAMP)]);
  expect(published().sort()).toEqual(orders.map(({ id }) => id).sort());
});

test("an order that no broker ever took had no effect, and the error says so", async () => {
  const sluice = await client();
  t.broker.answer = "unsent";
  const failed = await sluice.place(LAMP, { deadlineMs: 300 }).catch((error) => error);
  expect(failed).toBeInstanceOf(Unfinished);
  expect(failed).toMatchObject({ effect: "none", problem: { code: "unavailable" } });
});

test("an accepted order whose outcome came too late is never called without effect", async () => {
  const sluice = await client();
  live = await sluice.live();
  for (const order of [await sluice.place(LAMP), await live.place(LAMP)]) {
    const late = order.outcome({ deadlineMs: 200 }).catch((error) => error);
    expect(await late).toMatchObject({ reason: "deadline", effect: "unknown", orderId: order.id });
    expect((await late).message).toContain("its result is unknown");
  }
});

test("an aborted order may have had an effect, and the error says so", async () => {
  const sluice = await client();
  t.broker.answer = undefined;
  const aborting = new AbortController();
  const failed = sluice.place(LAMP, { signal: aborting.signal }).catch((error) => error);
  while (t.broker.rows.length === 0) await Bun.sleep(1);
  aborting.abort();
  expect(await failed).toMatchObject({ reason: "aborted", effect: "unknown" });
  for (const batch of t.broker.published) batch.settle("unknown");
});

test("more orders than the credit wait for answers, and none is refused", async () => {
  const sluice = await client({ limits: { credit: 2 } });
  live = await sluice.live();
  const socket = live;
  const placed = await Promise.all(Array.from({ length: 20 }, () => socket.place(LAMP)));
  expect(new Set(placed.map(({ id }) => id)).size).toBe(20);
  expect(t.gateway.report().refused.credit ?? 0).toBe(0);
  expect(published().sort()).toEqual(placed.map(({ id }) => id).sort());
});

test("a draft that may have been sent before is not believed to be sold out", async () => {
  const stockOf = async () => [
    { sku: "lamp", available: 0, releasing: 0, held: 1, sold: 99 },
    { sku: "chair", available: 10, releasing: 0, held: 0, sold: 0 },
  ];
  const sluice = await client({ admission: { soldOutAtGate: true }, stockOf });
  let draft = await sluice.draft(LAMP);
  // The gateway looks at the stock when the first orders come.
  while ((await sluice.place(draft)).status === "accepted") draft = await sluice.draft(LAMP);
  const doubtful = await sluice.place(draft, { again: true, deadlineMs: 500 }).catch((e) => e);
  expect(doubtful).toBeInstanceOf(Unfinished);
  expect(doubtful).toMatchObject({ effect: "unknown", orderId: draft.id });
});

test("what a shop's pages show is read without a token: sales, stock, rates", async () => {
  const at = Date.now();
  const rate = { pair: "EUR/JPY", value: "163.5", atMs: at, untilMs: at + 60_000 };
  t = await startTestGateway({ rates: async () => [rate] });
  const nobody = () => Promise.reject(new Error("no token yet"));
  const sluice = new Sluice({ gateways: t.gateway.url, token: nobody });
  const { sales } = await sluice.sales({ status: "open", limit: 5 });
  expect(sales).toMatchObject([{ id: SALE.id, status: "open", items: 2 }]);
  expect(await sluice.sale(SALE.id)).toMatchObject({ currency: "EUR", items: [{}, {}] });
  const stock = await sluice.stock(SALE.id);
  expect(new Map(stock.map(({ sku, available }) => [sku, available])).get("lamp")).toBe(100);
  const { rates, digits } = await sluice.rates();
  expect([rates[0]?.value, digits.JPY, digits.EUR]).toEqual(["163.5", 0, 2]);
  expect(Math.abs(sluice.now() - Date.now())).toBeLessThan(5_000);
  expect(await sluice.orders().catch((error) => error)).toMatchObject({ message: "no token yet" });
});
