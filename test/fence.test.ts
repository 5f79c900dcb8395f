// Redis differs from the ledger: the ledger refuses the entry, Redis is rebuilt, and the outcome is
// right.
import { afterEach, expect, test } from "bun:test";
import { makeOrder, SHARDS, Stack, userOf } from "./stack.ts";

const SLOW_MS = 60_000;
let stack: Stack;
afterEach(async () => stack?.stop());

async function ready(limitPerUser: number): Promise<void> {
  stack = await Stack.start();
  await stack.sale({ a: 10 }, { limitPerUser });
  const { worker } = await stack.worker("w1");
  await stack.until(
    "all shards owned and the sale in Redis",
    async () =>
      worker.shards.length === SHARDS && (await stack.ledger.operationsOpen()).length === 0,
  );
}

async function outcome(seq = 0): Promise<string> {
  const { order, row } = makeOrder(userOf(0), { a: 1 }, { seq });
  await stack.publish(0, [row]);
  return (await stack.decided(userOf(0), order.id, 30_000)).state;
}

async function tamper(key: string, field: string, value: string): Promise<void> {
  const store = await stack.client();
  expect(await store.client.hget(key, field)).not.toBeNull();
  await store.client.hset(key, field, value);
  await store.close();
}

const rebuilds = () => stack.events.filter((e) => e.event === "redis rebuilt").length;

test(
  "Redis has forgotten what a user bought: they do not exceed their limit",
  async () => {
    await ready(1);
    expect(await outcome()).toBe("reserved");
    await tamper("{0}:bought:s1", `${userOf(0)} a`, "0");
    const before = rebuilds();
    expect(await outcome()).toBe("over_limit");
    expect(rebuilds()).toBe(before + 1);
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 9, held: 1 }]);
  },
  SLOW_MS,
);

test(
  "Redis has forgotten a user's number: a number that has passed is superseded",
  async () => {
    await ready(0);
    expect(await outcome(1)).toBe("reserved");
    expect(await outcome(2)).toBe("reserved");
    await tamper("{0}:next:s1", userOf(0), "1");
    const before = rebuilds();
    expect(await outcome(2)).toBe("superseded");
    expect(rebuilds()).toBe(before + 1);
    expect(await outcome(3)).toBe("reserved");
  },
  SLOW_MS,
);
