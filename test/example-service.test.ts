// The services in docs/examples work as their pages say: they know nothing of Sluice but its
// messages or its calls.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Shop } from "../sdk/testing.ts";
import { makeOrder, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
const START_MS = 180_000;
/** The file of each, what runs it, and its service. */
const EXAMPLES = [
  { file: "service.mjs", command: process.execPath, service: "gallery" },
  { file: "warehouse.mjs", command: "node", service: "depot" },
  { file: "warehouse.py", command: "python3", service: "store" },
];
let shop: Shop;
let gateway: string;
beforeAll(async () => {
  const items = Object.fromEntries(EXAMPLES.map(({ service }) => [service, 10]));
  shop = await Shop.open(items, {
    categories: Object.fromEntries(EXAMPLES.map(({ service }) => [service, `of-${service}`])),
  });
  for (const { service } of EXAMPLES) await shop.stack.route(`of-${service}`, service);
  gateway = await shop.gateway();
}, START_MS);
afterAll(() => shop?.close(), START_MS);

test.each(EXAMPLES)(
  "an independent program claims, works and reports, and the order is dispatched: $file",
  async ({ file, command, service }) => {
    const { stack } = shop;
    const child = Bun.spawn([command, join(import.meta.dir, "..", "docs", "examples", file)], {
      env: {
        ...{ PATH: process.env.PATH ?? "", SERVICE: service, GATEWAY: gateway },
        ...{ AMQP_URL: stack.settings.regions[0]?.url as string },
        TOKEN: await shop.token(service, "service"),
      },
      stdout: "pipe",
    });
    try {
      const made = [];
      for (let n = 0; n < 3; n++) {
        const user = userOf(n % 2, n);
        const { order, row } = makeOrder(user, { [service]: 1 }, { saleId: "demo" });
        await stack.publish(n % 2, [row], 0, "eu.gw");
        made.push(order);
      }
      for (const { user, id } of made) await stack.becomes(user, id, "dispatched");
      child.kill();
      const said = await new Response(child.stdout).text();
      for (const { user, id } of made)
        expect(said).toContain(`packing ${user}/${id}/1/1: 1 × ${service}`);
    } finally {
      child.kill();
    }
  },
  TIMEOUT_MS,
);
