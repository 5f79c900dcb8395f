// A service whose work fails and whose line to the broker is cut: no part is lost.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { connect } from "amqplib";
import { TcpProxy } from "../../../proof/chaos/tcp-proxy.ts";
import { Shop } from "../../testing.ts";
import { AmqpParts, type Part, partKey, Service, Sluice } from "../src/index.ts";

const SLOW_MS = 60_000;
const PRINT = { saleId: "demo", currency: "EUR", lines: [{ sku: "print", qty: 1 }] };
let shop: Shop;
let line: TcpProxy;
beforeAll(async () => {
  shop = await Shop.open({ print: 100 }, { categories: { print: "art" } });
  await shop.stack.route("art", "gallery");
  line = await TcpProxy.to(brokerUrl());
}, SLOW_MS);
afterAll(async () => {
  await line?.close();
  await shop?.close();
}, SLOW_MS);

const brokerUrl = () => shop.stack.settings.regions[0]?.url as string;

test(
  "parts are claimed, worked on once and reported, also when the broker's line is cut",
  async () => {
    const packed: string[] = [];
    const errors: unknown[] = [];
    let tries = 0;
    const work = async (part: Part, key: string): Promise<void> => {
      expect(part.lines).toMatchObject([{ sku: "print", qty: 1, category: "art" }]);
      // The first part's first try fails, and the first report is lost with the connection.
      if (tries++ === 0) throw new Error("no paper");
      if (tries === 2) line.cut();
      packed.push(key);
    };
    const source = new AmqpParts({
      ...{ service: "gallery", userId: "guest" },
      connect: () => connect(line.through(brokerUrl())),
    });
    const stopping = new AbortController();
    const service = new Service({ source, work, onError: (error) => errors.push(error) });
    const running = service.run(stopping.signal);
    const sluice = new Sluice({ gateways: await shop.gateway(), token: await shop.token("ann") });
    const orders = await Promise.all(Array.from({ length: 4 }, () => sluice.place(PRINT)));
    for (const order of orders) expect((await order.finished()).status).toBe("dispatched");
    stopping.abort();
    await running;
    const keys = orders.map(({ id }) => partKey({ user: "ann", id, generation: 1, part: 1 }));
    expect([...new Set(packed)].sort()).toEqual(keys.sort());
    expect(errors.map(String)).toContain("Error: no paper");
    expect(line.counts.cut).toBeGreaterThan(0);
  },
  SLOW_MS,
);
