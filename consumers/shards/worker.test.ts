import { afterEach, expect, test } from "bun:test";
import { cancelRow, type OrderRow } from "../../core/domain/row.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { patch } from "../../test/patch.ts";
import { altered, makeOrder, makeSkip, Stack, userOf } from "../../test/stack.ts";

const SLOW_MS = 60_000;
const undo: (() => unknown)[] = [];
let stack: Stack;
afterEach(async () => {
  for (const back of undo.splice(0)) back();
  await stack?.stop();
});

/** A stack with one worker that owns all shards, and a sale that Redis has. */
async function ready(
  items: Record<string, number>,
  options: Parameters<typeof Stack.start>[0] = {},
): Promise<Stack> {
  stack = await Stack.start(options);
  await stack.sale(items);
  const { worker } = await stack.worker("w1");
  await stack.until(
    "all shards owned and the sale in Redis",
    async () => worker.shards.length === 2 && (await stack.ledger.operationsOpen()).length === 0,
  );
  return stack;
}

test(
  "an empty Redis is loaded from the ledger; an order is decided, recorded and acknowledged",
  async () => {
    await ready({ a: 2 });
    const user = userOf(0);
    const [first, second, third] = [
      makeOrder(user, { a: 1 }),
      makeOrder(user, { a: 1 }),
      makeOrder(user, { a: 1 }),
    ];
    await stack.publish(0, [first.row, second.row, third.row]);
    expect((await stack.decided(user, third.order.id)).state).toBe("sold_out");
    expect((await stack.decided(user, first.order.id)).state).toBe("reserved");
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 0, held: 2 }]);
  },
  SLOW_MS,
);

test(
  "a worker at rest makes no sweep, and looks at its queues rarely until a message comes",
  async () => {
    await ready({ a: 10 });
    const calls: string[] = [];
    for (const name of ["parked", "unpark", "expire", "reprice"] as const)
      patch(
        undo,
        ShardStore.prototype,
        name,
        (real) =>
          async function (this: ShardStore, ...args: never) {
            calls.push(name);
            return (real as (...given: never) => never).apply(this, args);
          } as never,
      );
    const looks = () => calls.filter((name) => name === "parked").length;
    await stack.until("a look at each shard", () => looks() >= 2);
    calls.length = 0;
    await Bun.sleep(3_000); // four heartbeats
    expect(calls.length).toBeLessThanOrEqual(2);
    calls.length = 0;
    const [early] = [makeOrder(userOf(0), { a: 1 }, { seq: 2 })];
    await stack.publish(0, [early.row]);
    await stack.until("sweeps of the gap", () => calls.includes("unpark"));
    expect(looks()).toBeGreaterThan(0);
    expect(calls).not.toContain("expire");
  },
  SLOW_MS,
);

test(
  "the same order through two regions is decided once",
  async () => {
    await ready({ a: 10 }, { regions: ["eu", "us"] });
    const user = userOf(1);
    const { order, row } = makeOrder(user, { a: 3 });
    await Promise.all([
      stack.publish(1, [row], 0),
      stack.publish(1, [row], 1),
      stack.publish(1, [row, row], 0),
    ]);
    await stack.decided(user, order.id);
    const last = makeOrder(user, { a: 1 });
    await stack.publish(1, [last.row], 1);
    await stack.decided(user, last.order.id);
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 6, held: 4 }]);
  },
  SLOW_MS,
);

test(
  "numbered orders are decided in the order of their numbers, whatever the order of arrival",
  async () => {
    await ready({ a: 3 });
    const user = userOf(0);
    const orders = [1, 2, 3, 4, 5].map((seq) => makeOrder(user, { a: 1 }, { seq }));
    const row = (seq: number) => orders[seq - 1]?.row as OrderRow;
    await stack.publish(0, [row(5), row(3)]);
    await stack.publish(0, [makeSkip(user, 2), row(4)]);
    expect((await stack.decided(user, orders[4]?.order.id ?? "")).state).toBe("parked");
    await stack.publish(0, [row(1)]);
    await stack.until(
      "order 5 let go",
      async () => (await stack.ledger.order(user, orders[4]?.order.id ?? ""))?.state !== "parked",
    );
    const states = await Promise.all(
      [1, 3, 4, 5].map(
        async (seq) => (await stack.ledger.order(user, orders[seq - 1]?.order.id ?? ""))?.state,
      ),
    );
    expect(states).toEqual(["reserved", "reserved", "reserved", "sold_out"]);
    await stack.publish(0, [row(2)]);
    expect((await stack.decided(user, orders[1]?.order.id ?? "")).state).toBe("superseded");
  },
  SLOW_MS,
);

