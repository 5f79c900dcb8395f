// The client over a WebSocket to the running product, with sockets that break.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Shop } from "../../testing.ts";
import { type Live, Sluice } from "../src/index.ts";

const SLOW_MS = 60_000;
const LAMP = { saleId: "demo", currency: "EUR", lines: [{ sku: "lamp", qty: 1 }] };
let shop: Shop;
let gateway: string;
const open: Live[] = [];

beforeAll(async () => {
  shop = await Shop.open({ lamp: 1_000 });
  gateway = await shop.gateway();
}, SLOW_MS);
afterAll(async () => {
  for (const live of open) live.close();
  await shop?.close();
}, SLOW_MS);

async function live(user: string, gateways: string | string[] = gateway): Promise<Live> {
  const sluice = new Sluice({ gateways, token: await shop.token(user) });
  const opened = await sluice.live();
  open.push(opened);
  return opened;
}

test(
  "an order goes out and its outcome comes in; stock is pushed",
  async () => {
    const socket = await live("ann");
    const stock: (number | undefined)[] = [];
    const stop = socket.watchStock("demo", (units) => stock.push(units.get("lamp")));
    const order = await socket.place(LAMP);
    expect((await order.outcome()).status).toBe("reserved");
    const seen: string[] = [];
    for await (const { event } of order.events()) {
      seen.push(event);
      if (event === "paid") break;
    }
    expect(seen).toContain("reserved");
    await shop.stack.until("a lower stock to be pushed", () => stock.at(-1) === 999);
    stop();
  },
  SLOW_MS,
);

test(
  "a socket that breaks after the order left: it is sent again, and counts once",
  async () => {
    const { line, url } = await shop.line(gateway);
    const socket = await live("bob", url);
    line.resetAfter("answers", 10);
    const order = await socket.place(LAMP);
    expect(line.counts.resets).toBe(1);
    expect((await order.outcome()).status).toMatch(/^(reserved|paid)$/);
    expect(await shop.orders("bob")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "a silent socket is given up, and the next gateway gets the order",
  async () => {
    const { line, url } = await shop.line(gateway);
    const sluice = new Sluice({ gateways: [url, gateway], token: await shop.token("cai") });
    const socket = await sluice.live({ attemptMs: 500 });
    open.push(socket);
    line.stall("answers");
    const order = await socket.place(LAMP);
    expect((await order.outcome()).status).toMatch(/^(reserved|paid)$/);
    expect(await shop.orders("cai")).toHaveLength(1);
  },
  SLOW_MS,
);

test(
  "events continue behind the last one after the socket was cut",
  async () => {
    const { line, url } = await shop.line(gateway);
    const socket = await live("dan", url);
    const order = await socket.place(LAMP);
    const seen: string[] = [];
    for await (const { event } of order.events()) {
      if (seen.push(event) === 1) line.cut();
      if (event === "cancelled") break;
      if (event === "paid") expect((await order.cancel()).status).toBe("cancelled");
    }
    expect(line.accepted).toBeGreaterThan(1);
    expect(seen.filter((event) => event === "reserved")).toHaveLength(1);
    expect(seen.slice(0, 1).concat(seen.slice(-1))).toEqual(["reserved", "cancelled"]);
  },
  SLOW_MS,
);

test(
  "a refused token ends it; without a WebSocket the error says what to pass",
  async () => {
    const refused = await new Sluice({ gateways: gateway, token: "rubbish" })
      .live()
      .catch((error) => error);
    expect(refused).toMatchObject({ name: "Refused", code: "bad_token" });
    const global = globalThis as { WebSocket?: unknown };
    const { WebSocket } = global;
    try {
      global.WebSocket = undefined;
      const missing = await new Sluice({ gateways: gateway, token: "t" })
        .live({ deadlineMs: 300 })
        .catch((error) => error);
      expect(missing.message).toContain("package ws");
    } finally {
      global.WebSocket = WebSocket;
    }
  },
  SLOW_MS,
);
