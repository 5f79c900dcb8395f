// What an owner that was asleep, a Redis that lost its tail, rows nobody checked and replays of
// rare turns must not do.
import { afterAll, beforeEach, expect, test } from "bun:test";
import { Replayed } from "../../consumers/rebuild/replayed.ts";
import type { Entry } from "../domain/entry.ts";
import { newEntryId } from "../domain/entry-id.ts";
import { realRuntime } from "../runtime/runtime.ts";
import { Bench, bodyOf, cancel, row, SALE_ID, STORE_ID, skip, WINDOW_MS } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench ??= await Bench.open();
  await bench.reset();
  await bench.sale({ a: { units: 10 } });
});
afterAll(async () => bench?.close());

const replay = (entries: (Entry | undefined)[]) => {
  const replayed = new Replayed({ firstId: "0", isLimited: () => true });
  for (const entry of entries) if (entry) replayed.apply(entry);
  return replayed;
};
async function unpark(): Promise<Entry | undefined> {
  const options = {
    entryId: newEntryId(realRuntime.randomBytes),
    cutoffMs: Date.now() + 1_000,
    limit: 10,
    dedupWindowMs: WINDOW_MS,
  };
  const reply = await bench.shards.unpark(bench.claim, options);
  if (reply.word !== "decided") throw new Error(reply.word);
  return reply.entry;
}

test("a stale owner's check is fenced, not 'went_back' (which halts the store)", async () => {
  const first = (await bench.decide([[row("u", { a: 1 })]])).entry as Entry;
  await bench.shards.recorded(bench.claim, first.id, first.n);
  const next = { ...bench.claim, epoch: 2 };
  expect(await bench.shards.own(next, STORE_ID)).toBe("owned");
  const entryId = newEntryId(realRuntime.randomBytes);
  await bench.shards.decide(
    next,
    [{ gateway: "g", batch: "1", body: bodyOf(row("u", { a: 1 })) }],
    {
      entryId,
      dedupWindowMs: WINDOW_MS,
    },
  );
  await bench.shards.recorded(next, entryId, 2);
  // The old owner, asleep until now, has recorded up to 1.
  expect((await bench.shards.check(bench.claim, first.id, first.n)).word).toBe("fenced");
});

test("replay keeps a parked order whose number a rejected order also used", async () => {
  const parkedId = Bun.randomUUIDv7();
  const a = await bench.decide([[row("u", { a: 1 }, { id: parkedId, seq: 2 })]]);
  expect(a.outcomes).toEqual(["parked"]);
  const b = await bench.decide([[row("u", { a: 1 }, { seq: 2 })]], "rejected");
  expect(b.outcomes).toEqual(["rejected"]);
  const held = await bench.redis.client.hgetall(`{0}:park:${SALE_ID}:u`);
  expect(JSON.parse(held["2"] as string).orders.order).toEqual([`u ${parkedId}`]);
  const turn = replay([a.entry, b.entry]).turns.get(`${SALE_ID} u`);
  expect(turn?.parked.get(2)).toMatchObject({ placed: { order: { id: parkedId } } });
});

test("a gap that is given up in front of a skip alone is replayed", async () => {
  const a = await bench.decide([[skip("u", 3)]]);
  const b = await unpark();
  const c = await bench.decide([[row("u", { a: 1 }, { seq: 4 })]]);
  expect(c.outcomes).toEqual(["reserved"]); // 4 is decided in its turn
  expect(await bench.redis.client.hget(`{0}:next:${SALE_ID}`, "u")).toBe("5");
  const turn = replay([a.entry, b, c.entry]).turns.get(`${SALE_ID} u`);
  expect([turn?.next, turn?.parked.size]).toEqual([5, 0]);
});

test("an early cancel is kept as long as its order may still be judged", async () => {
  const window = 300;
  const id = Bun.randomUUIDv7();
  const send = async (body: string) => {
    const reply = await bench.shards.decide(bench.claim, [{ gateway: "g", batch: "1", body }], {
      entryId: newEntryId(realRuntime.randomBytes),
      dedupWindowMs: window,
    });
    return reply.word === "decided" ? reply.outcomes[0] : reply.word;
  };
  expect(await send(bodyOf(cancel("u", id)))).toBe("+cancel_pending");
  await Bun.sleep(window + 50);
  // The window is over by the cancel's clock; the bucket of the order's id, 17 minutes long, is not
  // past yet.
  expect(["cancelled", "past"]).toContain(
    (await send(bodyOf(row("u", { a: 1 }, { id })))) as string,
  );
});

test("an undecidable row fails before any write; the rest of its batch is unharmed", async () => {
  const good = Bun.randomUUIDv7();
  const bad = row("u", { a: 2 }, { id: "zzzzzzzz-zzzz-7zzz-8zzz-zzzzzzzzzzzz" });
  await expect(bench.decide([[row("v", { a: 1 }, { id: good }), bad]])).rejects.toThrow();
  expect(await bench.live("a")).toMatchObject({ available: 10, held: 0 });
});

