// The ledger postpones a part that its service cannot complete: the part delays nothing, comes
// back, and ends eventually.
import { afterEach, expect, test } from "bun:test";
import { depth } from "../broker/inspect.ts";
import { Fulfiller } from "../consumers/fulfilment/fulfiller.ts";
import type { Part } from "../core/domain/part.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const TIMEOUT_MS = 120_000;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
}, TIMEOUT_MS);

async function start(work: (part: Part) => Promise<void>): Promise<[Stack, Fulfiller]> {
  const stack = await Stack.start();
  closing.push(() => stack.stop());
  await stack.sale({ radio: 500 }, { categories: { radio: "audio" } });
  await stack.worker("w1");
  await stack.payments();
  await stack.route("audio", "depot");
  const fulfiller = new Fulfiller({
    runtime: realRuntime,
    ...{ service: "depot", id: "depot-1", regions: stack.links, shards: SHARDS, work },
    log: () => undefined,
  });
  closing.push(() => fulfiller.stop());
  await fulfiller.start();
  return [stack, fulfiller];
}

async function place(stack: Stack, n: number) {
  const { order, row } = makeOrder(userOf(n % 2, n), { radio: 1 });
  await stack.publish(n % 2, [row], 0, "eu.gateway");
  return order;
}

test(
  "sixty failing parts delay no other; each comes back, and is done once its service can",
  async () => {
    let broken = true;
    const tried = new Map<string, number>();
    const [stack, fulfiller] = await start(async ({ id }) => {
      tried.set(id, (tried.get(id) ?? 0) + 1);
      if (broken && id !== good) throw new Error("no space left in the depot");
    });
    let good = "";
    const bad = await Promise.all(Array.from({ length: 60 }, (_, n) => place(stack, n)));
    await stack.until("each to have been tried", () => tried.size === bad.length, 60_000);
    const made = makeOrder(userOf(0, 70), { radio: 1 });
    good = made.order.id;
    await stack.publish(0, [made.row], 0, "eu.gateway");
    await stack.becomes(made.order.user, good, "dispatched");
    await stack.until("its end to be heard", () => fulfiller.counts.done === 1);
    await stack.until("them to come back", () => Math.max(...tried.values()) >= 3, 60_000);
    broken = false;
    for (const { user, id } of bad) await stack.becomes(user, id, "dispatched");
    await stack.until("all ends to be heard", () => fulfiller.counts.done === 61);
    expect(fulfiller.counts.givenUp).toBe(0);
    expect(fulfiller.counts.putOff).toBeGreaterThanOrEqual(60);
  },
  TIMEOUT_MS,
);

test(
  "a part that failed for a day moves to fulfilment.unrouted with the reason, and can be redriven",
  async () => {
    const [stack] = await start(async () => {
      throw new Error("no such shelf");
    });
    const { user, id } = await place(stack, 0);
    await stack.becomes(user, id, "paid");
    const about = { user, id, saleId: "s1", generation: 1, part: 1, of: 1, shard: 0, region: "eu" };
    const lines = [{ sku: "radio", qty: 1, category: "audio" }];
    const part = { ...about, lines, metadata: "", request: 9, sinceMs: Date.now() - 90_000_000 };
    const [link] = stack.links;
    const body = Buffer.from(JSON.stringify([part]));
    await link?.publisher.publish("", "fulfilment.depot", body, { type: "fulfilment.v1" });
    const [{ connection }] = stack.links as [Stack["links"][number]];
    await stack.until(
      "the part to be given up",
      async () => (await depth(connection, "fulfilment.unrouted"))?.ready === 1,
    );
    // The worker looks at parts without a route once more: this one stays, for an operator.
    await stack.route("books", "depot");
    const [[letter]] = (await stack.take("fulfilment.unrouted", 1)) as [[Record<string, unknown>]];
    // Without the number of its newest request it could not be put off once it is redriven.
    expect(letter).toMatchObject({ ...about, lines, request: 9 });
    expect(Object.keys(letter ?? {})).not.toContain("sinceMs");
  },
  TIMEOUT_MS,
);
