// The service in docs/examples works as its page says: it knows nothing of Sluice but its messages.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { makeOrder, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 60_000;
let stack: Stack;
let child: ReturnType<typeof Bun.spawn> | undefined;
afterEach(async () => {
  child?.kill();
  await stack?.stop();
}, TIMEOUT_MS);

test(
  "an independent program claims, works and reports, and the order is dispatched",
  async () => {
    stack = await Stack.start();
    await stack.sale({ print: 10 }, { categories: { print: "art" } });
    await stack.worker("w1");
    await stack.payments();
    await stack.route("art", "gallery");
    const url = stack.settings.regions[0]?.url as string;
    const file = join(import.meta.dir, "..", "docs", "examples", "service.mjs");
    child = Bun.spawn([process.execPath, file], {
      env: { ...process.env, AMQP_URL: url, SERVICE: "gallery" },
      stdout: "pipe",
    });
    const made = [];
    for (let n = 0; n < 3; n++) {
      const { order, row } = makeOrder(userOf(n % 2, n), { print: 1 });
      await stack.publish(n % 2, [row], 0, "eu.gw");
      made.push(order);
    }
    for (const { user, id } of made) await stack.becomes(user, id, "dispatched");
    child.kill();
    const said = await new Response(child.stdout as ReadableStream).text();
    for (const { user, id } of made) expect(said).toContain(`packing ${user}/${id}/1/1: 1 × print`);
  },
  TIMEOUT_MS,
);
