import { afterAll, beforeEach, expect, test } from "bun:test";
import type { OrderRow } from "../domain/row.ts";
import { BadRow } from "../stores/redis.ts";
import { Bench, bodyOf, row, SALE_ID, skip } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
});
afterAll(async () => bench?.close());

const ID = () => Bun.randomUUIDv7();

test.each([1, 2, 3])(
  "with %i units, exactly that many single orders are reserved",
  async (units) => {
    await bench.sale({ a: { units } });
    const words = await bench.words(
      ...Array.from({ length: units + 1 }, (_, i) => row(`u${i}`, { a: 1 })),
    );
    expect(words).toEqual([...Array(units).fill("reserved"), "sold_out"]);
    expect(await bench.units("a")).toEqual({ available: 0, held: units });
  },
);

test("an order of several items takes all of them or none", async () => {
  await bench.sale({ a: { units: 5 }, b: { units: 1 } });
  expect(await bench.words(row("u", { a: 2, b: 2 }))).toEqual(["sold_out"]);
  expect(await bench.units("a")).toEqual({ available: 5, held: 0 });
  expect(await bench.words(row("u", { a: 2, b: 1 }))).toEqual(["reserved"]);
  expect(await bench.units("b")).toEqual({ available: 0, held: 1 });
});

test("a resent order keeps its outcome; with another body it is a conflict", async () => {
  await bench.sale({ a: { units: 5 } });
  const id = ID();
  const first = row("u", { a: 1 }, { id });
  const changed = row("u", { a: 2 }, { id });
  expect(await bench.words(first, first, changed)).toEqual(["reserved", "=reserved", "!reserved"]);
  const again = await bench.decide([[first]]);
  expect(again.outcomes).toEqual(["=reserved"]);
  expect(again.entry).toBeUndefined();
  expect((await bench.decide([[changed]])).entry?.messages[0]?.outcomes).toBe("!reserved");
  expect(await bench.units("a")).toEqual({ available: 4, held: 1 });
});

test("two users may use the same id", async () => {
  await bench.sale({ a: { units: 5 } });
  const id = ID();
  expect(await bench.words(row("u1", { a: 1 }, { id }), row("u2", { a: 1 }, { id }))).toEqual([
    "reserved",
    "reserved",
  ]);
});

test("the window is judged by the moment of acceptance, its end excluded", async () => {
  await bench.sale({ a: { units: 5 } }, { opensAtMs: 1_000, closesAtMs: 2_000 });
  const words = await bench.words(
    ...[999, 1_000, 1_999, 2_000].map((at) => row("u", { a: 1 }, { at })),
  );
  expect(words).toEqual(["sale_closed", "reserved", "reserved", "sale_closed"]);
});

test("an order in a foreign currency takes nothing while there is no rate", async () => {
  await bench.sale({ a: { units: 5 } });
  expect(await bench.words(row("u", { a: 1 }, { currency: "USD" }), row("u", { a: 1 }))).toEqual([
    "parked",
    "reserved",
  ]);
  expect(await bench.units("a")).toEqual({ available: 4, held: 1 });
});

test("an order for an unknown sale or an unknown item is unknown_item", async () => {
  await bench.sale({ a: { units: 5 } });
  expect(
    await bench.words(row("u", { a: 1 }, { saleId: "other" }), row("u", { a: 1, zzz: 1 })),
  ).toEqual(["unknown_item", "unknown_item"]);
});

test("a user reserves up to an item's limit and no more, also across batches", async () => {
  await bench.sale({ a: { units: 100, limit: 3 }, b: { units: 100 } });
  expect(
    await bench.words(
      row("u", { a: 2 }),
      row("u", { a: 2 }),
      row("v", { a: 3 }),
      row("u", { b: 9 }),
    ),
  ).toEqual(["reserved", "over_limit", "reserved", "reserved"]);
  expect(await bench.words(row("u", { a: 1 }), row("u", { a: 1 }))).toEqual([
    "reserved",
    "over_limit",
  ]);
});

