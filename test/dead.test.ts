// sluice dead on real dead letters: an order that made no sense, a message that held none, a card that was declined for good.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { ORDERS_EXCHANGE } from "../broker/topology.ts";
import { makeOrder, Stack, userOf } from "./stack.ts";

const CLI = join(import.meta.dir, "..", "ops", "cli.ts");
const TIMEOUT_MS = 60_000;
let stack: Stack;
afterAll(async () => stack?.stop(), TIMEOUT_MS);

async function dead(...args: string[]): Promise<{ out: string; err: string; code: number }> {
  const child = Bun.spawn([process.execPath, CLI, "dead", ...args], {
    env: { ...process.env, ...stack.env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
  return { out, err, code };
}

type Letter = { id: string; queue: string; source?: { exchange: string; routingKey: string }; body: Record<string, unknown> | string };
const letters = async () => JSON.parse((await dead("list", "--json")).out) as Letter[];

beforeAll(async () => {
  stack = await Stack.start({ env: { SLUICE_RETRY_DELAYS: "10ms,10ms,10ms" } });
  await stack.sale({ a: 10 });
  await stack.worker("w1");
  await stack.payments();
  const { order, row } = makeOrder(userOf(0), { a: 1 }, { payment: "stub:decline" });
  await stack.publish(0, [row]);
  await stack.becomes(order.user, order.id, "payment_failed");
  const publisher = stack.links[0]?.publisher;
  expect(await publisher?.publish(ORDERS_EXCHANGE, "1", Buffer.from("no orders at all"))).toBe("confirmed");
  await stack.until("both letters", async () => (await letters()).length === 2);
}, TIMEOUT_MS);

test(
  "letters are listed and shown with reason and trail, and stay where they are",
  async () => {
    const found = await letters();
    expect(found.map((l) => l.queue)).toEqual(["orders.dead", "payments.dead"]);
    const listed = (await dead()).out;
    expect(listed).toContain("not a JSON array of orders");
    expect(listed).toContain("payment_failed");
    expect(listed).toContain("4 attempts");
    const shown = await dead("show", (found[1] as Letter).id);
    expect(JSON.parse(shown.out)).toMatchObject({ queue: "payments.dead", body: { reason: "payment_failed", attempts: 4 } });
    expect(await letters()).toEqual(found);
  },
  TIMEOUT_MS,
);

test(
  "a letter that was sent somewhere is sent there again; one about an order on record is left",
  async () => {
    const found = await letters();
    const [first, second] = found as [Letter, Letter];
    expect(first.source).toEqual({ exchange: "orders", routingKey: "1" });
    expect(await dead("redrive", first.id)).toMatchObject({ code: 0, out: "1 sent again\n" });
    // It makes no more sense than before, and so comes back.
    await stack.until("the letter to come back", async () => (await letters()).length === 2);
    const refused = await dead("redrive", second.id);
    expect(refused).toMatchObject({ code: 1, out: "0 sent again, 1 left as they are\n" });
    expect(refused.err).toContain("on record as it is (payment_failed)");
  },
  TIMEOUT_MS,
);

test(
  "a letter that is dropped is gone, and an id that there is not is named",
  async () => {
    const [first] = (await letters()) as [Letter];
    expect(await dead("drop", "00000000")).toMatchObject({ code: 1, err: "sluice: there is no dead letter 00000000\n" });
    expect(await dead("drop", first.id)).toMatchObject({ code: 0, out: "1 dropped\n" });
    expect((await letters()).map((l) => l.queue)).toEqual(["payments.dead"]);
    expect(await dead("drop", "all")).toMatchObject({ code: 0, out: "1 dropped\n" });
    expect(await letters()).toEqual([]);
  },
  TIMEOUT_MS,
);
