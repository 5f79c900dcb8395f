// Webhook endpoints, and how far each has been served. An endpoint's position, its held events and
// its delivery log change in one transaction, which only the holder of its lease can commit:
// a sender that was killed leaves nothing half done, and its successor continues from there.
//
// Leases are here rather than in Redis, because they guard rows of this database. All times are by
// its clock, so that those of gateways and senders do not matter.

import type { FeedEvent, FeedType } from "../core/domain/feed-event.ts";
import { cursorOf, type FeedPosition, readCursor } from "../core/domain/feed-position.ts";
import { MAX_ENDPOINTS, type WebhookEndpoint } from "../core/domain/webhook-endpoint.ts";
import { type Db, type Dialect, insertRows, type Runner, type Value } from "./db.ts";
import { feedEvent } from "./feed.ts";
import { jsonRows, rowsFrom, wholeIn } from "./json-rows.ts";
import {
  type Delivery,
  type DeliveryOutcome,
  type EndpointLease,
  type HeldEvent,
  MAX_LOG,
  type NewHeldEvent,
  type Progress,
  type Webhooks,
} from "./webhook-contract.ts";

/** The database's clock, Unix ms. */
export const NOW: Readonly<Record<Dialect, string>> = {
  sqlite: "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
  postgres: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
};
/** An operator's redeliveries may exceed the bound of the sender by this many. */
const MORE_BY_HAND = 100;

const HELD = ["endpoint", "event", "tries", "due_ms", "since_ms", "manual"];
const LOG = [
  ...["endpoint", "event", "type", "subject", "shard", "n", "outcome", "status", "error"],
  ...["tries", "took_ms", "at_ms"],
];

export class SqlWebhooks implements Webhooks {
  private readonly now: string;

  constructor(private readonly db: Db) {
    this.now = NOW[db.dialect];
  }

  async add({ url, types, secret, position, by }: Parameters<Webhooks["add"]>[0]) {
    const id = `we_${this.db.runtime.uuid().replaceAll("-", "").slice(-16)}`;
    const values = [id, url, JSON.stringify(types), secret, cursorOf(position)];
    const added = await this.db.transaction(async (tx) => {
      if (this.db.dialect === "postgres")
        await tx.run("LOCK TABLE webhook_endpoints IN EXCLUSIVE MODE");
      const [count] = await tx.run("SELECT COUNT(*) AS endpoints FROM webhook_endpoints");
      if (Number(count?.endpoints) >= MAX_ENDPOINTS) return false;
      await tx.run(
        `INSERT INTO webhook_endpoints (id, url, types, secret, position, created_ms, created_by)
         VALUES (?, ?, ?, ?, ?, ${this.now}, ?)`,
        [...values, by],
      );
      return true;
    });
    if (!added) return "too_many" as const;
    return (await this.list()).find((e) => e.id === id) as WebhookEndpoint;
  }

  async list(): Promise<WebhookEndpoint[]> {
    const rows = await this.db.run(
      `SELECT e.*, (SELECT COUNT(*) FROM webhook_held h WHERE h.endpoint = e.id) AS held
       FROM webhook_endpoints e ORDER BY e.created_ms, e.id`,
    );
    return rows.map(endpointOf);
  }

  remove(id: string): Promise<boolean> {
    return this.db.transaction(async (tx) => {
      for (const table of ["webhook_held", "webhook_log"])
        await tx.run(`DELETE FROM ${table} WHERE endpoint = ?`, [id]);
      const gone = await tx.run("DELETE FROM webhook_endpoints WHERE id = ? RETURNING id", [id]);
      return gone.length > 0;
    });
  }

  /** The first reason stays. The lease ends at once: its sender can write no more. */
  async pause(id: string, by: string, why: string): Promise<boolean> {
    await this.db.run(
      `UPDATE webhook_endpoints SET paused_ms = ${this.now}, paused_by = ?, pause_reason = ?,
       epoch = epoch + 1, holder = '' WHERE id = ? AND paused_ms = 0`,
      [by, why, id],
    );
    return this.exists(id);
  }

  /** Events that wait are due at once, and have their whole time again. */
  resume(id: string): Promise<boolean> {
    const { now } = this;
    return this.db.transaction(async (tx) => {
      const rows = await tx.run(
        `UPDATE webhook_endpoints SET paused_ms = 0, paused_by = '', pause_reason = '',
         failing_ms = 0 WHERE id = ? AND paused_ms > 0 RETURNING id`,
        [id],
      );
      if (rows.length > 0)
        await tx.run(
          `UPDATE webhook_held SET due_ms = ${now},
             since_ms = CASE WHEN since_ms = 0 THEN 0 ELSE ${now} END
           WHERE endpoint = ?`,
          [id],
        );
      return rows.length > 0 || this.exists(id, tx);
    });
  }

