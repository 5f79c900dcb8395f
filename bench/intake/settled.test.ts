import { expect, test } from "bun:test";
import { connect } from "amqplib";
import { startRabbit } from "../../services/rabbitmq.ts";
import { testDir } from "../../test/services.ts";
import { type Depth, queuesOf, untilSettled, waitingLine } from "./settled.ts";

const soon = { timeoutMs: 500, lookMs: 5, stillMs: 20, queueLookMs: 5 };
const queue = (where: string, ready = 0, unacknowledged = 0, consumers = 1): Depth => ({
  ...{ where, ready, unacknowledged, consumers },
});

/** Reports these depths one after the other; the last one stays. */
function queues(...looks: Depth[][]) {
  let look = 0;
  return {
    looks: () => look,
    outboxes: async () => 0,
    queues: async () => looks[Math.min(look++, looks.length - 1)] ?? [],
  };
}

test.each([
  ["ready", queue("orders.3", 4)],
  ["unacknowledged", queue("orders.0", 0, 2)],
  ["a charge", queue("payments", 1)],
])("waits for messages in RabbitMQ: %s", async (_, depth) => {
  const busy = [queue("payments"), depth];
  const system = queues(busy, busy, [queue("payments")]);
  expect(await untilSettled(system, soon)).toEqual([]);
  expect(system.looks()).toBe(3);
});

test("it names what still waits when the time is over", async () => {
  const waiting = await untilSettled(queues([queue("orders.1", 5, 6)]), soon);
  expect(waiting).toEqual([{ where: "orders.1", ready: 5, unacknowledged: 6 }]);
  expect(waitingLine(waiting)).toContain("orders.1: 5 ready, 6 unacknowledged");
  expect(waitingLine([])).toBeUndefined();
});

test("an outbox that never empties is reported too", async () => {
  const system = { ...queues([]), outboxes: async () => 7 };
  const outboxes = { where: "outboxes", ready: 7, unacknowledged: 0 };
  expect(await untilSettled(system, soon)).toEqual([outboxes]);
});

test("charges without a payment worker, and dead letters, are not waited for", async () => {
  const depths = [queue("payments", 900, 0, 0), queue("orders.dead", 2, 0, 0)];
  const system = queues(depths);
  const letters = { where: "orders.dead", ready: 2, unacknowledged: 0 };
  expect(await untilSettled(system, soon)).toEqual([letters]);
  expect(system.looks()).toBe(1);
});

type QueuesOf = Parameters<typeof queuesOf>[0];

test(
  "a real broker reports ready and unacknowledged messages of its regions",
  async () => {
    const rabbit = await startRabbit(testDir("waiting"), { vhosts: ["eu", "us"] });
    const model = await connect(rabbit.url("eu"));
    try {
      const channel = await model.createConfirmChannel();
      await channel.assertQueue("orders.0", { arguments: { "x-queue-type": "quorum" } });
      for (let i = 0; i < 3; i++) channel.sendToQueue("orders.0", Buffer.from("x"));
      await channel.waitForConfirms();
      await channel.prefetch(2);
      const taken = Promise.withResolvers<void>();
      await channel.consume("orders.0", () => taken.resolve());
      await taken.promise;
      const regions = ["eu", "us"].map((region) => ({ region, nodes: [rabbit] }));
      const stack = { services: { brokers: { regions } } } as unknown as QueuesOf;
      let depths = await queuesOf(stack);
      const end = Date.now() + 20_000;
      while (Date.now() < end && depths[0]?.unacknowledged !== 2) depths = await queuesOf(stack);
      expect(depths).toEqual([queue("orders.0", 1, 2)]);
    } finally {
      await model.close();
      await rabbit.kill();
    }
  },
  { timeout: 90_000 },
);
