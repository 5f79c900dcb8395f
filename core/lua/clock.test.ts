import { expect, test } from "bun:test";
import { newEntryId } from "../domain/entry-id.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { ShardStore } from "../stores/shard-store.ts";
import { Bench, bodyOf, row, WINDOW_MS } from "./testing.ts";

const DAY_MS = 86_400_000;
const around = (ms: number) => `${ms - 5_000} ${ms + 5_000}`;

test.each([
  ["ahead of", -DAY_MS],
  ["behind", DAY_MS],
])(
  "a Redis whose clock is %s its caller's estimate decides nothing and gives nothing up",
  async (_, awayMs) => {
    const bench = await Bench.open();
    await bench.sale({ a: { units: 5 } });
    const store = new ShardStore(bench.redis);
    const clock = around(Date.now() + awayMs);
    const message = { gateway: "g", batch: "1", body: bodyOf(row("u", { a: 1 })) };
    const call = { entryId: newEntryId(realRuntime.randomBytes), dedupWindowMs: WINDOW_MS };
    const sweep = { ...call, cutoffMs: 9e12, limit: 10, clock };
    const before = await bench.redis.run((c) => c.dbsize());
    expect(await store.decide(bench.claim, [message], { ...call, clock })).toEqual({
      word: "clock",
    });
    for (const kind of ["unpark", "expire", "reprice"] as const)
      expect(await store[kind](bench.claim, sweep)).toEqual({ word: "clock" });
    expect(await bench.redis.run((c) => c.dbsize())).toBe(before);
    const right = { ...call, clock: around(Date.now()) };
    expect(await store.decide(bench.claim, [message], right)).toMatchObject({
      word: "decided",
      outcomes: ["reserved"],
    });
  },
);