  async log(id: string, limit: number): Promise<Delivery[] | undefined> {
    if (!(await this.exists(id))) return undefined;
    const rows = await this.db.run(
      "SELECT * FROM webhook_log WHERE endpoint = ? ORDER BY seq DESC LIMIT ?",
      [id, limit],
    );
    return rows.map(deliveryOf);
  }

  async redeliver(id: string, eventId: string): ReturnType<Webhooks["redeliver"]> {
    if (!(await this.exists(id))) return "no_endpoint";
    const [row] = await this.db.run(
      "SELECT shard, n FROM webhook_log WHERE endpoint = ? AND event = ? ORDER BY seq DESC LIMIT 1",
      [id, eventId],
    );
    if (!row) return "no_event";
    const [shard, n] = [Number(row.shard), Number(row.n)];
    const event = await feedEvent(this.db, shard, n, eventId);
    if (!event) return "no_event";
    const [count] = await this.db.run(
      "SELECT COUNT(*) AS held FROM webhook_held WHERE endpoint = ? AND manual = 1",
      [id],
    );
    if (Number(count?.held) >= MORE_BY_HAND) return "full";
    const dueMs = await this.nowMs();
    await hold(this.db, id, [{ event, tries: 0, dueMs, sinceMs: 0, manual: true }]);
    return "done";
  }

  async nowMs(): Promise<number> {
    const [row] = await this.db.run(`SELECT ${this.now} AS now`);
    return Number(row?.now);
  }

  async beat(
    sender: string,
    leaseMs: number,
    held: readonly EndpointLease[],
  ): Promise<EndpointLease[]> {
    const { now } = this;
    await this.db.run(
      `INSERT INTO webhook_senders (id, until_ms) VALUES (?, ${now} + ?)
       ON CONFLICT (id) DO UPDATE SET until_ms = excluded.until_ms`,
      [sender, leaseMs],
    );
    await this.db.run(`DELETE FROM webhook_senders WHERE until_ms < ${now} - ?`, [10 * leaseMs]);
    const kept: EndpointLease[] = [];
    for (const lease of held) {
      const rows = await this.db.run(
        `UPDATE webhook_endpoints SET lease_ms = ${now} + ?
         WHERE id = ? AND holder = ? AND epoch = ? AND paused_ms = 0 RETURNING id`,
        [leaseMs, lease.endpoint, sender, lease.epoch],
      );
      if (rows.length > 0) kept.push(lease);
    }
    return kept;
  }

  async share(): Promise<number> {
    const [row] = await this.db.run(
      `SELECT (SELECT COUNT(*) FROM webhook_endpoints WHERE paused_ms = 0) AS endpoints,
       (SELECT COUNT(*) FROM webhook_senders WHERE until_ms >= ${this.now}) AS senders`,
    );
    return Math.ceil(Number(row?.endpoints) / Math.max(1, Number(row?.senders)));
  }

  async claim(sender: string, leaseMs: number, held: number): Promise<EndpointLease[]> {
    const room = (await this.share()) - held;
    if (room <= 0) return [];
    const rows = await this.db.run(
      `UPDATE webhook_endpoints SET holder = ?, epoch = epoch + 1, lease_ms = ${this.now} + ?
       WHERE paused_ms = 0 AND (holder = '' OR lease_ms < ${this.now}) AND id IN
         (SELECT id FROM webhook_endpoints
          WHERE paused_ms = 0 AND (holder = '' OR lease_ms < ${this.now}) ORDER BY id LIMIT ?)
       RETURNING *`,
      [sender, leaseMs, room],
    );
    return rows.map(leaseOf);
  }

  async release(sender: string, held: readonly EndpointLease[], leave: boolean): Promise<void> {
    for (const { endpoint, epoch } of held)
      await this.db.run(
        `UPDATE webhook_endpoints SET holder = '', epoch = epoch + 1
         WHERE id = ? AND holder = ? AND epoch = ?`,
        [endpoint, sender, epoch],
      );
    if (leave) await this.db.run("DELETE FROM webhook_senders WHERE id = ?", [sender]);
  }

  async held(endpoint: string): Promise<HeldEvent[]> {
    const rows = await this.db.run("SELECT * FROM webhook_held WHERE endpoint = ? ORDER BY seq", [
      endpoint,
    ]);
    return rows.map(heldOf);
  }

