// One durable queue on RabbitMQ for the peers that buffer there.
import type { ChannelModel, ConfirmChannel } from "amqplib";
import { connect } from "amqplib";
import { corkPerTick } from "../../broker/cork.ts";
import type { Order } from "./peer.ts";

export const QUEUE = "orders";
export const QUORUM = { "x-queue-type": "quorum" };

export async function withRabbit<T>(
  url: string,
  work: (connection: ChannelModel) => Promise<T>,
): Promise<T> {
  const connection = await connect(url);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

export async function declareQueue(url: string, queueArguments: object): Promise<void> {
  await withRabbit(url, async (connection) => {
    const channel = await connection.createChannel();
    await channel.assertQueue(QUEUE, { durable: true, arguments: queueArguments });
  });
}

/** Frames of one turn leave in one write: amqplib alone makes a system call per message. */
export async function connectCorked(url: string): Promise<ChannelModel> {
  const connection = await connect(url);
  corkPerTick(connection);
  return connection;
}

/** Publishes one persistent message per order; resolves when the broker has confirmed them all. */
export function publishEach(channel: ConfirmChannel, orders: readonly Order[]): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let left = orders.length;
  for (const order of orders)
    channel.sendToQueue(
      QUEUE,
      Buffer.from(JSON.stringify(order)),
      { persistent: true },
      (error) => {
        if (error) reject(error);
        else if (--left === 0) resolve();
      },
    );
  return promise;
}
