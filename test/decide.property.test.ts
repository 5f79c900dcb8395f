import { afterAll, expect, test } from "bun:test";
import fc from "fast-check";
import { Replayed } from "../consumers/rebuild/replayed.ts";
import { at } from "../core/domain/at.ts";
import type { Entry } from "../core/domain/entry.ts";
import { idAt, readColumns } from "../core/domain/message.ts";
import type { Row } from "../core/domain/row.ts";
import { Model, type ModelChange, type ModelOrder, type ModelSkip } from "../core/lua/model.ts";
import { Bench, row, SALE_ID, skip, type TestItem } from "../core/lua/testing.ts";

let bench: Bench | undefined;
afterAll(async () => bench?.close());

const RUNS = Number(process.env.PROPERTY_RUNS ?? 150);
const LIMITS = { a: 0, b: 3, c: 2 };

// Few users, ids and numbers, so that repetitions, changed bodies, gaps and last units occur often.
const arbitraryOrder = fc.record({
  kind: fc.constant("order" as const),
  user: fc.constantFrom("u1", "u2"),
  idIndex: fc.integer({ min: 0, max: 11 }),
  seq: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 6 })),
  lines: fc.uniqueArray(
    fc.record({
      sku: fc.constantFrom("a", "b", "c", "d", "nothing"),
      qty: fc.integer({ min: 1, max: 3 }),
    }),
    {
      minLength: 1,
      maxLength: 3,
      selector: (line) => line.sku,
    },
  ),
});
const arbitrarySkip = fc.record({
  kind: fc.constant("skip" as const),
  user: fc.constantFrom("u1", "u2"),
  seq: fc.integer({ min: 1, max: 6 }),
});
const arbitraryHistory = fc.record({
  units: fc.record({
    a: fc.integer({ min: 0, max: 6 }),
    b: fc.integer({ min: 0, max: 6 }),
    c: fc.integer({ min: 0, max: 3 }),
  }),
  // What the operator changes before a batch: units of any item, limits of those that have one.
  changes: fc.array(
    fc.option(
      fc.record({
        sku: fc.constantFrom("a", "b", "c", "d"),
        units: fc.integer({ min: -4, max: 4 }),
        limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
        withdrawn: fc.option(fc.boolean(), { nil: undefined }),
      }),
    ),
    { minLength: 6, maxLength: 6 },
  ),
  // Batches of messages of rows.
  batches: fc.array(
    fc.array(
      fc.array(
        fc.oneof({ arbitrary: arbitraryOrder, weight: 5 }, { arbitrary: arbitrarySkip, weight: 1 }),
        { minLength: 1, maxLength: 6 },
      ),
      { minLength: 1, maxLength: 3 },
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  ),
});

const IDS = Array.from({ length: 12 }, () => Bun.randomUUIDv7());

function rowOf(r: ModelOrder | ModelSkip): Row {
  if (r.kind === "skip") return skip(r.user, r.seq);
  return row(r.user, Object.fromEntries(r.lines.map((l) => [l.sku, l.qty])), {
    id: r.id,
    seq: r.seq,
  });
}

test("any history is decided as by the model; its journal replays to Redis's keys", async () => {
  bench ??= await Bench.open();
  const b = bench;
  await fc.assert(
    fc.asyncProperty(arbitraryHistory, async ({ units, changes, batches }) => {
      await b.reset();
      const shop = new Shop(b, units);
      await shop.sync();
      const model = new Model(units, LIMITS);
      const entries: Entry[] = [];
      const all: ModelOrder[] = [];
      for (const [i, batch] of batches.entries()) {
        const change = changes[i];
        if (change) expect(await shop.change(change)).toBe(model.change(change.sku, shop.last));
        const messages = batch.map((message) =>
          message.map((r): ModelOrder | ModelSkip =>
            r.kind === "skip" ? r : { ...r, id: at(IDS, r.idIndex) },
          ),
        );
        const decision = await b.decide(messages.map((message) => message.map(rowOf)));
        const expected = messages.map((message) => message.map((r) => model.take(r)).join(","));
        expect(decision.outcomes).toEqual(expected);
        if (decision.entry) entries.push(decision.entry);
        all.push(...messages.flat().filter((r): r is ModelOrder => r.kind === "order"));
      }
      for (const [sku, available] of Object.entries(model.available)) {
        expect(await b.units(sku)).toEqual({
          available,
          held: shop.total(sku) - available,
        });
      }
      await expectReplayed(b, entries, all, model);
    }),
    { numRuns: RUNS },
  );
}, 120_000);

type Change = { sku: string } & ModelChange;

/** The sale as the operator changes it. `d` is added by its first change; `a` never has a limit. */
class Shop {
  private readonly items: Record<string, TestItem>;
  private version = 0;
  /** The last change, as it was made. */
  last: ModelChange = { units: 0 };

  constructor(
    private readonly bench: Bench,
    units: Record<string, number>,
  ) {
    this.items = Object.fromEntries(
      Object.entries(units).map(([sku, n]) => [sku, { units: n, limit: LIMITS[sku as "a"] }]),
    );
  }

  total(sku: string): number {
    return this.items[sku]?.units ?? 0;
  }

  sync() {
    return this.bench.sale(this.items, undefined, ++this.version);
  }

  /** Returns whether the units that were taken away were free. */
  async change({ sku, units, limit, withdrawn }: Change): Promise<boolean> {
    const had = this.items[sku] ?? { units: 0, limit: 0 };
    const added = this.items[sku] === undefined ? Math.abs(units) : units;
    const kept = had.limit === 0 ? 0 : limit;
    this.last = { units: added, limit: kept, withdrawn };
    const wanted = {
      units: Math.max(0, had.units + added),
      limit: kept ?? had.limit ?? 0,
      withdrawn: withdrawn ?? had.withdrawn ?? false,
    };
    this.last = { ...this.last, units: wanted.units - had.units };
    this.items[sku] = wanted;
    const { short } = await this.sync();
    if (short.length === 0) return true;
    // Redis has sold them: the ledger refuses the correction, and says so.
    this.items[sku] = { ...wanted, units: had.units };
    await this.sync();
    return false;
  }
}

/** Replaying the outbox must produce exactly the keys in Redis. */
async function expectReplayed(
  b: Bench,
  entries: readonly Entry[],
  orders: readonly ModelOrder[],
  model: Model,
): Promise<void> {
  expect(await b.shards.outbox(0, 0, 1_000)).toEqual([...entries]);
  const replayed = new Replayed({
    firstId: "0",
    isLimited: (_, sku) => sku === "b" || sku === "c",
  });
  for (const entry of entries) replayed.apply(entry);
  for (const order of orders) {
    const record = replayed.seen.get(`${order.user} ${order.id}`);
    expect(record?.split(" ")[1]).toBe(model.stateOf(order) as string);
  }
  const client = b.redis.client;
  const seen: Record<string, string> = {};
  for (const key of await client.keys("{0}:seen:*")) Object.assign(seen, await client.hgetall(key));
  expect(Object.fromEntries(replayed.seen)).toEqual(seen);
  const nexts = await client.hgetall(`{0}:next:${SALE_ID}`);
  const counts = await client.hgetall("{0}:waiting");
  const clocks = await client.zrange("{0}:gaps", 0, "-1", "WITHSCORES");
  for (const turn of replayed.turns.values()) {
    expect(turn.next).toBe(Number(nexts[turn.user] ?? 1));
    expect(turn.parked.size).toBe(Number(counts[`${SALE_ID} ${turn.user}`] ?? 0));
    const held = await client.hgetall(`{0}:park:${SALE_ID}:${turn.user}`);
    const mine = [...turn.parked].map(([seq, p]) => [String(seq), p.placed?.order.id ?? "skip"]);
    const theirs = Object.entries(held).map(([seq, text]) => [
      seq,
      text === "skip" ? text : idAt(readColumns(JSON.parse(text).orders), 0),
    ]);
    expect(Object.fromEntries(mine)).toEqual(Object.fromEntries(theirs));
    expect(clocks.includes(`${SALE_ID} ${turn.user}`)).toBe(turn.parked.size > 0);
  }
  const bought = await client.hgetall(`{0}:bought:${SALE_ID}`);
  const units = Object.fromEntries(
    [...(replayed.bought.get(SALE_ID) ?? [])].map(([field, n]) => [field, String(n)]),
  );
  expect(units).toEqual(bought);
}
