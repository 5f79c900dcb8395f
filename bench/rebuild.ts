// How long a rebuild of Redis takes: `bun bench/rebuild.ts [orders …]`, 100,000 and 10 million when
// none are given. A ledger with such a history is written directly, in a folder of its own that
// goes afterwards: entries of 100 orders over 30 days, of which one order is still open, five were
// sent, and 94 found nothing left. The `orders` table stays empty: a rebuild does not read it.
// Printed: one line a history, with snapshots as the workers make them, and for small ones without.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Announcement } from "../consumers/rebuild/announcement.ts";
import { makeSnapshot } from "../consumers/rebuild/make-snapshot.ts";
import { rebuild } from "../consumers/rebuild/rebuild.ts";
import type { OrderStep } from "../core/domain/entry.ts";
import { newEntryId } from "../core/domain/entry-id.ts";
import { stepsText } from "../core/domain/entry-text.ts";
import { MessageWriter } from "../core/domain/message-writer.ts";
import { fingerprintOf } from "../core/domain/order.ts";
import { shardOf } from "../core/domain/shard.ts";
import { RebuildStore } from "../core/stores/rebuild-store.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { Db, insertRows, type Value } from "../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";
import { messageId } from "../ledger/places.ts";
import { startRedis } from "../services/redis.ts";

const SHARDS = 8;
const ORDERS_PER_ENTRY = 100;
const SENT_PER_ENTRY = 5;
const DAYS = 30;
const DAY_MS = 86_400_000;
const WINDOW_MS = 3_600_000;
const USERS = 200_000;
/** Entries since the last snapshot of each shard: as many as there are when the next one is due. */
const AFTER_SNAPSHOT = 1_000;
/** Entries in one transaction: some megabytes. */
const ENTRIES_PER_WRITE = 200;
/** Above this a rebuild that reads everything is left out. */
const MOST_WITHOUT = 1_000_000;
const LINES = [{ sku: "a", qty: 1 }];
const OUTCOMES = Array.from({ length: ORDERS_PER_ENTRY }, (_, i) =>
  i <= SENT_PER_ENTRY ? "reserved" : "sold_out",
).join(",");

interface Sent {
  readonly user: string;
  readonly id: string;
}

/** Users by shard. */
function makeUsers(): string[][] {
  const users: string[][] = Array.from({ length: SHARDS }, () => []);
  for (let i = 0; i < USERS; i++) users[shardOf(`user${i}`, SHARDS)]?.push(`user${i}`);
  return users;
}

/** Writes one shard's history; returns how many of its orders are open. */
async function writeShard(db: Db, shard: number, users: string[], count: number): Promise<number> {
  const endMs = Date.now() - 1_000;
  let [prev, sent] = ["genesis", [] as Sent[]];
  for (let from = 0; from < count; from += ENTRIES_PER_WRITE) {
    const entries: Value[] = [];
    const messages: Value[] = [];
    const charges: Value[] = [];
    for (let n = from + 1; n <= Math.min(count, from + ENTRIES_PER_WRITE); n++) {
      const atMs = Math.round(endMs - DAYS * DAY_MS * (1 - n / count));
      const orders: Sent[] = [];
      const rows = new MessageWriter();
      for (let i = 0; i < ORDERS_PER_ENTRY; i++) {
        const user = users[(n * ORDERS_PER_ENTRY + i) % users.length] as string;
        const id = Bun.randomUUIDv7("hex", atMs);
        const terms = { saleId: "s1", seq: 0, currency: "EUR", lines: LINES, payment: "tok" };
        const order = { user, id, ...terms, metadata: "", maxTotal: 0 };
        rows.order(order, fingerprintOf(order), atMs);
        if (i <= SENT_PER_ENTRY) orders.push({ user, id });
      }
      const id = newEntryId();
      entries.push(shard, n, id, prev, "decide", atMs, 1, "[]", stepsText(stepsOf(sent)));
      messages.push(messageId(shard, n), shard, n, "g", "1", rows.toString(), OUTCOMES);
      const open = orders[0] as Sent;
      charges.push(open.user, open.id, 1, 1, 100, "EUR", "tok", "started", "", "");
      [prev, sent] = [id, orders.slice(1)];
    }
    await db.transaction(async (tx) => {
      const of = ["shard", "n", "id", "prev", "kind", "at_ms", "epoch", "released", "steps"];
      await insertRows(tx, "entries", of, entries);
      const message = ["id", "shard", "n", "gateway", "batch", "body", "outcomes"];
      await insertRows(tx, "messages", message, messages);
      const charge = ["usr", "id", "generation", "attempt", "amount", "currency", "payment"];
      await insertRows(tx, "charges", [...charge, "status", "detail", "metadata"], charges);
    });
  }
  await db.run("UPDATE shards SET last_id = ?, last_n = ? WHERE shard = ?", [prev, count, shard]);
  return count + sent.length;
}

