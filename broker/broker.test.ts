import { afterEach, expect, test } from "bun:test";
import { connect } from "amqplib";
import { realRuntime } from "../core/runtime/runtime.ts";
import { startRabbit } from "../services/rabbitmq.ts";
import { testDir, testRabbit } from "../test/services.ts";
import { BrokerConnection } from "./connection.ts";
import { BrokerUnavailable, TopologyConflict } from "./errors.ts";
import { depth } from "./inspect.ts";
import { Publisher } from "./publisher.ts";
import { type Delivery, type Disposition, Subscription } from "./subscriber.ts";
import { ORDERS_DEAD, ORDERS_EXCHANGE, ordersQueue, topology } from "./topology.ts";

const BOOT_MS = 60_000;
const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function connection(url: string, maxLength?: number): Promise<BrokerConnection> {
  const made = new BrokerConnection({
    runtime: realRuntime,
    region: { name: "eu", url },
    topology: topology(2, maxLength),
  });
  open.push(made);
  await made.start();
  return made;
}

async function publisher(of: BrokerConnection): Promise<Publisher> {
  const made = new Publisher(of, { confirmTimeoutMs: 5_000 });
  await made.start();
  return made;
}

interface Connected {
  readonly connection: { readonly channels: readonly unknown[] };
}

type Settle = (disposition: Disposition) => void;

/** A queue's deliveries, in order, each with its settle function. */
function inbox() {
  const got: [Delivery, Settle][] = [];
  let wake = () => {};
  const handler = (delivery: Delivery, settle: Settle) => {
    got.push([delivery, settle]);
    wake();
  };
  const count = async (n: number) => {
    while (got.length < n) await new Promise<void>((resolve) => (wake = resolve));
    return got;
  };
  return { got, handler, count };
}

test(
  "a process that was held up reads its confirms before it gives them up",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost());
    const out = await publisher(broker);
    const outcome = out.publish(ORDERS_EXCHANGE, "1", Buffer.from("hello"), {}, 200);
    await new Promise(setImmediate); // it is written
    Bun.sleepSync(500);
    expect(await outcome).toBe("confirmed");
  },
  BOOT_MS,
);

test(
  "a confirmed message arrives with its properties; an acknowledged one is gone",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost());
    const out = await publisher(broker);
    expect(
      await out.publish(ORDERS_EXCHANGE, "1", Buffer.from("hello"), {
        messageId: "7",
        appId: "gw",
      }),
    ).toBe("confirmed");
    const box = inbox();
    const subscription = await new Subscription(broker, {
      queue: ordersQueue(1),
      prefetch: 10,
      handler: box.handler,
    }).start();
    const [[delivery, settle]] = (await box.count(1)) as [[Delivery, Settle]];
    expect(delivery).toMatchObject({ messageId: "7", appId: "gw", deliveries: 0 });
    expect(delivery.body.toString()).toBe("hello");
    settle("ack");
    await Bun.sleep(0);
    await subscription.close();
    expect(await depth(broker, ordersQueue(1))).toMatchObject({ ready: 0 });
  },
  BOOT_MS,
);

test(
  "checks of queues share a channel, and one of a missing queue disturbs no other",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost());
    const channels = () =>
      (broker.model as unknown as Connected).connection.channels.filter(Boolean);
    const before = channels().length;
    for (let i = 0; i < 3; i++) await depth(broker, ordersQueue(0));
    expect(channels()).toHaveLength(before + 1);
    const queues = [ordersQueue(0), "missing", ordersQueue(1), "missing", ordersQueue(0)];
    const empty = { ready: 0, consumers: 0 };
    expect(await Promise.all(queues.map((queue) => depth(broker, queue)))).toEqual([
      ...[empty, undefined, empty, undefined, empty],
    ]);
    expect(channels().length).toBeLessThanOrEqual(before + 1);
  },
  BOOT_MS,
);

test(
  "an unroutable message is returned; a message for a full queue is nacked",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost(), 2);
    const out = await publisher(broker);
    expect(await out.publish(ORDERS_EXCHANGE, "nobody", Buffer.from("x"))).toBe("returned");
    const outcomes = [];
    for (let i = 0; i < 8; i++)
      outcomes.push(await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("x")));
    expect(outcomes.slice(0, 2)).toEqual(["confirmed", "confirmed"]);
    expect(outcomes).toContain("nacked");
  },
  BOOT_MS,
);

