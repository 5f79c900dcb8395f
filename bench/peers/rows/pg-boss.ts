// pg-boss: a queue in Postgres with a library. The front inserts jobs 500 at a time; the back
// fetches 500, calls `place` in the transaction that completes them, and fetches again.
//
// Tuned as its documents say: a table of its own for the queue (`partition`), `burstWhenBatchFull`
// instead of polling, `transactional` work so that a batch and its completion commit together, ids
// that begin with the time. Two workers: more wait for the same locks.
// Weakness: a job is written three times (created, active, completed) before its order is recorded.
import { PgBoss } from "pg-boss";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { Gather } from "../gather.ts";
import type { Order, Peer } from "../peer.ts";
import { batchOf, PLACE, prepareLedger, unitsInPostgres } from "../postgres-ledger.ts";

const QUEUE = "orders";
const BATCH_ORDERS = 500;
const INSERTS = 2;
const WORKERS = 2;
/** The shortest that pg-boss allows. */
const POLL_S = 0.5;
const WORK_OPTIONS = {
  batchSize: BATCH_ORDERS,
  localConcurrency: WORKERS,
  burstWhenBatchFull: true,
  pollingIntervalSeconds: POLL_S,
  transactional: true,
} as const;
/** Its own upkeep of schedules is not needed here. */
const UPKEEP = { supervise: false, schedule: false };

export const peer: Peer = {
  title: "pg-boss, batches of 500",
  lacks: "a store for the queue that is not the ledger's",
  stores: ["postgres"],
  ledger: "postgres",
  chunk: BATCH_ORDERS,
  window: 10_000,
  prepare: async ({ postgres }, items) => {
    await prepareLedger(postgres, items);
    const boss = await open(postgres);
    await boss.createQueue(QUEUE, { partition: true });
    await boss.stop();
  },
  front: async ({ postgres }) => {
    const boss = await open(postgres);
    const inserts = new Gather<Order>({ most: BATCH_ORDERS, lanes: INSERTS }, (orders) =>
      boss.insert(
        QUEUE,
        orders.map((order) => ({ id: realRuntime.uuidV7(), data: order })),
        { returnId: false },
      ),
    );
    return { submit: (orders) => inserts.add(orders), close: () => boss.stop() };
  },
  back: async ({ postgres }, recorded) => {
    const boss = await open(postgres);
    await boss.work<Order, void, typeof WORK_OPTIONS>(QUEUE, WORK_OPTIONS, async (jobs, db) => {
      const { rows } = await db.executeSql(PLACE, batchOf(jobs.map(({ data }) => data)));
      recorded(rows[0].fresh);
    });
    return { close: () => boss.stop() };
  },
  unitsLeft: ({ postgres }) => unitsInPostgres(postgres),
};

async function open(url: string): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString: url, ...UPKEEP });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
}
