// Messages that nobody should have sent: copies of true ones, and garbage.
import { ORDERS_DEAD, ORDERS_EXCHANGE, ordersKey } from "../../../broker/topology.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { BrokerClient, withBroker } from "../broker-client.ts";
import { between, type Fault, type Injected, oneOf } from "../fault.ts";
import type { ChaosBroker, ChaosSystem } from "../system.ts";
import { until } from "../within.ts";

const RECOVERY_MS = 10_000;
const LETTERS_MS = 30_000;
/** Workers' users may declare queues with this prefix. */
const MIRROR = "orders.mirror";
const PUBLISHERS = ["gateway", "payments"] as const;

export const MESSAGE_FAULTS: readonly Fault[] = [
  {
    name: "duplicate-publishes",
    what: "Each message to a region's shards is published again, some at once, some seconds later.",
    seen: "nothing",
    touches: ["broker"],
    recoveryMs: RECOVERY_MS,
    inject: duplicate,
  },
  {
    name: "garbage-messages",
    what: "Hundreds of messages that no gateway would write arrive in a region's shards.",
    seen: "nothing; each is a dead letter",
    touches: ["broker"],
    recoveryMs: RECOVERY_MS,
    inject: garbage,
  },
];

async function duplicate(system: ChaosSystem, random: () => number): Promise<Injected> {
  const broker = oneOf(random, system.brokers);
  const lastsMs = between(random, 3_000, 8_000);
  const copier = await Copier.start(broker, system.shards, random);
  return {
    lastsMs,
    detail: `messages of ${broker.region} doubled for ${(lastsMs / 1_000).toFixed(1)} s`,
    evidence: async () => {
      await until("copies are confirmed", () => copier.confirmed > 10, LETTERS_MS);
      return `at least ${copier.confirmed} copies confirmed`;
    },
    heal: () => copier.stop(),
  };
}

/** Receives a copy of each message, and publishes it again under the user of its publisher. */
class Copier {
  confirmed = 0;
  private readonly open = new Set<Promise<void>>();

  private constructor(
    private readonly reader: BrokerClient,
    private readonly writers: ReadonlyMap<string, BrokerClient>,
    private readonly random: () => number,
  ) {}

  static async start(broker: ChaosBroker, shards: number, random: () => number): Promise<Copier> {
    const reader = await BrokerClient.open(broker, "worker");
    const writers = new Map<string, BrokerClient>();
    for (const user of PUBLISHERS) writers.set(user, await BrokerClient.open(broker, user));
    const copier = new Copier(reader, writers, random);
    const channel = await reader.model.createChannel();
    await channel.assertQueue(MIRROR, { durable: false, exclusive: true, autoDelete: true });
    for (let shard = 0; shard < shards; shard++)
      await channel.bindQueue(MIRROR, ORDERS_EXCHANGE, ordersKey(shard));
    await channel.consume(MIRROR, (message) => message && copier.copy(message), { noAck: true });
    return copier;
  }

  async stop(): Promise<void> {
    await this.reader.close();
    await Promise.all(this.open);
    await Promise.all([...this.writers.values()].map((writer) => writer.close()));
  }

  private copy({ content, fields, properties }: Message): void {
    const writer = this.writers.get(properties.userId ?? "");
    if (!writer || properties.headers?.[COPIED]) return;
    const { messageId = "", appId = "", type = "", replyTo = "" } = properties;
    const headers = { ...properties.headers, [COPIED]: true };
    const sent = { messageId, appId, type, replyTo, headers };
    const { publisher } = writer;
    const copy = async () => {
      if (this.random() < 0.5) await realRuntime.sleep(between(this.random, 0, 3_000));
      const outcome = await publisher.publish(ORDERS_EXCHANGE, fields.routingKey, content, sent);
      if (outcome === "confirmed") this.confirmed++;
    };
    const copying = copy().finally(() => this.open.delete(copying));
    this.open.add(copying);
  }
}

interface Message {
  readonly content: Buffer;
  readonly fields: { readonly routingKey: string };
  readonly properties: {
    readonly userId?: string | undefined;
    readonly messageId?: string | undefined;
    readonly appId?: string | undefined;
    readonly type?: string | undefined;
    readonly replyTo?: string | undefined;
    readonly headers?: Record<string, unknown> | undefined;
  };
}

/** Header of a copy, so that it is not copied again. */
const COPIED = "x-chaos-copy";

async function garbage(system: ChaosSystem, random: () => number): Promise<Injected> {
  const broker = oneOf(random, system.brokers);
  const count = between(random, 100, 400);
  const { before, confirmed } = await withBroker(broker, "gateway", async ({ publisher }) => {
    const already = await letters(broker);
    let taken = 0;
    for (let i = 0; i < count; i++) {
      const key = ordersKey(between(random, 0, system.shards - 1));
      const outcome = await publisher.publish(ORDERS_EXCHANGE, key, rubbish(random), {});
      if (outcome === "confirmed") taken++;
    }
    return { before: already, confirmed: taken };
  });
  return {
    lastsMs: 0,
    detail: `${count} messages of garbage at ${broker.region}`,
    evidence: async () => {
      // Some are an empty message, which leaves no letter.
      const wanted = before + Math.ceil(confirmed / 2);
      await until("dead letters", async () => (await letters(broker)) >= wanted, LETTERS_MS);
      return `${confirmed} confirmed, ${(await letters(broker)) - before} new dead letters`;
    },
    heal: async () => undefined,
  };
}

async function letters(broker: ChaosBroker): Promise<number> {
  return (await withBroker(broker, "operator", (client) => client.ready(ORDERS_DEAD))) ?? 0;
}

const TEXTS = [
  "",
  "null",
  "{}",
  "[]",
  "[[]]",
  '{"v":1}',
  '{"v":99,"order":["a"]}',
  '{"v":1,"order":"x","usr":7}',
  '{"v":1,"order":["',
  "<html></html>",
  '{"v":1,"order":[0x1]}',
  "\u0000\u0001",
];

function rubbish(random: () => number): Buffer {
  if (random() < 0.7) return Buffer.from(oneOf(random, TEXTS));
  const bytes = Buffer.alloc(between(random, 1, 20_000));
  for (let i = 0; i < bytes.length; i++) bytes[i] = between(random, 0, 255);
  return bytes;
}