test(
  "a new queue has its place in a cluster; one of an earlier release stays as it is",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const model = await connect(url);
    const asEarlier = async (name: string) => {
      const queue = topology(2).queues.find((q) => q.name === name);
      const channel = await model.createChannel();
      channel.on("error", () => undefined);
      return channel.assertQueue(name, { durable: true, arguments: queue?.arguments });
    };
    await asEarlier(ordersQueue(0));
    const broker = await connection(url);
    expect(await depth(broker, ordersQueue(0))).toEqual({ ready: 0, consumers: 0 });
    await asEarlier(ordersQueue(0));
    await expect(asEarlier(ordersQueue(1))).rejects.toThrow("inequivalent arg");
    await model.close();
  },
  BOOT_MS,
);

test(
  "a push to a queue that does not exist comes back only if asked to",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost());
    const out = await publisher(broker);
    const { promise, resolve } = Promise.withResolvers<string>();
    out.onReturned = (queue, body) => resolve(`${queue}: ${body}`);
    out.push("gateway.gone", "first");
    out.push("gateway.gone", "second", true);
    expect(await promise).toBe("gateway.gone: second");
  },
  BOOT_MS,
);

test(
  "closing a subscription requeues unacknowledged messages, in order, ahead of later ones",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost());
    const out = await publisher(broker);
    for (let i = 0; i < 20; i++) await out.publish(ORDERS_EXCHANGE, "0", Buffer.from(String(i)));
    const first = inbox();
    const one = await new Subscription(broker, {
      queue: ordersQueue(0),
      prefetch: 10,
      handler: first.handler,
    }).start();
    const held = await first.count(10);
    // Settled out of order: only the contiguous prefix is acknowledged.
    for (const i of [0, 2, 1, 4]) held[i]?.[1]("ack");
    await Bun.sleep(0);
    await one.close();
    held[3]?.[1]("ack"); // too late: no effect
    const second = inbox();
    await new Subscription(broker, {
      queue: ordersQueue(0),
      prefetch: 50,
      handler: second.handler,
    }).start();
    const got = await second.count(17);
    expect(got.map(([d]) => d.body.toString())).toEqual(
      Array.from({ length: 17 }, (_, i) => String(i + 3)),
    );
    expect(got[0]?.[0].deliveries).toBe(1);
  },
  BOOT_MS,
);

test(
  "a dead letter is copied with its reason, then acknowledged",
  async () => {
    const broker = await connection(await (await testRabbit()).freshVhost());
    const out = await publisher(broker);
    const dead = { publisher: out, queue: ORDERS_DEAD };
    const handler = (_: Delivery, settle: Settle) => settle({ kind: "dead", reason: "no JSON" });
    await new Subscription(broker, { queue: ordersQueue(0), prefetch: 10, handler, dead }).start();
    await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("garbage"));
    const raw = await connect(broker.options.region.url);
    const channel = await raw.createChannel();
    const { promise, resolve } = Promise.withResolvers<{
      content: Buffer;
      headers: Record<string, unknown>;
    }>();
    await channel.consume(
      ORDERS_DEAD,
      (m) => m && resolve({ content: m.content, headers: m.properties.headers ?? {} }),
    );
    const copy = await promise;
    expect(copy.content.toString()).toBe("garbage");
    expect(copy.headers).toMatchObject({
      "x-reason": "no JSON",
      "x-exchange": ORDERS_EXCHANGE,
      "x-routing-key": "0",
    });
    await raw.close();
  },
  BOOT_MS,
);

test(
  "only one consumer of a shard is active; another takes over when it closes",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const [a, b] = [await connection(url), await connection(url)];
    const out = await publisher(a);
    const [first, second] = [inbox(), inbox()];
    const one = await new Subscription(a, {
      queue: ordersQueue(0),
      prefetch: 10,
      handler: first.handler,
    }).start();
    await new Subscription(b, {
      queue: ordersQueue(0),
      prefetch: 10,
      handler: second.handler,
    }).start();
    await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("m1"));
    await first.count(1);
    expect(second.got.length).toBe(0);
    await one.close();
    expect((await second.count(1))[0]?.[0].body.toString()).toBe("m1");
  },
  BOOT_MS,
);

