// What a check reports besides the chain: whether a sweep could find anything to do.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { newEntryId } from "../domain/entry-id.ts";
import type { Row } from "../domain/row.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { Bench, row, skip, WINDOW_MS } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 10 } });
});
afterAll(async () => bench?.close());

/** What waits once the ledger has everything. */
async function waits(...rows: Row[]): Promise<string[]> {
  const { entry } = await bench.decide([rows]);
  const { id = "", n = 0 } = entry ?? {};
  const unmarked = await bench.shards.check(bench.claim, id, n);
  await bench.shards.recorded(bench.claim, id, n);
  const marked = await bench.shards.check(bench.claim, id, n);
  expect([unmarked.word, marked.word]).toEqual(["behind", "whole"]);
  expect(marked.waits).toEqual(unmarked.waits);
  return [...marked.waits];
}

test("a shard whose orders wait for nothing has nothing to sweep", async () => {
  expect(await waits(row("u", { a: 1 }), row("v", { a: 20 }))).toEqual([]);
});

test("an order that came too early waits for a number, until that number is given up", async () => {
  expect(await waits(row("u", { a: 1 }, { seq: 2 }))).toEqual(["gaps"]);
  expect(await waits(skip("u", 1))).toEqual([]);
});

test("an order behind a charge of the same user waits in its lane", async () => {
  expect(await waits(row("u", { a: 1 }), row("u", { a: 1 }))).toEqual(["holds"]);
});

test("an order in a currency without a rate waits for one", async () => {
  expect(await waits(row("u", { a: 1 }, { currency: "USD" }))).toEqual(["fx"]);
});

test("a numbered order without a rate waits for it at its number", async () => {
  expect(await waits(row("u", { a: 1 }, { seq: 1, currency: "USD" }))).toEqual(["gaps", "fx"]);
});

test("where a check reports nothing, no sweep changes anything", async () => {
  expect(await waits(row("u", { a: 1 }), row("v", { a: 20 }))).toEqual([]);
  const dedupWindowMs = WINDOW_MS;
  for (const kind of ["unpark", "expire", "reprice"] as const) {
    const entryId = newEntryId(realRuntime.randomBytes);
    const sweep = { entryId, cutoffMs: 9e12, limit: 10, dedupWindowMs };
    expect(await bench.shards[kind](bench.claim, sweep)).toMatchObject({ entry: undefined });
  }
});
