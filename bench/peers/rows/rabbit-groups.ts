// RabbitMQ, Redis and SQLite in groups of 500: the design of Sluice without its refinements. The
// front publishes one message per order to a quorum queue and waits for the confirm. The back takes
// up to 500 messages, decides them in one Lua call, records them in one transaction, and
// acknowledges them with one frame.
//
// Tuned: confirms without waiting for each, frames written once per turn, prefetch of four groups,
// `multiple` acknowledgements, a prepared statement in a transaction per group.
// Weakness: the broker handles every order as a message, and one queue has one consumer.
import type { ConsumeMessage } from "amqplib";
import { Gather } from "../gather.ts";
import type { Order, Peer } from "../peer.ts";
import { connectCorked, declareQueue, publishEach, QUEUE, QUORUM } from "../rabbit-queue.ts";
import { prepareStock, RedisStock, unitsInRedis } from "../redis-stock.ts";
import { SqliteLedger } from "../sqlite-ledger.ts";

const GROUP_ORDERS = 500;
const PREFETCH_GROUPS = 4;

export const peer: Peer = {
  title: "RabbitMQ + Redis Lua + SQLite, groups of 500",
  lacks: "more than one consumer",
  stores: ["rabbitmq", "redis"],
  ledger: "sqlite",
  chunk: 100,
  window: 10_000,
  prepare: async ({ rabbitmq, redis }, items) => {
    await declareQueue(rabbitmq, QUORUM);
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
    const stock = new RedisStock(redis);
    const ledger = new SqliteLedger(sqlite);
    const connection = await connectCorked(rabbitmq);
    const channel = await connection.createChannel();
    await channel.prefetch(GROUP_ORDERS * PREFETCH_GROUPS);
    const groups = new Gather<ConsumeMessage>({ most: GROUP_ORDERS, lanes: 1 }, async (group) => {
      const orders = group.map(({ content }) => JSON.parse(content.toString()) as Order);
      recorded(ledger.record(orders, await stock.decide(orders)));
      channel.ack(group[group.length - 1] as ConsumeMessage, true);
    });
    await channel.consume(QUEUE, (message) => message && void groups.add([message]));
    return {
      close: async () => {
        await connection.close();
        await stock.close();
        ledger.close();
      },
    };
  },
  unitsLeft: ({ redis }) => unitsInRedis(redis),
};
