// What a subscription does in moments that a real broker cannot be held in: its channel is closing,
// or the next turn of the pacer is still to come.
import { expect, test } from "bun:test";
import { EventEmitter } from "node:events";
import type { ChannelModel, ConsumeMessage } from "amqplib";
import { Pacer } from "../core/runtime/pacer.ts";
import { VirtualRuntime } from "../core/runtime/testing.ts";
import type { BrokerConnection } from "./connection.ts";
import type { Publisher } from "./publisher.ts";
import { type Disposition, Subscription } from "./subscriber.ts";

/** Like amqplib's: from close() to the broker's answer it refuses everything. */
class SlowChannel extends EventEmitter {
  readonly acked: number[] = [];
  deliver: (message: ConsumeMessage | null) => void = () => undefined;
  private closing = false;

  constructor(private readonly runtime: VirtualRuntime) {
    super();
  }

  async prefetch() {}

  async consume(_queue: string, deliver: SlowChannel["deliver"]) {
    this.deliver = deliver;
    return { consumerTag: "c" };
  }

  ack({ fields }: ConsumeMessage) {
    if (this.closing) throw new Error("Channel closing");
    this.acked.push(fields.deliveryTag);
  }

  async close() {
    this.closing = true;
    await this.runtime.sleep(500);
    this.emit("close");
  }
}

/** A subscription whose acknowledgements wait for a busy pacer; `settles` settle its messages. */
async function rig() {
  const runtime = new VirtualRuntime();
  const ackPacer = new Pacer({ runtime, mostMs: () => 100, fullFrom: 50 });
  ackPacer.started();
  ackPacer.carried(1_000);
  const channel = new SlowChannel(runtime);
  const model = Object.assign(new EventEmitter(), { createChannel: async () => channel });
  const connection = {
    runtime,
    model,
    attach: (open: (model: ChannelModel) => Promise<void>) => open(model as never),
    detach: () => undefined,
  } as unknown as BrokerConnection;
  const publisher = { publish: async () => "confirmed" } as unknown as Publisher;
  const settles: ((disposition: Disposition) => void)[] = [];
  const subscription = new Subscription(connection, {
    ...{ queue: "q", prefetch: 10, ackPacer, dead: { publisher, queue: "dead" } },
    handler: (_, settle) => settles.push(settle),
  });
  await subscription.start();
  const deliver = (deliveryTag: number) =>
    channel.deliver({
      content: Buffer.from("x"),
      fields: { deliveryTag, exchange: "", routingKey: "q", redelivered: false },
      properties: {},
    } as unknown as ConsumeMessage);
  return { runtime, channel, subscription, deliver, settles };
}

test("what is settled while the broker ends the consumer breaks nothing", async () => {
  const { runtime, channel, subscription, deliver, settles } = await rig();
  deliver(1);
  settles[0]?.("ack");
  await runtime.advance(1);
  channel.deliver(null);
  await runtime.advance(200); // the pacer's turn comes before the channel has closed
  expect(channel.acked).toEqual([]);
  const closed = subscription.close();
  await runtime.advance(10_000);
  await closed;
});

test("a subscription is closed although its channel is closing already", async () => {
  const { runtime, channel, subscription, deliver, settles } = await rig();
  deliver(1);
  settles[0]?.("ack");
  channel.deliver(null);
  let closed = false;
  void subscription.close().then(() => {
    closed = true;
  });
  await runtime.advance(10_000);
  expect(closed).toBe(true);
});

test("a message whose copy is in the dead letters is acknowledged at once", async () => {
  const { runtime, channel, deliver, settles } = await rig();
  deliver(1);
  settles[0]?.({ kind: "dead", reason: "unreadable" });
  await runtime.advance(1);
  expect(channel.acked).toEqual([1]);
});
