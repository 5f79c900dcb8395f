// Lists and settles dead letters one by one. Listing takes messages out and returns them in order.
// A message leaves the queue only by an acknowledgement, sent after the requested action has been
// done, so an interrupted list, drop or redrive loses nothing.
import type { Channel, ChannelModel, GetMessage } from "amqplib";
import { ignore } from "../core/runtime/ignored.ts";
import { NoAnswer } from "../core/runtime/silence.ts";
import { answered } from "./answer.ts";
import { closeChannel } from "./close.ts";
import type { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable } from "./errors.ts";
import { depth } from "./inspect.ts";

export interface DeadLetter {
  /** Identifies the letter within its queue: eight hex digits, hashed from its content. */
  readonly id: string;
  readonly region: string;
  readonly queue: string;
  /**
   * Where it was sent before it was dead-lettered; undefined if it was published as a dead letter.
   */
  readonly source: { readonly exchange: string; readonly routingKey: string } | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  /** The routing key it arrived with. */
  readonly routingKey: string;
  readonly type: string | undefined;
  readonly messageId: string | undefined;
  readonly body: Buffer;
}

/** `keep` leaves it in the queue, `drop` removes it. */
export type Fate = "keep" | "drop";

/** Of a part in `fulfilment.unrouted`: a service gave it up. Any other waits for a route there. */
export function isGivenUp({ headers }: DeadLetter): boolean {
  return headers["x-reason"] !== undefined;
}

/**
 * Walks the first `limit` letters of a queue, oldest first, and applies the fate that `judge`
 * returns for each; `present` is how many are in the queue. Returns the number dropped.
 */
export async function walkDeadLetters(
  connection: BrokerConnection,
  queue: string,
  limit: number,
  judge: (letter: DeadLetter, present: number) => Fate | Promise<Fate>,
): Promise<number> {
  const { model } = connection;
  if (!model) throw new BrokerUnavailable(`no connection to the broker of ${connection.region}`);
  const asked = <T>(call: Promise<T>) => fromBroker(connection, model, call);
  const channel: Channel = await asked(model.createChannel());
  channel.on("error", () => undefined); // a rejection below reports it
  let dropped = 0;
  let kept = 0;
  try {
    // Only those present now: a letter that is redriven and dead-lettered again must not be visited
    // twice.
    const { messageCount } = await asked(channel.checkQueue(queue));
    for (let seen = 0; seen < Math.min(limit, messageCount); seen++) {
      const message = await asked(channel.get(queue));
      if (!message) break;
      if ((await judge(letterOf(connection.region, queue, message), messageCount)) === "drop") {
        channel.ack(message);
        dropped++;
      } else kept++;
    }
  } finally {
    // Unacknowledged letters go back, in order.
    await closeChannel(connection.runtime, channel);
    await untilBack(connection, queue, kept);
  }
  return dropped;
}

/** A call of the broker. BrokerUnavailable: its connection is lost, or there was no answer. */
async function fromBroker<T>(
  connection: BrokerConnection,
  model: ChannelModel,
  call: Promise<T>,
): Promise<T> {
  try {
    return await answered(connection.runtime, model, call);
  } catch (error) {
    if (!(error instanceof NoAnswer) && connection.model === model) throw error;
    throw new BrokerUnavailable(`the broker of ${connection.region} has stopped answering`);
  }
}

const BACK_WAIT_MS = 500;
const BACK_LOOK_MS = 10;

/**
 * A closed channel's messages return a moment later, and the next list should find them. Someone
 * else may have taken some, so the wait is short.
 */
async function untilBack(connection: BrokerConnection, queue: string, kept: number): Promise<void> {
  if (kept === 0) return;
  for (
    const end = connection.runtime.monotonicMs() + BACK_WAIT_MS;
    connection.runtime.monotonicMs() < end;
    await connection.runtime.sleep(BACK_LOOK_MS)
  ) {
    const seen = await ignore(depth(connection, queue), "queue_depth");
    if (seen === undefined || seen.ready >= kept) return;
  }
}

function letterOf(region: string, queue: string, message: GetMessage): DeadLetter {
  // Each listing counts as a delivery; that and the publisher's mark say nothing about the letter.
  const {
    "x-delivery-count": _looks,
    "x-sluice-tag": _tag,
    ...headers
  } = (message.properties.headers ?? {}) as Record<string, unknown>;
  const { messageId, type } = message.properties as { messageId?: string; type?: string };
  const sentUnder = message.fields.routingKey;
  const id = Bun.hash
    .xxHash32(Buffer.concat([Buffer.from(messageId ?? ""), message.content]))
    .toString(16)
    .padStart(8, "0");
  const exchange = headers["x-exchange"];
  const routingKey = headers["x-routing-key"];
  const source =
    typeof exchange === "string" && typeof routingKey === "string"
      ? { exchange, routingKey }
      : undefined;
  return {
    id,
    region,
    queue,
    source,
    headers,
    routingKey: sentUnder,
    type,
    messageId,
    body: message.content,
  };
}
