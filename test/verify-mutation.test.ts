// The checker is worth as much as what it finds: with one rule of the real system knocked out at a time, it must turn red; with none, it
// must pass.
import { afterEach, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Sale } from "../core/domain/sale.ts";
import { metaKey } from "../core/keys.ts";
import { RedisStore } from "../core/redis.ts";
import { readSettings } from "../core/settings.ts";
import { Db } from "../ledger/db.ts";
import { openLedger } from "../ledger/open.ts";
import { drain } from "../ops/demo/drain.ts";
import { Fleet } from "../ops/fleet.ts";
import { HistoryWriter } from "../ops/history.ts";
import { makePlan } from "../ops/load/plan.ts";
import { startRush } from "../ops/load/rush.ts";
import { spawnRecorded } from "../ops/services/processes.ts";
import { startRedis } from "../ops/services/redis.ts";
import { type Verdict, verify } from "../ops/verify/verify.ts";
import { openViews } from "../ops/verify/views.ts";
import { testDir, testRabbit } from "./services.ts";

const SECRET = "a secret for this test, and long enough";
const SHARDS = 2;
const ORDERS = 1_500;
const TIMEOUT_MS = 90_000;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Mutation {
  /** [from, to] in the text of the Lua library. */
  readonly lua?: readonly (readonly [string, string])[];
  /** Run on the ledger before anything else: takes its own guard away. */
  readonly sql?: readonly string[];
  /** MUTANT of a worker that is killed half-way, and Redis wiped with it. */
  readonly crashing?: string;
  /** Whether the gateways answer orders for sold-out items themselves. As a rule not: every order is decided, so that there is more to find. */
  readonly soldOutAtGate?: "yes" | "no";
}

/** The real gateway and worker, a rush, and what the checker says of it. */
async function runWith({
  lua = [],
  sql = [],
  crashing,
  soldOutAtGate = "no",
}: Mutation): Promise<Verdict & { readonly answers: ReadonlyMap<string, number> }> {
  const dir = testDir("mutation");
  const redis = await startRedis(join(dir, "redis"), { persistence: false });
  cleanUps.push(() => redis.kill());
  const rabbit = await testRabbit();
  const patch = join(dir, "patch.json");
  writeFileSync(patch, JSON.stringify(lua));
  const env = {
    SLUICE_REDIS_URL: redis.url,
    SLUICE_REGIONS: `eu=${await rabbit.freshVhost()},us=${await rabbit.freshVhost()}`,
    SLUICE_LEDGER_URL: `sqlite:${join(dir, "ledger.db")}`,
    SLUICE_SHARDS: String(SHARDS),
    SLUICE_JWT_SECRET: SECRET,
    SLUICE_LEASE_TTL: "1s",
    // Lost orders leave gaps in the numbers; nothing else does.
    SLUICE_GAP_TIMEOUT: "2s",
    SLUICE_RETRY_DELAYS: "50ms,50ms,50ms",
    SLUICE_RATE_WAIT: "1s",
    SLUICE_SOLD_OUT_AT_GATE: soldOutAtGate,
    SLUICE_TEST_PATCH: patch,
  };
  const settings = readSettings(env);
  const plan = makePlan({ orders: ORDERS, seed: 5, nowMs: Date.now(), users: 300 });
  await makeLedger(settings.ledgerUrl, plan.sale, sql);

  const fleet = new Fleet({ dir, env, say: () => undefined });
  cleanUps.push(() => fleet.stop());
  const mutant =
    crashing === undefined ? undefined : startMutant(dir, { ...env, MUTANT: crashing });
  if (!mutant) fleet.worker("worker");
  const gateways = await Promise.all(settings.regions.map(({ name }) => fleet.gateway(name, 0)));
  await saleInRedis(redis.url, plan.sale.id);
  const webhookUrl = `${gateways[0]?.url}/v1/payments/webhook`;
  const provider = await fleet.provider({
    port: 0,
    file: join(dir, "provider.jsonl"),
    shares: "",
    seed: 1,
    webhookUrl,
  });
  fleet.payments("payments", provider.url as string);
  fleet.rates("rates");

  const historyPath = join(dir, "history.jsonl");
  const history = new HistoryWriter(historyPath);
  const targets = gateways.map(({ url = "", region = "" }) => ({ url, region }));
  const issuer = { secret: SECRET, issuer: settings.jwtIssuer, audience: settings.jwtAudience };
  const tally = {
    sent: 0,
    settled: 0,
    accepted: 0,
    total: plan.steps.length,
    answers: new Map<string, number>(),
  };
  const rush = await startRush({ plan, targets, issuer, history, tally });
  await rush.answered;
  if (mutant) {
    await decided(redis.url);
    await mutant.kill();
    await wipe(redis.url);
    fleet.worker("worker");
    await saleInRedis(redis.url, plan.sale.id);
  }
  const views = await openViews(settings);
  cleanUps.push(() => views.close());
  await drain(settings.ledgerUrl, views, {
    orders: tally.accepted,
    timeoutMs: TIMEOUT_MS / 2,
    graceMs: 6_000,
  });
  rush.close();
  await history.close();
  return {
    ...(await verify({ ledgerUrl: settings.ledgerUrl, history: [historyPath], ...views })),
    answers: tally.answers,
  };
}

