// The simulated world in which real workers follow a trace: two workers, brokers in two regions,
// Redis and the ledger. What the trace's other parts send comes from here: orders as gateways
// publish them, and answers as payment workers do.

import { ORDERS_EXCHANGE, ordersKey, ordersQueue, PAYMENTS } from "../../../broker/topology.ts";
import type { RegionLink } from "../../../consumers/orders/relay.ts";
import { loadStock } from "../../../consumers/rebuild/rebuild.ts";
import { messageText } from "../../../core/domain/message.ts";
import type { Row } from "../../../core/domain/row.ts";
import { uuidV7 } from "../../../core/runtime/prng.ts";
import { RebuildStore } from "../../../core/stores/rebuild-store.ts";
import { ShardStore } from "../../../core/stores/shard-store.ts";
import { emptyLedger } from "../../../ledger/in-memory.ts";
import { DirectWriter } from "../../../ledger/writer.ts";
import { storeOf } from "../../simulate/looks.ts";
import { SimulatedProcess } from "../../simulate/process.ts";
import { Scheduler } from "../../simulate/scheduler.ts";
import { SimulatedWorld } from "../../simulate/simulated-world.ts";
import { REGIONS } from "../../simulate/system.ts";
import type { RedisServer } from "../../simulate/world/redis-server.ts";
import type { Looked } from "../projected.ts";
import { SALE_ID, SHARDS, SKU } from "../stores.ts";
import { Gate } from "./gate.ts";
import { Seat } from "./seat.ts";

/** How long a step's consequences take: ways, paces, turns. */
const SETTLE_MS = 12;
/** How long whatever a worker must do by itself may take. */
const SOON_MS = 2_000;
const BOOT_MS = 20_000;

export class Stage {
  readonly gate = new Gate();
  readonly seats: readonly Seat[];
  /** The ledger has gone back, and not everything is halted. */
  wentBack = false;
  readonly looked: Looked;

  private constructor(
    readonly scheduler: Scheduler,
    readonly world: SimulatedWorld,
    process: SimulatedProcess,
    private readonly links: readonly RegionLink[],
  ) {
    const { redis } = world.parts;
    const { ledger, db } = world.sight;
    const shards = new ShardStore(storeOf(redis, process));
    this.looked = { redis, shards, open: { ledger, db } };
    const looksLost = () => this.wentBack;
    this.seats = [0, 1].map((i) => new Seat(i, { world, gate: this.gate, looksLost }));
  }

  /** Worker 0 owns every shard, as the specification begins. */
  static async open(server: RedisServer, units: number): Promise<Stage> {
    const scheduler = new Scheduler(1);
    const founder = new SimulatedProcess(scheduler, "founder");
    const image = await emptyLedger(founder, SHARDS.length);
    const world = await SimulatedWorld.open(scheduler, { shards: SHARDS.length, server, image });
    const process = new SimulatedProcess(scheduler, "outside");
    await found(world, founder, units);
    let links: readonly RegionLink[] = [];
    void world.links(process, REGIONS).then((opened) => {
      links = opened;
    });
    await pass(scheduler, SOON_MS, () => links.length > 0);
    const stage = new Stage(scheduler, world, process, links);
    await stage.begin();
    return stage;
  }

  orderId(): string {
    return uuidV7(this.scheduler.nowMs(), this.scheduler.random);
  }

  queue(region: string, shard: number) {
    return this.queueOf(region, ordersQueue(shard));
  }

  /** Takes what waits for payment workers. */
  takePayments(): string[] {
    return REGIONS.flatMap((region) => {
      const queue = this.queueOf(region, PAYMENTS);
      const bodies = queue.messages.map(({ content }) => content.toString());
      queue.purge();
      return bodies;
    });
  }

  /** Publishes a message of one row. `acceptedAtMs` 0: not an order. Returns its text. */
  async publish(region: string, shard: number, row: Row, acceptedAtMs: number): Promise<string> {
    const text = messageText([row]);
    const link = this.links[REGIONS.indexOf(region)] as RegionLink;
    const headers = acceptedAtMs > 0 ? { "x-accepted-at": acceptedAtMs } : {};
    const batch = `${Math.floor(this.scheduler.random() * 1e12)}`;
    let verdict = "";
    const properties = { messageId: batch, appId: "outside", type: "orders.v1", headers };
    void link.publisher
      .publish(ORDERS_EXCHANGE, ordersKey(shard), Buffer.from(text), properties)
      .then((found) => {
        verdict = found;
      });
    await this.until(() => verdict !== "");
    if (verdict !== "confirmed") throw new Error(`the broker in ${region} answered '${verdict}'`);
    return text;
  }

  /** Whether gateways reach the region's broker. */
  reaches(region: string): boolean {
    return this.links[REGIONS.indexOf(region)]?.publisher.ready ?? false;
  }

  /** Lets what was begun come to its end. */
  async settle(): Promise<void> {
    await pass(this.scheduler, SETTLE_MS, () => false);
  }

  /** Lets time pass until something is so. Returns whether it is. */
  async until(done: () => boolean, withinMs = SOON_MS): Promise<boolean> {
    if (!done()) await pass(this.scheduler, withinMs, done);
    return done();
  }

  async close(): Promise<void> {
    await this.world.close();
  }

  private queueOf(region: string, name: string) {
    const broker = this.world.parts.brokers[REGIONS.indexOf(region)];
    const queue = broker?.queue(name);
    if (!queue) throw new Error(`no queue ${name} in ${region}`);
    return queue;
  }

  private async begin(): Promise<void> {
    const [first] = this.seats as [Seat];
    first.wanted = new Set(SHARDS);
    const ready = () =>
      first.shards.length === SHARDS.length && this.seats.every(({ worker }) => worker);
    if (!(await this.until(ready, BOOT_MS))) throw new Error("the workers did not start");
    await this.settle();
    this.gate.open = false;
    for (const region of REGIONS) for (const shard of SHARDS) this.queue(region, shard).hold();
  }
}

/** Lets time pass, after all promises have gone as far as they can. */
async function pass(scheduler: Scheduler, ms: number, done: () => boolean): Promise<void> {
  scheduler.event("the walk goes on", () => undefined);
  await scheduler.run(scheduler.nowMs() + ms, done);
}

/** A new store with one item, rebuilt once from an empty ledger. */
async function found(world: SimulatedWorld, process: SimulatedProcess, units: number) {
  const { ledger, db } = world.sight;
  const item = { sku: SKU, name: SKU, category: "c", priceMinor: 100, limitPerUser: 0 };
  const sale = {
    ...{ id: SALE_ID, name: "Rush", currency: "EUR", opensAtMs: 0, closesAtMs: 9e12 },
    items: [{ ...item, initial: units }],
  };
  await ledger.operate({ kind: "create", ref: "create", sale }, "test");
  const begun = await new DirectWriter(db).beginRebuild(0);
  const rebuilds = new RebuildStore(storeOf(world.parts.redis, process));
  for (const position of begun?.shards ?? []) await rebuilds.reset(ledger.storeId, 1, position);
  const load = rebuilds.load(1, SHARDS);
  await loadStock({ ledger }, load, await ledger.sales());
  await load.ready();
}