test(
  "a number that never arrives is given up after the gap timeout",
  async () => {
    await ready({ a: 3 }, { env: { SLUICE_GAP_TIMEOUT: "1s" } });
    const user = userOf(0);
    const second = makeOrder(user, { a: 1 }, { seq: 2 });
    await stack.publish(0, [second.row]);
    expect((await stack.decided(user, second.order.id)).state).toBe("parked");
    await stack.until(
      "the gap is over",
      async () => (await stack.ledger.order(user, second.order.id))?.state === "reserved",
    );
  },
  SLOW_MS,
);

test(
  "two workers share the shards, and one takes over at once when the other stops",
  async () => {
    await ready({ a: 100 });
    const second = await stack.worker("w2");
    await stack.until(
      "both own something",
      () =>
        stack.events.filter((e) => e.event === "shard acquired").length >= 3 ||
        second.worker.shards.length > 0,
    );
    await second.stop();
    const user = userOf(0);
    const other = userOf(1);
    const [a, b] = [makeOrder(user, { a: 1 }), makeOrder(other, { a: 1 })];
    await stack.publish(0, [a.row]);
    await stack.publish(1, [b.row]);
    expect((await stack.decided(user, a.order.id, 5_000)).state).toBe("reserved");
    expect((await stack.decided(other, b.order.id, 5_000)).state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "one bad order in a batch is rejected and copied to the dead letters; the others are decided",
  async () => {
    await ready({ a: 5 });
    const user = userOf(0);
    const good = makeOrder(user, { a: 1 });
    const bad = makeOrder(user, { a: 1 });
    const nobody = cancelRow("", bad.order.id, 1);
    await stack.publish(0, [
      good.row,
      altered(bad.row, { lines: [{ sku: "a", qty: -1 }] }),
      nobody,
    ]);
    expect((await stack.decided(user, good.order.id)).state).toBe("reserved");
    expect((await stack.decided(user, bad.order.id)).state).toBe("rejected");
    await stack.publishText(0, "no json at all");
    await stack.until("follow-ups relayed", async () => (await stack.ledger.followUpsOpen()) === 0);
    const next = makeOrder(user, { a: 1 });
    await stack.publish(0, [next.row]);
    expect((await stack.decided(user, next.order.id)).state).toBe("reserved");
  },
  SLOW_MS,
);

test(
  "Redis wiped in the middle: rebuilt from the ledger, nothing lost, doubled or oversold",
  async () => {
    await ready({ a: 5 });
    const user = userOf(0);
    const before = (seq: 1 | 2 | 3) => makeOrder(user, { a: 1 }, { seq });
    const [first, second, third] = [before(1), before(2), before(3)];
    await stack.publish(0, [first.row, third.row]);
    await stack.decided(user, third.order.id);
    const client = await stack.client();
    await client.client.flushall();
    const after = makeOrder(userOf(1), { a: 5 });
    await stack.publish(1, [after.row]);
    expect((await stack.decided(userOf(1), after.order.id)).state).toBe("sold_out");
    await stack.publish(0, [second.row, first.row]);
    await stack.until(
      "the parked order let go",
      async () => (await stack.ledger.order(user, third.order.id))?.state === "reserved",
    );
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 2, held: 3 }]);
    expect(stack.events.some((e) => e.event === "redis rebuilt" && e.incarnation === 2)).toBe(true);
    await client.close();
  },
  SLOW_MS,
);