test("an order that is sold out does not use up the user's limit", async () => {
  await bench.sale({ a: { units: 1, limit: 2 }, b: { units: 9, limit: 2 } });
  expect(await bench.words(row("u", { a: 2, b: 2 }), row("u", { b: 2 }))).toEqual([
    "sold_out",
    "reserved",
  ]);
});

test("numbered orders are decided in order; late ones are superseded", async () => {
  await bench.sale({ a: { units: 2 } });
  const rows = [1, 2, 3].map((seq) => row("u", { a: 1 }, { seq })) as [
    OrderRow,
    OrderRow,
    OrderRow,
  ];
  expect(await bench.words(rows[2])).toEqual(["parked"]);
  expect(await bench.words(rows[2])).toEqual(["=parked"]);
  expect(await bench.words(rows[1])).toEqual(["parked"]);
  const decision = await bench.decide([[rows[0], row("u", { a: 1 }, { seq: 1 })]]);
  expect(decision.outcomes).toEqual(["reserved,superseded"]);
  expect(decision.entry?.released.map(({ order, state }) => [order.seq, state])).toEqual([
    [2, "reserved"],
    [3, "sold_out"],
  ]);
  expect(await bench.words(rows[1], rows[2])).toEqual(["=reserved", "=sold_out"]);
  expect(await bench.shards.parked(0)).toEqual({ users: 0, orders: 0, most: 0 });
});

test("giving up a number releases the next one, now or when its turn comes", async () => {
  await bench.sale({ a: { units: 9 } });
  expect(await bench.words(row("u", { a: 1 }, { seq: 3 }), skip("u", 2), skip("u", 2))).toEqual([
    "parked",
    "skipped",
    "skip_late",
  ]);
  const decision = await bench.decide([[skip("u", 1), skip("u", 1)]]);
  expect(decision.outcomes).toEqual(["skipped,skip_late"]);
  expect(decision.entry?.released.map(({ order }) => order.seq)).toEqual([3]);
  expect(await bench.words(row("u", { a: 1 }, { seq: 4 }), row("u", { a: 1 }, { seq: 2 }))).toEqual(
    ["reserved", "superseded"],
  );
});

test("numbers count per user and sale", async () => {
  await bench.sale({ a: { units: 9 } });
  expect(
    await bench.words(
      row("u", { a: 1 }, { seq: 1 }),
      row("v", { a: 1 }, { seq: 1 }),
      row("v", { a: 1 }, { seq: 2 }),
    ),
  ).toEqual(["reserved", "reserved", "reserved"]);
});

test("a user has at most 64 orders parked", async () => {
  await bench.sale({ a: { units: 100 } });
  const words = await bench.words(
    ...Array.from({ length: 65 }, (_, i) => row("u", { a: 1 }, { seq: i + 2 })),
  );
  expect(words.filter((w) => w === "parked").length).toBe(64);
  expect(words[64]).toBe("superseded");
  expect(await bench.shards.parked(0)).toEqual({ users: 1, orders: 64, most: 64 });
  const decision = await bench.decide([[row("u", { a: 1 }, { seq: 1 })]]);
  expect(decision.entry?.released.length).toBe(64);
});

test("an order older than the records is past; forced, it is recorded", async () => {
  await bench.sale({ a: { units: 9 } });
  const old = row("u", { a: 1 }, { id: Bun.randomUUIDv7("hex", Date.now() - 3 * 3_600_000) });
  const decision = await bench.decide([[old]]);
  expect(decision).toMatchObject({ outcomes: ["past"], entry: undefined });
  expect((await bench.decide([[old]], "stale")).entry?.messages[0]?.outcomes).toBe("stale");
});

test("a forced order takes no stock and uses up its number", async () => {
  await bench.sale({ a: { units: 9 } });
  await bench.decide([[row("u", { a: 1 }, { seq: 2 })]]);
  const decision = await bench.decide([[row("u", { a: 1 }, { seq: 1 })]], "rejected");
  expect(decision.outcomes).toEqual(["rejected"]);
  expect(decision.entry?.released.map(({ state }) => state)).toEqual(["reserved"]);
  expect(await bench.units("a")).toEqual({ available: 8, held: 1 });
});

