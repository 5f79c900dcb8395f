// Orders in another currency than their sale's: decided at the rate held, parked while there is
// none, and never costlier than their buyer allows.
import { afterAll, beforeEach, expect, test } from "bun:test";
import fc from "fast-check";
import { rateWaitText } from "../../consumers/rebuild/load-shard.ts";
import { Replayed } from "../../consumers/rebuild/replayed.ts";
import { minorDigits } from "../domain/currency.ts";
import type { Entry } from "../domain/entry.ts";
import { newEntryId } from "../domain/entry-id.ts";
import { convert } from "../domain/money.ts";
import type { Row } from "../domain/row.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { RATES_KEY } from "../stores/keys.ts";
import { RateStore } from "../stores/rate-store.ts";
import { Bench, cancel, row, skip, WINDOW_MS } from "./testing.ts";

const MAX_AGE_MS = 60_000;
let bench: Bench;
let rates: RateStore;
beforeEach(async () => {
  bench ??= await Bench.open();
  rates = new RateStore(bench.redis, { maxAgeMs: MAX_AGE_MS, maxStep: 10 });
  await bench.reset();
  await bench.sale({ a: { units: 10, price: 1_000 }, b: { units: 10, price: 3, limit: 2 } });
});
afterAll(async () => bench?.close());

const put = (pair: string, value: string, agoMs = 0) =>
  rates.put([{ id: `r-${pair}-${value}`, pair, value, atMs: Date.now() - agoMs }], 0, new Map());
const usd = (user: string, more: Parameters<typeof row>[2] = {}) =>
  row(user, { a: 1 }, { currency: "USD", ...more });

async function decide(...rows: Row[]): Promise<{ words: string[]; entry: Entry | undefined }> {
  const { outcomes, entry } = await bench.decide([rows]);
  return { words: (outcomes[0] as string).split(","), entry };
}

/** What reprice lets go, and what it still waits for; `waitedMs` ago and before is given up. */
async function reprice(
  waitedMs = 5_000,
): Promise<{ released: string[]; pairs: readonly string[]; entry: Entry | undefined }> {
  const options = {
    entryId: newEntryId(realRuntime.randomBytes),
    cutoffMs: Date.now() - waitedMs,
    limit: 100,
    dedupWindowMs: WINDOW_MS,
  };
  const reply = await bench.shards.reprice(bench.claim, options);
  if (reply.word !== "decided") throw new Error(reply.word);
  return {
    released: (reply.entry?.released ?? []).map(({ order, state }) => `${order.user} ${state}`),
    pairs: reply.pairs,
    entry: reply.entry,
  };
}

test("an order is decided at the stored rate and names that rate", async () => {
  await put("EUR/USD", "1.0837");
  const { words, entry } = await decide(usd("u"));
  expect(words).toEqual(["reserved"]);
  expect(entry?.steps).toEqual([
    {
      ...{ what: "rate", user: "u", id: expect.any(String) },
      ...{ rateId: "r-EUR/USD-1.0837", value: "1.0837", base: "EUR" },
    },
  ]);
  expect(await bench.units("a")).toEqual({ available: 9, held: 1 });
});

test("a rate that is too old does not count, and an older one replaces no newer one", async () => {
  await put("EUR/USD", "1.1", MAX_AGE_MS + 1);
  expect((await decide(usd("u"))).words).toEqual(["parked"]);
  await put("EUR/USD", "1.2");
  await put("EUR/USD", "1.3", 1_000);
  expect((await decide(usd("v"))).entry?.steps[0]).toMatchObject({ value: "1.2" });
  expect((await rates.all()).map((r) => r.value)).toEqual(["1.2"]);
});

