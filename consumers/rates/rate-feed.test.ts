// What a worker believes of its feed, when it has once believed a wrong rate.
import { expect, test } from "bun:test";
import { at } from "../../core/domain/at.ts";
import type { Rate } from "../../core/domain/rate.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { RateFeed } from "./rate-feed.ts";
import { RIVALS_LAST_MS, RIVALS_NEEDED } from "./rivals.ts";

const EVERY_MS = 5_000;

function rig() {
  const runtime = new VirtualRuntime();
  const stored: string[] = [];
  const feed = new RateFeed({
    ...{ runtime, id: "w1", regions: [], maxAgeMs: 3_600_000, now: runtime.wallMs },
    put: async (rates) => void stored.push(...rates.map(({ value }) => value)),
    held: async () => [],
    log: () => undefined,
  });
  const hear = async (value: string, atMs = runtime.wallMs()) => {
    const rate: Rate = { id: `r${atMs}`, pair: "EUR/USD", value, atMs };
    await feed.heard(Buffer.from(JSON.stringify([rate])));
  };
  /** Each of these values at the feed's pace, in turn, for a while. Returns the values stored. */
  const hearFor = async (ms: number, ...values: string[]) => {
    stored.splice(0);
    for (let i = 0; i * EVERY_MS < ms; i++) {
      await runtime.advance(EVERY_MS);
      await hear(at(values, i % values.length));
    }
    return stored;
  };
  return { runtime, hear, hearFor };
}

test("a wrong rate that was believed gives way to the right one within minutes", async () => {
  const { hearFor } = rig();
  expect(await hearFor(EVERY_MS, "1.1")).toEqual(["1.1"]);
  expect(await hearFor(RIVALS_LAST_MS, "1500")).toEqual([]);
  expect(await hearFor(2 * EVERY_MS, "1500")).toEqual(["1500", "1500"]);
  expect(await hearFor(RIVALS_LAST_MS, "1.1")).toEqual([]);
  expect(await hearFor(2 * EVERY_MS, "1.1")).toEqual(["1.1", "1.1"]);
});

test("an absurd rate now and then never wins, however long", async () => {
  const { hearFor } = rig();
  await hearFor(EVERY_MS, "1.1");
  const stored = await hearFor(10 * RIVALS_LAST_MS, "1500", "1500", "1.1");
  expect(new Set(stored)).toEqual(new Set(["1.1"]));
});

test("absurd rates that do not agree with each other never win", async () => {
  const { hearFor } = rig();
  await hearFor(EVERY_MS, "1.1");
  expect(await hearFor(10 * RIVALS_LAST_MS, "1500", "900000")).toEqual([]);
});

test("an answer that is repeated is not enough, nor are many in a short time", async () => {
  const { runtime, hear, hearFor } = rig();
  await hearFor(EVERY_MS, "1.1");
  const stored = await hearFor(0);
  const repeatedMs = runtime.wallMs() + 1;
  for (let ms = 0; ms < 2 * RIVALS_LAST_MS; ms += EVERY_MS) {
    await hear("1500", repeatedMs);
    await runtime.advance(EVERY_MS);
  }
  await hear("0.0001");
  for (let i = 1; i <= 2 * RIVALS_NEEDED; i++) await hear("1500", runtime.wallMs() + i);
  expect(stored).toEqual([]);
});
