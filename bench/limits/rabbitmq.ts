// A message of orders through a quorum queue: published with a confirm, consumed and acknowledged.
// Its floor is a classic queue that gives no guarantee: transient, unconfirmed, unacknowledged.
import { join } from "node:path";
import { BrokerConnection } from "../../broker/connection.ts";
import { Publisher } from "../../broker/publisher.ts";
import { type Delivery, Subscription } from "../../broker/subscriber.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { startRabbit } from "../../services/rabbitmq.ts";
import { freshBody } from "../decide/scene.ts";
import { usageOf } from "../intake/usage.ts";
import type { LimitOptions, LimitRow } from "./row.ts";

const TOGETHER = [400, 50, 1];
const VHOST = "limits";
const SAFE = "limits.quorum";
const FAST = "limits.classic";
/** Messages on their way at once: a gateway has one per shard, and there are some gateways. */
const WINDOW = 16;
const WARM_UP_S = 1;
const CONFIRM_TIMEOUT_MS = 10_000;
const LOOK_MS = 10;
const WHAT = "publish with confirm, consume, acknowledge; quorum queue";
const FLOOR = "a classic queue, transient, no confirm, no acknowledgement";

export async function rabbitRows({ dir, seconds }: LimitOptions): Promise<LimitRow[]> {
  const rabbit = await startRabbit(join(dir, "rabbitmq"), { vhosts: [VHOST] });
  const queues = [{ name: SAFE, arguments: { "x-queue-type": "quorum" } }];
  const topology = { exchanges: [], queues, bindings: [] };
  const region = { name: VHOST, url: rabbit.url(VHOST) };
  const connection = new BrokerConnection({ runtime: realRuntime, region, topology });
  try {
    await connection.start();
    await connection.untilUp();
    const publisher = new Publisher(connection, { confirmTimeoutMs: CONFIRM_TIMEOUT_MS });
    await publisher.start();
    const rows: LimitRow[] = [];
    for (const together of TOGETHER) {
      const bench = { connection, publisher, pid: rabbit.pid, together, seconds };
      const micros = await throughQueue(bench, safe(publisher), { queue: SAFE });
      const exclusive = { queue: FAST, exclusive: true, noAck: true };
      const floorMicros = await throughQueue(bench, fast(publisher), exclusive);
      rows.push({ stage: "rabbitmq", what: WHAT, together, micros, floor: FLOOR, floorMicros });
    }
    return rows;
  } finally {
    await connection.close();
    await rabbit.stop();
  }
}

interface Bench {
  readonly connection: BrokerConnection;
  /** RabbitMQ's process. */
  readonly pid: number;
  readonly together: number;
  readonly seconds: number;
}

/** Resolves when the message counts as sent. */
type Send = (body: string) => Promise<void>;

function safe(publisher: Publisher): Send {
  return async (body) => {
    const outcome = await publisher.publish("", SAFE, Buffer.from(body));
    if (outcome !== "confirmed") throw new Error(`a message was ${outcome}`);
  };
}

function fast(publisher: Publisher): Send {
  return async (body) => publisher.push(FAST, body);
}

type Queue = { readonly queue: string; readonly exclusive?: boolean; readonly noAck?: boolean };

/** µs per order of RabbitMQ and this process, while WINDOW messages are on their way. */
async function throughQueue(bench: Bench, send: Send, queue: Queue): Promise<number> {
  const { connection, pid, together, seconds } = bench;
  const body = freshBody(together);
  let failure: unknown;
  let running = true;
  let received = 0;
  let underway = 0;
  const next = () => {
    if (!running) return;
    underway++;
    send(body).catch((error: unknown) => {
      failure = error;
    });
  };
  const handler = (_: Delivery, settle: (disposition: "ack") => void) => {
    settle("ack");
    received++;
    underway--;
    next();
  };
  const subscription = new Subscription(connection, { ...queue, prefetch: 2 * WINDOW, handler });
  await subscription.start();
  for (let i = 0; i < WINDOW; i++) next();
  await realRuntime.sleep(WARM_UP_S * 1_000);
  const before = { received, cpu: cpuMicros(pid) };
  await realRuntime.sleep(seconds * 1_000);
  const spent = cpuMicros(pid) - before.cpu;
  const messages = received - before.received;
  running = false;
  const endMs = realRuntime.monotonicMs() + CONFIRM_TIMEOUT_MS;
  while (underway > 0 && realRuntime.monotonicMs() < endMs) await realRuntime.sleep(LOOK_MS);
  await subscription.close();
  if (failure !== undefined) throw failure;
  if (underway > 0) throw new Error(`${underway} messages never came back`);
  return spent / messages / together;
}

function cpuMicros(pid: number): number {
  const { user, system } = process.cpuUsage();
  return usageOf(pid).cpuMicros + user + system;
}
