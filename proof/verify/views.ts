// Read access to Redis and the brokers for the checker. It declares nothing and loads nothing.
import { BrokerConnection } from "../../broker/connection.ts";
import { walkDeadLetters } from "../../broker/dead-letters.ts";
import { depthForSure } from "../../broker/inspect.ts";
import {
  ORDERS_DEAD,
  PAYMENTS_DEAD,
  serviceQueueName,
  topology,
  UNROUTED,
} from "../../broker/topology.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { RegionSetting } from "../../core/settings/settings.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import type { Letter } from "./checks/letters.ts";
import { letterOf } from "./letters.ts";
import type { QueueView, RedisView } from "./look.ts";

export interface Views {
  readonly redis: RedisView;
  readonly queues: QueueView;
  close(): Promise<void>;
}

/** The letters in a dead-letter queue; all of them stay there. */
async function lettersIn(
  connection: BrokerConnection,
  queue: string,
  count: number,
): Promise<Letter[]> {
  const letters: Letter[] = [];
  await walkDeadLetters(connection, queue, count, (letter) => {
    letters.push(letterOf(letter));
    return "keep";
  });
  return letters;
}

const DECLARE_NOTHING = { exchanges: [], queues: [], bindings: [] };

export interface ViewsOptions {
  readonly redisUrl: string;
  readonly regions: readonly RegionSetting[];
  readonly shards: number;
  /** Fulfilment services whose queues are checked too. */
  readonly processing?: readonly string[];
}

export async function openViews(options: ViewsOptions): Promise<Views> {
  const store = new RedisStore({ runtime: realRuntime, url: options.redisUrl });
  await store.reach();
  const shards = new ShardStore(store);
  const connections = options.regions.map(
    (region) => new BrokerConnection({ runtime: realRuntime, region, topology: DECLARE_NOTHING }),
  );
  for (const connection of connections) await connection.start();
  // Parts without a route stay queued until there is one.
  const own = topology(options.shards).queues.map((queue) => queue.name);
  const names = [
    ...own.filter((name) => name !== UNROUTED),
    ...(options.processing ?? []).map(serviceQueueName),
  ];
  const depths = connections.flatMap((connection) =>
    names.map((queue) => async (withLetters: boolean) => {
      const found = await depthForSure(connection, queue);
      const dead = queue === ORDERS_DEAD || queue === PAYMENTS_DEAD;
      const letters =
        withLetters && dead && found
          ? { letters: await lettersIn(connection, queue, found.ready) }
          : {};
      return { region: connection.region, queue, ready: found?.ready, dead, ...letters };
    }),
  );
  return {
    redis: {
      stock: (saleId) => new StockStore(store).stock(saleId),
      outboxLength: (shard) => shards.outboxLength(shard),
      parked: (shard) => shards.parked(shard),
    },
    queues: { depths: (withLetters = false) => Promise.all(depths.map((ask) => ask(withLetters))) },
    close: async () => {
      for (const connection of connections) await connection.close();
      await store.close();
    },
  };
}