async function makeLedger(url: string, sale: Sale, sql: readonly string[]) {
  const ledger = await openLedger({ url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale }, "test");
  await ledger.close();
  const db = await Db.open(url);
  await db.run("PRAGMA foreign_keys = OFF");
  for (const statement of sql) await db.run(statement);
  await db.close();
}

/** A table as it was, but for its keys and checks. */
const withoutGuards = (table: string): string[] => [
  `CREATE TABLE unguarded AS SELECT * FROM ${table}`,
  `DROP TABLE ${table}`,
  `ALTER TABLE unguarded RENAME TO ${table}`,
];

function startMutant(dir: string, env: Record<string, string>) {
  const command = [process.execPath, join(import.meta.dir, "mutants", "worker.ts")];
  const child = spawnRecorded({
    name: "mutant",
    command,
    recordDir: join(dir, "run"),
    env,
    logFile: join(dir, "mutant.log"),
  });
  cleanUps.push(() => child.kill());
  return child;
}

async function withRedis<T>(url: string, work: (store: RedisStore) => Promise<T>): Promise<T> {
  const store = new RedisStore({ url });
  await store.client.connect();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** The worker has opened the store and brought the sale there. */
async function saleInRedis(url: string, saleId: string): Promise<void> {
  await withRedis(url, async ({ client }) => {
    while (
      (await client.exists(`stock:${saleId}`)) === 0 ||
      (await client.hget(metaKey(0), "state")) !== "open"
    )
      await Bun.sleep(20);
  });
}

/** Every shard has decided something that nobody has recorded. */
async function decided(url: string): Promise<void> {
  await withRedis(url, async ({ client }) => {
    for (let shard = 0; shard < SHARDS; shard++)
      while ((await client.xlen(`{${shard}}:outbox`)) === 0) await Bun.sleep(20);
  });
}

async function wipe(url: string): Promise<void> {
  await withRedis(url, ({ client }) => client.flushall());
}

const found = (verdict: Verdict) => verdict.violations.map((v) => `${v.invariant} ${v.what}`);

test(
  "with every rule in place the rush passes",
  async () => {
    const verdict = await runWith({});
    expect(verdict.violations).toEqual([]);
    expect(verdict.undrained).toEqual([]);
    expect(verdict.counts).toMatchObject({
      orders: ORDERS,
      accepted: ORDERS,
      decided: ORDERS,
      ledgered: ORDERS,
    });
  },
  TIMEOUT_MS,
);

test(
  "with gateways that answer for sold-out items themselves it passes too, and what they turned away has no trace",
  async () => {
    const verdict = await runWith({ soldOutAtGate: "yes" });
    expect(verdict.violations).toEqual([]);
    expect(verdict.undrained).toEqual([]);
    const { orders, accepted, decided, ledgered } = verdict.counts;
    expect([orders, decided, ledgered]).toEqual([ORDERS, accepted, accepted]);
    // What was not accepted was told so: its item was gone. How many that are is a matter of how fast the stock went.
    expect(ORDERS - accepted).toBeLessThanOrEqual(verdict.answers.get("409 sold_out") ?? 0);
    expect(accepted).toBeGreaterThan(ORDERS / 2);
  },
  TIMEOUT_MS,
);

test(
  "without deduplication it finds orders decided twice",
  async () => {
    const lua = [["local record = batch.seen[row[13]]", "local record = nil"]] as const;
    const verdict = await runWith({ lua, sql: withoutGuards("orders") });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain("I3 an order was decided twice");
  },
  TIMEOUT_MS,
);

test(
  "without the stock checks of Redis and ledger it finds items oversold",
  async () => {
    const lua = [["if not enough then return 'sold_out' end", ""]] as const;
    const verdict = await runWith({ lua, sql: withoutGuards("items") });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain("I5 oversold");
  },
  TIMEOUT_MS,
);

test(
  "without the sequence check it finds numbers out of turn",
  async () => {
    const lua = [["if seq > turn.next or turn.parked[seq] then", "if false then"]] as const;
    const verdict = await runWith({ lua });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain("I4 a number was decided before its turn");
  },
  TIMEOUT_MS,
);

test(
  "with acknowledgement before the commit, a crash that takes Redis along loses orders, and it finds them",
  async () => {
    const verdict = await runWith({ crashing: "slow-ledger,early-ack" });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain("I1 an accepted order is not in the ledger");
  },
  TIMEOUT_MS,
);

test(
  "with acknowledgement after the commit, the same crash loses nothing",
  async () => {
    const verdict = await runWith({ crashing: "slow-ledger" });
    expect(verdict.violations).toEqual([]);
    expect(verdict.result).toBe("pass");
  },
  TIMEOUT_MS,
);
