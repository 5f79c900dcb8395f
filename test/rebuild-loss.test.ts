// Redis loses its tail, or everything, at any moment of a rebuild: it must never open with a part
// missing.
import { afterAll, beforeAll, expect, test } from "bun:test";
import { Announcement } from "../consumers/rebuild/announcement.ts";
import { type RebuildResult, rebuild } from "../consumers/rebuild/rebuild.ts";
import type { Entry } from "../core/domain/entry.ts";
import { Bench, row, SALE_ID, STORE_ID, WINDOW_MS } from "../core/lua/testing.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { StoreUnavailable } from "../core/stores/redis.ts";
import { RedisMoment } from "./redis-moment.ts";

const SLOW_MS = 120_000;
const STEPS: readonly string[] = ["reset", "restore", "ready"];
const UNITS = 9;

let bench: Bench;
let entries: Entry[];
/** Redis in normal use, before any fault. */
let inUse: RedisMoment;
/** The content after a rebuild without faults, and its number of calls. */
let whole: Record<string, unknown>;
let calls = 0;

beforeAll(async () => {
  bench = await Bench.open();
  await bench.sale({ a: { units: UNITS, limit: 4 }, b: { units: UNITS } });
  entries = [];
  for (const rows of [
    [row("u1", { a: 1 }), row("u1", { b: 1 }, { seq: 1 }), row("u1", { b: 1 }, { seq: 3 })],
    [row("u2", { a: 2 }), row("u1", { a: 1, b: 1 })],
  ]) {
    const { entry } = await bench.decide([rows]);
    if (entry) entries.push(entry);
  }
  inUse = await RedisMoment.of(bench.redis.client);
  expect(await rebuilt({})).toBe("rebuilt");
  whole = await content();
});
afterAll(async () => bench?.close());

/** A ledger with the entries of shard 0 and none of shard 1. */
function ledgerOf(incarnation: number) {
  const held = { a: 4, b: 2 };
  const stock = (["a", "b"] as const).map((sku) => ({
    ...{ sku, initial: UNITS, restocked: 0, available: UNITS - held[sku] },
    ...{ releasing: 0, held: held[sku], sold: 0 },
  }));
  const item = { category: "c", priceMinor: 1, initial: UNITS };
  const sale = {
    ...{ id: SALE_ID, name: "s", currency: "EUR", opensAtMs: 0, closesAtMs: 9e12 },
    items: [
      { ...item, sku: "a", name: "a", limitPerUser: 4 },
      { ...item, sku: "b", name: "b", limitPerUser: 0 },
    ],
  };
  const last = entries.at(-1) as Entry;
  const epoch = incarnation;
  const shards = [
    { shard: 0, epoch, lastId: last.id, lastN: last.n },
    { shard: 1, epoch, lastId: "genesis", lastN: 0 },
  ];
  const ledger = {
    storeId: STORE_ID,
    catalogueVersion: async () => 1,
    sales: async () => [sale],
    stock: async () => stock,
    replay: async function* (shard: number) {
      if (shard === 0) yield entries;
    },
    snapshots: async () => [],
    firstEntrySince: async () => 1,
  };
  const writer = { askAgain: async () => 0, beginRebuild: async () => ({ incarnation, shards }) };
  return { ledger: ledger as never, writer: writer as never };
}

interface Faults {
  readonly from?: number;
  /** Runs before each call of a rebuild, counted from 0; the last one is `ready`. */
  readonly before?: (call: number) => Promise<void>;
  /** The answer to this call is lost. */
  readonly unanswered?: number;
}

/** One rebuild of a Redis in use, with faults between its calls. */
async function rebuilt({ from = 1, before, unanswered }: Faults): Promise<RebuildResult> {
  if (from === 1) await inUse.putBack(bench.redis.client);
  const { redis } = bench;
  const real = redis.call;
  calls = 0;
  redis.call = async (fn, keys, args) => {
    const mine = STEPS.includes(fn);
    if (mine) await before?.(calls);
    const reply = await real.call(redis, fn, keys, args);
    if (mine && calls++ === unanswered) throw new StoreUnavailable("the answer was lost");
    return reply;
  };
  const announcement = new Announcement(realRuntime, bench.rebuild);
  try {
    return await rebuild(
      {
        runtime: realRuntime,
        store: bench.rebuild,
        announcement,
        ...ledgerOf(from + 1),
        dedupWindowMs: WINDOW_MS,
        now: Date.now,
        log: () => undefined,
      },
      from,
    );
  } finally {
    redis.call = real;
    await announcement.retract();
  }
}

