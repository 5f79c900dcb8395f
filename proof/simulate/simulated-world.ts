// The world of one simulation as its processes reach it: Redis, the ledger, and a broker in each
// region. It knows which connections belong to which process, so that they end with it.
import { BrokerConnection } from "../../broker/connection.ts";
import { Publisher } from "../../broker/publisher.ts";
import { topology } from "../../broker/topology.ts";
import type { RegionLink } from "../../consumers/orders/relay.ts";
import { buildLibrary } from "../../core/stores/library.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import type { Ledger, Operation } from "../../ledger/contract.ts";
import type { Sight } from "./judge.ts";
import { lookAtQueues, lookAtRedis } from "./looks.ts";
import type { LinkOptions, OpenLedger, Outside } from "./outside.ts";
import { SimulatedProcess } from "./process.ts";
import type { Schedule } from "./schedule.ts";
import type { Scheduler } from "./scheduler.ts";
import { type Ends, REGIONS } from "./system.ts";
import { WorldBroker } from "./world/broker.ts";
import { type LedgerImage, WorldLedger } from "./world/ledger.ts";
import { WorldRedis } from "./world/redis.ts";
import type { RedisServer } from "./world/redis-server.ts";

export interface WorldOptions {
  readonly shards: number;
  readonly server: RedisServer;
  /** A ledger without orders. */
  readonly image: LedgerImage;
}

export interface WorldParts {
  readonly redis: WorldRedis;
  readonly ledger: WorldLedger;
  /** In the order of the regions. */
  readonly brokers: readonly WorldBroker[];
}

/** What can be seen of the world itself. */
export type WorldSight = Omit<Sight, "captures" | "packed" | "now">;

/** As cli/roles/worker.ts and the defaults of the settings have them. */
const CALL_TIMEOUT_MS = 3_000;
/** Built once: processes start often. */
const LIBRARY = buildLibrary();
const CONFIRM_TIMEOUT_MS = 5_000;

export class SimulatedWorld implements Outside, Ends {
  /** Set to see what the roles log. */
  onLog: (event: string, detail: Record<string, unknown>) => void = () => undefined;
  readonly log = (event: string, detail: Record<string, unknown>): void =>
    this.onLog(event, detail);

  private constructor(
    readonly scheduler: Scheduler,
    private readonly options: WorldOptions,
    readonly parts: WorldParts,
    readonly sight: WorldSight,
    private readonly operating: Pick<Ledger, "operate">,
  ) {}

  static async open(scheduler: Scheduler, options: WorldOptions): Promise<SimulatedWorld> {
    const watcher = new SimulatedProcess(scheduler, "watcher");
    const redis = await WorldRedis.create(scheduler, options.server);
    const ledger = new WorldLedger(scheduler, watcher, options.image);
    const brokers = REGIONS.map((name) => new WorldBroker({ scheduler, name }));
    const looked = await ledger.look();
    const views = { redis: lookAtRedis(redis, watcher), queues: lookAtQueues(brokers, options) };
    const parts = { redis, ledger, brokers };
    return new SimulatedWorld(scheduler, options, parts, { ...looked, ...views }, looked.ledger);
  }

  get shards(): number {
    return this.options.shards;
  }

  async prepare({ sale }: Schedule, services: readonly string[]): Promise<void> {
    const create = (operation: Operation) => this.operating.operate(operation, "operator");
    await create({ kind: "create", ref: "create", sale });
    const categories = [...new Set(sale.items.map(({ category }) => category))];
    for (const [i, category] of categories.entries()) {
      const service = services[i % services.length] ?? "";
      await create({ kind: "route", ref: `route ${category}`, category, region: "", service });
    }
  }

  async redis(process: SimulatedProcess): Promise<RedisStore> {
    const store = new RedisStore({
      ...{ runtime: process, url: "", callTimeoutMs: CALL_TIMEOUT_MS, library: LIBRARY },
      dial: this.parts.redis.dialer(process.name, process),
    });
    await store.connect().catch(() => undefined); // as cli/roles/parts.ts: it keeps trying
    return store;
  }

  async ledger(process: SimulatedProcess): Promise<OpenLedger> {
    return this.parts.ledger.open(process.name, process);
  }

  /** As cli/roles/parts.ts opens them. */
  async links(
    process: SimulatedProcess,
    regions: readonly string[],
    { heartbeatS }: LinkOptions = {},
  ): Promise<RegionLink[]> {
    const links: RegionLink[] = [];
    for (const region of regions) {
      const broker = this.parts.brokers[REGIONS.indexOf(region)];
      if (!broker) throw new Error(`no region '${region}'`);
      const options = {
        ...{ runtime: process, topology: topology(this.shards), log: this.logOf(process) },
        region: { name: region, url: `amqp://sluice@${region}` },
        connect: broker.dialer(process.name, process),
      };
      const connection = new BrokerConnection({ ...options, name: "publishing" });
      const consuming = new BrokerConnection({ ...options, name: "consuming", heartbeatS });
      const publisher = new Publisher(connection, { confirmTimeoutMs: CONFIRM_TIMEOUT_MS });
      await publisher.start();
      await connection.start();
      await consuming.start();
      links.push({ connection, consuming, publisher });
    }
    return links;
  }

  private logOf({ name }: SimulatedProcess): typeof this.log {
    return (event, detail) => this.log(event, { process: name, ...detail });
  }

  crashed({ name }: SimulatedProcess): void {
    for (const part of this.reached) part.crashed(name);
  }

  /** What it has sent arrives; what comes for it waits. */
  frozen({ name }: SimulatedProcess): void {
    for (const part of this.reached) part.freeze(name);
  }

  thawed({ name }: SimulatedProcess): void {
    for (const part of this.reached) part.thaw(name);
  }

  async close(): Promise<void> {
    await this.parts.ledger.free();
  }

  private get reached() {
    const { redis, ledger, brokers } = this.parts;
    return [redis, ledger, ...brokers];
  }
}
