// Measures a rebuild of Redis: `bun bench/rebuild.ts [orders …]`, by default 100,000 and 10
// million. Writes a history of that size directly into a ledger in a temporary folder: entries of
// 100 orders over 30 days, of which one is still open, five were sent, and 94 were sold out. The
// `orders` table stays empty, because a rebuild does not read it. Prints a line per history, with
// snapshots as workers make them, and for small ones also without.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Announcement } from "../consumers/rebuild/announcement.ts";
import { makeSnapshot } from "../consumers/rebuild/make-snapshot.ts";
import { rebuild } from "../consumers/rebuild/rebuild.ts";
import { at } from "../core/domain/at.ts";
import type { OrderStep } from "../core/domain/entry.ts";
import { newEntryId } from "../core/domain/entry-id.ts";
import { stepsText } from "../core/domain/entry-text.ts";
import { MessageWriter } from "../core/domain/message-writer.ts";
import { fingerprintOf } from "../core/domain/order.ts";
import { shardOf } from "../core/domain/shard.ts";
import { uuidV7 } from "../core/runtime/prng.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { RebuildStore } from "../core/stores/rebuild-store.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { Db, insertRows, type Value } from "../ledger/db.ts";
import { openLedger, openLedgerWriter } from "../ledger/open.ts";
import { messageId } from "../ledger/places.ts";
import { append, CHARGES, ENTRIES, MESSAGES } from "../ledger/sheet-rows.ts";
import { startRedis } from "../services/redis.ts";

const SHARDS = 8;
const ORDERS_PER_ENTRY = 100;
const SENT_PER_ENTRY = 5;
const DAYS = 30;
const DAY_MS = 86_400_000;
const WINDOW_MS = 3_600_000;
const USERS = 200_000;
/** Entries since each shard's last snapshot: as many as when the next one is due. */
const AFTER_SNAPSHOT = 1_000;
/** Entries per transaction: some megabytes. */
const ENTRIES_PER_WRITE = 200;
/** Above this, the rebuild without snapshots is skipped. */
const MAX_WITHOUT = 1_000_000;
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
  const endMs = realRuntime.wallMs() - 1_000;
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
        const user = at(users, (n * ORDERS_PER_ENTRY + i) % users.length);
        const id = uuidV7(atMs, realRuntime.random);
        const terms = { saleId: "s1", seq: 0, currency: "EUR", lines: LINES, payment: "tok" };
        const order = { user, id, ...terms, metadata: "", maxTotal: 0 };
        rows.order(order, fingerprintOf(order), atMs);
        if (i <= SENT_PER_ENTRY) orders.push({ user, id });
      }
      const id = newEntryId(realRuntime.randomBytes);
      append(entries, ENTRIES, {
        ...{ shard, n, id, prev, kind: "decide", at_ms: atMs, recorded_ms: atMs, epoch: 1 },
        ...{ released: "[]", steps: stepsText(stepsOf(sent)) },
      });
      append(messages, MESSAGES, {
        ...{ id: messageId(shard, n), shard, n, gateway: "g", batch: "1" },
        ...{ body: rows.toString(), outcomes: OUTCOMES },
      });
      const open = at(orders, 0);
      append(charges, CHARGES, {
        ...{ usr: open.user, id: open.id, generation: 1, attempt: 1, status: "started" },
        ...{ amount: 100, currency: "EUR", payment: "tok", rate_id: "", rate: "" },
        ...{ detail: "", metadata: "", trace: "" },
      });
      [prev, sent] = [id, orders.slice(1)];
    }
    await db.transaction(async (tx) => {
      await insertRows(tx, "entries", ENTRIES, entries);
      await insertRows(tx, "messages", MESSAGES, messages);
      await insertRows(tx, "charges", CHARGES, charges);
    });
  }
  await db.run("UPDATE shards SET last_id = ?, last_n = ? WHERE shard = ?", [prev, count, shard]);
  return count + sent.length;
}

