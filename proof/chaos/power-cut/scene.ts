// A real run that ends in a power cut: a gateway, a worker, Redis with its append-only file and a
// SQLite ledger take a rush, and then everything is killed at once.
//
// For the last orders, the broker receives no acknowledgement: a line between the worker and the
// broker loses them. So at the cut the ledger has entries whose messages are still queued, as
// between a commit and its acknowledgement, only more of them. All that is cut off from the files
// later belongs to these last orders, the *tail*.
import { cpSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Sale } from "../../../core/domain/sale.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { metaKey, stockKey } from "../../../core/stores/keys.ts";
import { RedisStore } from "../../../core/stores/redis.ts";
import { LedgerAudit } from "../../../ledger/audit.ts";
import { openLedger } from "../../../ledger/open.ts";
import { Fleet, type Role } from "../../../services/fleet.ts";
import { startRedis } from "../../../services/redis.ts";
import { HistoryWriter } from "../../history.ts";
import type { Tally } from "../../load/lane.ts";
import { makePlan, type Plan, type Step } from "../../load/plan.ts";
import { startRush } from "../../load/rush.ts";
import { TcpProxy } from "../tcp-proxy.ts";
import { incrementOf, walOf } from "./files.ts";
import { type KeptMessage, Queues } from "./queues.ts";
import { until } from "./until.ts";

export interface SceneOptions {
  /** An empty folder. */
  readonly dir: string;
  /** AMQP URL of an empty virtual host, with a user who may do everything. */
  readonly brokerUrl: string;
  readonly orders: number;
  readonly seed: number;
}

/** What the power cut left behind. */
export interface Scene {
  /** Holds `appendonlydir`, `ledger.db` and `ledger.db-wal`. */
  readonly left: string;
  /** Where the tail begins, in bytes of the append-only file and of the WAL. */
  readonly aofFrom: number;
  readonly walFrom: number;
  readonly messages: readonly KeptMessage[];
  /** What the clients sent and received. */
  readonly history: readonly string[];
  /** Distinct orders that were answered with 202. */
  readonly accepted: number;
  readonly env: Readonly<Record<string, string>>;
  readonly brokerUrl: string;
  readonly shards: number;
}

const SHARDS = 2;
/** Share of the steps that make the tail, and the waves in which they are sent: one commit each. */
const TAIL_SHARE = 0.3;
const WAVES = 6;
const SECRET = "the secret of a system that has lost its power";
const SETTINGS = {
  SLUICE_SHARDS: String(SHARDS),
  SLUICE_JWT_SECRET: SECRET,
  SLUICE_SOLD_OUT_AT_GATE: "no",
  SLUICE_GAP_TIMEOUT: "200ms",
  SLUICE_RETRY_DELAYS: "50ms,50ms,50ms",
  // The load of other programs must not matter here.
  ...Object.fromEntries(
    ["CPU", "LOOP", "REDIS", "LEDGER", "OUTBOX"].map((sign) => [`SLUICE_GOVERNOR_${sign}`, "off"]),
  ),
};
/** The broker ends a silent consumer after a third of it; the tail is decided by then. */
const LEASE = "6s";
const STANDSTILL_MS = 1_500;

export async function makeScene(options: SceneOptions): Promise<Scene> {
  const { dir, brokerUrl, orders, seed } = options;
  const redis = await startRedis(join(dir, "redis"), { persistence: true });
  const line = await TcpProxy.to(brokerUrl);
  const env = {
    ...SETTINGS,
    SLUICE_REDIS_URL: redis.url,
    SLUICE_REGIONS: `eu=${brokerUrl}`,
    SLUICE_LEDGER_URL: `sqlite:${join(dir, "ledger.db")}`,
    SLUICE_LEASE_TTL: LEASE,
  };
  const lossy = { SLUICE_REGIONS: `eu=${line.through(brokerUrl)}` };
  const roleEnv = (kind: Role["kind"]) => (kind === "worker" ? lossy : {});
  const fleet = new Fleet({ dir: join(dir, "roles"), env, roleEnv, say: () => undefined });
  try {
    const plan = makePlan({ orders, seed, nowMs: realRuntime.wallMs(), users: orders });
    await createSale(env.SLUICE_LEDGER_URL, plan.sale);
    fleet.worker("worker");
    const gateway = await fleet.gateway("eu", 0);
    await sells(redis.url, plan.sale.id);
    const run = await sendAll(dir, env.SLUICE_LEDGER_URL, plan, gateway, line);
    await Promise.all([...fleet.roles.map((role) => role.kill()), redis.kill()]);
    return { ...run, ...(await leftBy(dir, brokerUrl, line)), env, brokerUrl, shards: SHARDS };
  } finally {
    await line.close();
    await fleet.stop();
    await redis.kill();
  }
}