test.each([
  ["a list of rows", "[]"],
  ["no columns", "{}"],
  ["not JSON", "{nonsense"],
  ["a later format", bodyOf(row("u", { a: 1 }), { v: 2 })],
  ["a column that nobody knows", bodyOf(row("u", { a: 1 }), { price: [1] })],
  ["a short column", bodyOf(row("u", { a: 1 }), { at: [] })],
  ["a number for a name", bodyOf(row("u", { a: 1 }), { sale: [5] })],
  ["a number for a fingerprint", bodyOf(row("u", { a: 1 }), { fingerprint: [5] })],
  ["text for a number", bodyOf(row("u", { a: 1 }), { at: ["5"] })],
  ["a fraction", bodyOf(row("u", { a: 1 }), { qty: [1.5] })],
  ["a fraction that prints as none", bodyOf(row("u", { a: 1 }), { qty: [1.000000000000001] })],
  ["nothing", bodyOf(row("u", { a: 1 }), { qty: [0] })],
  ["too many", bodyOf(row("u", { a: 1 }), { qty: [1_001] })],
  ["the same item twice", bodyOf(row("u", { a: 1, b: 1 }), { sku: ["a", "a"] })],
  ["no lines", bodyOf(row("u", {}))],
  ["fewer lines than items", bodyOf(row("u", { a: 1, b: 1 }), { lines: [1] })],
  ["a short id", bodyOf(row("u", { a: 1 }, { id: "short" }))],
])("%s is refused as a whole, and nothing is written", async (_, body) => {
  await bench.sale({ a: { units: 9 } });
  const good = bodyOf(row("u", { a: 1 }));
  const messages = [good, body].map((b, i) => ({ gateway: "g", batch: String(i), body: b }));
  const error = await bench.shards
    .decide(bench.claim, messages, { entryId: "e", dedupWindowMs: 3_600_000 })
    .catch((e: Error) => e);
  expect(error).toBeInstanceOf(BadRow);
  expect((error as BadRow).index).toBe(1);
  expect(await bench.units("a")).toEqual({ available: 9, held: 0 });
  expect(await bench.shards.outboxLength(0)).toBe(0);
});

test("every entry names the one before it; recorded() trims what the ledger has", async () => {
  await bench.sale({ a: { units: 9 } });
  const first = await bench.decide([[row("u", { a: 1 })]]);
  const second = await bench.decide([[row("u", { a: 1 })]]);
  expect(first.entry).toMatchObject({ n: 1, prev: "genesis" });
  expect(second.entry).toMatchObject({ n: 2, prev: first.entry?.id });
  expect(await bench.shards.outbox(0, 0, 10)).toEqual([first.entry, second.entry] as never);
  await bench.shards.recorded(bench.claim, first.entry?.id ?? "", 1);
  expect((await bench.shards.outbox(0, 0, 10)).map((e) => e.n)).toEqual([2]);
  const check = async (id: string | undefined, n: number) =>
    (await bench.shards.check(bench.claim, id ?? "", n)).word;
  expect(await check(first.entry?.id, 1)).toBe("whole");
  expect(await check(second.entry?.id, 2)).toBe("behind");
  expect(await check("another", 2)).toBe("lost");
  expect(await check("genesis", 0)).toBe("went_back");
});

test("an older epoch is fenced, and another incarnation is not ready", async () => {
  await bench.sale({ a: { units: 9 } });
  const next = { ...bench.claim, epoch: 2 };
  expect(await bench.shards.own(next, "store-of-the-tests")).toBe("owned");
  expect(await bench.shards.own(bench.claim, "store-of-the-tests")).toBe("fenced");
  expect(await bench.shards.own(next, "another store")).toBe("foreign");
  const message = [{ gateway: "g", batch: "1", body: bodyOf(row("u", { a: 1 })) }];
  const options = { entryId: "e", dedupWindowMs: 3_600_000 };
  expect(await bench.shards.decide(bench.claim, message, options)).toEqual({ word: "fenced" });
  expect(await bench.shards.decide({ ...next, incarnation: 2 }, message, options)).toEqual({
    word: "not_ready",
  });
  await bench.shards.halt(0, "why");
  expect(await bench.shards.decide(next, message, options)).toEqual({ word: "halted" });
});

