// The simulated broker under the real connection, publisher and subscriptions.
import { beforeEach, expect, test } from "bun:test";
import { BrokerConnection } from "../../../broker/connection.ts";
import { Publisher, type PublishOutcome } from "../../../broker/publisher.ts";
import { type Delivery, Subscription } from "../../../broker/subscriber.ts";
import { ordersKey, ordersQueue, PAYMENTS, RETRIES, topology } from "../../../broker/topology.ts";
import { CALM, WorldBroker } from "./broker.ts";
import { TestScheduler } from "./testing.ts";

const SHARDS = 2;
const MAX_LENGTH = 5;
const CONFIRM_MS = 5_000;
const HEARTBEAT_S = 1;

let scheduler: TestScheduler;
let broker: WorldBroker;

function worldOf(seed: number): void {
  scheduler = new TestScheduler(seed);
  broker = new WorldBroker({ scheduler, name: "eu", accounts: true });
}

beforeEach(() => worldOf(1));

async function connectionOf(process: string, user = "worker"): Promise<BrokerConnection> {
  const runtime = scheduler.runtime();
  const connection = new BrokerConnection({
    runtime,
    region: { name: "eu", url: `amqp://${user}:x@eu` },
    topology: topology(SHARDS, MAX_LENGTH),
    heartbeatS: HEARTBEAT_S,
    connect: broker.dialer(process, runtime),
  });
  await scheduler.until(connection.start());
  return connection;
}

async function publisherOf(process: string, user = "worker"): Promise<Publisher> {
  const connection = await connectionOf(process, user);
  const publisher = new Publisher(connection, { confirmTimeoutMs: CONFIRM_MS });
  await scheduler.until(publisher.start());
  return publisher;
}

/** A gateway's order, to shard 0. A worker has declared the topology before. */
const order = (publisher: Publisher, body: string): Promise<PublishOutcome> =>
  publisher.publish("orders", ordersKey(0), Buffer.from(body));

interface Consumed {
  readonly connection: BrokerConnection;
  readonly subscription: Subscription;
  readonly got: string[];
  readonly deliveries: Delivery[];
  readonly settle: (() => void)[];
  lost: number;
}

async function consume(process: string, queue: string, prefetch = 10): Promise<Consumed> {
  const connection = await connectionOf(process);
  const consumed: { -readonly [K in keyof Consumed]?: Consumed[K] } & Consumed = {
    ...{ connection, got: [], deliveries: [], settle: [], lost: 0 },
    subscription: new Subscription(connection, {
      queue,
      prefetch,
      handler: (delivery, settle) => {
        consumed.got.push(`${delivery.body} ${delivery.deliveries}`);
        consumed.deliveries.push(delivery);
        consumed.settle.push(() => settle("ack"));
      },
      onLost: () => consumed.lost++,
    }),
  };
  await scheduler.until(consumed.subscription.start());
  return consumed;
}

/** A worker that declares, and a gateway that publishes. */
async function gateway(): Promise<Publisher> {
  await connectionOf("declarer");
  return publisherOf("gateway", "gateway");
}

test("an order is confirmed, delivered with its sender, and gone once acknowledged", async () => {
  const publisher = await gateway();
  expect(await scheduler.until(order(publisher, "a"))).toBe("confirmed");
  const worker = await consume("w", ordersQueue(0));
  await scheduler.run(() => worker.got.length > 0);
  expect(worker.deliveries[0]).toMatchObject({ userId: "gateway", exchange: "orders" });
  worker.settle[0]?.();
  await scheduler.run();
  expect([broker.queue(ordersQueue(0))?.length, worker.got]).toEqual([0, ["a 0"]]);
});

