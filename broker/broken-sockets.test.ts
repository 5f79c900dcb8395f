// The line to the broker breaks: cut, or stalled with both ends open. Every publish in flight is
// reported truthfully, everything recovers by itself, and nothing waits for an answer that cannot
// come.
import { afterEach, expect, test } from "bun:test";
import { type ChannelModel, connect } from "amqplib";
import { realRuntime } from "../core/runtime/runtime.ts";
import { TcpProxy } from "../proof/chaos/tcp-proxy.ts";
import { testRabbit } from "../test/services.ts";
import { until } from "../test/until.ts";
import { answered } from "./answer.ts";
import { CLOSE_TIMEOUT_MS } from "./close.ts";
import { BrokerConnection } from "./connection.ts";
import { depth } from "./inspect.ts";
import { Publisher, type PublishOutcome } from "./publisher.ts";
import {
  type Delivery,
  type Disposition,
  type SubscribeOptions,
  Subscription,
} from "./subscriber.ts";
import { ORDERS_EXCHANGE, ordersKey, ordersQueue, topology } from "./topology.ts";

const BOOT_MS = 60_000;
/** Longer than any test: the line settles a publish here, not the timer. */
const CONFIRM_TIMEOUT_MS = 120_000;
/** The interval in production would only make the test longer. */
const HEARTBEAT_S = 1;
/** channel.close (class 20, method 40). */
const CHANNEL_CLOSE = Buffer.from([0, 20, 0, 40]);

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

/** A broker behind a line that can be broken, and a direct connection that bypasses the line. */
async function broken(query = "") {
  const url = await (await testRabbit()).freshVhost();
  const proxy = await TcpProxy.to(url);
  const events: string[] = [];
  const region = { name: "eu", url: proxy.through(url) + query };
  const broker = new BrokerConnection({
    runtime: realRuntime,
    region,
    topology: topology(2),
    log: (event) => events.push(event),
  });
  const direct = new BrokerConnection({
    runtime: realRuntime,
    region: { name: "eu", url },
    topology: topology(2),
  });
  open.push(proxy, direct, broker);
  await direct.start();
  const queued = async (shard: number) => (await depth(direct, ordersQueue(shard)))?.ready;
  return { url, proxy, broker, direct, events, queued };
}

async function publisher(of: BrokerConnection): Promise<Publisher> {
  const made = new Publisher(of, { confirmTimeoutMs: CONFIRM_TIMEOUT_MS });
  await made.start();
  return made;
}

function send(out: Publisher, count: number, key = "0"): Promise<PublishOutcome>[] {
  return Array.from({ length: count }, (_, i) =>
    out.publish(ORDERS_EXCHANGE, key, Buffer.from(String(i))),
  );
}

const times = <T>(count: number, value: T): T[] => Array<T>(count).fill(value);

function lost(model: ChannelModel | undefined): Promise<void> {
  return new Promise((resolve) => model?.once("close", () => resolve()));
}

interface Inbox extends Pick<SubscribeOptions, "handler" | "onLost"> {
  readonly got: {
    readonly delivery: Delivery;
    readonly settle: (disposition: Disposition) => void;
  }[];
  losses: number;
}

function inbox(): Inbox {
  const got: Inbox["got"] = [];
  const box: Inbox = {
    got,
    losses: 0,
    handler: (delivery, settle) => got.push({ delivery, settle }),
    onLost: () => box.losses++,
  };
  return box;
}

const bodies = (box: Inbox): string[] => box.got.map(({ delivery }) => delivery.body.toString());

test(
  "cut before confirms arrive: each publish is unknown; the next connection starts at one",
  async () => {
    const { proxy, broker, queued } = await broken();
    await broker.start();
    const out = await publisher(broker);
    expect(await Promise.all(send(out, 3))).toEqual(times(3, "confirmed"));
    proxy.stall("answers");
    const arrived = send(out, 600);
    await until("the broker has them", async () => (await queued(0)) === 603);
    proxy.stall("requests");
    const missing = send(out, 400);
    let settled = 0;
    for (const outcome of [...arrived, ...missing]) outcome.then(() => settled++);
    await Bun.sleep(0);
    expect(settled).toBe(0);
    proxy.cut();
    proxy.renew();
    expect(await Promise.all([...arrived, ...missing])).toEqual(times(1_000, "unknown"));
    expect(await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("x"))).toBe("unsent");
    await broker.untilUp();
    // Nearly as many as may be in flight: none of the old ones still counts.
    const [first, nobody, rest] = [
      send(out, 2, "1"),
      send(out, 1, "nobody"),
      send(out, 1_000, "1"),
    ];
    expect(await Promise.all(first)).toEqual(times(2, "confirmed"));
    expect(await Promise.all(nobody)).toEqual(["returned"]);
    expect(await Promise.all(rest)).toEqual(times(1_000, "confirmed"));
    expect(await queued(0)).toBe(603);
    expect(await queued(1)).toBe(1_002);
  },
  BOOT_MS,
);

