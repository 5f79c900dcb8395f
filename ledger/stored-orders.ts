// Orders as clients read them: one, or a page of a user's.
//
// The tree of the orders has them by time, not by user: an index by user would cost each order
// more than twice what recording it costs (docs/decisions/0002-buckets.md). So a page looks through
// a bounded stretch of the tree, and names where the next one begins.
import { at } from "../core/domain/at.ts";
import { type OrderState, TERMINAL_STATES } from "../core/domain/outcome.ts";
import type { PlacedOrder } from "../core/domain/row.ts";
import { shardOf } from "../core/domain/shard.ts";
import type { OrderPage, PageRequest, StoredOrder } from "./contract.ts";
import type { Db, Dialect } from "./db.ts";
import { PLACE, placedOrders, placeOf } from "./placed-order.ts";
import { bucketOf } from "./places.ts";

/** Orders of all users that one page looks through: about 4 ms. */
export const LOOKED_THROUGH = 20_000;

/** Orders at once that ordersOf() reads. */
const PAGE = 500;

export async function storedOrder(
  db: Db,
  shards: number,
  user: string,
  id: string,
): Promise<StoredOrder | undefined> {
  const bucket = bucketOf(user, shardOf(user, shards));
  const text = `${selectOrders(db.dialect)} WHERE o.bucket = ? AND o.id = ? AND o.usr = ?`;
  return (await storedOrders(db, await db.run(text, [bucket, id, user])))[0];
}

/** The newest `limit` orders of a user, however far back they lie. */
export async function ordersOf(
  db: Db,
  shards: number,
  user: string,
  { limit, before }: { readonly limit: number; readonly before?: string },
): Promise<StoredOrder[]> {
  const orders: StoredOrder[] = [];
  let next: string | undefined = before;
  do {
    const left = Math.min(PAGE, limit - orders.length);
    const page: OrderPage = await orderPage(db, shards, user, {
      limit: left,
      ...(next === undefined ? {} : { before: next }),
    });
    orders.push(...page.orders);
    next = page.before;
  } while (next !== undefined && orders.length < limit);
  return orders;
}

export async function orderPage(
  db: Db,
  shards: number,
  user: string,
  { limit, before = "~", state, saleId, lookedThrough = LOOKED_THROUGH }: PageRequest,
): Promise<OrderPage> {
  const bucket = bucketOf(user, shardOf(user, shards));
  const [end] = await db.run(
    `SELECT id FROM orders WHERE bucket = ? AND id < ?
     ORDER BY bucket DESC, id DESC LIMIT 1 OFFSET ?`,
    [bucket, before, lookedThrough - 1],
  );
  // The last id looked at belongs to the page whole: several users may have used it.
  const rows = await db.run(
    `${selectOrders(db.dialect)}
     WHERE o.bucket = ? AND o.usr = ? AND o.id < ? AND o.id >= ?${state ? " AND o.state = ?" : ""}
     ORDER BY o.bucket DESC, o.id DESC LIMIT ?`,
    [bucket, user, before, String(end?.id ?? ""), ...(state ? [state] : []), limit],
  );
  const found = await storedOrders(db, rows);
  const orders = found.filter((order) => saleId === undefined || order.saleId === saleId);
  const next = rows.length === limit ? found.at(-1)?.id : end?.id;
  return { orders, ...(next === undefined ? {} : { before: String(next) }) };
}

/**
 * The database extracts the order's first outcome. A parked order counts as decided when it was
 * released: at its first event that is a state.
 */
export function selectOrders(dialect: Dialect): string {
  const outcome = FIRST_OUTCOME[dialect];
  const released = `SELECT v.at_ms FROM events v WHERE v.id = o.id AND v.usr = o.usr
    AND v.event IN (${DECIDED}) ORDER BY v.seq LIMIT 1`;
  return `SELECT o.state, m.shard, ${PLACE},
    ${outcome} AS first, e.at_ms AS first_ms,
    CASE WHEN ${outcome} = 'parked' THEN (${released}) ELSE e.at_ms END AS decided_ms
    FROM orders o JOIN messages m ON m.id = o.message
    JOIN entries e ON e.shard = m.shard AND e.n = m.n`;
}

/** An order's first outcome, extracted from those of its message. */
const FIRST_OUTCOME = {
  sqlite: `json_extract('["' || replace(m.outcomes, ',', '","') || '"]', '$[' || o.idx || ']')`,
  postgres: "split_part(m.outcomes, ',', o.idx + 1)",
} as const;

/** The states that a decision can give, as SQL. */
const DECIDED = ["reserved", ...TERMINAL_STATES].map((state) => `'${state}'`).join(",");

export async function storedOrders(
  db: Db,
  rows: readonly Record<string, unknown>[],
): Promise<StoredOrder[]> {
  const placed = await placedOrders(db, rows.map(placeOf));
  return rows.map((row, i) => asStored(row, at(placed, i)));
}

function asStored(r: Record<string, unknown>, placed: PlacedOrder): StoredOrder {
  const { order, fingerprint, atMs, trace = "" } = placed;
  return {
    ...order,
    state: String(r.state) as OrderState,
    fingerprint,
    acceptedAtMs: atMs,
    decidedAtMs: r.decided_ms === null ? undefined : Number(r.decided_ms),
    first: { state: String(r.first) as OrderState, atMs: Number(r.first_ms) },
    shard: Number(r.shard),
    traceparent: trace,
  };
}
