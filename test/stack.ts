// A complete Sluice for one test: a private Redis, virtual hosts on the shared broker, its own
// ledger, and workers in this process.

import { join } from "node:path";
import type { ChannelModel } from "amqplib";
import { ORDERS_EXCHANGE, ordersKey } from "../broker/topology.ts";
import { makeLog } from "../cli/log.ts";
import { startFulfil } from "../cli/roles/fulfil.ts";
import { closeRegions, openRegion } from "../cli/roles/parts.ts";
import { startPayments } from "../cli/roles/payments.ts";
import { startRates } from "../cli/roles/rates.ts";
import { startWorker } from "../cli/roles/worker.ts";
import type { RegionLink } from "../consumers/orders/relay.ts";
import { at } from "../core/domain/at.ts";
import { messageText } from "../core/domain/message.ts";
import type { Order } from "../core/domain/order.ts";
import { type OrderRow, orderRow, type Row, skipRow } from "../core/domain/row.ts";
import type { Sale } from "../core/domain/sale.ts";
import { shardOf } from "../core/domain/shard.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings, type Settings } from "../core/settings/settings.ts";
import { RedisStore } from "../core/stores/redis.ts";
import type { Ledger, StoredOrder } from "../ledger/contract.ts";
import { openLedger } from "../ledger/open.ts";
import { type Child, spawnRecorded } from "../services/processes.ts";
import { type PrivateRedis, startRedis } from "../services/redis.ts";
import type { Shares } from "../stubs/provider/behaviour.ts";
import { type Provider, type ProviderOptions, startProvider } from "../stubs/provider/server.ts";
import { testDir, testRabbit } from "./services.ts";
import { until } from "./until.ts";

export const SHARDS = 2;

export interface StackOptions {
  readonly regions?: readonly string[];
  readonly persistence?: boolean;
  readonly env?: Record<string, string>;
  readonly ledgerUrl?: string;
}

export class Stack {
  private constructor(
    readonly settings: Settings,
    readonly env: Record<string, string>,
    readonly ledger: Ledger,
    readonly links: RegionLink[],
    public redis: PrivateRedis,
  ) {}
  readonly events: { event: string; [key: string]: unknown }[] = [];
  private readonly running: { stop(): Promise<void> }[] = [];

  static async start(options: StackOptions = {}): Promise<Stack> {
    const redis = await startRedis(testDir("stack-redis"), {
      persistence: options.persistence ?? false,
    });
    const names = options.regions ?? ["eu"];
    const regions = await Promise.all(
      names.map(async (name) => `${name}=${await (await testRabbit()).freshVhost()}`),
    );
    const env = {
      SLUICE_REDIS_URL: redis.url,
      SLUICE_REGIONS: regions.join(","),
      SLUICE_LEDGER_URL: options.ledgerUrl ?? `sqlite:${testDir("stack-ledger")}/ledger.db`,
      SLUICE_SHARDS: String(SHARDS),
      SLUICE_LEASE_TTL: "1s",
      // The load of other tests must not slow its workers.
      SLUICE_GOVERNOR_CPU: "off",
      ...options.env,
    };
    const settings = readSettings(env);
    const ledger = await openLedger({
      runtime: realRuntime,
      url: settings.ledgerUrl,
      shards: SHARDS,
    });
    const links = await Promise.all(
      settings.regions.map((r) =>
        openRegion(
          realRuntime,
          r,
          settings,
          makeLog("test", (line) => process.env.SHOW_LOG && process.stderr.write(line)),
        ),
      ),
    );
    return new Stack(settings, env, ledger, links, redis);
  }

  async worker(id: string): Promise<Awaited<ReturnType<typeof startWorker>>> {
    const started = await startWorker(
      realRuntime,
      this.settings,
      id,
      makeLog("worker", (line) => {
        if (process.env.SHOW_LOG) process.stderr.write(line);
        this.events.push(JSON.parse(line));
      }),
    );
    this.running.push(started);
    return started;
  }

