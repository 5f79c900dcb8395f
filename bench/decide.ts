// What one order costs Redis in `decide`: microseconds of its CPU by its own count (INFO
// commandstats), by the size of a call and by how many orders find their item available.
//
//   bun bench/decide.ts
//
// The standard workload: unnumbered orders of one line over a sale of 1,000 items, all in one
// message a call. In a rush one order in ten is reserved, and the rest find their item sold out.

import { mkdtempSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import { newEntryId } from "../core/domain/entry-id.ts";
import { messageText } from "../core/domain/message.ts";
import { fingerprintOf, type Order } from "../core/domain/order.ts";
import type { Sale } from "../core/domain/sale.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { RebuildStore } from "../core/stores/rebuild-store.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { ShardStore } from "../core/stores/shard-store.ts";
import { StockStore } from "../core/stores/stock-store.ts";
import { startRedis } from "../services/redis.ts";

const ITEMS = 1_000;
const USERS = 50_000;
const PER_CALL = [400, 200, 50, 1];
/** Of the items, how many have units. */
const WORKLOADS = { "all reserved": ITEMS, "one in ten": ITEMS / 10, "all sold out": 0 };
/** Orders per measurement, and the most calls made for them. */
const ORDERS = Number(process.env.ORDERS ?? 40_000);
const CALLS = Number(process.env.CALLS ?? 1_000);
const CLAIM = { shard: 0, incarnation: 1, epoch: 1 };
const WINDOW_MS = 3_600_000;

const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
const server = await startRedis(dir, { persistence: false });
const redis = new RedisStore({ runtime: realRuntime, url: server.url });
try {
  await redis.connect();
  goFirst(server.pid);
  await printTable();
} finally {
  await redis.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}

/** Interrupted calls look slower. Without the right to raise priority, figures vary more. */
function goFirst(pid: number): void {
  try {
    setPriority(pid, -20);
  } catch {
    console.log("(without priority)");
  }
}

async function printTable(): Promise<void> {
  console.log("µs of Redis per order, by orders in a call");
  console.log(line("", PER_CALL));
  for (const [name, available] of Object.entries(WORKLOADS)) {
    const cells: string[] = [];
    for (const perCall of PER_CALL) cells.push((await micros(perCall, available)).toFixed(1));
    console.log(line(name, cells));
  }
}

function line(name: string, cells: readonly (string | number)[]): string {
  return name.padEnd(14) + cells.map((cell) => String(cell).padStart(8)).join("");
}

/**
 * Of an order in the quartile of the calls: the count is of elapsed time, so a call that another
 * process interrupts seems to cost more.
 */
async function micros(perCall: number, available: number): Promise<number> {
  await openShard(available);
  const calls = Math.min(CALLS, Math.ceil(ORDERS / perCall));
  for (let call = 0; call < calls / 10; call++) await decide(perCall);
  const costs: number[] = [];
  for (let call = 0; call < calls; call++) {
    const before = await elapsedMicros();
    await decide(perCall);
    costs.push((await elapsedMicros()) - before);
  }
  costs.sort((a, b) => a - b);
  return (costs[Math.floor(calls / 4)] as number) / perCall;
}

async function elapsedMicros(): Promise<number> {
  const stats = await redis.client.info("commandstats");
  return Number(/cmdstat_fcall:calls=\d+,usec=(\d+)/.exec(stats)?.[1] ?? 0);
}

async function openShard(available: number): Promise<void> {
  await redis.client.flushall();
  const rebuild = new RebuildStore(redis);
  await rebuild.reset("bench", 1, { shard: 0, epoch: 1, lastId: "genesis", lastN: 0 });
  await rebuild.load(1, [0]).ready();
  const item = { name: "", category: "c", priceMinor: 1_000, limitPerUser: 0, initial: 0 };
  const items = Array.from({ length: ITEMS }, (_, i) => ({
    ...{ ...item, sku: `item-${i}` },
    ...(i < available ? { initial: 1_000_000 } : {}),
  }));
  const window = { opensAtMs: 0, closesAtMs: 9e12 };
  const sale: Sale = { id: "rush", name: "Rush", currency: "EUR", ...window, items };
  const none = { restocked: 0, available: 0, releasing: 0, held: 0, sold: 0 };
  const stock = items.map(({ sku, initial }) => ({ sku, initial, ...none }));
  await new StockStore(redis).syncSale(sale, stock, 1);
}

async function decide(perCall: number): Promise<void> {
  const rows = Array.from({ length: perCall }, anOrder);
  const message = { gateway: "g", batch: "1", body: messageText(rows) };
  const options = { entryId: newEntryId(realRuntime.randomBytes), dedupWindowMs: WINDOW_MS };
  const reply = await new ShardStore(redis).decide(CLAIM, [message], options);
  if (reply.word !== "decided") throw new Error(reply.word);
}

function anOrder() {
  const order: Order = {
    user: `user-${Math.floor(realRuntime.random() * USERS)}`,
    id: realRuntime.uuidV7(),
    saleId: "rush",
    seq: 0,
    currency: "EUR",
    lines: [{ sku: `item-${Math.floor(realRuntime.random() * ITEMS)}`, qty: 1 }],
    payment: "",
    metadata: "",
    maxTotal: 0,
  };
  const fingerprint = fingerprintOf(order);
  return { kind: "order" as const, order, fingerprint, atMs: realRuntime.wallMs() };
}
