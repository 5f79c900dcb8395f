// RabbitMQ, Redis and SQLite one by one, as the tutorials have it: a durable queue with persistent
// messages, then for each message SET NX against duplicates, DECRBY per line, INSERT, ack.
//
// Tuned a little: confirms, a prefetch of 100 instead of 1, frames written once per turn, a
// write-ahead log with synchronous=NORMAL.
// Weakness: each step is a round trip of its own. A crash after SET NX loses the order: its
// redelivery looks like a duplicate. Lines given back in the meantime refuse others. A power cut
// loses the last transactions, which were acknowledged.
import type { ConsumeMessage } from "amqplib";
import type { Redis } from "ioredis";
import type { Line, Order, Peer } from "../peer.ts";
import { connectCorked, declareQueue, publishEach, QUEUE } from "../rabbit-queue.ts";
import { openRedis, prepareStock, STOCK_KEY, unitsInRedis } from "../redis-stock.ts";
import { SqliteLedger } from "../sqlite-ledger.ts";

const PREFETCH = 100;
const DAY_S = 86_400;

export const peer: Peer = {
  title: "RabbitMQ + Redis + SQLite one by one, as in tutorials",
  lacks: "atomic decisions: a crash between two steps loses an order or its units",
  stores: ["rabbitmq", "redis"],
  ledger: "sqlite",
  chunk: 100,
  window: 5_000,
  prepare: async ({ rabbitmq, redis }, items) => {
    await declareQueue(rabbitmq, {});
    await prepareStock(redis, items);
  },
  front: async ({ rabbitmq }) => {
    const connection = await connectCorked(rabbitmq);
    const channel = await connection.createConfirmChannel();
    return {
      submit: (orders) => publishEach(channel, orders),
      close: () => connection.close(),
    };
  },
  back: async ({ rabbitmq, redis, sqlite }, recorded) => {
    const client = openRedis(redis);
    const ledger = new SqliteLedger(sqlite, "NORMAL");
    const connection = await connectCorked(rabbitmq);
    const channel = await connection.createChannel();
    await channel.prefetch(PREFETCH);
    const handle = async (message: ConsumeMessage) => {
      const order = JSON.parse(message.content.toString()) as Order;
      const key = `order:${order.user}:${order.id}`;
      if (await client.set(key, "seen", "EX", DAY_S, "NX")) {
        const outcome = (await take(client, order.lines)) ? "reserved" : "sold_out";
        recorded(ledger.record([order], [outcome]));
      }
      channel.ack(message);
    };
    await channel.consume(QUEUE, (message) => message && void handle(message));
    return {
      close: async () => {
        await connection.close();
        client.disconnect();
        ledger.close();
      },
    };
  },
  unitsLeft: ({ redis }) => unitsInRedis(redis),
};

/** Takes the units of all lines, or gives back what it took. */
async function take(redis: Redis, lines: readonly Line[]): Promise<boolean> {
  const taken: Line[] = [];
  for (const line of lines) {
    const left = await redis.hincrby(STOCK_KEY, line.sku, -line.qty);
    taken.push(line);
    if (left >= 0) continue;
    for (const { sku, qty } of taken) await redis.hincrby(STOCK_KEY, sku, qty);
    return false;
  }
  return true;
}