  /** A misbehaving payment provider, and a payment worker that uses it. */
  async payments(
    options: { shares?: Shares; env?: Record<string, string> } & Partial<ProviderOptions> = {},
  ): Promise<Provider> {
    const { env = {}, ...more } = options;
    const provider = await this.provider(more);
    const settings = readSettings({
      ...this.env,
      SLUICE_PROVIDER_URL: provider.url,
      SLUICE_PROVIDER_TIMEOUT: "300ms",
      ...env,
    });
    const log = makeLog("payments", (line) => {
      if (process.env.SHOW_LOG) process.stderr.write(line);
      this.events.push(JSON.parse(line));
    });
    const role = await startPayments(realRuntime, settings, "payments", log);
    this.running.push(role);
    return provider;
  }

  /** A fulfilment service with its own packing list. */
  async fulfil(
    service: string,
    file = `${testDir("packed")}/${service}.db`,
    workMs = 0,
  ): Promise<{ file: string; stop(): Promise<void> }> {
    const log = makeLog(service, (line) => {
      if (process.env.SHOW_LOG) process.stderr.write(line);
      this.events.push(JSON.parse(line));
    });
    const role = await startFulfil(
      realRuntime,
      this.settings,
      `${service}-${this.running.length}`,
      log,
      {
        service,
        file,
        workMs,
      },
    );
    this.running.push(role);
    return { file, stop: role.stop };
  }

  /** The rates role with a file that it reads every 200 ms. */
  async rates(file: string): Promise<void> {
    const settings = readSettings({
      ...this.env,
      SLUICE_RATES_SOURCE: `file:${file}`,
      SLUICE_RATES_EVERY: "200ms",
    });
    this.running.push(
      await startRates(
        realRuntime,
        settings,
        "rates",
        makeLog("rates", () => undefined),
      ),
    );
  }

  async route(category: string, service: string, region = ""): Promise<void> {
    const ref = crypto.randomUUID();
    await this.ledger.operate({ kind: "route", ref, category, region, service }, "test");
    await this.until(
      "the route to be applied",
      async () => !(await this.ledger.operationsOpen()).some((o) => o.operation.ref === ref),
    );
  }

  async provider(options: Partial<ProviderOptions> = {}): Promise<Provider> {
    const file = `${testDir("provider")}/provider.jsonl`;
    const delays = { slowMs: 50, pendingMs: 100, lateCaptureMs: 2_000, hangMs: 600 };
    const provider = await startProvider({
      runtime: realRuntime,
      file,
      port: 0,
      webhookSecrets: ["s"],
      shares: {},
      seed: 1,
      ...options,
      delays: { ...delays, ...options.delays },
    });
    this.running.push(provider);
    return provider;
  }

  /** A role in its own process, to be killed. */
  spawn(role: string | readonly string[], env: Record<string, string> = {}): Child {
    const words = typeof role === "string" ? [role] : role;
    const command = [process.execPath, join(import.meta.dir, "..", "cli", "cli.ts"), ...words];
    const logFile = process.env.SHOW_LOG;
    const child = spawnRecorded({
      name: `${words[0]}-${this.running.length}`,
      command,
      recordDir: testDir("role"),
      env: { ...this.env, ...env },
      logFile,
    });
    this.running.push(child);
    return child;
  }

  /** Waits for messages in a queue and takes them, as JSON. */
  async take(queue: string, count: number, region = 0): Promise<unknown[]> {
    const { connection } = at(this.links, region);
    const channel = await (connection.model as ChannelModel).createChannel();
    const taken: unknown[] = [];
    await this.until(`${count} messages in ${queue}`, async () => {
      const message = await channel.get(queue, { noAck: true });
      if (message) taken.push(JSON.parse(message.content.toString()));
      return taken.length >= count;
    });
    await channel.close();
    return taken;
  }

  /** Empties a queue, as if the broker had lost it. */
  async purge(queue: string, region = 0): Promise<void> {
    const { connection } = at(this.links, region);
    const channel = await (connection.model as ChannelModel).createChannel();
    await channel.purgeQueue(queue);
    await channel.close();
  }

  /** Waits until an order's state is one of these. */
  async becomes(user: string, id: string, ...states: string[]): Promise<StoredOrder> {
    let order: StoredOrder | undefined;
    await this.until(`order ${id} to become ${states.join(" or ")}`, async () => {
      order = await this.ledger.order(user, id).catch(() => undefined);
      return order !== undefined && states.includes(order.state);
    });
    return order as StoredOrder;
  }

