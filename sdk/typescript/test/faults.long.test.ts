// Many orders while gateways are killed and the broker restarts: every order has one effect.
import { afterEach, expect, test } from "bun:test";
import { freePorts } from "../../../services/ports.ts";
import type { Child } from "../../../services/processes.ts";
import { startRabbit } from "../../../services/rabbitmq.ts";
import { testDir } from "../../../test/services.ts";
import { Shop } from "../../testing.ts";
import { type Live, type Order, Sluice } from "../src/index.ts";

const LIMIT_MS = 240_000;
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
    const rabbit = await startRabbit(testDir("sdk-rabbit"), { vhosts: ["eu"] });
    let broker = rabbit;
    ends.push(() => broker.kill());
    const env = { SLUICE_REGIONS: `eu=${rabbit.url("eu")}` };
    const opened = await Shop.open({ lamp: 10_000 }, { env });
    shop = opened;
    const ports = await freePorts(2);
    const gateways = ports.map((port) => `http://127.0.0.1:${port}`);
    const children = new Map<number, Child>();
    const start = (port: number) => {
      children.set(port, opened.stack.spawn("gateway", { SLUICE_HTTP_PORT: String(port) }));
    };
    ports.forEach(start);
    const token = await opened.token("ann");
    const sluice = new Sluice({ gateways, token, deadlineMs: 120_000 });
    if (way === "socket") live = await sluice.live();
    const placer = live ?? sluice;
    const placed: Order[] = [];
    let begun = 0;
    const buyer = async (): Promise<void> => {
      while (begun++ < ORDERS) placed.push(await placer.place(LAMP, { deadlineMs: 120_000 }));
    };
    const buyers = Promise.all(Array.from({ length: AT_ONCE }, buyer));
    const reached = (count: number) =>
      opened.stack.until(`${count} orders placed`, () => placed.length >= count, LIMIT_MS);
    // Ten orders are always under way, so each of these strikes in the middle of requests.
    for (const [i, port] of [ports[0], ports[1], ports[0]].entries()) {
      await reached(40 * (i + 1));
      await children.get(port as number)?.kill();
      start(port as number);
    }
    await reached(160);
    await broker.kill();
    broker = await rabbit.again();
    await buyers;
    expect(new Set(placed.map(({ id }) => id)).size).toBe(ORDERS);
    const outcomes = placed.map((order) => order.outcome({ deadlineMs: 60_000 }));
    for (const { status } of await Promise.all(outcomes))
      expect(status).toMatch(/^(reserved|paid)$/);
    const ids = (await opened.orders("ann")).map(({ id }) => id);
    expect(ids.sort()).toEqual(placed.map(({ id }) => id).sort());
    expect(await opened.taken("lamp")).toBe(ORDERS);
  },
  LIMIT_MS,
);