test(
  "a queue that exists with other settings is a conflict, and the error says what to do",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const raw = await connect(url);
    await (await raw.createChannel()).assertQueue(ordersQueue(0), { durable: true });
    await raw.close();
    const broker = new BrokerConnection({
      runtime: realRuntime,
      region: { name: "eu", url },
      topology: topology(2),
    });
    const error = await broker.start().then(
      () => undefined,
      (e: Error) => e,
    );
    expect(error).toBeInstanceOf(TopologyConflict);
    expect(error?.message).toContain("'orders.0'");
    expect(error?.message).toContain("delete_queue");
  },
  BOOT_MS,
);

test(
  "while a cluster's first node is down, a start reaches the next one",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const broker = new BrokerConnection({
      runtime: realRuntime,
      region: { name: "eu", url: "amqp://guest:guest@127.0.0.1:1/eu", others: [url] },
      topology: topology(1),
    });
    open.push(broker);
    await broker.start();
    expect(broker.up).toBe(true);
  },
  BOOT_MS,
);

test(
  "a wrong password names the region and the setting",
  async () => {
    const url = new URL(await (await testRabbit()).freshVhost());
    url.password = "wrong";
    const broker = new BrokerConnection({
      runtime: realRuntime,
      region: { name: "us", url: url.toString() },
      topology: topology(1),
    });
    const error = await broker.start().then(
      () => undefined,
      (e: Error) => e,
    );
    expect(error).toBeInstanceOf(BrokerUnavailable);
    expect(error?.message).toContain("'us'");
  },
  BOOT_MS,
);

test(
  "a shard that is handed over unfinished keeps the order of its queue",
  async () => {
    const url = await (await testRabbit()).freshVhost();
    const [from, to] = [await connection(url), await connection(url)];
    const out = await publisher(from);
    const send = (n: number) => out.publish(ORDERS_EXCHANGE, "1", Buffer.from(String(n)), {});
    const options = { queue: ordersQueue(1), prefetch: 3 };
    const [first, second] = [inbox(), inbox()];
    const leaving = await new Subscription(from, { ...options, handler: first.handler }).start();
    for (const n of [1, 2, 3, 4]) expect(await send(n)).toBe("confirmed");
    await first.count(3);
    // The next owner waits at the queue already, as where a close takes effect late.
    await new Subscription(to, { ...options, handler: second.handler }).start();
    await leaving.quiet();
    first.got[0]?.[1]("ack");
    await realRuntime.sleep(300); // 4 comes to the present consumer
    await leaving.close();
    const got = (await second.count(3)).map(([{ body }]) => body.toString());
    expect(got.slice(0, 3)).toEqual(["2", "3", "4"]);
    expect(first.got).toHaveLength(3);
  },
  BOOT_MS,
);

test("a broker killed and restarted keeps confirmed messages; subscriptions recover", async () => {
  const dir = testDir("broken-rabbit");
  const node = await startRabbit(dir, { vhosts: ["eu"] });
  const broker = await connection(node.url("eu"));
  const out = await publisher(broker);
  const box = inbox();
  const lost = Promise.withResolvers<void>();
  await new Subscription(broker, {
    queue: ordersQueue(0),
    prefetch: 10,
    handler: box.handler,
    onLost: lost.resolve,
  }).start();
  expect(await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("before"))).toBe("confirmed");
  await box.count(1);
  await node.kill();
  await lost.promise;
  expect(await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("meanwhile"))).toBe("unsent");
  const again = await startRabbit(dir, { vhosts: ["eu"], port: node.port });
  expect((await box.count(2))[1]?.[0].body.toString()).toBe("before");
  await broker.untilUp();
  expect(await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("after"))).toBe("confirmed");
  expect((await box.count(3))[2]?.[0].body.toString()).toBe("after");
  await broker.close();
  await again.kill();
}, 120_000);
