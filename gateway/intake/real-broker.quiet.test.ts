// The gateway on a real RabbitMQ: a confirmed order is in the shard's queue, and the answer is
// truthful about an order that the broker refuses or loses.
import { afterEach, expect, test } from "bun:test";
import { BrokerConnection } from "../../broker/connection.ts";
import { Publisher } from "../../broker/publisher.ts";
import { Subscription } from "../../broker/subscriber.ts";
import { ORDERS_EXCHANGE, ordersKey, ordersQueue, topology } from "../../broker/topology.ts";
import { allRows, readMessage } from "../../core/domain/message.ts";
import { gatewayQueue, type Push } from "../../core/domain/push.ts";
import { shardOf } from "../../core/domain/shard.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { startRabbit } from "../../services/rabbitmq.ts";
import { testDir, testRabbit } from "../../test/services.ts";
import type { BrokerPort } from "../ports.ts";
import { bearer, order, post, startTestGateway, type TestGateway, TestSocket } from "../testing.ts";

const BOOT_MS = 60_000;
const SHARDS = 4;
const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

interface Wired {
  readonly t: TestGateway;
  readonly broker: BrokerConnection;
  readonly publisher: Publisher;
}

async function start(url: string, maxLength?: number): Promise<Wired> {
  const broker = new BrokerConnection({
    runtime: realRuntime,
    region: { name: "eu", url },
    topology: topology(SHARDS, maxLength),
  });
  open.push(broker);
  await broker.start();
  const publisher = new Publisher(broker, { confirmTimeoutMs: 5_000 });
  await publisher.start();
  let tell: (push: Push) => void = () => undefined;
  const handler = ({ body }: { body: Buffer }) => tell(JSON.parse(body.toString()) as Push);
  const pushes = new Subscription(broker, {
    queue: gatewayQueue("gw-test"),
    prefetch: 100,
    handler,
    exclusive: true,
    noAck: true,
  });
  await pushes.start();
  const port: BrokerPort = {
    publish: (shard, body, messageId) =>
      publisher.publish(ORDERS_EXCHANGE, ordersKey(shard), body, { appId: "gw-test", messageId }),
    blocked: () => !publisher.ready,
    onPush: (handle) => {
      tell = handle;
    },
  };
  const t = await startTestGateway({ broker: port });
  open.push(t);
  return { t, broker, publisher };
}

test(
  "an acknowledged order is in its shard's queue, and its outcome reaches the socket",
  async () => {
    const { t, broker, publisher } = await start(await (await testRabbit()).freshVhost());
    const shard = shardOf("ann", SHARDS);
    const placed = order();
    const socket = await TestSocket.open(t.gateway.url, "ann");
    socket.send({ type: "order", ref: "1", order: placed });
    expect((await socket.next("acks")).acks).toEqual([["1", placed.id]]);
    const { promise, resolve } = Promise.withResolvers<{
      body: Buffer;
      appId: string;
      messageId: string;
    }>();
    const worker = new Subscription(broker, {
      queue: ordersQueue(shard),
      prefetch: 1,
      handler: (d) => resolve(d),
    });
    await worker.start();
    const { body, appId, messageId } = await promise;
    expect(allRows(readMessage(body.toString()))).toMatchObject([
      { kind: "order", order: { user: "ann", id: placed.id } },
    ]);
    publisher.push(
      gatewayQueue(appId),
      JSON.stringify({ batches: [[messageId, "reserved"]], released: [] }),
    );
    expect((await socket.next("outcomes")).outcomes).toEqual([[placed.id, "reserved"]]);
  },
  BOOT_MS,
);

test(
  "orders that a full queue refuses are unconfirmed",
  async () => {
    const { t } = await start(await (await testRabbit()).freshVhost(), 1);
    const headers = await bearer("ann");
    const statuses: number[] = [];
    while (statuses.at(-1) !== 503 && statuses.length < 20) {
      const response = await post(`${t.gateway.url}/v1/orders`, order(), headers);
      statuses.push(response.status);
      if (response.status === 503)
        expect(await response.json()).toMatchObject({ code: "unconfirmed" });
    }
    expect(statuses[0]).toBe(202);
    expect(statuses.at(-1)).toBe(503);
  },
  BOOT_MS,
);

test("a broker alarm (memory, disk) means 503 within 100 ms, and ends by itself", async () => {
  const node = await startRabbit(testDir("alarmed-rabbit"), { vhosts: ["eu"] });
  const { t, broker } = await start(node.url("eu"));
  open.unshift({ close: () => node.kill() });
  const ann = await bearer("ann");
  const place = async () => {
    const response = await post(`${t.gateway.url}/v1/orders`, order(), ann);
    return {
      status: response.status,
      code: ((await response.json()) as { code?: string }).code,
      atMs: performance.now(),
    };
  };
  for (const [alarm, over] of [
    [
      ["set_vm_memory_high_watermark", "absolute", "1MB"],
      ["set_vm_memory_high_watermark", "absolute", "2GB"],
    ],
    [
      ["set_disk_free_limit", "1000000GB"],
      ["set_disk_free_limit", "200MB"],
    ],
  ] as const) {
    expect((await place()).status).toBe(202);
    await node.ctl(...alarm);
    // The broker notifies publishers only; it may still read what was sent before.
    const during = place();
    while (!broker.blocked) await Bun.sleep(1);
    const saidMs = performance.now();
    expect(await during).toMatchObject({ status: 503, code: "unconfirmed" });
    expect((await during).atMs - saidMs).toBeLessThan(100);
    const askedMs = performance.now();
    expect(await place()).toMatchObject({ status: 503, code: "unavailable" });
    expect(performance.now() - askedMs).toBeLessThan(100);
    await node.ctl(...over);
    while ((await place()).status !== 202) await Bun.sleep(10);
  }
}, 120_000);

test("while the broker is down sockets stay and orders are refused until it returns", async () => {
  const dir = testDir("gateway-rabbit");
  const node = await startRabbit(dir, { vhosts: ["eu"] });
  const { t, broker } = await start(node.url("eu"));
  const socket = await TestSocket.open(t.gateway.url, "ann");
  const down = Promise.withResolvers<void>();
  broker.model?.on("close", () => down.resolve());
  await node.kill();
  await down.promise;
  socket.send({ type: "order", ref: "down", order: order() });
  const [[ref, , problem]] = (await socket.next("nacks")).nacks as [
    [string, string, { code: string }],
  ];
  expect([ref, problem.code]).toEqual(["down", "unavailable"]);
  const again = await startRabbit(dir, { vhosts: ["eu"], port: node.port });
  await broker.untilUp();
  const placed = order();
  socket.send({ type: "order", ref: "up", order: placed });
  expect((await socket.next("acks")).acks).toEqual([["up", placed.id]]);
  for (const thing of open.splice(0).reverse()) await thing.close();
  await again.kill();
}, 120_000);
