// The broker refuses something while the line holds: it closes a channel, deletes a queue, or asks
// publishers to stop.
import { afterEach, expect, test } from "bun:test";
import { type Channel, connect } from "amqplib";
import { realRuntime } from "../core/runtime/runtime.ts";
import { startRabbit } from "../services/rabbitmq.ts";
import { testDir, testRabbit } from "../test/services.ts";
import { until } from "../test/until.ts";
import { CLOSE_TIMEOUT_MS } from "./close.ts";
import { BrokerConnection } from "./connection.ts";
import { declare } from "./declare.ts";
import { Publisher } from "./publisher.ts";
import { Subscription } from "./subscriber.ts";
import { ORDERS_EXCHANGE, ordersQueue, topology } from "./topology.ts";

const BOOT_MS = 60_000;
const QUEUE = ordersQueue(0);
const TOPOLOGY = topology(1);

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function connected(url: string, confirmTimeoutMs = 60_000) {
  const events: string[] = [];
  const broker = new BrokerConnection({
    runtime: realRuntime,
    region: { name: "eu", url },
    topology: TOPOLOGY,
    log: (event) => events.push(event),
  });
  open.push(broker);
  await broker.start();
  const out = new Publisher(broker, { confirmTimeoutMs });
  await out.start();
  const send = (body: string) => out.publish(ORDERS_EXCHANGE, "0", Buffer.from(body));
  return { broker, out, send, events };
}

/** A subscription that settles nothing, with what it received and how often it lost its channel. */
async function holding(broker: BrokerConnection) {
  const seen = { bodies: [] as string[], losses: 0 };
  const subscription = new Subscription(broker, {
    queue: QUEUE,
    prefetch: 10,
    handler: ({ body }) => seen.bodies.push(body.toString()),
    onLost: () => seen.losses++,
  });
  await subscription.start();
  return { subscription, seen };
}

/**
 * Makes the broker close the channel, as it does when an acknowledgement is overdue, by
 * acknowledging a message that was never delivered.
 */
function offend(subscription: Subscription): Promise<void> {
  const { channel } = subscription as unknown as { channel: Channel };
  const closed = new Promise<void>((resolve) => channel.once("close", () => resolve()));
  channel.ack({ fields: { deliveryTag: 999 } } as Parameters<Channel["ack"]>[0]);
  return closed;
}

test(
  "a publish that closes its channel is unknown; the publisher reconnects and declares the rest",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const { broker, send, events } = await connected(url);
    const raw = await connect(url);
    await (await raw.createChannel()).deleteExchange(ORDERS_EXCHANGE);
    await raw.close();
    expect(await send("no exchange")).toBe("unknown");
    await until(
      "a second connection",
      () => events.filter((event) => event === "broker up").length === 2,
    );
    expect(broker.up).toBe(true);
    expect(await send("x")).toBe("confirmed");
  },
  BOOT_MS,
);

test(
  "a subscription whose channel the broker closes consumes again there; a quiet one does not",
  async () => {
    const { broker, send } = await connected(await (await testRabbit()).freshVhost());
    const { model } = broker;
    const { subscription, seen } = await holding(broker);
    await send("m");
    await until("it is in flight", () => seen.bodies.length === 1);
    await offend(subscription);
    await until("it is in flight again", () => seen.bodies.length === 2);
    expect([seen.losses, broker.model === model]).toEqual([1, true]);
    await subscription.quiet();
    await offend(subscription);
    const { seen: next } = await holding(broker);
    await until("the next consumer has it", () => next.bodies.length === 1);
    await Bun.sleep(1_000); // twice the wait before it would consume again
    expect([seen.losses, subscription.consuming]).toEqual([2, false]);
  },
  BOOT_MS,
);

test(
  "a subscription whose queue is deleted consumes again once the queue is declared again",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const { broker, send } = await connected(url);
    const { seen } = await holding(broker);
    const raw = await connect(url);
    await (await raw.createChannel()).deleteQueue(QUEUE);
    await until("the loss is noticed", () => seen.losses > 1); // at least one attempt failed
    await declare(realRuntime, raw, TOPOLOGY, "eu");
    await raw.close();
    expect(await send("again")).toBe("confirmed");
    await until("it consumes", () => seen.bodies.includes("again"));
  },
  BOOT_MS,
);

test("under a memory alarm publishes are unsent and close() returns; both recover", async () => {
  // A node of its own: an alarm stops every publisher of a node.
  const node = await startRabbit(testDir("blocked-rabbit"), { vhosts: ["eu"] });
  open.push({ close: () => node.kill() });
  const { broker, out, send, events } = await connected(node.url("eu"));
  const { subscription, seen } = await holding(broker);
  expect(await send("before")).toBe("confirmed");
  await node.ctl("set_vm_memory_high_watermark", "absolute", "1MB");
  // The broker notifies only those who publish; it does not read the first message after the alarm
  // until the alarm is over.
  const during = send("during");
  await until("the broker has blocked us", () => broker.blocked);
  const blockedMs = performance.now();
  // No publish waits a minute for a confirm that cannot come.
  expect(await during).toBe("unknown");
  expect(performance.now() - blockedMs).toBeLessThan(1_000);
  expect([out.ready, await send("x"), broker.up]).toEqual([false, "unsent", true]);
  const startedMs = performance.now();
  await subscription.close();
  expect(performance.now() - startedMs).toBeLessThan(CLOSE_TIMEOUT_MS * 2);
  await node.ctl("set_vm_memory_high_watermark", "absolute", "2GB");
  await until("the broker has unblocked us", () => !broker.blocked);
  expect(await send("after")).toBe("confirmed");
  expect(events).toEqual(["broker up", "broker blocked", "broker unblocked"]);
  expect(seen.bodies).toEqual(["before"]);
  const { seen: next } = await holding(broker);
  await until("all three", () => next.bodies.length === 3);
  expect(next.bodies).toEqual(["before", "during", "after"]);
}, 120_000);
