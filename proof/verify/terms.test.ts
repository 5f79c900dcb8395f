// What an operator changes of an item while its sale runs, as the checker knows it.
import { afterAll, expect, test } from "bun:test";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { ItemRecord, OperationRecord } from "../../ledger/audit.ts";
import { openLedger } from "../../ledger/open.ts";
import { Terms, totalsOf } from "./terms.ts";
import { closeWorlds, foundIn, trueStory } from "./test-story.ts";
import type { World } from "./world.ts";

afterAll(closeWorlds);

const ITEM: ItemRecord = {
  ...{ saleId: "s", sku: "a", limitPerUser: 2, priceMinor: 100, initial: 9, restocked: 0 },
  ...{ corrected: 0, correcting: 0, available: 9, releasing: 0, held: 0, sold: 0 },
};

function termsAfter(limitPerUser: number, ...changes: OperationRecord["operation"][]): Terms {
  const first = { ...ITEM, limitPerUser: 2 };
  const sale = { id: "s", opensAtMs: 0, closesAtMs: 9e12, items: [first] };
  const made = { operation: { kind: "create", sale }, atMs: 0, appliedMs: 1 };
  // Asked for at 100 s and 200 s, in Redis one second later.
  const later = changes.map((operation, i) => ({
    ...{ operation: { saleId: "s", sku: "a", ...operation }, atMs: 100_000 * (i + 1) },
    appliedMs: 100_000 * (i + 1) + 1_000,
  }));
  return new Terms([{ ...ITEM, limitPerUser }], [made, ...later]);
}

const order = (acceptedAtMs: number, decidedAtMs: number) => ({
  ...{ saleId: "s", lines: [{ sku: "a", qty: 2 }] },
  ...{ acceptedAtMs, decidedAtMs },
});

test("a price is the one of the acceptance, once Redis certainly had it", () => {
  const terms = termsAfter(2, { kind: "price", priceMinor: 70, fromMs: 105_000 });
  expect(totalsOf(order(104_999, 900_000), terms)).toEqual([200n]);
  expect(totalsOf(order(105_000, 900_000), terms)).toEqual([140n]);
  expect(totalsOf(order(105_000, 110_000), terms)).toEqual([200n, 140n]);
});

test("a limit and an offer are known but for the time on their way", () => {
  const terms = termsAfter(5, { kind: "limit", limitPerUser: 5 }, { kind: "withdraw" });
  expect(terms.limits("s", "a", 98_999)).toEqual([2]);
  expect(terms.limits("s", "a", 100_000)).toEqual([2, 5]);
  expect(terms.limits("s", "a", 131_000)).toEqual([5]);
  expect(terms.offered("s", "a", 198_000)).toBe(true);
  expect(terms.offered("s", "a", 200_000)).toBeUndefined();
  expect(terms.offered("s", "a", 231_000)).toBe(false);
  // Without an operation that leads there, the recorded limit is all that is known.
  expect(termsAfter(7).limits("s", "a", 98_999)).toEqual([7]);
});

async function corrected(world: World, outcome: "done" | "refused"): Promise<void> {
  const ledger = await openLedger({ runtime: realRuntime, url: world.url, shards: 1 });
  const item = { saleId: "spring", sku: "cap", reason: "broken" };
  await ledger.operate({ kind: "correct", ref: "c", units: 1, ...item }, "operator");
  await ledger.settleCorrection("c", outcome);
  await ledger.close();
}

test("a correction is a movement like any other", async () => {
  const refused = (await trueStory()).world;
  await corrected(refused, "refused");
  expect(await foundIn(refused)).toEqual([]);
  const { world } = await trueStory();
  await corrected(world, "done");
  expect(await foundIn(world)).toContain("I5 Redis's stock differs from the ledger's");
  const cap = world.live.get("cap");
  if (cap) world.live.set("cap", { ...cap, total: cap.total - 1, available: cap.available - 1 });
  expect(await foundIn(world)).toEqual([]);
  await world.sql("UPDATE items SET corrected = 2");
  expect(await foundIn(world)).toContain("I5 stock does not add up");
});
