// BullMQ: the usual queue on Redis. The front adds jobs 100 at a time; the back works on up to 200
// at once, which meet in groups: one Lua call and one transaction of SQLite per group.
//
// Tuned as its documents say: `addBulk`, an id per job that drops repeated ones, finished jobs
// removed, concurrency for work that waits, an append-only file synced every second.
// Weakness: every job moves through several lists with a script each; with `everysec` a power cut
// loses the last second of accepted orders.
import { Queue, Worker } from "bullmq";
import { Gather } from "../gather.ts";
import type { Order, Outcome, Peer } from "../peer.ts";
import { openRedis, prepareStock, RedisStock, unitsInRedis } from "../redis-stock.ts";
import { SqliteLedger } from "../sqlite-ledger.ts";

const QUEUE = "orders";
const BULK_ORDERS = 100;
const BULKS = 4;
const CONCURRENCY = 200;
const JOB_OPTIONS = { removeOnComplete: true, removeOnFail: 1_000, attempts: 5 };

export const peer: Peer = {
  title: "BullMQ, addBulk of 100",
  lacks: "a synced write before the answer",
  stores: ["redis"],
  ledger: "sqlite",
  chunk: BULK_ORDERS,
  window: 5_000,
  prepare: ({ redis }, items) => prepareStock(redis, items).then(() => undefined),
  front: async ({ redis }) => {
    const connection = openRedis(redis);
    const queue = new Queue<Order>(QUEUE, { connection });
    const bulks = new Gather<Order>({ most: BULK_ORDERS, lanes: BULKS }, (orders) =>
      queue.addBulk(
        orders.map((data) => ({
          name: "order",
          data,
          opts: { ...JOB_OPTIONS, jobId: `${data.user}/${data.id}` },
        })),
      ),
    );
    return {
      submit: (orders) => bulks.add(orders),
      close: async () => {
        await queue.close();
        connection.disconnect();
      },
    };
  },
  back: async ({ redis, sqlite }, recorded) => {
    const stock = new RedisStock(redis);
    const ledger = new SqliteLedger(sqlite);
    const groups = new Gather<Order>({ most: CONCURRENCY, lanes: 1 }, async (orders) => {
      const outcomes: readonly Outcome[] = await stock.decide(orders);
      recorded(ledger.record(orders, outcomes));
    });
    const connection = openRedis(redis, { blocking: true });
    const worker = new Worker<Order>(QUEUE, ({ data }) => groups.add([data]), {
      connection,
      concurrency: CONCURRENCY,
    });
    worker.on("error", (error) => console.error(error));
    return {
      close: async () => {
        await worker.close();
        connection.disconnect();
        await stock.close();
        ledger.close();
      },
    };
  },
  unitsLeft: ({ redis }) => unitsInRedis(redis),
};
