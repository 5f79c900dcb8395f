// Reads the follow-ups that a shard's owner has to publish.
import type { FollowUp, Target } from "./contract.ts";
import type { Db } from "./db.ts";
import { overtaken } from "./overtaken.ts";

/** Open ones of a shard, oldest first (contract.ts). */
export async function followUps(
  db: Db,
  shard: number,
  limit: number,
  { dueMs, except = [] }: { dueMs?: number; except?: readonly Target[] } = {},
): Promise<FollowUp[]> {
  const others = except.map(() => " AND NOT (exchange = ? AND routing_key = ?)").join("");
  const rows = await db.run(
    `SELECT id, shard, exchange, routing_key, body, due_ms FROM follow_ups
     WHERE shard = ? AND done = 0${dueMs === undefined ? "" : " AND due_ms <= ?"}${others}
     ORDER BY id LIMIT ?`,
    [
      shard,
      ...(dueMs === undefined ? [] : [dueMs]),
      ...except.flatMap(({ exchange, routingKey }) => [exchange, routingKey]),
      limit,
    ],
  );
  const open = rows.map((r) => ({
    id: Number(r.id),
    shard: Number(r.shard),
    exchange: String(r.exchange),
    routingKey: String(r.routing_key),
    body: String(r.body),
  }));
  const putOff = open.filter(
    ({ exchange, routingKey }, i) =>
      exchange === "" && routingKey === "payments" && Number(rows[i]?.due_ms) > 0,
  );
  if (putOff.length === 0) return open;
  const gone = await overtaken(db, putOff);
  return open.map((f) => (gone.has(f.id) ? { ...f, overtaken: true } : f));
}
