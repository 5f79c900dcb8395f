// The real stores that a trace is repeated on: core/lua on the simulator's redis-server, and the
// ledger on SQLite in memory. Calls take effect at once, one after the other.

import { loadStock } from "../../consumers/rebuild/rebuild.ts";
import { uuidV7 } from "../../core/runtime/prng.ts";
import { buildLibrary } from "../../core/stores/library.ts";
import { RebuildStore } from "../../core/stores/rebuild-store.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { ShardStore } from "../../core/stores/shard-store.ts";
import { emptyLedger, MemoryLedger, type OpenInMemory } from "../../ledger/in-memory.ts";
import { ask } from "../simulate/looks.ts";
import { SimulatedProcess } from "../simulate/process.ts";
import { Scheduler } from "../simulate/scheduler.ts";
import { WorldRedis } from "../simulate/world/redis.ts";
import type { RedisServer } from "../simulate/world/redis-server.ts";

export const SALE_ID = "rush";
export const SKU = "a";
export const SHARDS = [0, 1];
const LIBRARY = buildLibrary();

type Argument = string | number | Buffer;

export class Stores {
  /** Functions called so far. */
  calls = 0;
  readonly shards: ShardStore;
  readonly rebuilds: RebuildStore;

  private constructor(
    readonly scheduler: Scheduler,
    readonly process: SimulatedProcess,
    readonly redis: WorldRedis,
    store: RedisStore,
    readonly memory: MemoryLedger,
    readonly open: OpenInMemory,
  ) {
    this.shards = new ShardStore(store);
    this.rebuilds = new RebuildStore(store);
  }

  /** New stores with one item, rebuilt once from an empty ledger, as the specification begins. */
  static async create(server: RedisServer, units: number): Promise<Stores> {
    const scheduler = new Scheduler(1);
    const process = new SimulatedProcess(scheduler, "stores");
    const redis = await WorldRedis.create(scheduler, server);
    const store = new RedisStore({
      ...{
        runtime: process,
        url: "",
        library: LIBRARY,
        dial: () => clientOf(redis, () => stores.calls++),
      },
    });
    const memory = new MemoryLedger(process, await emptyLedger(process, SHARDS.length));
    const stores: Stores = new Stores(
      ...([scheduler, process, redis, store, memory, await memory.open(process)] as const),
    );
    await store.connect();
    await stores.begin(units);
    return stores;
  }

  /** Lets a millisecond pass. */
  async tick(): Promise<void> {
    await this.scheduler.run(this.scheduler.nowMs() + 1);
  }

  orderId(): string {
    return uuidV7(this.scheduler.nowMs(), this.scheduler.random);
  }

  async close(): Promise<void> {
    await this.memory.free();
  }

  private async begin(units: number): Promise<void> {
    const { ledger, writer } = this.open;
    const item = { sku: SKU, name: SKU, category: "c", priceMinor: 100, limitPerUser: 0 };
    const sale = {
      ...{ id: SALE_ID, name: "Rush", currency: "EUR", opensAtMs: 0, closesAtMs: 9e12 },
      items: [{ ...item, initial: units }],
    };
    await ledger.operate({ kind: "create", ref: "create", sale }, "test");
    const begun = await writer.beginRebuild(0);
    for (const position of begun?.shards ?? [])
      await this.rebuilds.reset(ledger.storeId, 1, position);
    const load = this.rebuilds.load(1, SHARDS);
    await loadStock({ ledger }, load, await ledger.sales());
    await load.ready();
  }
}

/** A client whose commands are run at once. */
function clientOf(redis: WorldRedis, onCall: () => void): RedisStore["client"] {
  const run =
    (...name: string[]) =>
    (...args: Argument[]) =>
      ask(redis, [...name, ...args]);
  const client: Record<string, unknown> = {
    ...{ on: () => client, connect: async () => undefined, call: run() },
    fcall: (...args: Argument[]) => {
      onCall();
      return ask(redis, ["FCALL", ...args]);
    },
  };
  for (const name of ["hget", "hmget", "hgetall", "hvals", "get", "xrange", "scan", "lrange"])
    client[name] = run(name.toUpperCase());
  return client as unknown as RedisStore["client"];
}
