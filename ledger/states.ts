// The states of many orders at once, for those that come too late to be known to Redis.
import type { OrderState } from "../core/domain/outcome.ts";
import type { Db } from "./db.ts";
import { bucketOf } from "./places.ts";

/**
 * Orders in one query: each is a look-up in the tree, and a condition the database has to parse.
 */
const AT_ONCE = 200;

/** Of those that this shard recorded, by `user id`. */
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
