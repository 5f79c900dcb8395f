// A service in Python whose work fails and whose line to the broker is cut: no part is lost.
// It needs Debian's python3-aio-pika, which ./sluice test does not install.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { TcpProxy } from "../../../proof/chaos/tcp-proxy.ts";
import { Shop } from "../../testing.ts";
import { Sluice } from "../../typescript/src/index.ts";
import { pythonWith } from "./test-python.ts";

const LIMIT_MS = 120_000;
const PRINT = { saleId: "demo", currency: "EUR", lines: [{ sku: "print", qty: 1 }] };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
}, LIMIT_MS);

test(
  "parts are claimed, worked on and reported, also when the broker's line is cut",
  async () => {
    const shop = await Shop.open({ print: 100 }, { categories: { print: "art" } });
    ends.push(() => shop.close());
    await shop.stack.route("art", "gallery");
    const broker = shop.stack.settings.regions[0]?.url as string;
    const line = await TcpProxy.to(broker);
    ends.push(() => line.close());
    const child = Bun.spawn([pythonWith("aio_pika"), join(import.meta.dir, "service.py")], {
      env: { ...process.env, AMQP_URL: line.through(broker) },
      stdin: "pipe",
      stderr: "inherit",
    });
    ends.push(async () => child.kill());
    let text = "";
    const reading = (async () => {
      for await (const bytes of child.stdout) {
        // The report of the first part that was packed is lost with the connection.
        if (!text.includes("PACKED") && new TextDecoder().decode(bytes).includes("PACKED"))
          line.cut();
        text += new TextDecoder().decode(bytes);
      }
    })();
    const sluice = new Sluice({ gateways: await shop.gateway(), token: await shop.token("ann") });
    const orders = await Promise.all(Array.from({ length: 4 }, () => sluice.place(PRINT)));
    for (const order of orders) expect((await order.finished()).status).toBe("dispatched");
    child.stdin.write("stop\n");
    child.stdin.flush();
    await reading;
    const packed = [...text.matchAll(/^PACKED (\S+)$/gm)].map(([, key]) => key as string);
    expect([...new Set(packed)].sort()).toEqual(orders.map(({ id }) => `ann/${id}/1/1`).sort());
    expect(text).toContain("FAILED RuntimeError('no paper')");
    expect(text.trimEnd()).toEndWith("STOPPED");
    expect(line.counts.cut).toBeGreaterThan(0);
  },
  LIMIT_MS,
);
