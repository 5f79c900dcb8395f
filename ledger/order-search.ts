// Orders as an operator searches for them: by id alone, or the newest of all users by state or
// sale, and everything that is on record about one.
//
// The tree of the orders has a few buckets, each in the order of the ids (0002-buckets.md). A page
// looks through a bounded stretch at the end of each, and names where the next one begins.
import { at } from "../core/domain/at.ts";
import type { OrderState } from "../core/domain/outcome.ts";
import type { StoredOrder } from "./contract.ts";
import type { Db } from "./db.ts";
import { selectOrders, storedOrders } from "./stored-orders.ts";

export interface OrderSearch {
  /** The orders with this id, of any user; at most SAME_ID. */
  ordersWithId(id: string): Promise<StoredOrder[]>;
  /** All users' orders, newest first. A page may be short, even empty, before the end. */
  ordersOfAll(request: SearchRequest): Promise<SearchPage>;
  /** undefined: it was never recorded. */
  orderStory(user: string, id: string): Promise<OrderStory | undefined>;
}

export interface SearchRequest {
  readonly limit: number;
  /** Only ids below this one. */
  readonly before?: string | undefined;
  readonly state?: OrderState | undefined;
  readonly saleId?: string | undefined;
  /** Orders that the page looks through; default: LOOKED_THROUGH. */
  readonly lookedThrough?: number;
}

export interface SearchPage {
  /** Orders of one id stay on one page, so there may be a few more than `limit`. */
  readonly orders: readonly StoredOrder[];
  /** Where the next page begins; absent: there is none. */
  readonly before?: string;
}

/** What the ledger has about an order besides the order itself and its events. */
export interface OrderStory {
  /** The entry that recorded it. */
  readonly entry: { readonly shard: number; readonly n: number; readonly id: string };
  readonly charges: readonly {
    readonly generation: number;
    readonly attempt: number;
    readonly amount: number;
    readonly currency: string;
    readonly status: string;
    readonly detail: string;
  }[];
  readonly parts: readonly {
    readonly generation: number;
    readonly part: number;
    readonly routingKey: string;
    /** Empty while no route names one. */
    readonly service: string;
    readonly status: string;
  }[];
  /** The webhooks' deliveries that are still in their log. */
  readonly deliveries: readonly {
    readonly endpoint: string;
    readonly type: string;
    readonly outcome: string;
    readonly status: number;
    readonly tries: number;
    readonly atMs: number;
  }[];
}

/** Ids are random; several users share one only on purpose. */
const SAME_ID = 20;
/** About 10 ms. */
const LOOKED_THROUGH = 20_000;
/** Orders of one page that are read to look at their sale. */
const READ_AT_ONCE = 200;
const MAX_ROWS = 200;

interface Found {
  readonly bucket: number;
  readonly id: string;
  readonly user: string;
}

export async function ordersWithId(db: Db, buckets: number, id: string): Promise<StoredOrder[]> {
  const all = Array.from({ length: buckets }, (_, bucket) => bucket).join(",");
  const rows = await db.run(
    `${selectOrders(db.dialect)} WHERE o.bucket IN (${all}) AND o.id = ? LIMIT ${SAME_ID}`,
    [id],
  );
  return storedOrders(db, rows);
}

export async function ordersOfAll(
  db: Db,
  buckets: number,
  { limit, before = "~", state, saleId, lookedThrough = LOOKED_THROUGH }: SearchRequest,
): Promise<SearchPage> {
  const most = Math.max(1, Math.floor(lookedThrough / buckets));
  const found: Found[] = [];
  let horizon = "";
  for (let bucket = 0; bucket < buckets; bucket++) {
    const rows = await db.run(
      `SELECT id, usr, state FROM orders WHERE bucket = ? AND id < ?
       ORDER BY bucket DESC, id DESC LIMIT ?`,
      [bucket, before, most],
    );
    // Below this id the bucket was not read; the last id may continue beyond the stretch.
    if (rows.length === most && String(rows.at(-1)?.id) > horizon)
      horizon = String(rows.at(-1)?.id);
    for (const row of rows)
      if (state === undefined || row.state === state)
        found.push({ bucket, id: String(row.id), user: String(row.usr) });
  }
  const newest = found.filter(({ id }) => id > horizon).sort((a, b) => (a.id < b.id ? 1 : -1));
  const { orders, end } = await readUntil(db, newest, limit, saleId);
  const next = end ?? (horizon === "" ? undefined : successorOf(horizon));
  return { orders, ...(next === undefined ? {} : { before: next }) };
}

