// Every peer keeps its rules with 2,000 orders, some of them submitted twice. Long, since it starts
// the stores of nine systems: ./sluice test peers.
import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type PrivateRabbit, startRabbit } from "../../services/rabbitmq.ts";
import { emptyDatabase, testDir, testRedis } from "../../test/services.ts";
import { Gather } from "./gather.ts";
import { loadPeer, PEERS, type PeerName } from "./list.ts";
import type { Order, Places } from "./peer.ts";
import {
  batchOf,
  openPool,
  PLACE,
  placed,
  postgresRows,
  prepareLedger,
  unitsInPostgres,
} from "./postgres-ledger.ts";
import { prepareStock, RedisStock, unitsInRedis } from "./redis-stock.ts";
import { PeerSystem } from "./system.ts";

const ORDERS = 2_000;
const DRIVE = { seconds: 10, orders: ORDERS, twice: true };

/** Databases of the Redis that all tests share; the first is everybody's. */
let redisDatabases = 1;

async function placesFor(name: PeerName): Promise<Places> {
  const { stores } = await loadPeer(name);
  return {
    redis: stores.includes("redis") ? await ownRedis() : "",
    rabbitmq: stores.includes("rabbitmq") ? await ownVhost(name) : "",
    postgres: stores.includes("postgres") ? await emptyDatabase() : "",
    sqlite: join(testDir("peer"), "ledger.db"),
  };
}

/** A node with few virtual hosts starts sooner than the one that all tests share. */
let rabbit: Promise<PrivateRabbit> | undefined;

async function ownVhost(name: PeerName): Promise<string> {
  rabbit ??= startRabbit(testDir("peers-rabbit"), { vhosts: PEERS });
  return (await rabbit).url(name);
}

afterAll(async () => (await rabbit)?.kill());

async function ownRedis(): Promise<string> {
  return `${(await testRedis()).url}/${redisDatabases++}`;
}

test.concurrent.each(PEERS.map((name) => [name] as const))(
  "%s keeps the rules",
  async (name) => {
    const system = await PeerSystem.start(name, await placesFor(name));
    try {
      await system.drive(DRIVE);
      expect(await system.drained()).toBeGreaterThanOrEqual(ORDERS);
      expect(await system.violations()).toEqual([]);
    } finally {
      await system.stop();
    }
  },
  60_000,
);

/** Orders for one unit of `last`, of which there are three, and a repeated one. */
function orders(): Order[] {
  const of = (n: number): Order => ({
    user: "ann",
    id: `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`,
    lines: [
      { sku: "many", qty: 2 },
      { sku: "last", qty: 1 },
    ],
  });
  return [0, 1, 1, 2, 3, 4].map(of);
}
const ITEMS = [
  { sku: "many", units: 100 },
  { sku: "last", units: 3 },
];
const LEFT = new Map([
  ["many", 94],
  ["last", 0],
]);

test("Postgres sells the last unit of a batch once, whatever else is in the batch", async () => {
  const url = await emptyDatabase();
  await prepareLedger(url, ITEMS);
  const pool = openPool(url, 2);
  expect(await placed(pool, PLACE, batchOf(orders()))).toBe(5);
  expect(await placed(pool, PLACE, batchOf(orders()))).toBe(0);
  await pool.close();
  const rows = (await Array.fromAsync(postgresRows(url))).flat();
  expect(rows.map(({ outcome }) => outcome)).toEqual([
    ...["reserved", "reserved", "reserved"],
    ...["sold_out", "sold_out"],
  ]);
  expect(await unitsInPostgres(url)).toEqual(LEFT);
});

test("Redis sells the last unit once, and a repeated order keeps its outcome", async () => {
  const url = await ownRedis();
  await prepareStock(url, ITEMS);
  const stock = new RedisStock(url);
  const outcomes = ["reserved", "reserved", "reserved", "reserved", "sold_out", "sold_out"];
  expect(await stock.decide(orders())).toEqual(outcomes as never);
  expect(await stock.decide(orders())).toEqual(outcomes as never);
  await stock.close();
  expect(await unitsInRedis(url)).toEqual(LEFT);
});

test("groups fill while others are in flight, and a failure reaches its waiters", async () => {
  const groups: number[] = [];
  const held = Promise.withResolvers<void>();
  const gather = new Gather<number>({ most: 3, lanes: 1 }, async (group) => {
    groups.push(group.length);
    await held.promise;
    if (group.includes(7)) throw new Error("no");
  });
  const first = gather.add([1]);
  while (groups.length === 0) await Bun.sleep(1);
  const more = gather.add([2, 3]);
  const failing = gather.add([4, 5, 6, 7]);
  held.resolve();
  await first;
  await more;
  expect(failing).rejects.toThrow("no");
  await failing.catch(() => undefined);
  expect(groups).toEqual([1, 3, 3]);
});