test("without a rate an order is parked and takes nothing, until the rate arrives", async () => {
  const id = Bun.randomUUIDv7();
  const { words, entry } = await decide(usd("u", { id }), row("v", { a: 1 }));
  expect(words).toEqual(["parked", "reserved"]);
  expect(entry?.steps).toEqual([{ what: "rate_wait", user: "u", id, pair: "EUR/USD" }]);
  expect(await bench.units("a")).toEqual({ available: 9, held: 1 });
  expect(await reprice()).toEqual({ released: [], pairs: ["EUR/USD"], entry: undefined });
  await put("EUR/USD", "1.1");
  const later = await reprice();
  expect(later.released).toEqual(["u reserved"]);
  expect(later.entry?.steps).toEqual([
    { what: "rate", user: "u", id, rateId: "r-EUR/USD-1.1", value: "1.1", base: "EUR" },
  ]);
  expect(await bench.words(usd("u", { id }))).toEqual(["=reserved"]);
  expect((await reprice()).released).toEqual([]);
});

test("an order that has waited long enough for a rate is fx_unavailable", async () => {
  await decide(usd("u"));
  expect((await reprice(-1)).released).toEqual(["u fx_unavailable"]);
  expect(await bench.units("a")).toEqual({ available: 10, held: 0 });
});

test("sold_out, over_limit and unknown_item are decided without a rate", async () => {
  await bench.words(row("x", { a: 10 }));
  expect(
    await bench.words(
      usd("u"),
      row("u", { b: 3 }, { currency: "USD" }),
      row("u", { c: 1 }, { currency: "USD" }),
    ),
  ).toEqual(["sold_out", "over_limit", "unknown_item"]);
});

test("a numbered order that waits for its rate holds back only its own user", async () => {
  const words = await bench.words(
    usd("u", { seq: 1 }),
    row("u", { a: 1 }, { seq: 2 }),
    row("v", { a: 1 }, { seq: 1 }),
  );
  expect(words).toEqual(["parked", "parked", "reserved"]);
  expect(await bench.words(usd("u", { seq: 1 }), skip("u", 1))).toEqual([
    "superseded",
    "skip_late",
  ]);
  await put("EUR/USD", "1.1");
  expect((await reprice()).released).toEqual(["u reserved", "u reserved"]);
  expect(await bench.words(row("u", { a: 1 }, { seq: 3 }))).toEqual(["reserved"]);
});

test("a released number without a rate waits; given up, it releases the next", async () => {
  const words = await bench.words(
    usd("u", { seq: 2 }),
    row("u", { a: 1 }, { seq: 3 }),
    row("u", { a: 1 }, { seq: 1 }),
  );
  expect(words).toEqual(["parked", "parked", "reserved"]);
  expect((await reprice()).pairs).toEqual(["EUR/USD"]);
  expect((await reprice(-1)).released).toEqual(["u fx_unavailable", "u reserved"]);
});

test("each of a user's numbered orders has its own wait", async () => {
  await bench.words(usd("u", { seq: 1 }), row("u", { a: 1 }, { seq: 2, currency: "JPY" }));
  await Bun.sleep(30);
  expect((await reprice(20)).released).toEqual(["u fx_unavailable"]);
  const next = await reprice(20);
  expect([next.released, next.pairs]).toEqual([[], ["EUR/JPY"]]);
  await put("EUR/JPY", "160");
  expect((await reprice(20)).released).toEqual(["u reserved"]);
});

test("giving up a gap while an order waits for its rate makes no order wait twice", async () => {
  await bench.words(usd("u", { seq: 2 }), row("u", { a: 1 }, { seq: 3 }));
  const unpark = {
    entryId: newEntryId(realRuntime.randomBytes),
    cutoffMs: Date.now() + 1_000,
    limit: 10,
    dedupWindowMs: WINDOW_MS,
  };
  const reply = await bench.shards.unpark(bench.claim, unpark);
  expect(reply.word === "decided" && reply.entry?.released.map(({ state }) => state)).toEqual([
    "fx_unavailable",
    "reserved",
  ]);
  expect((await reprice(-1)).released).toEqual([]);
});

test("an order can be cancelled while it waits for its rate", async () => {
  const id = Bun.randomUUIDv7();
  await bench.words(usd("u", { id }), cancel("u", id));
  await put("EUR/USD", "1.1");
  expect((await reprice()).released).toEqual(["u cancelled"]);
  expect(await bench.units("a")).toEqual({ available: 10, held: 0 });
});

