// A real system with a sale, and the plan of a rush, for tests of verify.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sale } from "../core/domain/sale.ts";
import { realRuntime } from "../core/runtime/runtime.ts";
import { readSettings, type Settings } from "../core/settings/settings.ts";
import { metaKey } from "../core/stores/keys.ts";
import { RedisStore } from "../core/stores/redis.ts";
import { Db } from "../ledger/db.ts";
import { openLedger } from "../ledger/open.ts";
import { HistoryWriter } from "../proof/history.ts";
import type { Tally } from "../proof/load/lane.ts";
import { makePlan, type Plan, type Step } from "../proof/load/plan.ts";
import { type Rush, startRush } from "../proof/load/rush.ts";
import { Fleet, type Role } from "../services/fleet.ts";
import { startRedis } from "../services/redis.ts";
import { testDir, testRabbit } from "./services.ts";

const SECRET = "a secret for this test, and long enough";
export const SHARDS = 2;

export interface RushOptions {
  readonly orders: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Run on the ledger first, to remove its own guards. */
  readonly sql?: readonly string[];
  /** Starts a worker other than the usual one. */
  readonly startWorker?: (dir: string, env: Record<string, string>) => unknown;
  /** Shares of the provider's misbehaviours. */
  readonly shares?: string;
  /** Called after the test, in reverse order. */
  readonly cleanUps: (() => Promise<unknown>)[];
}

export interface RushSystem {
  readonly dir: string;
  readonly fleet: Fleet;
  readonly settings: Settings;
  readonly redisUrl: string;
  readonly plan: Plan;
  readonly provider: Role;
  readonly historyPath: string;
  readonly history: HistoryWriter;
  readonly tally: Tally;
  /** Starts the clients with all steps, or with some of them. */
  rush(steps?: readonly Step[]): Promise<Rush>;
}

export async function startRushSystem(options: RushOptions): Promise<RushSystem> {
  const { cleanUps, orders, sql = [] } = options;
  const dir = testDir("rush");
  const redis = await startRedis(join(dir, "redis"), { persistence: false });
  cleanUps.push(() => redis.kill());
  const env = await environment(dir, redis.url, options);
  const settings = readSettings(env);
  const plan = makePlan({ orders, seed: 5, nowMs: Date.now(), users: 300 });
  await makeLedger(settings.ledgerUrl, plan.sale, sql);
  const fleet = new Fleet({ dir, env, say: () => undefined });
  cleanUps.push(() => fleet.kill());
  if (options.startWorker) options.startWorker(dir, env);
  else fleet.worker("worker");
  const gateways = await Promise.all(settings.regions.map(({ name }) => fleet.gateway(name, 0)));
  await saleInRedis(redis.url, plan.sale.id);
  const webhookUrl = `${gateways[0]?.url}/v1/payments/webhook`;
  const file = join(dir, "provider.jsonl");
  const shares = options.shares ?? "";
  const provider = await fleet.provider({ port: 0, file, shares, seed: 1, webhookUrl });
  fleet.payments("payments", provider.url as string);
  fleet.rates("rates");
  const historyPath = join(dir, "history.jsonl");
  const history = new HistoryWriter(historyPath);
  const total = plan.steps.length;
  const tally: Tally = { sent: 0, settled: 0, accepted: 0, total, answers: new Map() };
  const targets = gateways.map(({ url = "", region = "" }) => ({ url, region }));
  const issuer = { secret: SECRET, issuer: settings.jwtIssuer, audience: settings.jwtAudience };
  const rush = (steps = plan.steps) =>
    startRush({ plan: { ...plan, steps }, targets, issuer, history, tally });
  return {
    ...{ dir, fleet, settings, redisUrl: redis.url, plan, provider, historyPath, history },
    ...{ tally, rush },
  };
}

async function environment(
  dir: string,
  redisUrl: string,
  { env = {} }: RushOptions,
): Promise<Record<string, string>> {
  const rabbit = await testRabbit();
  const patch = join(dir, "patch.json");
  writeFileSync(patch, env.SLUICE_TEST_PATCH ?? "[]");
  return {
    SLUICE_REDIS_URL: redisUrl,
    SLUICE_REGIONS: `eu=${await rabbit.freshVhost()},us=${await rabbit.freshVhost()}`,
    SLUICE_LEDGER_URL: `sqlite:${join(dir, "ledger.db")}`,
    SLUICE_SHARDS: String(SHARDS),
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_LEASE_TTL: "1s",
    // Only lost orders leave gaps in the numbers.
    SLUICE_GAP_TIMEOUT: "2s",
    SLUICE_RETRY_DELAYS: "50ms,50ms,50ms",
    SLUICE_RATE_WAIT: "1s",
    // The load of other tests must not slow its workers.
    SLUICE_GOVERNOR_CPU: "off",
    ...env,
    SLUICE_TEST_PATCH: patch,
  };
}

async function makeLedger(url: string, sale: Sale, sql: readonly string[]) {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale }, "test");
  await ledger.close();
  const db = await Db.open(realRuntime, url);
  await db.run("PRAGMA foreign_keys = OFF");
  for (const statement of sql) await db.run(statement);
  await db.close();
}

export async function withRedis<T>(
  url: string,
  work: (store: RedisStore) => Promise<T>,
): Promise<T> {
  const store = new RedisStore({ runtime: realRuntime, url });
  await store.client.connect();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** The worker has opened the store and written the sale to it. */
export async function saleInRedis(url: string, saleId: string): Promise<void> {
  await withRedis(url, async ({ client }) => {
    while (
      (await client.exists(`stock:${saleId}`)) === 0 ||
      (await client.hget(metaKey(0), "state")) !== "open"
    )
      await Bun.sleep(20);
  });
}
