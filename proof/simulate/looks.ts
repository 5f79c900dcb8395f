// Read access to a simulated world for the judge: it disturbs nothing and takes no simulated time.

import {
  ORDERS_DEAD,
  PAYMENTS_DEAD,
  serviceQueueName,
  topology,
  UNROUTED,
} from "../../broker/topology.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import { letterOf } from "../verify/letters.ts";
import type { QueueView, RedisView } from "../verify/look.ts";
import type { SimulatedProcess } from "./process.ts";
import { REGIONS, SERVICES } from "./system.ts";
import type { WorldBroker } from "./world/broker.ts";
import type { WorldRedis } from "./world/redis.ts";

type Argument = string | number | Buffer;
type Client = RedisStore["client"];

/** As `openViews` looks at a real Redis (proof/verify/views.ts). */
export function lookAtRedis(redis: WorldRedis, watcher: SimulatedProcess): RedisView {
  const store = storeOf(redis, watcher);
  const shards = new ShardStore(store);
  const stock = new StockStore(store);
  return {
    stock: (saleId) => stock.stock(saleId),
    outboxLength: (shard) => shards.outboxLength(shard),
    parked: (shard) => shards.parked(shard),
  };
}

/** A store whose calls take effect at once. */
export function storeOf(redis: WorldRedis, runtime: SimulatedProcess): RedisStore {
  return new RedisStore({ runtime, url: "", dial: () => clientOf(redis) });
}

/** The commands that the looks use, at once. */
function clientOf(redis: WorldRedis): Client {
  const run =
    (name: string) =>
    (...args: Argument[]) =>
      ask(redis, [name, ...args]);
  const hgetall = async (key: string) => {
    const flat = (await ask(redis, ["HGETALL", key])) as string[];
    return Object.fromEntries(
      flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1] ?? ""]] : [])),
    );
  };
  const client = { on: () => client, hgetall, fcall: run("FCALL") } as Record<string, unknown>;
  for (const name of ["hget", "hmget", "hvals", "get", "xlen", "llen", "xrange", "sismember"])
    client[name] = run(name.toUpperCase());
  client.scan = run("SCAN");
  client.call = (...command: Argument[]) => ask(redis, command);
  return client as unknown as Client;
}

/** Runs a command even while Redis refuses to serve its clients. */
export function ask(redis: WorldRedis, command: readonly Argument[]): Promise<unknown> {
  const { refusing } = redis;
  redis.refusing = undefined;
  const reply = redis.execute(command);
  redis.flush();
  redis.refusing = refusing;
  return reply;
}

/** As `openViews` looks at real brokers, but for what consumers hold: that waits too. */
export function lookAtQueues(
  brokers: readonly WorldBroker[],
  { shards }: { readonly shards: number },
): QueueView {
  const own = topology(shards).queues.map(({ name }) => name);
  const names = [...own.filter((name) => name !== UNROUTED), ...SERVICES.map(serviceQueueName)];
  const depthOf = (broker: WorldBroker, region: string, name: string, withLetters: boolean) => {
    const queue = broker.queue(name);
    const dead = name === ORDERS_DEAD || name === PAYMENTS_DEAD;
    const letters = withLetters && dead && queue ? { letters: lettersIn(queue, region) } : {};
    const ready = queue && queue.length + queue.unacknowledged;
    return { region, queue: name, ready, dead, ...letters };
  };
  return {
    depths: async (withLetters = false) =>
      brokers.flatMap((broker, i) =>
        names.map((name) => depthOf(broker, REGIONS[i] ?? "", name, withLetters)),
      ),
  };
}

type Queue = NonNullable<ReturnType<WorldBroker["queue"]>>;

function lettersIn({ messages, spec }: Queue, region: string) {
  return messages.map(({ content, properties, routingKey }, place) =>
    letterOf({
      ...{ id: `${region} ${place}`, region, queue: spec.name, source: undefined, routingKey },
      headers: properties.headers ?? {},
      ...{ type: undefined, messageId: undefined, body: content },
    }),
  );
}