test("an order above its maxTotal is over_max_total, also after conversion", async () => {
  await put("EUR/USD", "1.0837");
  await put("EUR/JPY", "165.12345");
  const total = (currency: string, maxTotal: number) => row("u", { a: 1 }, { currency, maxTotal });
  expect(await bench.words(total("EUR", 999), total("EUR", 1_000))).toEqual([
    "over_max_total",
    "reserved",
  ]);
  expect(await bench.words(total("USD", 1_083), total("USD", 1_084))).toEqual([
    "over_max_total",
    "reserved",
  ]);
  expect(await bench.words(total("JPY", 1_650), total("JPY", 1_651))).toEqual([
    "over_max_total",
    "reserved",
  ]);
  expect(await bench.units("a")).toEqual({ available: 7, held: 3 });
});

test("an order above any chargeable amount is rejected, whatever its maxTotal", async () => {
  await bench.sale({ gold: { units: 10_000, price: 99_999_999_999_999 } });
  await put("EUR/VND", "27000");
  expect(await bench.words(row("u", { gold: 1 }, { currency: "VND" }))).toEqual(["over_max_total"]);
});

test("Lua converts money exactly as the library does", async () => {
  const amount = fc.oneof(
    fc.integer({ min: 1, max: 99_999_999_999_999 }),
    fc.integer({ min: 1, max: 100_000 }),
  );
  const value = fc
    .tuple(fc.integer({ min: 0, max: 99_999 }), fc.integer({ min: 1, max: 9_999_999_999 }))
    .map(([w, f]) => `${w}.${f}`);
  const quote = fc.constantFrom("USD", "JPY", "KWD", "CLF", "CHF");
  let at = Date.now();
  await fc.assert(
    fc.asyncProperty(amount, value, quote, async (price, rate, currency) => {
      await bench.sale({ x: { units: 1_000_000, price } }, undefined, at++);
      await bench.redis.client.del(RATES_KEY);
      const put = { id: "r", pair: `EUR/${currency}`, value: rate, atMs: at };
      await rates.put([put], at, new Map());
      const cost = convert(price, rate, "EUR", currency);
      expect(minorDigits(currency)).toBeGreaterThanOrEqual(0);
      if (cost > 99_999_999_999_999 || cost < 2) return;
      const [below, exact] = await bench.words(
        row("u", { x: 1 }, { currency, maxTotal: cost - 1 }),
        row("u", { x: 1 }, { currency, maxTotal: cost }),
      );
      expect([below, exact]).toEqual(["over_max_total", "reserved"]);
    }),
    { numRuns: 300 },
  );
}, 30_000);

test("orders that wait for rates are replayed to the same state", async () => {
  const entries: Entry[] = [];
  const keep = (entry: Entry | undefined) => entry && entries.push(entry);
  keep(
    (
      await decide(
        usd("u", { seq: 1 }),
        usd("u", { seq: 2 }),
        usd("v"),
        usd("w", { currency: "JPY" }),
      )
    ).entry,
  );
  await put("EUR/JPY", "160");
  keep((await reprice()).entry);
  // Far enough apart for a machine that pauses: only the first ones have waited for too long.
  await Bun.sleep(600);
  keep((await decide(usd("x"))).entry);
  keep((await reprice(500)).entry);
  const replayed = new Replayed({ firstId: "0", isLimited: () => true });
  for (const entry of entries) replayed.apply(entry);
  const held = await bench.redis.client.lrange("{0}:fx", 0, -1);
  expect([...replayed.rateWaits.values()].map((w) => JSON.parse(rateWaitText(w)))).toEqual(
    held.map((text) => JSON.parse(text)),
  );
  expect(held.length).toBe(2);
});

test("an order that waits for its rate keeps its trace, numbered or not", async () => {
  const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await decide(usd("u", { trace }), usd("v", { seq: 1, trace }));
  await put("EUR/USD", "1.1");
  const { entry } = await reprice();
  expect(entry?.released.map((r) => [r.order.user, r.trace, r.state])).toEqual([
    ["u", trace, "reserved"],
    ["v", trace, "reserved"],
  ]);
});
