// Postgres alone, in batches: one process with a queue in memory, transactions of 200 orders on
// four connections. `place` decides and records a batch in one round trip.
//
// Tuned: one prepared statement per batch, arrays instead of rows, an index that grows at its right
// edge, locks on hot items taken last. More connections or larger batches measured no better.
// Weakness: orders in the queue are lost if the process dies, so only the commit may be answered;
// every reserved order passes through the locks on its items.
import { Gather } from "../gather.ts";
import type { Order, Peer } from "../peer.ts";
import {
  batchOf,
  openPool,
  PLACE,
  placed,
  prepareLedger,
  unitsInPostgres,
} from "../postgres-ledger.ts";

const CONNECTIONS = 4;
const BATCH_ORDERS = 200;

export const peer: Peer = {
  title: "Postgres alone, batches of 200",
  lacks: "a buffer: a slow database is felt by every client",
  stores: ["postgres"],
  ledger: "postgres",
  chunk: BATCH_ORDERS,
  window: 4_000,
  prepare: ({ postgres }, items) => prepareLedger(postgres, items),
  front: async ({ postgres }, recorded) => {
    const pool = openPool(postgres, CONNECTIONS);
    const queue = new Gather<Order>({ most: BATCH_ORDERS, lanes: CONNECTIONS }, async (orders) =>
      recorded(await placed(pool, PLACE, batchOf(orders))),
    );
    return { submit: (orders) => queue.add(orders), close: () => pool.close() };
  },
  unitsLeft: ({ postgres }) => unitsInPostgres(postgres),
};
