// A worker is killed at each step: its orders are decided once, recorded once, and none is lost
// (R5, I1, I3, I5).
import { afterEach, expect, test } from "bun:test";
import { depth } from "../broker/inspect.ts";
import { ORDERS_DEAD } from "../broker/topology.ts";
import { readyStack } from "./ready.ts";
import { altered, makeOrder, type Stack, userOf } from "./stack.ts";

let stack: Stack | undefined;
afterEach(async () => {
  await stack?.stop();
  stack = undefined;
});

async function doomed(stack: Stack, step: string) {
  const child = Bun.spawn([process.execPath, `${import.meta.dir}/crash.child.ts`], {
    env: { ...process.env, ...stack.env, CRASH_AT: step },
    stdout: "ignore",
    stderr: process.env.SHOW_LOG ? "inherit" : "ignore",
  });
  return child;
}

/** A stack with the sale in Redis and no owners, so that the doomed worker decides first. */
async function loaded(): Promise<Stack> {
  const { stack: made, workers } = await readyStack({ a: 5 });
  for (const worker of workers) await worker.stop();
  return made;
}

test.each(["before_decide", "after_decide", "after_commit", "before_ack"])(
  "killed %s, the next worker continues where it stopped",
  async (step) => {
    stack = await loaded();
    const user = userOf(0);
    const orders = Array.from({ length: 7 }, (_, i) => makeOrder(user, { a: 1 }, { seq: i + 1 }));
    for (const { row } of orders) await stack.publish(0, [row]);
    const child = await doomed(stack, step);
    expect(await child.exited).toBe(137);
    const before = (await stack.ledger.ordersOf(user, { limit: 10 })).length;
    if (step === "before_decide" || step === "after_decide") expect(before).toBe(0);
    else expect(before).toBeGreaterThan(0);

    await stack.worker("second");
    for (const { order } of orders) await stack.decided(user, order.id);
    const states = await Promise.all(
      orders.map(async ({ order }) => (await stack?.ledger.order(user, order.id))?.state),
    );
    expect(states).toEqual([...Array(5).fill("reserved"), "sold_out", "sold_out"]);
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 0, held: 5 }]);
    // Only the initial load.
    expect(stack.events.filter((e) => e.event === "redis rebuilt").length).toBe(1);
  },
  60_000,
);

test("a follow-up is sent again if its worker was killed before the confirm", async () => {
  stack = await loaded();
  const user = userOf(0);
  const bad = makeOrder(user, { a: 1 });
  await stack.publish(0, [altered(bad.row, { lines: [{ sku: "a", qty: -1 }] })]);
  const child = await doomed(stack, "before_confirm");
  expect(await child.exited).toBe(137);
  expect(await stack.ledger.followUpsOpen()).toBe(1);
  await stack.worker("second");
  await stack.until(
    "the follow-up is marked",
    async () => (await stack?.ledger.followUpsOpen()) === 0,
  );
  const connection = stack.links[0]?.connection;
  if (!connection) throw new Error("no region");
  // At least once: the doomed worker's copy may have arrived too.
  expect((await depth(connection, ORDERS_DEAD))?.ready).toBeGreaterThanOrEqual(1);
  expect((await stack.ledger.order(user, bad.order.id))?.state).toBe("rejected");
}, 60_000);
