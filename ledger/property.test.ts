// Compares the ledger with a small model: after any sequence of entries, refusals, restocks and
// releases, both agree.
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { at } from "../core/domain/at.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { OrderRow } from "../core/domain/row.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { freshDatabase, testDir } from "../test/services.ts";
import type { Ledger, LedgerWriter, RecordResult } from "./contract.ts";
import { Db } from "./db.ts";
import { openLedger, openLedgerWriter } from "./open.ts";
import { entryId, entryOf, orderRow, releasedOf, SHARDS, saleOf, userOf } from "./test-entries.ts";

const UNITS = 8;

type Step =
  | { readonly kind: "record"; readonly entries: readonly Planned[] }
  | { readonly kind: "take"; readonly shard: number }
  | { readonly kind: "restock"; readonly units: number };

/**
 * `fault`: what is wrong with the entry. `release`: it releases the shard's oldest parked order.
 */
interface Planned {
  readonly shard: number;
  readonly fault: "none" | "epoch" | "prev" | "number" | "duplicate";
  readonly orders: readonly {
    readonly qty: number;
    readonly state: "reserved" | "sold_out" | "parked";
  }[];
  readonly release: boolean;
}

const planned: fc.Arbitrary<Planned> = fc.record({
  shard: fc.integer({ min: 0, max: SHARDS - 1 }),
  fault: fc.oneof(
    { weight: 12, arbitrary: fc.constant("none" as const) },
    fc.constantFrom("epoch", "prev", "number", "duplicate"),
  ),
  orders: fc.array(
    fc.record({
      qty: fc.integer({ min: 1, max: 3 }),
      state: fc.constantFrom("reserved", "sold_out", "parked"),
    }),
    {
      minLength: 1,
      maxLength: 4,
    },
  ),
  release: fc.boolean(),
});
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant("record"),
        entries: fc.array(planned, { minLength: 1, maxLength: 5 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("take"),
        shard: fc.integer({ min: 0, max: SHARDS - 1 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("restock"), units: fc.integer({ min: 1, max: 5 }) }),
    },
  ),
  { maxLength: 12 },
) as fc.Arbitrary<Step[]>;

class Model {
  readonly shards = Array.from({ length: SHARDS }, () => ({ epoch: 0, lastN: 0 }));
  readonly states = new Map<string, OrderState>();
  readonly rows = new Map<string, OrderRow>();
  readonly parked: string[][] = Array.from({ length: SHARDS }, () => []);
  available = UNITS;
  held = 0;
  restocked = 0;
}

const databases = [
  ["sqlite", async () => `sqlite:${testDir("ledger")}/ledger.db`, 40],
  ["postgres", freshDatabase, 6],
] as const;

describe.each(databases)("%s", (_, freshUrl, runs) => {
  test("agrees with the model after any history", async () => {
    const property = fc.asyncProperty(steps, async (history) => {
      const url = await freshUrl();
      const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
      const writer = await openLedgerWriter(realRuntime, url);
      await ledger.operate({ kind: "create", ref: "r", sale: saleOf(UNITS) }, "op");
      try {
        const model = new Model();
        for (const [i, step] of history.entries()) await play(model, ledger, writer, step, i);
        await compare(model, ledger, url);
      } finally {
        await writer.close();
        await ledger.close();
      }
    });
    await fc.assert(property, { numRuns: runs });
  }, 120_000);
});

async function play(
  model: Model,
  ledger: Ledger,
  writer: LedgerWriter,
  step: Step,
  i: number,
): Promise<void> {
  if (step.kind === "take") {
    const { epoch, lastN } = await writer.takeShard(step.shard, "w");
    const shard = at(model.shards, step.shard);
    expect({ epoch, lastN }).toEqual({ epoch: shard.epoch + 1, lastN: shard.lastN });
    shard.epoch = epoch;
  } else if (step.kind === "restock") {
    await ledger.operate(
      { kind: "restock", ref: `r${i}`, saleId: "s1", sku: "a", units: step.units },
      "op",
    );
    model.restocked += step.units;
    model.available += step.units;
  } else {
    const expected: RecordResult[] = [];
    const stuck = new Map<number, RecordResult>();
    const batch = step.entries.map((plan) => {
      const { given, result } = predict(model, plan, stuck);
      expected.push(result);
      return given;
    });
    expect(await writer.record(batch)).toEqual(expected);
  }
}