  /** Creates a sale that is open now; the worker writes it to Redis. */
  async sale(
    items: Record<string, number>,
    more: {
      limitPerUser?: number;
      id?: string;
      currency?: string;
      categories?: Record<string, string>;
      opensAtMs?: number;
      closesAtMs?: number;
    } = {},
  ): Promise<Sale> {
    const sale: Sale = {
      id: more.id ?? "s1",
      name: "Sale",
      currency: more.currency ?? "EUR",
      opensAtMs: more.opensAtMs ?? 0,
      closesAtMs: more.closesAtMs ?? 9e12,
      items: Object.entries(items).map(([sku, initial]) => ({
        sku,
        name: sku,
        category: more.categories?.[sku] ?? "c",
        priceMinor: 100,
        limitPerUser: more.limitPerUser ?? 0,
        initial,
      })),
    };
    await this.ledger.operate({ kind: "create", ref: `create ${sale.id}`, sale }, "test");
    return sale;
  }

  /** Publishes rows as one message, as a gateway would; resolves with the confirm. */
  publish(shard: number, rows: readonly Row[], region = 0, gateway = "test"): Promise<void> {
    return this.publishText(shard, messageText(rows), region, gateway);
  }

  /** Publishes a message as it stands, likewise. */
  async publishText(shard: number, text: string, region = 0, gateway = "test"): Promise<void> {
    const link = at(this.links, region);
    const headers = { "x-accepted-at": Date.now() };
    const outcome = await link.publisher.publish(
      ORDERS_EXCHANGE,
      ordersKey(shard),
      Buffer.from(text),
      {
        messageId: String(++this.batch),
        appId: gateway,
        headers,
      },
    );
    if (outcome !== "confirmed") throw new Error(`the publish was ${outcome}`);
  }
  private batch = 0;

  /** Waits for a condition of the ledger (or anything else), up to `timeoutMs`. */
  async until(
    what: string,
    condition: () => Promise<boolean> | boolean,
    timeoutMs = 20_000,
  ): Promise<void> {
    await until(what, condition, timeoutMs);
  }

  async decided(user: string, id: string, timeoutMs?: number): Promise<StoredOrder> {
    let found: StoredOrder | undefined;
    await this.until(
      `order ${id} of ${user} in the ledger`,
      async () => {
        // A ledger that is away does not have it yet.
        found = await this.ledger.order(user, id).catch(() => undefined);
        return found !== undefined;
      },
      timeoutMs,
    );
    return found as StoredOrder;
  }

  /** A client on the stack's Redis. */
  async client(): Promise<RedisStore> {
    const store = new RedisStore({ runtime: realRuntime, url: this.redis.url });
    await store.connect();
    return store;
  }

  async stop(): Promise<void> {
    await Promise.all(this.running.map((r) => r.stop()));
    await closeRegions(this.links);
    await this.ledger.close();
    await this.redis.kill();
  }
}

export function makeOrder(
  user: string,
  lines: Record<string, number>,
  more: Partial<Order> = {},
): { order: Order; row: OrderRow } {
  const order: Order = {
    user,
    id: Bun.randomUUIDv7(),
    saleId: "s1",
    seq: 0,
    currency: "EUR",
    lines: Object.entries(lines).map(([sku, qty]) => ({ sku, qty })),
    payment: "tok",
    metadata: "",
    maxTotal: 0,
    ...more,
  };
  return { order, row: orderRow(order, Date.now()) };
}

/** The same row, with other values of its order, sound or not. */
export function altered(row: OrderRow, changes: Record<string, unknown>): OrderRow {
  return { ...row, order: { ...row.order, ...changes } };
}

export const makeSkip = (user: string, seq: number): Row =>
  skipRow({ user, saleId: "s1", seq }, Date.now());

/** The n-th user of a shard. */
export function userOf(shard: number, n = 0): string {
  for (let i = 0, found = 0; ; i++)
    if (shardOf(`user${i}`, SHARDS) === shard && found++ === n) return `user${i}`;
}