test("a closed channel's messages go to the next one, in order, ahead of later ones", async () => {
  const publisher = await gateway();
  const [first, second] = [
    await consume("w1", ordersQueue(0), 3),
    await consume("w2", ordersQueue(0)),
  ];
  for (const body of ["a", "b", "c", "d"]) await scheduler.until(order(publisher, body));
  await scheduler.run(undefined, 100);
  expect([first.got, second.got]).toEqual([["a 0", "b 0", "c 0"], []]);
  first.settle[0]?.();
  await scheduler.run(undefined, 100);
  await scheduler.until(first.subscription.close());
  await scheduler.run(undefined, 100);
  expect(second.got).toEqual(["b 1", "c 1", "d 1"]);
});

test("unroutable: returned; over the limit: nacked, until there is room", async () => {
  const publisher = await gateway();
  const nowhere = publisher.publish("orders", "99", Buffer.from("x"));
  expect(await scheduler.until(nowhere)).toBe("returned");
  const outcomes: PublishOutcome[] = [];
  for (let i = 0; i < MAX_LENGTH + 3; i++)
    outcomes.push(await scheduler.until(order(publisher, `${i}`)));
  // The limit is soft: the first message beyond it is taken, and closes the queue.
  expect(outcomes.indexOf("nacked")).toBe(MAX_LENGTH + 1);
  const worker = await consume("w", ordersQueue(0), 2);
  await scheduler.run(() => worker.got.length === 2);
  expect(await scheduler.until(order(publisher, "again"))).toBe("confirmed");
});

test("a late confirm is unknown, and the message is there", async () => {
  const publisher = await gateway();
  broker.trouble = { ...CALM, atOnce: 0, late: 1, lateMs: 100_000 };
  expect(await scheduler.until(order(publisher, "a"))).toBe("unknown");
  await scheduler.run(undefined, 100_000);
  expect(broker.queue(ordersQueue(0))?.length).toBe(1);
});

test.each([
  ["confirmLost", 1],
  ["publicationLost", 0],
] as const)("with %s the outcome is unknown, and the queue has %d", async (trouble, length) => {
  const publisher = await gateway();
  broker.trouble = { ...CALM, [trouble]: 1 };
  expect(await scheduler.until(order(publisher, "a"))).toBe("unknown");
  expect(broker.queue(ordersQueue(0))?.length).toBe(length);
});

test("a crashed node keeps what it confirmed; the rest is kept or lost", async () => {
  const kept = new Set<number>();
  for (let seed = 1; seed <= 20; seed++) {
    worldOf(seed);
    const publisher = await gateway();
    expect(await scheduler.until(order(publisher, "a"))).toBe("confirmed");
    broker.trouble = { ...CALM, atOnce: 0, late: 1, lateMs: 4_000 };
    const open = order(publisher, "b");
    await scheduler.run(() => scheduler.trace.at(-1)?.includes("BasicPublish") === true);
    broker.crash();
    expect(await scheduler.until(open)).toBe("unknown");
    broker.trouble = CALM;
    broker.start();
    const worker = await consume("w", ordersQueue(0));
    await scheduler.run(undefined, 5_000);
    expect(worker.got[0]).toBe("a 0");
    kept.add(worker.got.length);
    await scheduler.run(() => publisher.ready);
  }
  expect([...kept].sort()).toEqual([1, 2]);
});

test("cut off, both sides give up by heartbeats, and it goes on after", async () => {
  const publisher = await gateway();
  const [first, second] = [
    await consume("w1", ordersQueue(0)),
    await consume("w2", ordersQueue(0)),
  ];
  await scheduler.until(order(publisher, "a"));
  await scheduler.run(() => first.got.length === 1);
  broker.cut("w1");
  await scheduler.run(undefined, 3 * HEARTBEAT_S * 1_000);
  expect([first.lost, second.got]).toEqual([1, ["a 1"]]);
  broker.heal("w1");
  await scheduler.run(() => first.connection.up);
});

test("a frozen process loses its messages, and finds out when it is thawed", async () => {
  const publisher = await gateway();
  const [first, second] = [
    await consume("w1", ordersQueue(0)),
    await consume("w2", ordersQueue(0)),
  ];
  await scheduler.until(order(publisher, "a"));
  await scheduler.run(() => first.got.length === 1);
  broker.freeze("w1");
  await scheduler.run(() => second.got.length === 1, 5_000);
  expect([first.lost, second.got]).toEqual([0, ["a 1"]]);
  broker.thaw("w1");
  await scheduler.run(() => first.lost === 1, 5_000);
});

