// Postgres alone, one order per transaction: what most services do. A pool of eight connections,
// one prepared call of `place_one` per order.
//
// Tuned: one round trip per order, and the locks on its items are taken last. Postgres commits the
// transactions of several connections with one write to disk.
// Weakness: a transaction per order; reserved orders of one item wait for each other's commit.
import { Gather } from "../gather.ts";
import type { Order, Peer } from "../peer.ts";
import {
  openPool,
  PLACE_ONE,
  placed,
  prepareLedger,
  singleOf,
  unitsInPostgres,
} from "../postgres-ledger.ts";

const CONNECTIONS = 8;

export const peer: Peer = {
  title: "Postgres alone, one order per transaction",
  lacks: "a buffer: a slow database is felt by every client",
  stores: ["postgres"],
  ledger: "postgres",
  chunk: 20,
  window: 1_000,
  prepare: ({ postgres }, items) => prepareLedger(postgres, items),
  front: async ({ postgres }, recorded) => {
    const pool = openPool(postgres, CONNECTIONS);
    const queue = new Gather<Order>({ most: 1, lanes: CONNECTIONS }, async (orders) => {
      for (const order of orders) recorded(await placed(pool, PLACE_ONE, singleOf(order)));
    });
    return { submit: (orders) => queue.add(orders), close: () => pool.close() };
  },
  unitsLeft: ({ postgres }) => unitsInPostgres(postgres),
};