/** The next page begins with the horizon itself, which this one left out. */
const successorOf = (id: string): string => `${id}~`;

/** Reads the newest until there are enough. `end`: the last one's id, if some are left. */
async function readUntil(
  db: Db,
  newest: readonly Found[],
  limit: number,
  saleId: string | undefined,
): Promise<{ readonly orders: StoredOrder[]; readonly end: string | undefined }> {
  const orders: StoredOrder[] = [];
  let read = 0;
  while (read < newest.length && orders.length < limit && read < READ_AT_ONCE) {
    let stop = Math.min(newest.length, read + limit - orders.length, READ_AT_ONCE);
    while (stop < newest.length && newest[stop]?.id === newest[stop - 1]?.id) stop++;
    const some = await ordersAt(db, newest.slice(read, stop));
    orders.push(...some.filter((order) => saleId === undefined || order.saleId === saleId));
    read = stop;
  }
  return { orders, end: read < newest.length ? at(newest, read - 1).id : undefined };
}

/** Newest id first. */
async function ordersAt(db: Db, found: readonly Found[]): Promise<StoredOrder[]> {
  if (found.length === 0) return [];
  const places = found.map(() => "(o.bucket = ? AND o.id = ? AND o.usr = ?)").join(" OR ");
  const values = found.flatMap(({ bucket, id, user }) => [bucket, id, user]);
  const rows = await db.run(`${selectOrders(db.dialect)} WHERE ${places}`, values);
  const orders = await storedOrders(db, rows);
  return orders.sort((a, b) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0));
}

export async function orderStory(
  db: Db,
  bucket: number,
  user: string,
  id: string,
): Promise<OrderStory | undefined> {
  const [entry] = await db.run(
    `SELECT m.shard, m.n, e.id FROM orders o JOIN messages m ON m.id = o.message
     JOIN entries e ON e.shard = m.shard AND e.n = m.n
     WHERE o.bucket = ? AND o.id = ? AND o.usr = ?`,
    [bucket, id, user],
  );
  if (!entry) return undefined;
  const charges = await db.run(
    `SELECT generation, attempt, amount, currency, status, detail FROM charges
     WHERE id = ? AND usr = ? ORDER BY generation, attempt LIMIT ?`,
    [id, user, MAX_ROWS],
  );
  const parts = await db.run(
    `SELECT generation, part, routing_key, service, status FROM parts
     WHERE id = ? AND usr = ? ORDER BY generation, part LIMIT ?`,
    [id, user, MAX_ROWS],
  );
  const deliveries = await db.run(
    `SELECT endpoint, type, outcome, status, tries, at_ms FROM webhook_log
     WHERE subject = ? ORDER BY seq LIMIT ?`,
    [`${user}/${id}`, MAX_ROWS],
  );
  return {
    entry: { shard: Number(entry.shard), n: Number(entry.n), id: String(entry.id) },
    charges: charges.map((r) => ({
      ...{ generation: Number(r.generation), attempt: Number(r.attempt) },
      ...{ amount: Number(r.amount), currency: String(r.currency) },
      ...{ status: String(r.status), detail: String(r.detail) },
    })),
    parts: parts.map((r) => ({
      ...{ generation: Number(r.generation), part: Number(r.part) },
      ...{ routingKey: String(r.routing_key), service: String(r.service) },
      status: String(r.status),
    })),
    deliveries: deliveries.map((r) => ({
      ...{ endpoint: String(r.endpoint), type: String(r.type), outcome: String(r.outcome) },
      ...{ status: Number(r.status), tries: Number(r.tries), atMs: Number(r.at_ms) },
    })),
  };
}