/** What became of the orders that were to be sent. */
function stepsOf(sent: readonly Sent[]): OrderStep[] {
  return (["paid", "dispatched"] as const).flatMap((what) =>
    sent.map(({ user, id }): OrderStep => {
      const terms = { generation: 1, attempt: 1, gateway: "g", saleId: "s1", lines: LINES };
      return { what, user, id, ...terms, detail: "" };
    }),
  );
}

async function writeLedger(url: string, orders: number, users: string[][]): Promise<number> {
  const ledger = await openLedger({ url, shards: SHARDS });
  const item = { sku: "a", name: "A", category: "c", priceMinor: 100, limitPerUser: 0 };
  const sale = { id: "s1", name: "S", currency: "EUR", opensAtMs: 0, closesAtMs: 9e12 };
  const items = [{ ...item, initial: orders }];
  await ledger.operate({ kind: "create", ref: "r", sale: { ...sale, items } }, "bench");
  await ledger.close();
  const db = await Db.open(url);
  await db.run("PRAGMA synchronous = OFF");
  const entries = Math.floor(orders / ORDERS_PER_ENTRY / SHARDS);
  let open = 0;
  for (let shard = 0; shard < SHARDS; shard++)
    open += await writeShard(db, shard, users[shard] as string[], entries);
  const sold = entries * SHARDS * (SENT_PER_ENTRY + 1) - open;
  await db.run("UPDATE items SET available = available - ?, held = ?, sold = ?", [
    ...[open + sold, open, sold],
  ]);
  await db.close();
  return open;
}

/**
 * Each shard's snapshot, some entries before its last; returns the seconds of work it took in all.
 */
async function snapshots(url: string): Promise<number> {
  const db = await Db.open(url);
  const startedMs = performance.now();
  const quiet = { pace: { rest: async () => undefined }, log: () => undefined };
  for (const { shard, last_n } of await db.run("SELECT shard, last_n FROM shards")) {
    const n = Math.max(1, Number(last_n) - AFTER_SNAPSHOT);
    await makeSnapshot(db, { shard: Number(shard), n, sinceMs: Date.now() - WINDOW_MS }, quiet);
  }
  await db.close();
  return (performance.now() - startedMs) / 1_000;
}

/** Seconds of one rebuild into an empty Redis. */
async function timed(url: string, redisUrl: string): Promise<{ seconds: number; cpu: number }> {
  const ledger = await openLedger({ url, shards: SHARDS });
  const writer = await openLedgerWriter(url);
  const redis = new RedisStore({ url: redisUrl });
  await redis.connect();
  await redis.client.flushall();
  const store = new RebuildStore(redis);
  const announcement = new Announcement(store);
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const result = await rebuild(
    {
      ...{ store, ledger, writer, announcement, dedupWindowMs: WINDOW_MS },
      now: Date.now,
      log: () => undefined,
    },
    await ledger.incarnation(),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  const used = process.cpuUsage(cpu);
  if (result !== "rebuilt") throw new Error(`the rebuild was ${result}`);
  await announcement.retract();
  await Promise.all([ledger.close(), writer.close(), redis.close()]);
  return { seconds, cpu: (used.user + used.system) / 1_000_000 };
}

async function measure(orders: number, users: string[][]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sluice-rebuild-"));
  const redis = await startRedis(join(folder, "redis"), { persistence: false });
  try {
    const url = `sqlite:${folder}/ledger.db`;
    const startedMs = performance.now();
    const open = await writeLedger(url, orders, users);
    const wroteS = (performance.now() - startedMs) / 1_000;
    const whole = orders <= MOST_WITHOUT ? (await timed(url, redis.url)).seconds : undefined;
    const madeS = await snapshots(url);
    const runs = [await timed(url, redis.url), await timed(url, redis.url)];
    const text = runs.map(
      ({ seconds, cpu }) => `${seconds.toFixed(2)} s (CPU ${cpu.toFixed(2)} s)`,
    );
    process.stdout.write(
      `${orders.toLocaleString("en")} orders, ${open.toLocaleString("en")} open: ${text.join(", ")}; ` +
        `${whole === undefined ? "" : `without snapshots ${whole.toFixed(2)} s; `}` +
        `snapshots of all shards ${madeS.toFixed(1)} s of work, writing the ledger ${wroteS.toFixed(0)} s\n`,
    );
  } finally {
    await redis.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

const wanted = process.argv.slice(2).map(Number);
const users = makeUsers();
for (const orders of wanted.length > 0 ? wanted : [100_000, 10_000_000])
  await measure(orders, users);
