// What workers believe of their feed, with a real Redis and a real ledger: rates that jump wait for
// an operator.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { ratesByHand } from "../../cli/operator/rates-by-hand.ts";
import type { Rate } from "../../core/domain/rate.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { VirtualRuntime } from "../../core/runtime/testing.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { RateStore } from "../../core/stores/rate-store.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import type { Ledger, LedgerWriter } from "../../ledger/contract.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { testDir, testRedis } from "../../test/services.ts";
import { RateSync, settleRates } from "../shards/sync-rates.ts";
import { RateFeed } from "./rate-feed.ts";
import { RateKeeper } from "./rate-keeper.ts";

const settings = readSettings({});
const STEP = settings.rateMaxStep;
let redis: RedisStore;
let ledger: Ledger;
let writer: LedgerWriter;
let clock: VirtualRuntime;
const events: string[] = [];
const closed: (() => Promise<void>)[] = [];

beforeEach(async () => {
  if (!redis) {
    redis = new RedisStore({ runtime: realRuntime, url: (await testRedis()).url });
    await redis.connect();
    closed.push(() => redis.close());
  }
  await redis.client.flushall();
  const url = `sqlite:${testDir("rates")}/ledger.db`;
  ledger = await openLedger({ runtime: realRuntime, url, shards: 1 });
  writer = await openLedgerWriter(realRuntime, url);
  closed.push(
    () => ledger.close(),
    () => writer.close(),
  );
  clock = new VirtualRuntime();
  events.splice(0);
});
afterAll(() => Promise.all(closed.map((close) => close())));

const store = () => new RateStore(redis, { maxAgeMs: 60_000, maxStep: STEP });

/** A worker that starts now. Returns how it hears rates. */
function worker(reads: Pick<Ledger, "rates"> = ledger) {
  const now = clock.wallMs;
  const keeper = new RateKeeper({ runtime: clock, store: store(), ledger: reads, writer, now });
  const feed = new RateFeed({
    ...{ runtime: clock, id: "w1", regions: [], maxAgeMs: 60_000, now },
    put: (rates) => keeper.put(rates),
    kept: () => undefined,
    log: (event) => void events.push(event),
  });
  return {
    feed,
    hear: (rates: Record<string, string>, atMs = now()) =>
      feed.receive(
        Buffer.from(
          JSON.stringify(
            Object.entries(rates).map(
              ([pair, value]): Rate => ({ id: `r${atMs}`, pair, value, atMs }),
            ),
          ),
        ),
      ),
  };
}

const inUse = async () =>
  Object.fromEntries((await store().all()).map(({ pair, value }) => [pair, value]));
const waiting = async () =>
  (await store().waiting()).map(({ pair, value, last, state }) =>
    [pair, value, "after", last, state].join(" "),
  );
const USD = "EUR/USD";
const byHand = () => ratesByHand(ledger, redis, settings);
const settle = (verdict: "accept" | "refuse", value: string, ref = `${verdict} ${value}`) =>
  byHand().settle({ verdict, pair: USD, value, ref }, "olga");

test("a rate that jumps is held and not used; one that is normal again ends that", async () => {
  const { hear } = worker();
  await hear({ [USD]: "1.1" });
  for (const value of ["1500", "0.0011", "1.22", "0.99"]) {
    await clock.advance(5_000);
    await hear({ [USD]: value });
    expect([await inUse(), await waiting()]).toEqual([
      { [USD]: "1.1" },
      [`EUR/USD ${value} after 1.1 held`],
    ]);
  }
  await clock.advance(5_000);
  // Exactly the largest step.
  await hear({ [USD]: "1.21" });
  expect([await inUse(), await waiting()]).toEqual([{ [USD]: "1.21" }, []]);
  expect(events).toEqual(["rate held", "rate back"]);
});

test("exactly the largest step is no jump, however a division rounds", async () => {
  const { hear } = worker();
  await hear({ "EUR/CHF": "4.73" });
  await clock.advance(5_000);
  expect(4.3 / 4.73).toBeLessThan(1 / 1.1);
  await hear({ "EUR/CHF": "4.3" });
  expect([await inUse(), await waiting()]).toEqual([{ "EUR/CHF": "4.3" }, []]);
});

