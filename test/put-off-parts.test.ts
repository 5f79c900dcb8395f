// The ledger postpones a part that its service cannot complete: the part delays nothing, comes
// back, and ends eventually.
import { afterEach, expect, test } from "bun:test";
import { depth } from "../broker/inspect.ts";
import { Letters } from "../cli/operator/dead-letters.ts";
import { Fulfiller } from "../consumers/fulfilment/fulfiller.ts";
import type { Part } from "../core/domain/part.ts";
import { partRow } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { inProcess } from "./in-process.ts";
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

const nameOf = ({ user, id }: { user: string; id: string }) => ({ user, id });

async function statusOf(stack: Stack, { user, id }: { user: string; id: string }) {
  return (await stack.ledger.orderStory(user, id))?.parts[0]?.status;
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
    // What the depot has claimed stays the depot's: any other service would be told that it is
    // taken.
    await stack.route("audio", "elsewhere");
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
    const [stack, fulfiller] = await start(async () => {
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
    // The worker reads the parts without a route once more: this one stays, for an operator.
    await stack.route("books", "depot");
    const letters = Letters.over(realRuntime, stack.links, stack.ledger);
    const [found] = (await letters.list({ queue: "fulfilment.unrouted" }, 1)).letters;
    const [letter] = (found?.body ?? []) as Record<string, unknown>[];
    // Without the number of its newest request it could not be put off once it is redriven.
    expect(letter).toMatchObject({ ...about, lines, request: 9 });
    expect(Object.keys(letter ?? {})).not.toContain("sinceMs");

    // The depot keeps what it has claimed, also when it is drained or the part is redriven.
    await fulfiller.stop();
    const [held, free] = [await place(stack, 2), await place(stack, 4)];
    for (const each of [held, free]) await stack.becomes(each.user, each.id, "paid");
    const claim = partRow({ ...part, ...nameOf(held) }, "claim", "depot", Date.now());
    await stack.publish(0, [claim], 0, "gateway.depot");
    await stack.until("the claim", async () => (await statusOf(stack, held)) === "claimed");
    const both = Buffer.from(
      JSON.stringify([held, free].map((of) => ({ ...part, ...nameOf(of) }))),
    );
    await link?.publisher.publish("fulfilment", "eu.audio", both, { type: "fulfilment.v1" });
    await stack.route("audio", "elsewhere");
    await inProcess(stack.env, "routes", "drain", "depot");
    const waiting = async (service: string): Promise<Record<string, unknown>[]> => {
      const { ready = 0 } = (await depth(connection, `fulfilment.${service}`)) ?? {};
      return ((await stack.take(`fulfilment.${service}`, ready)) as [never]).flat();
    };
    const others = (parts: Record<string, unknown>[]) =>
      parts.map((found) => found.id).filter((found) => found !== id);
    // What the drain has left is back in its queue a moment later.
    const copiesAt = async (service: string) => {
      const found: Record<string, unknown>[] = [];
      await stack.until(`two parts at ${service}`, async () => {
        found.push(...(await waiting(service)));
        return others(found).length >= 2;
      });
      return others(found);
    };
    expect(await copiesAt("depot")).toEqual([held.id, held.id]);
    expect(await copiesAt("elsewhere")).toEqual([free.id, free.id]);
    await letters.redrive({ queue: "fulfilment.unrouted" }, 1, "op");
    await stack.until("the part at the depot", async () =>
      (await waiting("depot")).some(({ request }) => request === 9),
    );
  },
  TIMEOUT_MS,
);