test.each([
  ["in order", false],
  ["independently", true],
])(
  "cut under consumers that acknowledge %s: all recover, messages come again, old acks are dropped",
  async (_, independent) => {
    const { url, proxy, broker, direct, queued } = await broken();
    await broker.start();
    const out = await publisher(direct);
    const [box, other] = [inbox(), inbox()];
    const options = { prefetch: 10, independent };
    const subscription = await new Subscription(broker, {
      queue: ordersQueue(0),
      ...options,
      ...box,
    }).start();
    await new Subscription(broker, { queue: ordersQueue(1), ...options, ...other }).start();
    await Promise.all(send(out, 5));
    await until("five in flight", () => box.got.length === 5);
    const gone = lost(broker.model);
    proxy.refusing = true;
    proxy.cut();
    await gone;
    expect([box.losses, other.losses]).toEqual([1, 1]);
    const raw = await connect(url);
    await (await raw.createChannel()).deleteQueue(ordersQueue(1));
    await raw.close();
    const attempts = proxy.accepted;
    await until("an attempt was rejected", () => proxy.accepted > attempts);
    proxy.renew();
    await until("all five again", () => box.got.length === 10);
    expect(bodies(box)).toEqual([..."01234", ..."01234"]);
    expect(box.got.slice(5).map(({ delivery }) => delivery.deliveries)).toEqual(times(5, 1));
    // The new channel reuses the tag numbers: an old ack sent there would acknowledge a message
    // that nobody has handled.
    for (const { settle } of box.got.slice(0, 5)) settle("ack");
    await Bun.sleep(0);
    expect(await out.publish(ORDERS_EXCHANGE, ordersKey(1), Buffer.from("again"))).toBe(
      "confirmed",
    );
    await until("a message on the queue declared again", () => bodies(other).includes("again"));
    await subscription.close();
    await until("all five are back", async () => (await queued(0)) === 5);
  },
  BOOT_MS,
);

test(
  "stalled with both ends open: heartbeats notice, publishes are unknown, then unsent",
  async () => {
    const { proxy, broker, events } = await broken(`?heartbeat=${HEARTBEAT_S}`);
    await broker.start();
    const out = await publisher(broker);
    const box = inbox();
    await new Subscription(broker, { queue: ordersQueue(0), prefetch: 10, ...box }).start();
    expect(await Promise.all(send(out, 2))).toEqual(times(2, "confirmed"));
    await until("both in flight", () => box.got.length === 2);
    proxy.stall("requests", "answers");
    const stalledAtMs = performance.now();
    const meanwhile = send(out, 3);
    expect(await Promise.all(meanwhile)).toEqual(times(3, "unknown"));
    // Two intervals of silence, plus up to one more until the next check (half of one is left for a
    // slow machine).
    const noticedMs = performance.now() - stalledAtMs;
    expect(noticedMs).toBeGreaterThan(HEARTBEAT_S * 1_000 - 100);
    expect(noticedMs).toBeLessThan(HEARTBEAT_S * 3_500);
    expect([broker.up, box.losses]).toEqual([false, 1]);
    expect(await Promise.all(send(out, 2))).toEqual(times(2, "unsent"));
    const attempts = proxy.accepted;
    await until("an attempt meets silence", () => proxy.accepted > attempts);
    proxy.renew();
    await broker.untilUp();
    expect(events).toContain("broker away");
    expect(await Promise.all(send(out, 2))).toEqual(times(2, "confirmed"));
    // The broker has also noticed the silence and given the shard to the new consumer.
    await until("both redelivered, then the new ones", () => box.got.length === 6);
    expect(bodies(box)).toEqual([..."01", ..."01", ..."01"]);
  },
  BOOT_MS,
);

test(
  "a dead line is noticed within seconds unless the URL says otherwise",
  async () => {
    const { broker, direct } = await broken(`?heartbeat=${HEARTBEAT_S}`);
    await broker.start();
    const heartbeats = [direct, broker].map(
      ({ model }) => model?.connection as { heartbeat?: number } | undefined,
    );
    expect(heartbeats.map((of) => of?.heartbeat)).toEqual([5, HEARTBEAT_S]);
  },
  BOOT_MS,
);

