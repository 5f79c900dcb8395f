// What happened to orders since their followers last received an event: first the state that the
// decision gave, then the events in order. Successive owners of a shard write an order's events, so
// the numbers within an order only increase, and reading on from the last one misses nothing. This
// does not hold across orders: Postgres may commit a lower number later.
import { shardOf } from "../core/domain/shard.ts";
import type { Followed, Following } from "./contract.ts";
import type { Db } from "./db.ts";
import { bucketOf } from "./places.ts";

/** Orders in one query. */
const AT_ONCE = 50;

export async function followed(
  db: Db,
  shards: number,
  orders: readonly Following[],
): Promise<Followed[]> {
  const found: Followed[] = [];
  for (let from = 0; from < orders.length; from += AT_ONCE)
    found.push(...(await some(db, shards, orders.slice(from, from + AT_ONCE))));
  return found;
}

async function some(db: Db, shards: number, orders: readonly Following[]): Promise<Followed[]> {
  const named = orders.map(() => "(o.bucket = ? AND o.id = ? AND o.usr = ?)").join(" OR ");
  const keys = orders.flatMap(({ user, id }) => [bucketOf(user, shardOf(user, shards)), id, user]);
  // States first: the events read afterwards include whatever led to them.
  const rows = await db.run(
    `SELECT o.usr, o.id, o.state, o.idx, m.outcomes, e.at_ms
     FROM orders o JOIN messages m ON m.id = o.message
     JOIN entries e ON e.shard = m.shard AND e.n = m.n WHERE ${named}`,
    keys,
  );
  const known = new Map(rows.map((r) => [`${r.usr} ${r.id}`, r]));
  const asked = orders.filter(({ user, id }) => known.has(`${user} ${id}`));
  if (asked.length === 0) return [];
  const events = await db.run(
    `SELECT seq, usr, id, at_ms, event, detail FROM events
     WHERE ${asked.map(() => "(id = ? AND usr = ? AND seq > ?)").join(" OR ")} ORDER BY seq`,
    asked.flatMap(({ user, id, after }) => [id, user, Math.max(after, 0)]),
  );
  return asked.map(({ user, id, after }) => {
    const row = known.get(`${user} ${id}`) as Record<string, unknown>;
    const first = {
      seq: 0,
      atMs: Number(row.at_ms),
      event: String(row.outcomes).split(",")[Number(row.idx)] ?? "",
      detail: "",
    };
    const later = events
      .filter((r) => r.id === id && r.usr === user)
      .map((r) => ({
        seq: Number(r.seq),
        atMs: Number(r.at_ms),
        event: String(r.event),
        detail: String(r.detail),
      }));
    return { user, id, state: String(row.state), events: after < 0 ? [first, ...later] : later };
  });
}