test("a crashed process receives nothing more; its messages come back", async () => {
  const publisher = await gateway();
  const [first, second] = [
    await consume("w1", ordersQueue(0)),
    await consume("w2", ordersQueue(0)),
  ];
  await scheduler.until(order(publisher, "a"));
  await scheduler.run(() => first.got.length === 1);
  broker.crashed("w1");
  await scheduler.run(() => second.got.length === 1, 5_000);
  expect([first.lost, second.got]).toEqual([0, ["a 1"]]);
});

test("an alarm blocks who publishes, and ends", async () => {
  const publisher = await gateway();
  broker.alarm("memory");
  expect(await scheduler.until(order(publisher, "a"))).toBe("confirmed");
  await scheduler.run(() => !publisher.ready, 1_000);
  expect(await scheduler.until(order(publisher, "b"))).toBe("unsent");
  broker.endAlarm();
  await scheduler.run(() => publisher.ready, 1_000);
  expect(await scheduler.until(order(publisher, "c"))).toBe("confirmed");
});

test("a retry waits its time, at the head of its queue, then is a payment again", async () => {
  const publisher = await publisherOf("w");
  const retry = (body: string, expiration: number) =>
    publisher.publish("", RETRIES[0], Buffer.from(body), { expiration });
  await scheduler.until(Promise.all([retry("a", 3_000), retry("b", 1_000)]));
  const worker = await consume("p", PAYMENTS);
  await scheduler.run(undefined, 2_900);
  expect(worker.got).toEqual([]);
  await scheduler.run(undefined, 200);
  expect(worker.got).toEqual(["a 0", "b 0"]);
});

test("another's user_id, and a queue without the right to it, close the channel", async () => {
  const connection = await connectionOf("w");
  const model = connection.model;
  if (!model) throw new Error("it is not connected");
  const codes: number[] = [];
  const channel = await scheduler.until(model.createConfirmChannel());
  channel.on("error", (error: { code: number }) => codes.push(error.code));
  channel.publish("", PAYMENTS, Buffer.from("x"), { userId: "gateway" });
  await scheduler.run(undefined, 100);
  const other = await scheduler.until(model.createChannel());
  other.on("error", () => undefined);
  const declared = other.assertQueue("somebody-else").catch((error) => codes.push(error.code));
  await scheduler.until(declared);
  expect(codes).toEqual([406, 403]);
});

test("a deleted queue ends its consumers, which come back once it is declared again", async () => {
  const worker = await consume("w", ordersQueue(0));
  broker.deleteQueue(ordersQueue(0));
  await scheduler.run(() => worker.lost === 1, 1_000);
  await connectionOf("declarer");
  await scheduler.run(() => worker.subscription.consuming, 5_000);
});

test("the same seed gives the same trace, byte for byte", async () => {
  const run = async (): Promise<string> => {
    worldOf(9);
    const publisher = await gateway();
    const workers = [await consume("w1", ordersQueue(0)), await consume("w2", ordersQueue(0))];
    broker.trouble = { ...CALM, slow: 0.1, late: 0.1, confirmLost: 0.05, quickSetup: 0.5 };
    const ends: string[] = [];
    for (let i = 0; i < 20; i++) {
      void order(publisher, `${i}`).then((outcome) => ends.push(`${i} ${outcome}`));
      await scheduler.run(undefined, 200);
      for (const { settle } of workers) settle.shift()?.();
      if (i === 10) broker.crash();
      if (i === 12) broker.start();
    }
    await scheduler.run(undefined, 30_000);
    return [...scheduler.trace, ...ends, ...workers.flatMap(({ got }) => got)].join("\n");
  };
  expect(await run()).toBe(await run());
});