async function createSale(url: string, sale: Sale): Promise<void> {
  const ledger = await openLedger({ runtime: realRuntime, url, shards: SHARDS });
  await ledger.operate({ kind: "create", ref: "sale", sale }, "power-cut");
  await ledger.close();
}

/** The worker has opened Redis and written the sale to it. */
async function sells(url: string, saleId: string): Promise<void> {
  const store = new RedisStore({ runtime: realRuntime, url });
  await store.client.connect();
  await until("the sale in Redis", async () => {
    const stocked = (await store.client.exists(stockKey(saleId))) === 1;
    return stocked && (await store.client.hget(metaKey(0), "state")) === "open";
  });
  await store.close();
}

type Run = Pick<Scene, "aofFrom" | "walFrom" | "history" | "accepted">;

/**
 * Of the tail only the orders are sent, and their clients leave before they receive an outcome, so
 * no answer depends on a commit that may be cut off.
 */
async function sendAll(
  dir: string,
  ledgerUrl: string,
  plan: Plan,
  { url = "", region = "" }: Role,
  line: TcpProxy,
): Promise<Run> {
  const issuer = { secret: SECRET, issuer: "sluice", audience: "sluice" };
  const history: string[] = [];
  const send = async (steps: readonly Step[]): Promise<number> => {
    const path = join(dir, `history-${history.length}.jsonl`);
    history.push(path);
    const writer = new HistoryWriter(path);
    const total = steps.length;
    const tally: Tally = { sent: 0, settled: 0, accepted: 0, total, answers: new Map() };
    const targets = [{ url, region }];
    const part = { ...plan, steps };
    const rush = await startRush({ plan: part, targets, issuer, history: writer, tally });
    await rush.answered;
    rush.close();
    await writer.close();
    return tally.accepted;
  };
  const steps = plan.steps.map(inEuro);
  const begin = Math.floor(steps.length * (1 - TAIL_SHARE));
  const first = await send(steps.slice(0, begin));
  await until("the first orders in the ledger", async () => (await ordersIn(ledgerUrl)) >= first);
  const [aofFrom, walFrom] = [sizeOf(incrementOf(join(dir, "redis"))), sizeOf(walOf(dir))];
  line.stall("requests");
  const tail = steps.slice(begin).filter(({ kind }) => kind === "order");
  let accepted = first;
  for (let wave = 0; wave < WAVES; wave++) {
    const edge = (n: number) => Math.floor((tail.length * n) / WAVES);
    accepted += await send(tail.slice(edge(wave), edge(wave + 1)));
    await untilStandstill(ledgerUrl, accepted);
  }
  for (const path of history.slice(1)) await withoutOutcomes(path);
  return { aofFrom, walFrom, history, accepted };
}

/** Nobody publishes exchange rates here, and a request for one would stay queued for 30 s. */
function inEuro(step: Step): Step {
  if (step.kind !== "order") return step;
  const body = { ...JSON.parse(step.bodyText), currency: "EUR" };
  return { ...step, bodyText: JSON.stringify(body) };
}

/** Everything is in the ledger, or nothing more arrives there: a message was not delivered. */
async function untilStandstill(ledgerUrl: string, accepted: number): Promise<void> {
  let last = -1;
  let sinceMs = realRuntime.monotonicMs();
  await until("the tail in the ledger", async () => {
    const count = await ordersIn(ledgerUrl);
    if (count !== last) sinceMs = realRuntime.monotonicMs();
    last = count;
    return count >= accepted || realRuntime.monotonicMs() - sinceMs > STANDSTILL_MS;
  });
}

async function ordersIn(ledgerUrl: string): Promise<number> {
  const audit = await LedgerAudit.open(realRuntime, ledgerUrl);
  const count = await audit.orderCount();
  await audit.close(); // the worker has the ledger open, so this makes no checkpoint
  return count;
}

async function withoutOutcomes(path: string): Promise<void> {
  const lines = (await Bun.file(path).text()).split("\n");
  const calls = lines.filter((line) => line !== "" && JSON.parse(line).op !== "outcome");
  await Bun.write(path, `${calls.join("\n")}\n`);
}

/** Copies the files before anything opens them again, and reads what was never acknowledged. */
async function leftBy(
  dir: string,
  brokerUrl: string,
  line: TcpProxy,
): Promise<Pick<Scene, "left" | "messages">> {
  const left = join(dir, "left");
  mkdirSync(left);
  cpSync(join(dir, "redis", "appendonlydir"), join(left, "appendonlydir"), { recursive: true });
  for (const file of ["ledger.db", "ledger.db-wal"]) cpSync(join(dir, file), join(left, file));
  await line.close();
  const queues = await Queues.open(brokerUrl, SHARDS);
  const messages = await queues.read();
  await queues.close();
  return { left, messages };
}

const sizeOf = (path: string): number => statSync(path).size;
