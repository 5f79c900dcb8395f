// A private Redis with one shard open and a sale of 1,000 items, and calls of `decide` on it. All
// orders are unnumbered, of one line, by 50,000 users.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join } from "node:path";
import type { Entry } from "../../core/domain/entry.ts";
import { newEntryId } from "../../core/domain/entry-id.ts";
import { messageText } from "../../core/domain/message.ts";
import { fingerprintOf, type Order } from "../../core/domain/order.ts";
import type { Sale } from "../../core/domain/sale.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Library } from "../../core/stores/library.ts";
import { RebuildStore } from "../../core/stores/rebuild-store.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { StockStore } from "../../core/stores/stock-store.ts";
import { type PrivateRedis, startRedis } from "../../services/redis.ts";

export const ITEMS = 1_000;
const USERS = 50_000;
const CLAIM = { shard: 0, incarnation: 1, epoch: 1 };
const WINDOW_MS = 3_600_000;

export class Scene {
  private constructor(
    private readonly dir: string,
    private readonly server: PrivateRedis,
  ) {}

  /** `persistence`: with an append-only file, which the figures then include. */
  static async start(persistence: boolean): Promise<Scene> {
    const dir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    const server = await startRedis(dir, { persistence });
    goFirst(server.pid);
    return new Scene(dir, server);
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Runs with an empty Redis that has the library, and `available` of the items in stock. */
  async with<T>(library: Library, available: number, run: (shard: Shard) => Promise<T>) {
    const redis = new RedisStore({ runtime: realRuntime, url: this.server.url, library });
    try {
      await redis.connect();
      await redis.client.flushall();
      await openShard(redis, available);
      return await run(new Shard(redis));
    } finally {
      await redis.client.call("FUNCTION", "FLUSH");
      await redis.close();
    }
  }

  /** CPU time of Redis's main thread so far, µs: Linux counts it for each thread. */
  cpuMicros(): number {
    const { pid } = this.server;
    const [nanos = ""] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, "utf8").split(" ");
    return Number(nanos) / 1_000;
  }
}

/** The shard that a scene has opened. */
export class Shard {
  private readonly store: ShardStore;
  private last: Entry | undefined;
  constructor(redis: RedisStore) {
    this.store = new ShardStore(redis);
  }

  /** One call of `decide`. `record`: and one of `recorded`, as its owner makes after the commit. */
  async decide(body: string, record: boolean): Promise<void> {
    const message = { gateway: "g", batch: "1", body };
    const options = { entryId: newEntryId(realRuntime.randomBytes), dedupWindowMs: WINDOW_MS };
    const reply = await this.store.decide(CLAIM, [message], options);
    if (reply.word !== "decided") throw new Error(reply.word);
    this.last = reply.entry;
    if (record) await this.trim();
  }

  /** Trims the outbox, as the owner has it done once the ledger has the last entry. */
  async trim(): Promise<void> {
    if (this.last) await this.store.recorded(CLAIM, this.last.id, this.last.n);
    this.last = undefined;
  }
}

/** A message of fresh orders. */
export function freshBody(orders: number): string {
  return messageText(Array.from({ length: orders }, anOrder));
}

/** Without the right to raise priority, figures vary more. */
function goFirst(pid: number): void {
  try {
    setPriority(pid, -20);
  } catch {
    // as it is
  }
}

async function openShard(redis: RedisStore, available: number): Promise<void> {
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