/** Everything that decisions depend on: all but the shards' own bookkeeping. */
async function content(): Promise<Record<string, unknown>> {
  const { client } = bench.redis;
  const all: Record<string, unknown> = {};
  for (const key of (await client.keys("*")).sort()) {
    if (key.endsWith(":meta") || key === "rates") continue;
    const type = await client.type(key);
    if (type === "hash") all[key] = await client.hgetall(key);
    else if (type === "list") all[key] = await client.lrange(key, 0, -1);
    else if (type === "zset") all[key] = await client.zrange(key, 0, "-1", "WITHSCORES");
    else all[key] = await client.get(key);
  }
  return all;
}

const states = () => Promise.all([0, 1].map(async (s) => (await bench.rebuild.state(s)).state));

/** A rebuild that met a fault opened everything or nothing; the next one restores everything. */
async function expectSound(result: RebuildResult, what: string): Promise<void> {
  if (result === "rebuilt") {
    expect([what, await content()]).toEqual([what, whole]);
    expect([what, await states()]).toEqual([what, ["open", "open"]]);
    return;
  }
  expect([what, result]).toEqual([what, "lost"]);
  for (const shard of [0, 1]) {
    const { incarnation, state } = await bench.rebuild.state(shard);
    expect([what, incarnation === 2 && state === "open"]).toEqual([what, false]);
  }
  expect([what, await rebuilt({ from: 2 })]).toEqual([what, "rebuilt"]);
  expect([what, await content()]).toEqual([what, whole]);
}

test(
  "Redis goes back to any earlier step of a rebuild: it never opens with a part missing",
  async () => {
    const { client } = bench.redis;
    expect(await rebuilt({})).toBe("rebuilt");
    const steps = calls;
    const outcomes = new Set<RebuildResult>();
    for (let to = 0; to < steps; to++) {
      for (let at = to + 1; at < steps; at++) {
        let moment: RedisMoment | undefined;
        const before = async (call: number) => {
          if (call === to) moment = await RedisMoment.of(client);
          if (call === at) await moment?.putBack(client);
        };
        const result = await rebuilt({ before });
        outcomes.add(result);
        await expectSound(result, `before call ${at} of ${steps} back to before call ${to}`);
      }
    }
    expect([...outcomes]).toEqual(["lost"]);
  },
  SLOW_MS,
);

test(
  "Redis is wiped before any step of a rebuild: nothing opens",
  async () => {
    expect(await rebuilt({})).toBe("rebuilt");
    for (let at = 1, steps = calls; at < steps; at++) {
      const before = async (call: number) => {
        if (call === at) await bench.redis.client.flushall();
      };
      await expectSound(await rebuilt({ before }), `wiped before call ${at} of ${steps}`);
    }
  },
  SLOW_MS,
);

test("a lost answer to the opening call: it is repeated, and everything is open", async () => {
  expect(await rebuilt({})).toBe("rebuilt");
  const last = calls - 1;
  expect(await rebuilt({ unanswered: last })).toBe("rebuilt");
  expect(await states()).toEqual(["open", "open"]);
  expect(await content()).toEqual(whole);
});

test("everything opens or nothing: a shard without its load keeps the others closed", async () => {
  const { client } = bench.redis;
  expect(await rebuilt({})).toBe("rebuilt");
  const last = calls - 1;
  const before = async (call: number) => {
    if (call === last) await client.hincrby("{1}:meta", "loaded", -1);
  };
  expect(await rebuilt({ before })).toBe("lost");
  expect(await states()).toEqual(["loading", "loading"]);
});

test("a lost answer to a step ends the rebuild; the next rebuild restores everything", async () => {
  expect(await rebuilt({})).toBe("rebuilt");
  await expect(rebuilt({ unanswered: calls - 3 })).rejects.toThrow(StoreUnavailable);
  expect(await states()).toEqual(["loading", "loading"]);
  expect(await rebuilt({ from: 2 })).toBe("rebuilt");
  expect(await content()).toEqual(whole);
});
