// Asks for parts again: one that its service could not do, after a growing wait; or all unfinished
// ones, when an operator reports that a broker has lost messages. A claimed part goes to the queue
// of the service that claimed it, wherever the routes lead by now: no other service may have it.
import type { Entry } from "../core/domain/entry.ts";
import { type Part, regionOfGateway } from "../core/domain/part.ts";
import type { PartRow } from "../core/domain/row.ts";
import { shardOf } from "../core/domain/shard.ts";
import type { Runner } from "./db.ts";
import { bucketOf } from "./places.ts";
import { SERVICE_QUEUES } from "./request-targets.ts";
import { placedIn } from "./row-in.ts";
import { followUp, lateRows, type Sheet, send, traced } from "./sheet.ts";

/** The wait before a part is sent again, ms: half the time spent on it, within these bounds. */
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 600_000;

const FIELDS =
  "usr, id, generation, part, parts, routing_key, service, status, lines, request, since_ms";

/** Asks for all unfinished parts; returns their number. */
export async function partsAgain(tx: Runner, sheet: Sheet, shards: number): Promise<number> {
  const open = await tx.run(
    `UPDATE parts SET request = request + 1 WHERE status IN ('waiting', 'claimed')
     RETURNING ${FIELDS}`,
  );
  for (const r of open) {
    const shard = shardOf(String(r.usr), shards);
    const part = await partOf(tx, r, shard);
    if (part) send(sheet, shard, ...targetOf(r), part);
  }
  return open.length;
}

/** Sends parts that their service reported as `later` again, if it has claimed them. */
export async function recordPutOffs(tx: Runner, sheet: Sheet, entry: Entry): Promise<void> {
  for (const row of lateRows(sheet, entry))
    if (row.kind === "part") await putOff(tx, sheet, entry, row);
}

async function putOff(tx: Runner, sheet: Sheet, entry: Entry, row: PartRow): Promise<void> {
  const { user, id, generation, part, report, service, request = 1 } = row;
  if (report !== "later") return;
  const [r] = await tx.run(
    `UPDATE parts SET request = request + 1,
     since_ms = CASE WHEN since_ms = 0 THEN ? ELSE since_ms END
     WHERE id = ? AND usr = ? AND generation = ? AND part = ? AND status = 'claimed'
     AND service = ? AND request = ? RETURNING ${FIELDS}`,
    [entry.atMs, id, user, generation, part, service, request],
  );
  const again = r && (await partOf(tx, r, entry.shard));
  if (!r || !again) return;
  const inVainMs = Math.max(0, entry.atMs - Number(r.since_ms));
  const waitMs = Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, Math.round(inVainMs / 2)));
  const body = JSON.stringify([again]);
  followUp(sheet, entry.shard, ...targetOf(r), body, entry.atMs + waitMs);
}

function targetOf(r: Record<string, unknown>): [exchange: string, routingKey: string] {
  const { status, service, routing_key } = r;
  return status === "claimed"
    ? ["", `${SERVICE_QUEUES}${service}`]
    : ["fulfilment", String(routing_key)];
}

/** The part as its service receives it; undefined if its order is not recorded. */
async function partOf(
  tx: Runner,
  r: Record<string, unknown>,
  shard: number,
): Promise<Part | undefined> {
  const [user, id] = [String(r.usr), String(r.id)];
  const [found] = await tx.run(
    `SELECT m.gateway, m.body, o.idx FROM orders o JOIN messages m ON m.id = o.message
     WHERE o.bucket = ? AND o.id = ? AND o.usr = ?`,
    [bucketOf(user, shard), id, user],
  );
  if (!found) return undefined;
  const { order, trace } = placedIn(String(found.body), Number(found.idx));
  const { saleId, metadata } = order;
  return {
    ...{ user, id, saleId, shard, metadata },
    ...{ generation: Number(r.generation), part: Number(r.part), of: Number(r.parts) },
    region: regionOfGateway(String(found.gateway)),
    lines: JSON.parse(String(r.lines)) as Part["lines"],
    request: Number(r.request),
    ...(Number(r.since_ms) > 0 ? { sinceMs: Number(r.since_ms) } : {}),
    ...traced(trace),
  };
}
