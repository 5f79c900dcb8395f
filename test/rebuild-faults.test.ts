// Rebuilds in trouble, with real services: Redis fails over or fills up while it is loaded, or two
// workers want to rebuild it.
import { afterEach, expect, test } from "bun:test";
import { Redis } from "ioredis";
import { at } from "../core/domain/at.ts";
import type { Entry } from "../core/domain/entry.ts";
import { Members } from "../core/stores/members.ts";
import { LostWhileLoading, RebuildStore } from "../core/stores/rebuild-store.ts";
import { SqlLedger } from "../ledger/sql-ledger.ts";
import { TcpProxy } from "../proof/chaos/tcp-proxy.ts";
import { startRedis } from "../services/redis.ts";
import { patch as patchUntil } from "./patch.ts";
import { testDir } from "./services.ts";
import { makeOrder, SHARDS, Stack, type StackOptions, userOf } from "./stack.ts";

const SLOW_MS = 120_000;
let stack: Stack;
const undo: (() => unknown)[] = [];
afterEach(async () => {
  await stack?.stop();
  for (const u of undo.splice(0).reverse()) await u();
}, SLOW_MS);

const patch = <T extends object, K extends keyof T>(
  target: T,
  name: K,
  make: (real: T[K]) => T[K],
) => patchUntil(undo, target, name, make);

/** Runs `before` just before a shard's journal is read. */
function beforeReplay(before: (ledger: SqlLedger, shard: number) => Promise<void>): void {
  patch(
    SqlLedger.prototype,
    "replay",
    (real) =>
      async function* (this: SqlLedger, shard: number): AsyncGenerator<readonly Entry[]> {
        await before(this, shard);
        yield* real.call(this, shard);
      },
  );
}

type Started = Awaited<ReturnType<Stack["worker"]>>;

async function ready(
  options: StackOptions = {},
  workers = ["w1"],
  limitPerUser = 0,
): Promise<Started[]> {
  stack = await Stack.start(options);
  await stack.sale({ a: 10 }, { limitPerUser });
  const started: Started[] = [];
  for (const id of workers) started.push(await stack.worker(id));
  await untilOwned(started);
  return started;
}

const untilOwned = (started: readonly Started[]) =>
  stack.until(
    "all shards to be owned",
    async () =>
      started.flatMap(({ worker }) => worker.shards).length === SHARDS &&
      (await stack.ledger.operationsOpen()).length === 0,
    40_000,
  );

async function order(user: string): Promise<string> {
  const { order, row } = makeOrder(user, { a: 1 });
  await stack.publish(0, [row]);
  await stack.decided(user, order.id, 40_000);
  return order.id;
}

const count = (event: string) => stack.events.filter((e) => e.event === event).length;

/** A Redis server, a replica of it, and a TCP line that leads to the first. */
async function pair() {
  const first = await startRedis(testDir("first"), { persistence: false });
  const second = await startRedis(testDir("second"), { persistence: false });
  const line = await TcpProxy.to(first.url);
  const clients = { first: new Redis(first.url), second: new Redis(second.url) };
  await clients.second.replicaof("127.0.0.1", first.port);
  undo.push(async () => {
    for (const client of Object.values(clients)) client.disconnect();
    await line.close();
    await Promise.all([first.kill(), second.kill()]);
  });
  const offset = async (client: Redis, name: string) =>
    new RegExp(`${name}:(\\d+)`).exec(await client.info("replication"))?.[1];
  return {
    url: line.through(first.url),
    ...clients,
    caughtUp: async () =>
      (await offset(clients.first, "master_repl_offset")) ===
      (await offset(clients.second, "slave_repl_offset")),
    /** From here on the second server receives nothing from the first. */
    part: () => clients.second.replicaof("NO", "ONE"),
    failOver: async () => {
      const before = line.accepted;
      (line as unknown as { target: object }).target = { host: "127.0.0.1", port: second.port };
      line.cut();
      await stack.until("a connection to the second Redis", () => line.accepted > before);
    },
  };
}