test("decided again by itself, the valid order is fresh and has an entry", async () => {
  for (let i = 0; i < 30; i++) {
    const goodRow = row(`v${i}`, { a: 1 });
    const bad = row(
      "u",
      { a: 1 },
      { id: `${"zyxwvuts".slice(0, 8)}-zzzz-7zzz-8zzz-zzzzzzzzz${100 + i}` },
    );
    await bench.sale({ a: { units: 1_000 } });
    await bench.decide([[goodRow, bad]]).catch(() => undefined);
    // What decideAlone does next:
    const again = await bench.decide([[goodRow]]);
    expect(
      `${i} ${again.outcomes[0]} ${again.entry ? "in the outbox" : "acknowledged, and nowhere"}`,
    ).toBe(`${i} reserved in the outbox`);
  }
});

test("a parked row that cannot be written back fails before any write as well", async () => {
  const bad = bodyOf(row("u", { a: 2 }, { seq: 2, maxTotal: 7 })).replace("[7]", "[1e999]");
  await expect(bench.decide([[row("v", { a: 1 })], bad])).rejects.toThrow("not sound: maxTotal");
  expect(await bench.live("a")).toMatchObject({ available: 10, held: 0 });
});

test("recorded() after Redis lost its tail does not make the check pass", async () => {
  const one = (await bench.decide([[row("u", { a: 1 })]])).entry as Entry;
  await bench.shards.recorded(bench.claim, one.id, one.n);
  const { client } = bench.redis;
  const keys = await client.keys("*");
  const dumps = await Promise.all(
    keys.map(async (key) => [key, await client.dumpBuffer(key)] as const),
  );
  const two = (await bench.decide([[row("u", { a: 1 })]])).entry as Entry;
  // Redis comes back with what it had before entry 2; the ledger has 2.
  for (const key of await client.keys("*")) await client.del(key);
  for (const [key, dump] of dumps) await client.restore(key, 0, dump as Buffer);
  expect((await bench.shards.check(bench.claim, two.id, two.n)).word).toBe("lost");
  // The late call of an owner whose commit was slow.
  await bench.shards.recorded(bench.claim, two.id, two.n);
  expect((await bench.shards.check(bench.claim, two.id, two.n)).word).toBe("lost");
});

test("a user may leave 64 early cancels, also within one batch", async () => {
  const words = await bench.words(
    ...Array.from({ length: 66 }, () => cancel("u", Bun.randomUUIDv7())),
  );
  expect(words.filter((w) => w === "+cancel_pending").length).toBe(64);
});

test.each([
  ["a number", 7],
  ["not a trace", "abc"],
  ["JSON's null", null],
  ["one that would not fit", `00-${"a".repeat(400)}-${"b".repeat(16)}-01`],
])("a row whose trace is %s fails as a whole", (_, trace) => {
  const traced = bodyOf(row("u", { a: 1 }), { trace: [trace] });
  expect(bench.decide([traced])).rejects.toThrow("not sound");
});

test("orders that an earlier version left waiting in format 0 are decided", async () => {
  const early = row("u", { a: 2 }, { seq: 2 });
  const foreign = row("w", { a: 1 }, { currency: "USD" });
  await bench.decide([[early, foreign]]);
  const row0 = ({ order: o, fingerprint, atMs }: typeof early) => [
    ...["o", o.user, o.id, fingerprint, atMs, o.saleId, o.seq, o.currency],
    ...[o.lines.flatMap(({ sku, qty }) => [sku, qty]), "", "", 0],
  ];
  const { client } = bench.redis;
  await client.hset(`{0}:park:${SALE_ID}:u`, "2", JSON.stringify(["g", row0(early)]));
  const wait = [Date.now(), "EUR/USD", "g", row0(foreign)];
  await client.lset("{0}:fx", 0, JSON.stringify(wait));
  const { entry } = await bench.decide([[row("u", { a: 1 }, { seq: 1 })]]);
  const { kind: _, ...placed } = early;
  expect(entry?.released).toEqual([{ ...placed, gateway: "g", state: "reserved" }]);
  const sweep = { cutoffMs: Date.now() + 1_000, limit: 10, dedupWindowMs: WINDOW_MS };
  const entryId = newEntryId(realRuntime.randomBytes);
  const repriced = await bench.shards.reprice(bench.claim, { ...sweep, entryId });
  const { kind: __, ...waited } = foreign;
  expect(repriced).toMatchObject({
    entry: { released: [{ ...waited, gateway: "g", state: "fx_unavailable" }] },
  });
});

test.each(["sale", "fingerprint", "currency"])(
  "an order without a %s is refused; parked, no sweep could read it",
  async (column) => {
    const { [column]: _, ...rest } = JSON.parse(bodyOf(row("u", { a: 1 }, { seq: 2 })));
    await expect(bench.decide([JSON.stringify(rest)])).rejects.toThrow(
      "a row lacks what its kind needs",
    );
    expect(await bench.live("a")).toMatchObject({ available: 10, held: 0 });
  },
);
