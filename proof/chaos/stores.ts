// The stores and brokers of a suite. They are started once; between two scenarios they are emptied.
// Each is started again on its own port and folder.
import { join } from "node:path";
import { BrokerConnection } from "../../broker/connection.ts";
import { serviceQueueName, topology } from "../../broker/topology.ts";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { readSettings } from "../../core/settings/settings.ts";
import { Db } from "../../ledger/db.ts";
import type { PrivateBrokers } from "../../services/brokers.ts";
import { type LocalServices, startLocalServices } from "../../services/local.ts";
import { type PrivatePostgres, startPostgres } from "../../services/postgres.ts";
import type { PrivateRabbit } from "../../services/rabbitmq.ts";
import { type PrivateRedis, startRedis } from "../../services/redis.ts";
import { endRecorded } from "../demo/folder.ts";
import { redisCall } from "./redis-call.ts";
import { replicaOf } from "./replica.ts";
import type { ChaosBroker, ChaosNode, ChaosRedis, Victim } from "./system.ts";
import { Server } from "./victims.ts";

export interface StoresOptions {
  readonly dir: string;
  readonly ledger: "sqlite" | "postgres";
  readonly brokers: "separate" | "cluster";
  /** Names of the fulfilment services, which have broker users of their own. */
  readonly processing: readonly string[];
}

const POSTGRES_ATTEMPTS = 20;
const ATTEMPT_PAUSE_MS = 250;

export class Stores {
  private databases = 0;

  private constructor(
    readonly options: StoresOptions,
    readonly local: LocalServices,
    readonly redis: ChaosRedis,
    readonly brokers: readonly ChaosBroker[],
    readonly postgres: (Server & { url(database: string): string }) | undefined,
  ) {}

  static async start(options: StoresOptions): Promise<Stores> {
    const { dir, ledger, brokers, processing } = options;
    const settings = readSettings({ SLUICE_DATA: dir, SLUICE_BROKERS: brokers });
    const [local, postgres] = await Promise.all([
      startLocalServices({ settings, say: () => undefined, processing }),
      ledger === "postgres" ? startPostgres(join(dir, "postgres")) : undefined,
    ]);
    if (!local.redis || !local.brokers) throw new Error("the stores must be private ones");
    return new Stores(
      options,
      local,
      redisServer(local.redis),
      brokersOf(local.brokers),
      postgres && postgresServer(join(dir, "postgres"), postgres),
    );
  }

  private get servers(): Victim[] {
    const nodes = new Set(this.brokers.flatMap((broker) => broker.nodes));
    return [this.redis, ...nodes, ...(this.postgres ? [this.postgres] : [])];
  }

  /** The URL of a new, empty ledger. */
  async freshLedger(dir: string): Promise<string> {
    if (!this.postgres) return `sqlite:${join(dir, "ledger.db")}`;
    const name = `chaos${++this.databases}`;
    const db = await Db.open(realRuntime, this.postgres.url("postgres"));
    await db.run(`CREATE DATABASE ${name}`);
    await db.close();
    return this.postgres.url(name);
  }

  /** Empties Redis and deletes all queues, so that the next scenario finds nothing. */
  async empty(shards: number): Promise<void> {
    await this.redis.call("flushall");
    const { queues } = topology(shards);
    const names = [
      ...queues.map(({ name }) => name),
      ...this.options.processing.map(serviceQueueName),
    ];
    for (const broker of this.brokers) await deleteQueues(broker, names);
  }

  /** Every store runs again, whatever a fault has left. */
  async revive(): Promise<void> {
    for (const server of this.servers) server.resume();
    await Promise.all(this.servers.map((server) => server.start()));
  }

  async stop(): Promise<void> {
    for (const server of this.servers) server.resume();
    await Promise.all(this.servers.map((server) => server.kill()));
    await this.local.stop();
    await endRecorded(this.options.dir); // a cluster's port mapper, for one
  }
}

async function deleteQueues(broker: ChaosBroker, names: readonly string[]): Promise<void> {
  const connection = new BrokerConnection({
    runtime: realRuntime,
    region: { name: broker.region, url: broker.url("worker") },
    topology: { exchanges: [], queues: [], bindings: [] },
  });
  await connection.start();
  try {
    const channel = await connection.model?.createChannel();
    if (!channel) throw new Error(`the broker of ${broker.region} does not answer`);
    for (const name of names) await channel.deleteQueue(name);
  } finally {
    await connection.close();
  }
}

function redisServer(first: PrivateRedis): ChaosRedis {
  const { url, port, dir } = first;
  const server = new Server("redis", first, (env) => startRedis(dir, { port, env }));
  const call: ChaosRedis["call"] = (command, ...args) => redisCall(url, command, args);
  return Object.assign(server, { url, port, dir, call, replica: () => replicaOf(port, dir) });
}

/** Regions may share a node; each node is one victim. */
function brokersOf(brokers: PrivateBrokers): ChaosBroker[] {
  const nodes = new Map(brokers.nodes.map((node) => [node, nodeServer(node)]));
  return brokers.regions.map((region) => {
    const own = region.nodes.map((node) => nodes.get(node) as RunningNode);
    const running = () => {
      const found = own.find((node) => node.state() === "running");
      if (!found) throw new Error(`no node of ${region.region} runs`);
      return found;
    };
    return {
      region: region.region,
      nodes: own,
      url: (user) => running().rabbit().url(region.region, user),
      ctl: (...args) => running().ctl(...args),
    };
  });
}

type RunningNode = ChaosNode & { rabbit(): PrivateRabbit };

function nodeServer(first: PrivateRabbit): RunningNode {
  let current = first;
  const server = new Server(first.node, first, async (env) => {
    current = await current.again(env);
    return current;
  });
  const ctl = (...args: readonly string[]) => current.ctl(...args);
  return Object.assign(server, { dir: first.dir, ctl, rabbit: () => current });
}

function postgresServer(
  dir: string,
  first: PrivatePostgres,
): Server & { url(database: string): string } {
  const { port, url } = first;
  const server = new Server("postgres", first, async (env) => {
    // Backends of the killed server hold its shared memory until they notice.
    for (let left = POSTGRES_ATTEMPTS; ; left--) {
      try {
        return await startPostgres(dir, port, {}, env);
      } catch (error) {
        if (left === 0) throw error;
        await realRuntime.sleep(ATTEMPT_PAUSE_MS);
      }
    }
  });
  return Object.assign(server, { url });
}