test(
  "Redis fails over during its load to a replica without a shard: it is reloaded, nothing is lost",
  async () => {
    const redis = await pair();
    const env = { SLUICE_REDIS_URL: redis.url, SLUICE_GOVERNOR_CPU: "off" };
    const started = await ready({ env }, ["w1"], 1);
    const user = userOf(0);
    const id = await order(user);
    await stack.until("the replica to follow", redis.caughtUp);
    let [parted, failedOver] = [false, false];
    beforeReplay(async (_, shard) => {
      if (shard === 0 && !parted) {
        parted = true;
        await stack.until("the replica to have it all", redis.caughtUp);
        await redis.part();
      } else if (shard === 1 && !failedOver) {
        failedOver = true;
        await redis.failOver();
        await Bun.sleep(1_500); // the worker reconnects
      }
    });
    const [rebuilt, again] = [count("redis rebuilt"), count("rebuild begins again")];
    await redis.first.flushall();
    await stack.until("a rebuild", () => count("redis rebuilt") > rebuilt, 40_000);
    await untilOwned(started);
    expect(failedOver).toBe(true);
    expect(count("rebuild begins again")).toBeGreaterThan(again);
    // What the replica lacked is there again: the open order, its lane, and the user's purchases.
    expect(await redis.second.hexists("{0}:open", `${user} ${id}`)).toBe(1);
    expect(await redis.second.lrange(`{0}:lane:${user}`, 0, -1)).toEqual([id]);
    expect(await redis.second.hget("{0}:bought:s1", `${user} a`)).toBe("1");
    const second = await order(user);
    expect((await stack.ledger.order(user, second))?.state).toBe("over_limit");
    await stack.payments();
    await stack.becomes(user, id, "paid");
    expect(await stack.ledger.stock("s1")).toMatchObject([{ available: 9, held: 0, sold: 1 }]);
  },
  SLOW_MS,
);

test(
  "an announcement that expires leads to one more rebuild, not to several",
  async () => {
    const started = await ready({}, ["w1", "w2"]);
    await order(userOf(0));
    // The first rebuilder freezes and its announcement expires; it continues while the second one
    // works.
    let held: RebuildStore | undefined;
    patch(
      RebuildStore.prototype,
      "announce",
      (real) =>
        function (this: RebuildStore, incarnation, token, ttlMs) {
          const first = held === undefined;
          held ??= this;
          if (this === held && !first && rebuilders.length < 2) return new Promise(() => undefined);
          return real.call(this, incarnation, token, first ? 300 : ttlMs);
        },
    );
    const rebuilders: SqlLedger[] = [];
    const rebuilt = count("redis rebuilt");
    const others = () => count("redis rebuilt") > rebuilt;
    beforeReplay(async (ledger) => {
      if (rebuilders.includes(ledger)) return;
      rebuilders.push(ledger);
      const second = () => rebuilders.length > 1;
      if (rebuilders.length === 1) await stack.until("a second rebuilder", second, 40_000);
      else {
        const overtaken = () => count("rebuild left to others") > 0;
        await stack.until("the first one to stop", overtaken, 40_000);
        await Bun.sleep(2_500); // several beats, in which the first one must not start again
      }
    });
    const before = await stack.ledger.incarnation();
    const client = await stack.client();
    await client.client.flushall();
    await client.close();
    await stack.until("a rebuild", others, 40_000);
    await untilOwned(started);
    await Bun.sleep(3_000); // several beats, in which nobody may start another
    await order(userOf(0, 1));
    expect(await stack.ledger.incarnation()).toBe(before + 2);
    expect(count("redis rebuilt")).toBe(rebuilt + 1);
  },
  SLOW_MS,
);

test(
  "a Redis that fills up during its load is reloaded after growing pauses until it has room",
  async () => {
    const started = await ready();
    await order(userOf(0));
    const admin = new Redis(stack.redis.url);
    undo.push(() => admin.disconnect());
    let full = true;
    beforeReplay(async () => {
      if (full) await admin.config("SET", "maxmemory", "1");
    });
    const before = await stack.ledger.incarnation();
    await admin.flushall();
    await stack.until("a rebuild that fails", () => count("rebuild begins again") > 0);
    await Bun.sleep(5_000);
    const rests = stack.events
      .filter((e) => e.event === "rebuild begins again")
      .map((e) => e.restMs as number);
    // Twenty beats have passed. The pauses are 0.5, 1, 2 and 4 s, each up to a quarter more or
    // less.
    expect(rests.length).toBeLessThanOrEqual(4);
    for (let i = 1; i < rests.length; i++) expect(at(rests, i)).toBeGreaterThan(at(rests, i - 1));
    expect((await stack.ledger.incarnation()) - before).toBeLessThanOrEqual(4);
    full = false;
    await admin.config("SET", "maxmemory", "0");
    await untilOwned(started);
    await order(userOf(0, 1));
  },
  SLOW_MS,
);

test(
  "a rebuild that failed is tried again by the same worker, though no shard is its own any more",
  async () => {
    const started = await ready();
    await order(userOf(0));
    let failed = false;
    patch(
      Members.prototype,
      "claim",
      (real) =>
        async function (this: Members, ...of) {
          return failed ? "held" : real.call(this, ...of);
        },
    );
    beforeReplay(async () => {
      if (failed) return;
      failed = true;
      throw new LostWhileLoading("made up");
    });
    const rebuilt = count("redis rebuilt");
    const client = await stack.client();
    await client.client.flushall();
    await client.close();
    await stack.until("a rebuild that fails", () => count("rebuild begins again") > 0, 40_000);
    const again = () => count("redis rebuilt") > rebuilt;
    await stack.until("another one after half a second", again, 4_000);
    failed = false;
    await untilOwned(started);
    await order(userOf(0, 1));
  },
  SLOW_MS,
);