test("unpark gives up gaps that are old enough; the missing number counts as passed", async () => {
  await bench.sale({ a: { units: 9 } });
  await bench.words(
    row("u", { a: 1 }, { seq: 3 }),
    row("u", { a: 1 }, { seq: 4 }),
    row("v", { a: 1 }, { seq: 2 }),
  );
  const options = { entryId: "e1", limit: 10, dedupWindowMs: 3_600_000 };
  expect(
    await bench.shards.unpark(bench.claim, { ...options, cutoffMs: Date.now() - 60_000 }),
  ).toMatchObject({ entry: undefined });
  const reply = await bench.shards.unpark(bench.claim, {
    ...options,
    cutoffMs: Date.now() + 60_000,
  });
  if (reply.word !== "decided") throw new Error(reply.word);
  expect(reply.entry?.kind).toBe("unpark");
  expect(
    reply.entry?.released.map(({ order, state }) => `${order.user}${order.seq} ${state}`).sort(),
  ).toEqual(["u3 reserved", "u4 reserved", "v2 reserved"]);
  expect(await bench.words(row("u", { a: 1 }, { seq: 1 }), row("u", { a: 1 }, { seq: 5 }))).toEqual(
    ["superseded", "reserved"],
  );
});

test("a second gap of the same user has a clock of its own", async () => {
  await bench.sale({ a: { units: 9 } });
  await bench.words(row("u", { a: 1 }, { seq: 2 }), row("u", { a: 1 }, { seq: 4 }));
  const began = Number(await bench.redis.client.zscore("{0}:gaps", `${SALE_ID} u`));
  await Bun.sleep(5);
  await bench.words(row("u", { a: 1 }, { seq: 1 })); // 1 and 2 go, 4 waits for 3 from now on
  expect(Number(await bench.redis.client.zscore("{0}:gaps", `${SALE_ID} u`))).toBeGreaterThan(
    began,
  );
  await bench.words(row("u", { a: 1 }, { seq: 3 }));
  expect(await bench.redis.client.zcard("{0}:gaps")).toBe(0);
});

test("an operator's changes may repeat and arrive in any order", async () => {
  await bench.sale({ a: { units: 5 } }, { opensAtMs: 0, closesAtMs: 9e12 }, 2);
  await bench.words(row("u", { a: 5 }));
  await bench.sale({ a: { units: 8 } }, { opensAtMs: 0, closesAtMs: 9e12 }, 4);
  await bench.sale({ a: { units: 7 } }, { opensAtMs: 0, closesAtMs: 1 }, 3); // older, late
  await bench.sale({ a: { units: 8 } }, { opensAtMs: 0, closesAtMs: 9e12 }, 4);
  expect(await bench.units("a")).toEqual({ available: 3, held: 5 });
  expect(await bench.words(row("u", { a: 3 }))).toEqual(["reserved"]);
});

test("an order above any chargeable amount is over_max_total", async () => {
  await bench.sale({
    gold: { units: 5_000, price: 99_999_999_999 },
    coin: { units: 5_000, price: 1 },
    // A thousand of these are beyond the integers that a double tells apart.
    sun: { units: 5_000, price: 99_999_999_999_999 },
  });
  const orders: Record<string, number>[] = [
    ...[{ gold: 1_000 }, { gold: 1_000, coin: 999 }, { gold: 1_000, coin: 1_000 }],
    ...[{ sun: 1 }, { sun: 2 }, { sun: 1_000 }],
  ];
  const { outcomes } = await bench.decide([orders.map((lines) => row("u", lines))]);
  expect(outcomes[0]?.split(",")).toEqual([
    ...["reserved", "reserved", "over_max_total"],
    ...["reserved", "over_max_total", "over_max_total"],
  ]);
});
