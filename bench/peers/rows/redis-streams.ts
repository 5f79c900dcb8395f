// Redis Streams: a stream as the queue, Lua and SQLite as in the row with RabbitMQ. The front adds
// orders in pipelines. The back reads up to 500 in a consumer group, decides and records them, then
// acknowledges and trims them.
//
// Tuned: pipelined XADD, the next read is under way while a group is handled, one XACK and one
// XTRIM per group.
// Weakness: with `appendfsync everysec` a power cut loses the last second of accepted orders.
import type { Redis } from "ioredis";
import { Gather } from "../gather.ts";
import type { Order, Peer } from "../peer.ts";
import { openRedis, prepareStock, RedisStock, unitsInRedis, withRedis } from "../redis-stock.ts";
import { SqliteLedger } from "../sqlite-ledger.ts";

const STREAM = "orders";
const GROUP = "workers";
const CONSUMER = "worker-1";
const GROUP_ORDERS = 500;
const PIPELINES = 4;
const BLOCK_MS = 1_000;

type Entry = [id: string, fields: string[]];

export const peer: Peer = {
  title: "Redis Streams + Lua + SQLite",
  lacks: "a synced write before the answer",
  stores: ["redis"],
  ledger: "sqlite",
  chunk: 100,
  window: 10_000,
  prepare: async ({ redis }, items) => {
    await prepareStock(redis, items);
    await withRedis(redis, (client) => client.xgroup("CREATE", STREAM, GROUP, "0", "MKSTREAM"));
  },
  front: async ({ redis }) => {
    const client = openRedis(redis);
    const options = { most: GROUP_ORDERS, lanes: PIPELINES };
    const pipelines = new Gather<Order>(options, (orders) => addAll(client, orders));
    return {
      submit: (orders) => pipelines.add(orders),
      close: async () => void (await client.quit()),
    };
  },
  back: async ({ redis, sqlite }, recorded) => {
    const stock = new RedisStock(redis);
    const ledger = new SqliteLedger(sqlite);
    const reading = openRedis(redis, { blocking: true });
    const client = openRedis(redis);
    let open = true;
    const work = async () => {
      let next = readGroup(reading);
      while (open) {
        const entries = await next;
        next = readGroup(reading);
        const last = entries[entries.length - 1];
        if (!last) continue;
        const orders = entries.map(([, fields]) => JSON.parse(fields[1] as string) as Order);
        recorded(ledger.record(orders, await stock.decide(orders)));
        const acknowledged = client.xack(STREAM, GROUP, ...entries.map(([id]) => id));
        await Promise.all([acknowledged, client.xtrim(STREAM, "MINID", last[0])]);
      }
      await next;
    };
    const working = work();
    return {
      close: async () => {
        open = false;
        await working;
        reading.disconnect();
        client.disconnect();
        await stock.close();
        ledger.close();
      },
    };
  },
  unitsLeft: ({ redis }) => unitsInRedis(redis),
};

async function addAll(client: Redis, orders: readonly Order[]): Promise<void> {
  const pipeline = client.pipeline();
  for (const order of orders) pipeline.xadd(STREAM, "*", "o", JSON.stringify(order));
  const failed = (await pipeline.exec())?.find(([error]) => error);
  if (failed) throw failed[0];
}

async function readGroup(client: Redis): Promise<Entry[]> {
  const from = ["GROUP", GROUP, CONSUMER, "COUNT", GROUP_ORDERS, "BLOCK", BLOCK_MS] as const;
  const streams = (await client.xreadgroup(...from, "STREAMS", STREAM, ">")) as
    | [stream: string, entries: Entry[]][]
    | null;
  return streams?.[0]?.[1] ?? [];
}
