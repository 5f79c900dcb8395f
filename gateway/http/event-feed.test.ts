import { expect, test } from "bun:test";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { EventFeed } from "./event-feed.ts";

test("an order that stays unknown is looked for a minute, then its place is free", async () => {
  const runtime = new VirtualRuntime();
  let looks = 0;
  const followed = async () => {
    looks++;
    return [];
  };
  const feed = new EventFeed(runtime, { followed }, { inAll: 10, ofUser: 1 }, () => undefined);
  const unknown: string[] = [];
  const follower = {
    tell: () => undefined,
    ended: () => undefined,
    unknown: (_user: string, id: string) => unknown.push(id),
  };
  const id = "01890000-0000-7000-8000-000000000000";
  expect(feed.add(follower, "ann", id, 0)).toBe(true);
  expect(feed.add(follower, "ann", `${id}x`, -1)).toBe(false);
  for (let i = 0; i < 250; i++) await runtime.advance(250);
  expect(looks).toBeGreaterThan(100);
  expect([unknown, feed.size]).toEqual([[id], 0]);
  expect(feed.add(follower, "ann", `${id}x`, -1)).toBe(true);
  feed.stop();
});

test("an order is not unknown merely because the ledger was away for a minute", async () => {
  const runtime = new VirtualRuntime();
  const ledger = { up: false, looks: 0 };
  const followed = async () => {
    if (!ledger.up) throw new Error("the ledger is away");
    ledger.looks++;
    return [];
  };
  const feed = new EventFeed(runtime, { followed }, { inAll: 10, ofUser: 1 }, () => undefined);
  const unknown: string[] = [];
  const nothing = () => undefined;
  const follower = {
    tell: nothing,
    ended: nothing,
    unknown: (_: string, id: string) => unknown.push(id),
  };
  feed.add(follower, "ann", "an id", -1);
  for (let i = 0; i < 400; i++) await runtime.advance(250);
  ledger.up = true;
  for (let i = 0; i < 200; i++) await runtime.advance(250);
  expect([ledger.looks > 100, unknown]).toEqual([true, []]);
  for (let i = 0; i < 60; i++) await runtime.advance(250);
  expect(unknown).toEqual(["an id"]);
  feed.stop();
});

test("the ledger is asked with plain data, which a thread of its own can receive", async () => {
  const runtime = new VirtualRuntime();
  const asked: unknown[] = [];
  const followed = async (queries: readonly unknown[]) => {
    asked.push(structuredClone(queries));
    return [];
  };
  const problems: unknown[] = [];
  const bounds = { inAll: 10, ofUser: 10 };
  const feed = new EventFeed(runtime, { followed }, bounds, (...what) => problems.push(what));
  const nothing = () => undefined;
  feed.add({ tell: nothing, ended: nothing, unknown: nothing }, "ann", "an id", 3);
  await runtime.advance(500);
  feed.stop();
  expect(problems).toEqual([]);
  expect(asked[0]).toEqual([{ user: "ann", id: "an id", after: 3 }]);
});
