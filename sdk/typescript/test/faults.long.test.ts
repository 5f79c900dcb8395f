// Many orders while gateways are killed and the broker restarts: every order has one effect.
import { afterEach, expect, test } from "bun:test";
import { trouble } from "../../test-faults.ts";
import { Shop } from "../../testing.ts";
import { type Live, type Order, Sluice } from "../src/index.ts";

const LIMIT_MS = 240_000;
const DEADLINE_MS = 120_000;
const ORDERS = 300;
const AT_ONCE = 10;
const LAMP = { saleId: "demo", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] };
let shop: Shop | undefined;
let live: Live | undefined;
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  live?.close();
  await shop?.close();
  for (const end of ends.splice(0)) await end();
}, LIMIT_MS);

test.each(["http", "socket"])(
  "over %s: gateways killed mid-request and a broker restarted, one effect per order",
  async (way) => {
    const faults = await trouble(ends);
    const opened = await Shop.open({ lamp: 10_000 }, { env: faults.env });
    shop = opened;
    const gateways = await faults.gateways(opened.stack);
    const token = await opened.token("ann");
    const sluice = new Sluice({ gateways, token, deadlineMs: DEADLINE_MS });
    if (way === "socket") live = await sluice.live();
    const placer = live ?? sluice;
    const placed: Order[] = [];
    let begun = 0;
    const buyer = async (): Promise<void> => {
      while (begun++ < ORDERS) placed.push(await placer.place(LAMP, { deadlineMs: DEADLINE_MS }));
    };
    const buyers = Promise.all(Array.from({ length: AT_ONCE }, buyer));
    await faults.strike(() => placed.length);
    await buyers;
    expect(new Set(placed.map(({ id }) => id)).size).toBe(ORDERS);
    const outcomes = placed.map((order) => order.outcome({ deadlineMs: DEADLINE_MS }));
    for (const { status } of await Promise.all(outcomes))
      expect(status).toMatch(/^(reserved|paid)$/);
    const ids = (await opened.orders("ann")).map(({ id }) => id);
    expect(ids.sort()).toEqual(placed.map(({ id }) => id).sort());
    expect(await opened.taken("lamp")).toBe(ORDERS);
  },
  LIMIT_MS,
);
