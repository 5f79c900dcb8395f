// The client against the running product: one effect per order, whatever happens on the way.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Shop } from "../../testing.ts";
import { Refused, Sluice, Unfinished } from "../src/index.ts";

const SLOW_MS = 60_000;
const HOUR_MS = 3_600_000;
const LAMP = { saleId: "demo", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] };
let shop: Shop;
let gateway: string;

beforeAll(async () => {
  shop = await Shop.open({ lamp: 1_000, rare: 1 });
  gateway = await shop.gateway();
}, SLOW_MS);
afterAll(() => shop?.close(), SLOW_MS);

async function client(user: string, more: Partial<ConstructorParameters<typeof Sluice>[0]> = {}) {
  const token = await shop.token(user);
  return new Sluice({ gateways: gateway, token, ...more });
}

test(
  "an order is placed, decided and paid; its events come once, in order",
  async () => {
    const sluice = await client("ann");
    const order = await sluice.place(LAMP);
    expect(order.status).toBe("accepted");
    expect((await order.outcome()).status).toBe("reserved");
    const seen: string[] = [];
    const numbers: number[] = [];
    for await (const { event, n } of order.events()) {
      seen.push(event);
      numbers.push(n);
      if (event === "paid") break;
    }
    expect(seen).toContain("reserved");
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    expect(await order.get()).toMatchObject({ id: order.id, saleId: "demo", status: "paid" });
    expect(await shop.orders("ann")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "an answer lost on the way: the same order is sent again, and counts once",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = await client("bob", { gateways: url });
    line.resetAfter("answers", 10);
    const order = await sluice.place(LAMP);
    expect(line.counts.resets).toBe(1);
    expect((await order.outcome()).status).toBe("reserved");
    expect(await shop.orders("bob")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "a gateway that is away or silent is followed by the next one",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = await client("cai", { gateways: [url, gateway], attemptMs: 300 });
    line.stall("answers");
    const silent = await sluice.place(LAMP);
    line.refuse();
    const away = await (await client("cai", { gateways: [url, gateway] })).place(LAMP);
    for (const order of [silent, away]) expect((await order.outcome()).status).toBe("reserved");
    expect(await shop.orders("cai")).toHaveLength(2);
  },
  SLOW_MS,
);

test(
  "no gateway within the deadline: the error says that the effect is unknown",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = await client("dan", { gateways: url });
    line.stall("answers");
    const draft = await sluice.draft(LAMP, { deadlineMs: 200 });
    const failed = sluice.place(draft, { deadlineMs: 500 });
    expect(await failed.catch((error) => error)).toBeInstanceOf(Unfinished);
    expect(await failed.catch((error) => error)).toMatchObject({
      ...{ reason: "deadline", effect: "unknown", orderId: draft.id },
    });
    // The stored draft, placed again, is the same order.
    const order = await (await client("dan")).place(draft);
    expect((await order.outcome()).status).toBe("reserved");
    expect(await shop.orders("dan")).toHaveLength(1);
  },
  SLOW_MS,
);

test.each([
  ["ahead", HOUR_MS],
  ["behind", -HOUR_MS],
])(
  "a clock an hour %s is corrected by the gateway's",
  async (_, offMs) => {
    const now = () => Date.now() + offMs;
    const order = await (await client("eve", { now })).place(LAMP);
    expect((await order.outcome()).status).toBe("reserved");
    const sluice = await client("eve", { now });
    const draft = await sluice.draft(LAMP);
    expect((await sluice.place(draft)).id).toBe(draft.id);
  },
  SLOW_MS,
);

test(
  "a wrong order is refused at once, with the field at fault",
  async () => {
    const sluice = await client("fay");
    const refused = await sluice
      .place({ ...LAMP, lines: [{ sku: "lamp", qty: 0 }] })
      .catch((error) => error);
    expect(refused).toBeInstanceOf(Refused);
    expect(refused).toMatchObject({
      ...{ code: "out_of_range", effect: "none" },
      problem: { status: 422, field: "lines[0].qty" },
    });
  },
  SLOW_MS,
);

test(
  "an order can be cancelled, and a second cancel changes nothing",
  async () => {
    const sluice = await client("gus");
    const order = await sluice.place(LAMP);
    await order.outcome();
    for (let n = 0; n < 2; n++) expect(await order.cancel()).toEqual({ status: "cancelled" });
    expect((await order.finished()).status).toBe("cancelled");
  },
  SLOW_MS,
);

test(
  "numbered orders are decided by number; a refused one leaves its number to the next",
  async () => {
    const sequence = (await client("hal")).sequence("demo");
    const lamp = { currency: "EUR", lines: LAMP.lines };
    const [first, second] = [await sequence.draft(lamp), await sequence.draft(lamp)];
    await sequence.place(second);
    await sequence.place(first);
    const wrong = { currency: "EUR", lines: [{ sku: "lamp", qty: 0 }] };
    expect(await sequence.place(wrong).catch((error) => error)).toBeInstanceOf(Refused);
    const third = await sequence.place(lamp);
    expect([first.seq, second.seq, third.seq, sequence.next]).toEqual([1, 2, 3, 4]);
    expect((await third.outcome()).status).toBe("reserved");
    await sequence.skip(4);
    const fifth = await sequence.place(lamp);
    expect([fifth.seq, (await fifth.outcome()).status]).toEqual([5, "reserved"]);
  },
  SLOW_MS,
);

test(
  "a token that has ended is renewed once",
  async () => {
    const good = await shop.token("ida");
    const given = ["rubbish", good];
    const sluice = await client("ida", { token: () => given.shift() ?? "none left" });
    expect((await sluice.place(LAMP)).status).toBe("accepted");
    expect(given).toEqual([]);
    const hopeless = await (await client("ida", { token: "rubbish" })).place(LAMP).catch((e) => e);
    expect(hopeless).toMatchObject({ name: "Refused", code: "bad_token" });
  },
  SLOW_MS,
);
