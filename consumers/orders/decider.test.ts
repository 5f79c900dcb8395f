import { afterEach, expect, test } from "bun:test";
import { GENESIS } from "../../core/domain/entry.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import { messageText } from "../../core/domain/message.ts";
import { Bench, row, WINDOW_MS } from "../../core/lua/testing.ts";
import { Pacer } from "../../core/runtime/pacer.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { RedisMoment } from "../../test/redis-moment.ts";
import { testDir } from "../../test/services.ts";
import { until } from "../../test/until.ts";
import { Governing } from "../governor/governing.ts";
import { Counts } from "./counts.ts";
import { Decider } from "./decider.ts";
import { Recorder } from "./recorder.ts";

const SLOW_MS = 60_000;
const FAR_OFF_MS = 9e12;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** The store, with a list of the calls it received. */
class Watched extends ShardStore {
  readonly calls: string[] = [];
  override decide(...args: Parameters<ShardStore["decide"]>) {
    this.calls.push("decide");
    return super.decide(...args);
  }
  override unpark(...args: Parameters<ShardStore["unpark"]>) {
    this.calls.push("unpark");
    return super.unpark(...args);
  }
  override expire(...args: Parameters<ShardStore["expire"]>) {
    this.calls.push("expire");
    return super.expire(...args);
  }
  override reprice(...args: Parameters<ShardStore["reprice"]>) {
    this.calls.push("reprice");
    return super.reprice(...args);
  }
}

/** A decider of shard 0 on the tests' Redis, with a ledger of its own. */
async function decider() {
  const bench = await Bench.open();
  await bench.sale({ a: { units: 1_000_000 } });
  const url = `sqlite:${testDir("decider")}/ledger.db`;
  const ledger = await openLedger({ runtime: realRuntime, url, shards: 2 });
  await ledger.operate({ kind: "create", ref: "r", sale: SALE }, "test");
  const writer = await openLedgerWriter(realRuntime, url);
  const { epoch } = await writer.takeShard(0, "test");
  expect(epoch).toBe(1);
  const governing = new Governing(
    realRuntime,
    { pressurePercent: 100, thresholds: {}, maxPerSecond: 0 },
    undefined,
    () => undefined,
  );
  const store = new Watched(bench.redis);
  const stops: string[] = [];
  const changes: string[] = [];
  const made = new Decider({
    runtime: realRuntime,
    claim: bench.claim,
    mark: { last: { id: GENESIS } },
    dedupWindowMs: WINDOW_MS,
    stores: {
      store,
      recorder: new Recorder({ runtime: realRuntime, writer, log: () => undefined }),
      lookUp: async () => new Map(),
    },
    governing,
    pacer: new Pacer({ runtime: realRuntime, mostMs: () => 5, fullFrom: 500 }),
    counts: new Counts(),
    clock: { bounds: () => "", now: Date.now },
    on: {
      recorded: () => undefined,
      unreadable: () => undefined,
      decided: () => undefined,
      changed: (orders) => changes.push(...orders.map(({ id, state }) => `${id} ${state}`)),
      stopped: (reason, detail) => stops.push(`${reason}: ${detail}`),
    },
  });
  closing.push(
    () => bench.redis.close(),
    () => ledger.close(),
    () => writer.close(),
    () => governing.stop(),
    () => made.stop(),
  );
  return { bench, decider: made, store, governing, stops, changes };
}

const SALE = {
  id: "s1",
  name: "Sale",
  currency: "EUR",
  opensAtMs: 0,
  closesAtMs: 9e12,
  items: [
    { sku: "a", name: "a", category: "c", priceMinor: 1, limitPerUser: 0, initial: 1_000_000 },
  ],
};

const FROM = { gateway: "g", batch: "1", region: "eu", deliveries: 0, acceptedAtMs: 0 };

/** Keeps the queue from ever being empty. Returns a function that ends this. */
function flood(to: Decider): () => void {
  let on = true;
  let n = 0;
  const more = (): void => {
    if (!on) return;
    const body = messageText([row(`u${n++ % 100}`, { a: 1 })]);
    to.accept({ ...FROM, body, done: more });
  };
  for (let i = 0; i < 200; i++) more();
  return () => {
    on = false;
  };
}