/**
 * The entry of a plan, and the result that the ledger should return. `recorded` changes the model.
 */
function predict(model: Model, plan: Planned, stuck: Map<number, RecordResult>) {
  const shard = at(model.shards, plan.shard);
  const user = userOf(plan.shard);
  const known = [...model.states.keys()].find((id) => model.rows.get(id)?.order.user === user);
  const duplicate = plan.fault === "duplicate" ? known : undefined;
  const ids = plan.orders.map((_, i) => (i === 0 && duplicate ? duplicate : Bun.randomUUIDv7()));
  const rows = plan.orders.map((o, i) => orderRow(user, at(ids, i), o.qty));
  const releasedId = plan.release ? model.parked[plan.shard]?.[0] : undefined;
  const releasedRow = releasedId === undefined ? undefined : model.rows.get(releasedId);
  const n = shard.lastN + (plan.fault === "number" ? 2 : 1);
  const entry = entryOf(plan.shard, n, rows, plan.orders.map((o) => o.state).join(","), {
    // Entry ids never repeat, so a fork of the past differs from the past.
    prev: plan.fault === "prev" ? "elsewhere" : entryId(plan.shard, shard.lastN),
    released: releasedRow ? [releasedOf(releasedRow, "reserved")] : [],
  });
  const given = { entry, epoch: plan.fault === "epoch" ? shard.epoch + 7 : shard.epoch };
  const units =
    plan.orders.reduce((sum, o) => sum + (o.state === "reserved" ? o.qty : 0), 0) +
    (releasedRow?.order.lines[0]?.qty ?? 0);

  let result = stuck.get(plan.shard);
  if (result === undefined) {
    if (plan.fault === "epoch") result = "fenced";
    else if (plan.fault === "prev" || plan.fault === "number") result = "fork";
    else if (duplicate !== undefined || units > model.available) result = "refused";
    else result = "recorded";
    // A former owner's entry does not stop the present owner's.
    if (result !== "recorded" && result !== "fenced") stuck.set(plan.shard, result);
  }
  if (result !== "recorded") return { given, result };

  shard.lastN = n;
  model.available -= units;
  model.held += units;
  plan.orders.forEach((o, i) => {
    const id = at(ids, i);
    model.states.set(id, o.state);
    model.rows.set(id, at(rows, i));
    if (o.state === "parked") model.parked[plan.shard]?.push(id);
  });
  if (releasedId !== undefined) {
    model.parked[plan.shard]?.shift();
    model.states.set(releasedId, "reserved");
  }
  return { given, result };
}

async function compare(model: Model, ledger: Ledger, url: string): Promise<void> {
  expect((await ledger.positions()).map(({ epoch, lastN }) => ({ epoch, lastN }))).toEqual(
    model.shards,
  );
  const { restocked, available, held } = model;
  expect(await ledger.stock("s1")).toEqual([
    { sku: "a", initial: UNITS, restocked, available, releasing: 0, held, sold: 0 },
  ]);
  const orders = new Map<string, OrderState>();
  for (let shard = 0; shard < SHARDS; shard++) {
    for (const order of await ledger.ordersOf(userOf(shard), { limit: 1_000 }))
      orders.set(order.id, order.state);
    let entries = 0;
    for await (const chunk of ledger.replay(shard))
      for (const entry of chunk) expect(entry.n).toBe(++entries);
    expect(entries).toBe(model.shards[shard]?.lastN as number);
  }
  expect([...orders].sort()).toEqual([...model.states].sort());
  await compareMovements(await Db.open(realRuntime, url), available, held);
}

async function compareMovements(db: Db, available: number, held: number): Promise<void> {
  expect(
    await db.run("SELECT cause FROM movements GROUP BY cause, sku HAVING SUM(units) <> 0"),
  ).toHaveLength(0);
  const perAccount = await db.run(
    "SELECT account, SUM(units) AS units FROM movements GROUP BY account",
  );
  const moved = new Map(perAccount.map((r) => [String(r.account), Number(r.units)]));
  expect([moved.get("available") ?? 0, moved.get("held") ?? 0]).toEqual([available, held]);
  await db.close();
}
