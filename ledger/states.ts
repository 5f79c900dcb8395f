// States of many orders, for those so old that Redis no longer knows them.
import type { OrderState } from "../core/domain/outcome.ts";
import type { Db } from "./db.ts";
import { bucketOf } from "./places.ts";

/** Orders per query: each is a look-up in the tree and a condition to parse. */
const AT_ONCE = 200;

/** States of the orders that the shard has recorded, by `user id`. */
export async function states(
  db: Db,
  shard: number,
  orders: readonly { readonly user: string; readonly id: string }[],
): Promise<Map<string, OrderState>> {
  const found = new Map<string, OrderState>();
  for (let from = 0; from < orders.length; from += AT_ONCE) {
    const some = orders.slice(from, from + AT_ONCE);
    const named = some.map(() => "(bucket = ? AND id = ? AND usr = ?)").join(" OR ");
    const keys = some.flatMap(({ user, id }) => [bucketOf(user, shard), id, user]);
    const rows = await db.run(`SELECT usr, id, state FROM orders WHERE ${named}`, keys);
    for (const { usr, id, state } of rows) found.set(`${usr} ${id}`, state as OrderState);
  }
  return found;
}