test("an operator accepts what waits: it counts at once, and so do the ones after it", async () => {
  const { hear } = worker();
  await hear({ [USD]: "1.1" });
  await clock.advance(5_000);
  await hear({ [USD]: "1.5" });
  expect(await settle("accept", "15")).toEqual({ result: "not_waiting", now: "1.5" });
  expect(await settle("accept", "1.49", "t1")).toEqual({ result: "done", applied: true });
  expect(await settle("accept", "1.5", "t1")).toEqual({ result: "repeated", applied: true });
  expect([await inUse(), await waiting()]).toEqual([{ [USD]: "1.5" }, []]);
  expect(await ledger.rates()).toEqual([
    { pair: USD, value: "1.49", atMs: expect.any(Number) as number },
  ]);
  await clock.advance(5_000);
  await hear({ [USD]: "1.52" });
  expect(await inUse()).toEqual({ [USD]: "1.52" });
  expect(await ledger.operationsOpen()).toEqual([]);
});

test("a verdict that another rate has overtaken is not reported as applied", async () => {
  const { hear } = worker();
  await hear({ [USD]: "1.1" });
  await clock.advance(5_000);
  await hear({ [USD]: "1.5" });
  const slow = Object.create(ledger) as Ledger;
  slow.operate = async (...of) => {
    const result = await ledger.operate(...of);
    await clock.advance(5_000);
    await hear({ [USD]: "2.5" });
    return result;
  };
  const verdict = { verdict: "accept", pair: USD, value: "1.5", ref: "o1" } as const;
  const overtaken = await ratesByHand(slow, redis, settings).settle(verdict, "olga");
  expect(overtaken).toEqual({ result: "not_waiting", now: "2.5" });
  expect([await inUse(), await waiting()]).toEqual([
    { [USD]: "1.1" },
    ["EUR/USD 2.5 after 1.1 held"],
  ]);
});

test("what an operator refuses is ignored without waiting, until a normal rate comes", async () => {
  const { hear } = worker();
  await hear({ [USD]: "1.1" });
  await clock.advance(5_000);
  await hear({ [USD]: "1.5" });
  expect(await settle("refuse", "1.5")).toEqual({ result: "done", applied: true });
  expect(await settle("refuse", "1.5", "again")).toEqual({ result: "repeated", applied: true });
  await clock.advance(60_000);
  await hear({ [USD]: "1.51" });
  expect(await waiting()).toEqual(["EUR/USD 1.5 after 1.1 refused"]);
  await clock.advance(5_000);
  await hear({ [USD]: "9" }); // another jump than the refused one
  expect(await waiting()).toEqual(["EUR/USD 9 after 1.1 held"]);
  await clock.advance(5_000);
  await hear({ [USD]: "1.12" });
  await clock.advance(5_000);
  await hear({ [USD]: "1.5" });
  expect([await inUse(), await waiting()]).toEqual([
    { [USD]: "1.12" },
    ["EUR/USD 1.5 after 1.12 held"],
  ]);
  expect(events).toEqual(["rate held", "rate refused", "rate held", "rate back", "rate held"]);
});

test("two workers receive the same rate, and one holds it; two verdicts count once", async () => {
  const [one, other] = [worker(), worker()];
  await Promise.all([one.hear({ [USD]: "1.1" }), other.hear({ [USD]: "1.1" })]);
  await clock.advance(5_000);
  await Promise.all([one.hear({ [USD]: "1.5" }), other.hear({ [USD]: "1.5" })]);
  expect(one.feed.counts.refused + other.feed.counts.refused).toBe(1);
  expect(events).toEqual(["rate held"]);
  const verdicts = [settle("accept", "1.5", "a"), settle("accept", "1.5", "b")];
  for (const settled of await Promise.all(verdicts))
    expect(settled).toMatchObject({ applied: true });
  expect(await inUse()).toEqual({ [USD]: "1.5" });
  expect(one.feed.counts.taken + other.feed.counts.taken).toBe(1);
});