test(
  "all publishes of a tick leave in one write to the socket",
  async () => {
    const { broker, queued } = await broken();
    await broker.start();
    const out = await publisher(broker);
    const writes = countWrites(broker.model as ChannelModel);
    for (const count of [1, 50, 200]) {
      writes.reset();
      expect(await Promise.all(send(out, count))).toEqual(times(count, "confirmed"));
      expect([count, writes.count()]).toEqual([count, 1]);
    }
    // Frames beyond what the socket takes at once follow when it has drained.
    writes.reset();
    expect(await Promise.all(send(out, 1_000))).toEqual(times(1_000, "confirmed"));
    expect(writes.count()).toBeLessThanOrEqual(3);
    expect(await queued(0)).toBe(1_251);
  },
  BOOT_MS,
);

test(
  "cut during the first or the last declaration: not up before an attempt has declared everything",
  async () => {
    const { proxy, broker, events, queued } = await broken();
    const { exchanges, queues, bindings } = broker.options.topology;
    // Each declaration closes a channel of its own.
    const cutAt = [1, 1 + exchanges.length + queues.length + bindings.length];
    let closings = 0;
    proxy.onRequest = (piece) => {
      if (piece.includes(CHANNEL_CLOSE) && cutAt.includes(++closings)) proxy.cut();
    };
    await broker.start();
    await broker.untilUp();
    expect(events).toEqual(["broker away", "broker away", "broker up"]);
    const out = await publisher(broker);
    expect(await out.publish(ORDERS_EXCHANGE, "0", Buffer.from("x"))).toBe("confirmed");
    expect(await queued(0)).toBe(1);
  },
  BOOT_MS,
);

test(
  "a subscription that is closed while the line is cut finishes closing at once",
  async () => {
    const { proxy, broker } = await broken();
    await broker.start();
    const subscription = await new Subscription(broker, {
      queue: ordersQueue(0),
      prefetch: 10,
      ...inbox(),
    }).start();
    proxy.onRequest = (piece) => {
      if (piece.includes(CHANNEL_CLOSE)) proxy.cut();
    };
    const startedMs = performance.now();
    await subscription.close();
    expect(performance.now() - startedMs).toBeLessThan(CLOSE_TIMEOUT_MS / 2);
  },
  BOOT_MS,
);

test(
  "on a stalled line close() gives up after its timeout and closes the connection's socket",
  async () => {
    const { proxy, broker } = await broken();
    await broker.start();
    const subscription = await new Subscription(broker, {
      queue: ordersQueue(0),
      prefetch: 10,
      ...inbox(),
    }).start();
    proxy.stall("requests", "answers");
    const startedMs = performance.now();
    await subscription.close();
    await broker.close();
    expect(performance.now() - startedMs).toBeLessThan(CLOSE_TIMEOUT_MS * 3);
    await until("the socket is closed", () => proxy.connected === 0, 1_000);
  },
  BOOT_MS,
);

test(
  "a call without an answer fails after its timeout; the connection is dropped and re-established",
  async () => {
    const { broker, events } = await broken();
    await broker.start();
    const model = broker.model as ChannelModel;
    const gone = lost(model);
    // Heartbeats continue: the line is fine, only this call gets no answer.
    const call = answered(realRuntime, model, new Promise<never>(() => undefined), 200);
    expect(((await call.catch((error) => error)) as Error).message).toBe("no answer within 200 ms");
    await gone;
    await broker.untilUp();
    expect(broker.model).not.toBe(model);
    expect(events).toEqual(["broker up", "broker lost", "broker up"]);
  },
  BOOT_MS,
);

test(
  "a connection closed while it reconnects leaves none behind",
  async () => {
    const { proxy, broker } = await broken();
    await broker.start();
    let closed: Promise<void> | undefined;
    proxy.onRequest = (piece) => {
      // In the middle of the declarations.
      if (piece.includes(CHANNEL_CLOSE)) closed ??= broker.close();
    };
    proxy.cut();
    await until("closed during the declarations", () => closed !== undefined);
    await closed;
    expect(broker.up).toBe(false);
    await until("no connections left", () => proxy.connected === 0, 1_000);
  },
  BOOT_MS,
);

/**
 * Counts the writes to the stream under a connection. Each is one system call; a batch of pieces
 * (writev) counts as one.
 */
function countWrites(model: ChannelModel): { reset(): void; count(): number } {
  type Write = (...args: unknown[]) => unknown;
  const { stream } = model.connection as unknown as { stream: Record<"_write" | "_writev", Write> };
  let count = 0;
  let within = false; // a batch may fall back to the single write
  for (const name of ["_write", "_writev"] as const) {
    const write = stream[name].bind(stream);
    stream[name] = (...args) => {
      if (within) return write(...args);
      count++;
      within = true;
      try {
        return write(...args);
      } finally {
        within = false;
      }
    };
  }
  return { reset: () => (count = 0), count: () => count };
}