  advance({ endpoint, epoch }: EndpointLease, progress: Progress): Promise<boolean> {
    const { position, pause, failingSinceMs, lastError, succeededMs } = progress;
    const paused = pause === undefined ? ["", ""] : ["sluice", pause];
    return this.db.transaction(async (tx) => {
      const rows = await tx.run(
        `UPDATE webhook_endpoints SET position = ?, failing_ms = ?,
           last_error = CASE WHEN ? = '' THEN last_error ELSE ? END,
           success_ms = CASE WHEN ? = 0 THEN success_ms ELSE ? END,
           paused_ms = ${pause === undefined ? 0 : this.now}, paused_by = ?, pause_reason = ?
         WHERE id = ? AND epoch = ? AND paused_ms = 0 RETURNING id`,
        [
          ...[cursorOf(position), failingSinceMs, lastError, lastError, succeededMs, succeededMs],
          ...[...paused, endpoint, epoch],
        ],
      );
      if (rows.length === 0) return false;
      await drop(this.db.dialect, tx, progress.drop);
      await hold(tx, endpoint, progress.add);
      for (const { seq, tries, dueMs, sinceMs } of progress.retry)
        await tx.run("UPDATE webhook_held SET tries = ?, due_ms = ?, since_ms = ? WHERE seq = ?", [
          ...[tries, dueMs, sinceMs, seq],
        ]);
      await keepLog(tx, endpoint, progress.log);
      return true;
    });
  }

  private async exists(id: string, tx: Runner = this.db): Promise<boolean> {
    return (await tx.run("SELECT id FROM webhook_endpoints WHERE id = ?", [id])).length > 0;
  }
}

async function drop(dialect: Dialect, tx: Runner, seqs: readonly number[]): Promise<void> {
  const text = `DELETE FROM webhook_held
    WHERE seq IN (SELECT ${wholeIn(0)} FROM ${rowsFrom(dialect)})`;
  for (const list of jsonRows(seqs.map((seq) => [seq]))) await tx.run(text, [list]);
}

async function hold(tx: Runner, endpoint: string, events: readonly NewHeldEvent[]): Promise<void> {
  const rows = events.flatMap(({ event, tries, dueMs, sinceMs, manual }): Value[] => [
    ...[endpoint, JSON.stringify(event), tries, dueMs, sinceMs, manual ? 1 : 0],
  ]);
  await insertRows(tx, "webhook_held", HELD, rows);
}

/** Appends to the log, and cuts it to its bound. */
async function keepLog(tx: Runner, endpoint: string, log: readonly Delivery[]): Promise<void> {
  if (log.length === 0) return;
  const rows = log
    .slice(-MAX_LOG)
    .flatMap((d): Value[] => [
      ...[endpoint, d.eventId, d.type, d.subject, d.shard, d.n, d.outcome, d.status, d.error],
      ...[d.tries, d.tookMs, d.atMs],
    ]);
  await insertRows(tx, "webhook_log", LOG, rows);
  await tx.run(
    `DELETE FROM webhook_log WHERE endpoint = ? AND seq <=
       (SELECT seq FROM webhook_log WHERE endpoint = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)`,
    [endpoint, endpoint, MAX_LOG],
  );
}

function endpointOf(r: Record<string, unknown>): WebhookEndpoint {
  const atMs = Number(r.paused_ms);
  return {
    id: String(r.id),
    url: String(r.url),
    types: JSON.parse(String(r.types)) as FeedType[],
    createdAtMs: Number(r.created_ms),
    createdBy: String(r.created_by),
    paused: atMs === 0 ? undefined : { atMs, by: String(r.paused_by), why: String(r.pause_reason) },
    failingSinceMs: Number(r.failing_ms),
    lastError: String(r.last_error),
    lastSuccessMs: Number(r.success_ms),
    held: Number(r.held),
  };
}

function leaseOf(r: Record<string, unknown>): EndpointLease {
  return {
    endpoint: String(r.id),
    epoch: Number(r.epoch),
    url: String(r.url),
    secret: String(r.secret),
    types: JSON.parse(String(r.types)) as FeedType[],
    position: positionIn(String(r.position)),
    failingSinceMs: Number(r.failing_ms),
  };
}

function positionIn(text: string): FeedPosition {
  const position = readCursor(text);
  if (!position) throw new Error(`the ledger holds a position of no feed: ${text.slice(0, 40)}`);
  return position;
}

function heldOf(r: Record<string, unknown>): HeldEvent {
  return {
    seq: Number(r.seq),
    event: JSON.parse(String(r.event)) as FeedEvent,
    tries: Number(r.tries),
    dueMs: Number(r.due_ms),
    sinceMs: Number(r.since_ms),
    manual: Number(r.manual) === 1,
  };
}

function deliveryOf(r: Record<string, unknown>): Delivery {
  return {
    eventId: String(r.event),
    type: String(r.type),
    subject: String(r.subject),
    shard: Number(r.shard),
    n: Number(r.n),
    outcome: String(r.outcome) as DeliveryOutcome,
    status: Number(r.status),
    error: String(r.error),
    tries: Number(r.tries),
    tookMs: Number(r.took_ms),
    atMs: Number(r.at_ms),
  };
}