const sweep = (cutoffMs: number) => ({
  entryId: newEntryId(realRuntime.randomBytes),
  cutoffMs,
  limit: 100,
  dedupWindowMs: WINDOW_MS,
});

test(
  "while there is always something to decide, every requested sweep is made within a few batches",
  async () => {
    const { decider: it, store, stops } = await decider();
    const stopFlood = flood(it);
    for (let round = 0; round < 20; round++) {
      const from = store.calls.length;
      await Promise.all([
        it.unpark(sweep(0)),
        it.expire(sweep(0)),
        it.reprice(sweep(0), () => undefined),
      ]);
      const since = store.calls.slice(from);
      expect(since.filter((call) => call !== "decide").sort()).toEqual([
        "expire",
        "reprice",
        "unpark",
      ]);
      expect(since.filter((call) => call === "decide").length).toBeLessThanOrEqual(4);
    }
    stopFlood();
    expect(stops).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a gap that is over is given up in the middle of a rush",
  async () => {
    const { bench, decider: it, changes, stops } = await decider();
    const id = Bun.randomUUIDv7();
    const body = messageText([row("late-comer", { a: 1 }, { id, seq: 2 })]);
    const parked = Promise.withResolvers<unknown>();
    it.accept({ ...FROM, body, done: parked.resolve });
    await parked.promise;
    expect((await bench.shards.parked(0)).orders).toBe(1);
    const stopFlood = flood(it);
    await it.unpark(sweep(FAR_OFF_MS));
    await it.recorded();
    expect(changes).toEqual([`${id} reserved`]);
    stopFlood();
    expect(stops).toEqual([]);
  },
  SLOW_MS,
);

test(
  "a waiting sweep is made once, as last requested, and settles for everyone who requested it",
  async () => {
    const { decider: it, store } = await decider();
    const stopFlood = flood(it);
    const cutoffs: number[] = [];
    const real = store.expire.bind(store);
    store.expire = (claim, options) => {
      cutoffs.push(options.cutoffMs);
      return real(claim, options);
    };
    await Promise.all([1, 2, 3].map((cutoffMs) => it.expire(sweep(cutoffMs))));
    expect(cutoffs).toEqual([3]);
    stopFlood();
  },
  SLOW_MS,
);

test(
  "a paused decider makes no sweep, and nothing waits for one",
  async () => {
    const { decider: it, store, governing } = await decider();
    governing.byHand("ops");
    const stopFlood = flood(it);
    await it.expire(sweep(0));
    expect(store.calls).toEqual([]);
    governing.byHand(undefined);
    // A sweep that waits for its turn when the pause begins is given up.
    const waits = it.unpark(sweep(0));
    governing.byHand("ops");
    await waits;
    governing.byHand(undefined);
    await it.expire(sweep(0));
    expect(store.calls).toContain("expire");
    stopFlood();
    const last = it.expire(sweep(0));
    it.stop();
    await last;
  },
  SLOW_MS,
);

test(
  "a Redis that has lost its last entry decides none of the orders behind it",
  async () => {
    const { bench, decider: it, stops } = await decider();
    const settled: string[] = [];
    const send = (id: string) => {
      const body = messageText([row("impatient", { a: 1 }, { id })]);
      it.accept({ ...FROM, body, done: () => settled.push(id) });
    };
    // Redis as it was before the first order: what a lagging replica still has.
    const before = await RedisMoment.of(bench.redis.client);
    send(Bun.randomUUIDv7());
    await until("the first order is settled", () => settled.length === 1);
    await before.putBack(bench.redis.client);
    send(Bun.randomUUIDv7());
    await until("the decider has stopped", () => stops.length === 1);
    expect(stops[0]).toStartWith("lost");
    // The next owner would record whatever is there, ahead of the first order.
    expect(await bench.shards.outbox(0, 0, 10)).toEqual([]);
    expect(settled.length).toBe(1);
  },
  SLOW_MS,
);