/** The steps of the orders that were sent. */
function stepsOf(sent: readonly Sent[]): OrderStep[] {
  return (["paid", "dispatched"] as const).flatMap((what) =>
    sent.map(({ user, id }): OrderStep => {
      const terms = { generation: 1, attempt: 1, gateway: "g", saleId: "s1", lines: LINES };
      return { what, user, id, ...terms, detail: "" };
    }),
  );
}

async function writeLedger(url: string, orders: number, users: string[][]): Promise<number> {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const item = { sku: "a", name: "A", category: "c", priceMinor: 100, limitPerUser: 0 };
  const sale = { id: "s1", name: "S", currency: "EUR", opensAtMs: 0, closesAtMs: 9e12 };
  const items = [{ ...item, initial: orders }];
  await ledger.operate({ kind: "create", ref: "r", sale: { ...sale, items } }, "bench");
  await ledger.close();
  const db = await Db.open(realRuntime, url);
  await db.run("PRAGMA synchronous = OFF");
  const entries = Math.floor(orders / ORDERS_PER_ENTRY / SHARDS);
  let open = 0;
  for (let shard = 0; shard < SHARDS; shard++)
    open += await writeShard(db, shard, at(users, shard), entries);
  const sold = entries * SHARDS * (SENT_PER_ENTRY + 1) - open;
  await db.run("UPDATE items SET available = available - ?, held = ?, sold = ?", [
    ...[open + sold, open, sold],
  ]);
  await db.close();
  return open;
}

/** Makes each shard's snapshot, some entries before its last; returns the total seconds of work. */
async function snapshots(url: string): Promise<number> {
  const db = await Db.open(realRuntime, url);
  const startedMs = realRuntime.monotonicMs();
  const quiet = { pace: { rest: async () => undefined }, log: () => undefined };
  for (const { shard, last_n } of await db.run("SELECT shard, last_n FROM shards")) {
    const n = Math.max(1, Number(last_n) - AFTER_SNAPSHOT);
    await makeSnapshot(
      db,
      { shard: Number(shard), n, sinceMs: realRuntime.wallMs() - WINDOW_MS },
      quiet,
    );
  }
  await db.close();
  return (realRuntime.monotonicMs() - startedMs) / 1_000;
}

/** Seconds of one rebuild into an empty Redis. */
async function timed(url: string, redisUrl: string): Promise<{ seconds: number; cpu: number }> {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  const writer = await openLedgerWriter(realRuntime, url);
  const redis = new RedisStore({ runtime: realRuntime, url: redisUrl });
  await redis.connect();
  await redis.client.flushall();
  const store = new RebuildStore(redis);
  const announcement = new Announcement(realRuntime, store);
  const cpu = process.cpuUsage();
  const startedMs = realRuntime.monotonicMs();
  const result = await rebuild(
    {
      ...{ store, ledger, writer, announcement, dedupWindowMs: WINDOW_MS },
      runtime: realRuntime,
      now: realRuntime.wallMs,
      log: () => undefined,
    },
    await ledger.incarnation(),
  );
  const seconds = (realRuntime.monotonicMs() - startedMs) / 1_000;
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
    const startedMs = realRuntime.monotonicMs();
    const open = await writeLedger(url, orders, users);
    const wroteS = (realRuntime.monotonicMs() - startedMs) / 1_000;
    const whole = orders <= MAX_WITHOUT ? (await timed(url, redis.url)).seconds : undefined;
    const madeS = await snapshots(url);
    const runs = [await timed(url, redis.url), await timed(url, redis.url)];
    const text = runs.map(
      ({ seconds, cpu }) => `${seconds.toFixed(2)} s (CPU ${cpu.toFixed(2)} s)`,
    );
    process.stdout.write(
      `${orders.toLocaleString("en")} orders, ${open.toLocaleString("en")} open: ` +
        `${text.join(", ")}; ` +
        `${whole === undefined ? "" : `without snapshots ${whole.toFixed(2)} s; `}` +
        `snapshots of all shards ${madeS.toFixed(1)} s of work, ` +
        `writing the ledger ${wroteS.toFixed(0)} s\n`,
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
