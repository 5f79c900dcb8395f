// What an operator changes of an item while its sale runs: units, price, limit, whether it is
// offered.
import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { Bench, cancel, redrive, row, type TestItem } from "./testing.ts";

let bench: Bench;
beforeAll(async () => {
  bench = await Bench.open();
});
afterAll(() => bench.close());
beforeEach(() => bench.reset());

const T = Date.now();
let version = 0;
const sale = (items: Record<string, TestItem>, at = ++version) => bench.sale(items, undefined, at);
const left = async (sku = "a") => (await bench.units(sku)).available;

test("a lower total takes free units, and none that are held", async () => {
  await sale({ a: { units: 5 } });
  expect(await bench.words(row("ann", { a: 3 }))).toEqual(["reserved"]);
  expect(await sale({ a: { units: 2 } })).toEqual({ word: "synced", short: ["a"] });
  expect(await bench.live("a")).toMatchObject({ total: 5, available: 2, held: 3 });
  expect(await sale({ a: { units: 4 } })).toEqual({ word: "synced", short: [] });
  expect(await bench.live("a")).toMatchObject({ total: 4, available: 1, held: 3 });
  expect(await bench.words(row("bob", { a: 2 }), row("bob", { a: 1 }))).toEqual([
    ...["sold_out", "reserved"],
  ]);
});

test("an older version of a sale changes nothing, a repeated one neither", async () => {
  await sale({ a: { units: 5, limit: 2, price: 3 } });
  const before = version;
  await sale({ a: { units: 4, limit: 3, price: 3, withdrawn: true } });
  expect(await sale({ a: { units: 5, limit: 2, price: 3 } }, before)).toMatchObject({
    word: "older",
  });
  expect(await bench.words(row("ann", { a: 1 }))).toEqual(["unknown_item"]);
  await sale({ a: { units: 4, limit: 3, price: 3, withdrawn: true } }, version);
  expect(await bench.live("a")).toMatchObject({ total: 4, available: 4 });
});

test("an order pays the price of the moment when it was accepted", async () => {
  const prices = [
    { fromMs: T, priceMinor: 70 },
    { fromMs: T + 1_000, priceMinor: 50 },
  ];
  await sale({ a: { units: 9, price: 100 }, b: { units: 9, price: 10 } });
  const plain = row("ann", { b: 1 });
  expect((await bench.decide([[plain]])).entry?.steps).toEqual([]);
  await sale({ a: { units: 9, price: 100, prices }, b: { units: 9, price: 10 } });
  const orders = [T - 1, T, T + 999, T + 1_000].map((at) => row("bob", { a: 2, b: 1 }, { at }));
  const { entry, outcomes } = await bench.decide([orders]);
  expect(outcomes).toEqual(["reserved,reserved,reserved,reserved"]);
  const totals = entry?.steps.flatMap((step) => (step.what === "price" ? [step.total] : []));
  expect(totals).toEqual(["210", "150", "150", "110"]);
  const words = await bench.words(
    row("carl", { a: 1 }, { at: T - 1, maxTotal: 70 }),
    row("carl", { a: 1 }, { at: T, maxTotal: 70 }),
  );
  expect(words).toEqual(["over_max_total", "reserved"]);
});

test("a withdrawn item is unknown to new orders; what was reserved goes on", async () => {
  await sale({ a: { units: 2 }, b: { units: 0 } });
  const held = row("ann", { a: 2 });
  expect(await bench.words(held)).toEqual(["reserved"]);
  expect(await bench.words(row("bob", { a: 1 }))).toEqual(["sold_out"]);
  await sale({ a: { units: 2, withdrawn: true }, b: { units: 0, withdrawn: true } });
  expect(await bench.words(row("bob", { a: 1 }), row("bob", { b: 1 }))).toEqual([
    ...["unknown_item", "unknown_item"],
  ]);
  expect(await bench.words(cancel("ann", held.order.id))).toEqual(["+cancelled"]);
  expect(await bench.live("a")).toMatchObject({ held: 0, releasing: 2, available: 0 });
  await sale({ a: { units: 2 }, b: { units: 0 } });
  expect(await bench.words(row("bob", { b: 1 }))).toEqual(["sold_out"]);
});

test("a changed limit holds from the next order on", async () => {
  await sale({ a: { units: 9, limit: 2 } });
  expect(await bench.words(row("ann", { a: 2 }), row("ann", { a: 1 }))).toEqual([
    ...["reserved", "over_limit"],
  ]);
  await sale({ a: { units: 9, limit: 3 } });
  expect(await bench.words(row("ann", { a: 1 }))).toEqual(["reserved"]);
  await sale({ a: { units: 9, limit: 1 } });
  expect(await bench.words(row("ann", { a: 1 }), row("bob", { a: 1 }))).toEqual([
    ...["over_limit", "reserved"],
  ]);
  expect(await left()).toBe(5);
});

test("an added item is known at once", async () => {
  await sale({ a: { units: 1 } });
  const early = row("ann", { n: 1 });
  expect(await bench.words(early)).toEqual(["unknown_item"]);
  await sale({ a: { units: 1 }, n: { units: 1, limit: 1 } });
  expect(await bench.words(row("ann", { n: 1 }), row("ann", { n: 1 }))).toEqual([
    ...["reserved", "over_limit"],
  ]);
  expect(await bench.words(redrive(early, 2))).toHaveLength(1);
});
