// The private stores of a run, tuned as their documents advise; those that a peer did not ask for
// are not started.
import { chmodSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { startPostgres } from "../../services/postgres.ts";
import type { Child } from "../../services/processes.ts";
import { startRabbit } from "../../services/rabbitmq.ts";
import { startRedis } from "../../services/redis.ts";
import { type Usage, usageOf } from "../intake/usage.ts";
import type { Places, Store } from "./peer.ts";

/** Names the owner of the folder. */
const OWNER = "owner";
const VHOST = "peers";
const DATABASE = "postgres";
const ANSWER_MS = 20_000;
const LOOK_MS = 50;

/**
 * PostgreSQL's documents advise a quarter of the memory for buffers and fewer checkpoints under a
 * load of writes. Commits stay synchronous.
 */
export const POSTGRES_SETTINGS: Readonly<Record<string, string>> = {
  shared_buffers: "1GB",
  max_wal_size: "8GB",
  checkpoint_timeout: "15min",
  jit: "off",
};

export class Stores {
  private readonly children = new Map<Store, Child>();

  private constructor(
    private readonly dir: string,
    readonly places: Places,
  ) {}

  /**
   * Starts stores in a folder without data. Each has its records where the next bench looks for
   * what a crashed one left (proof/demo/folder.ts).
   */
  static async start(dir: string, wanted: readonly Store[]): Promise<Stores> {
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o711); // Postgres runs as another user and must be able to enter
    const places = { redis: "", rabbitmq: "", postgres: "", sqlite: join(dir, "ledger.db") };
    const stores = new Stores(dir, places);
    try {
      for (const store of wanted) places[store] = await stores.startOne(store);
      return stores;
    } catch (error) {
      await stores.stop();
      throw error;
    }
  }

  usage(): Map<string, Usage> {
    return new Map([...this.children].map(([store, { pid }]) => [store, usageOf(pid)]));
  }

  /** Stops them and empties the folder for the next run. */
  async stop(): Promise<void> {
    for (const child of this.children.values()) await child.stop();
    for (const name of readdirSync(this.dir))
      if (name !== OWNER) rmSync(join(this.dir, name), { recursive: true, force: true });
  }

  private async startOne(store: Store): Promise<string> {
    const dir = join(this.dir, store);
    switch (store) {
      case "redis": {
        // A queue in Redis is only as safe as its file.
        const redis = await startRedis(dir, { persistence: true });
        this.children.set(store, redis);
        return redis.url;
      }
      case "rabbitmq": {
        const rabbit = await startRabbit(dir, { vhosts: [VHOST] });
        this.children.set(store, rabbit);
        return rabbit.url(VHOST);
      }
      case "postgres": {
        const postgres = await startPostgres(dir, undefined, POSTGRES_SETTINGS);
        this.children.set(store, postgres);
        await untilAnswering(postgres.url(DATABASE));
        return postgres.url(DATABASE);
      }
    }
  }
}

/** The port answers a moment before the server accepts commands. */
async function untilAnswering(url: string): Promise<void> {
  const { openPool } = await import("./postgres-ledger.ts");
  const pool = openPool(url, 1);
  const end = realRuntime.monotonicMs() + ANSWER_MS;
  try {
    for (;;) {
      try {
        await pool`SELECT 1`;
        return;
      } catch (error) {
        if (realRuntime.monotonicMs() > end) throw error;
        await realRuntime.sleep(LOOK_MS);
      }
    }
  } finally {
    await pool.close();
  }
}