test("a worker that starts while a rate is held keeps it, and since when", async () => {
  const first = worker();
  await first.hear({ [USD]: "1.1" });
  await clock.advance(5_000);
  await first.hear({ [USD]: "1.5" });
  const [held] = await store().waiting();
  await clock.advance(600_000);
  await worker().hear({ [USD]: "1.51" });
  expect(await store().waiting()).toEqual([
    { ...(held as Rate), value: "1.51", id: expect.any(String), atMs: clock.wallMs() } as never,
  ]);
  expect(await inUse()).toEqual({ [USD]: "1.1" });
});

test("a Redis without rates compares with the ledger's last; times may repeat", async () => {
  const { hear } = worker();
  const atMs = clock.wallMs();
  await hear({ [USD]: "1.1" }, atMs);
  while ((await ledger.rates()).length === 0) await Bun.sleep(5);
  await redis.client.flushall();
  await hear({ [USD]: "1.5" });
  expect([await inUse(), await waiting()]).toEqual([{}, ["EUR/USD 1.5 after 1.1 held"]]);
  // The source repeats a rate under the same time, as a daily file does.
  await hear({ [USD]: "1.1" }, atMs);
  expect([await inUse(), await waiting()]).toEqual([{ [USD]: "1.1" }, []]);
});

test("a first rate is not believed while the ledger cannot be asked", async () => {
  let away = true;
  const asked = async () => {
    if (away) throw new Error("the ledger is away");
    return ledger.rates();
  };
  const { hear } = worker({ rates: asked });
  await hear({ [USD]: "1.1" });
  expect([await inUse(), events]).toEqual([{}, ["rates not stored"]]);
  away = false;
  await hear({ [USD]: "1.1" });
  expect(await inUse()).toEqual({ [USD]: "1.1" });
});

test("a pair that nobody knew is judged by the other pairs", async () => {
  const { hear } = worker();
  await hear({ [USD]: "1.25", "EUR/JPY": "160" });
  await clock.advance(5_000);
  // The source's wrong dollar is held, and so is what is crossed from it.
  await hear({ [USD]: "1250", "USD/JPY": "0.128", "USD/EUR": "0.0008", "EUR/CHF": "0.95" });
  expect(await inUse()).toEqual({ [USD]: "1.25", "EUR/JPY": "160", "EUR/CHF": "0.95" });
  expect(await waiting()).toEqual([
    "EUR/USD 1250 after 1.25 held",
    "USD/EUR 0.0008 after 0.8 held",
    "USD/JPY 0.128 after 128 held",
  ]);
  await hear({ "USD/JPY": "128.4" }, clock.wallMs() + 1);
  expect(await inUse()).toMatchObject({ "USD/JPY": "128.4" });
});

test("a verdict that Redis missed reaches it later, and metrics know what waits", async () => {
  const { hear } = worker();
  await hear({ [USD]: "1.1" });
  await clock.advance(5_000);
  await hear({ [USD]: "1.5" });
  const sync = new RateSync({ runtime: clock, ledger, store: store() });
  expect(sync.report()).toEqual({});
  await sync.refresh();
  expect(sync.report()).toEqual({ ratesHeld: 1 });
  const verdict = { kind: "rate", ref: "t", pair: USD, value: "1.5", verdict: "accept" } as const;
  expect(await ledger.operate(verdict, "olga")).toBe("done");
  const away = { settle: () => Promise.reject(new Error("Redis is away")) };
  expect(settleRates(ledger, away)).rejects.toThrow("away");
  await clock.advance(5_000);
  await sync.refresh();
  expect([await inUse(), sync.report()]).toEqual([{ [USD]: "1.5" }, { ratesHeld: 0 }]);
  expect(await ledger.operationsOpen()).toEqual([]);
});

test("messages without sense are refused by name, and there are bounds", async () => {
  const { feed } = worker();
  await feed.receive(Buffer.from("not json"));
  await feed.receive(Buffer.alloc(40 * 2 ** 20, " "));
  expect([feed.counts, events]).toEqual([{ taken: 0, refused: 2 }, ["rate refused"]]);
});
