// One recovery after a power cut: the real Redis on the rest of its file, the real ledger on the
// rest of its WAL, the queues as they were, and a real worker and payment worker that continue.
import { join } from "node:path";
import { messageOf } from "../../../core/domain/message-of.ts";
import { realRuntime } from "../../../core/runtime/runtime.ts";
import { readSettings } from "../../../core/settings/settings.ts";
import { metaKey } from "../../../core/stores/keys.ts";
import { RedisStore } from "../../../core/stores/redis.ts";
import { type PrivateRedis, startRedis } from "../../../services/redis.ts";
import { startProvider } from "../../../stubs/provider/server.ts";
import { drain } from "../../demo/drain.ts";
import type { CaptureRecord } from "../../verify/checks/charges.ts";
import { verify } from "../../verify/verify.ts";
import { openViews, type Views } from "../../verify/views.ts";
import { dropAof, type Ending, type LedgerState, ledgerState, putAof, putLedger } from "./files.ts";
import { Queues } from "./queues.ts";
import type { Scene } from "./scene.ts";

/** Starts a role in this process; `onEvent` receives the events that it logs. */
export type StartRole = (
  env: Readonly<Record<string, string>>,
  onEvent: (event: string) => void,
) => Promise<{ stop(): Promise<void> }>;

export interface Starters {
  readonly worker: StartRole;
  readonly payments: StartRole;
}

export interface Cut {
  /** `lost`: the whole file is. */
  readonly aof: Ending | "lost";
  readonly wal: Ending;
}

export interface Recovered {
  readonly cut: Cut;
  /**
   * `halted`: the ledger had lost what it confirmed, and Redis knew. `rebuilt`: Redis had lost
   * something. `continued`: neither.
   */
  readonly outcome: "continued" | "rebuilt" | "halted";
  /** What is wrong; empty if nothing is. */
  readonly problems: readonly string[];
  readonly ms: number;
}

const DRAIN_TIMEOUT_MS = 60_000;
const LEASE = "1s";

/** Recovers in `dir`, an empty folder. */
export async function recover(
  scene: Scene,
  cut: Cut,
  starters: Starters,
  dir: string,
): Promise<Recovered> {
  const startedMs = realRuntime.monotonicMs();
  putLedger(scene.left, dir, cut.wal);
  const before = await ledgerState(dir);
  putAof(scene.left, join(dir, "redis"), cut.aof === "lost" ? { bytes: 0 } : cut.aof);
  if (cut.aof === "lost") dropAof(join(dir, "redis"));
  const queues = await Queues.open(scene.brokerUrl, scene.shards);
  await queues.restore(scene.messages);
  await queues.close();
  const redis = await startRedis(join(dir, "redis"), { persistence: true });
  try {
    const knew = await knowsMore(redis, before);
    const seen = await run(scene, starters, dir, redis);
    const problems = [...seen.problems];
    if (before.health !== "ok") problems.push(`SQLite: ${before.health}`);
    if (knew !== (seen.outcome === "halted"))
      problems.push(knew ? "it should have halted" : "it should not have halted");
    const ms = Math.round(realRuntime.monotonicMs() - startedMs);
    return { cut, outcome: seen.outcome, problems, ms };
  } finally {
    await redis.kill();
  }
}

/** Whether Redis knows of a commit that the ledger has lost. Then only an operator may decide. */
async function knowsMore({ url }: PrivateRedis, { positions }: LedgerState): Promise<boolean> {
  const store = new RedisStore({ runtime: realRuntime, url });
  await store.client.connect();
  try {
    for (const { shard, lastN } of positions)
      if (Number(await store.client.hget(metaKey(shard), "basen")) > lastN) return true;
    return false;
  } finally {
    await store.close();
  }
}

class Halted extends Error {}

type Seen = Pick<Recovered, "outcome" | "problems">;

async function run(
  scene: Scene,
  starters: Starters,
  dir: string,
  redis: PrivateRedis,
): Promise<Seen> {
  const file = join(dir, "provider.jsonl");
  const provider = await startProvider({
    ...{ runtime: realRuntime, file, port: 0, shares: {}, seed: 1, webhookSecrets: ["s"] },
  });
  const env = {
    ...scene.env,
    SLUICE_REDIS_URL: redis.url,
    SLUICE_LEDGER_URL: `sqlite:${join(dir, "ledger.db")}`,
    SLUICE_PROVIDER_URL: provider.url,
    SLUICE_LEASE_TTL: LEASE,
  };
  const events: string[] = [];
  const roles: { stop(): Promise<void> }[] = [];
  let views: Views | undefined;
  try {
    roles.push(await starters.worker(env, (event) => events.push(event)));
    roles.push(await starters.payments(env, () => undefined));
    views = await openViews(readSettings(env));
    const captures = () => capturesOf(provider.url);
    const problems = await judge(scene, env, views, () => events.includes("halted"), captures);
    return { outcome: events.includes("redis rebuilt") ? "rebuilt" : "continued", problems };
  } catch (error) {
    if (error instanceof Halted) return { outcome: "halted", problems: [] };
    return { outcome: "continued", problems: [messageOf(error)] };
  } finally {
    await Promise.all(roles.map((role) => role.stop()));
    await views?.close();
    await provider.stop();
  }
}

/** Waits until all is recorded and paid, and verifies it. Throws Halted. */
async function judge(
  scene: Scene,
  env: Readonly<Record<string, string>>,
  views: Views,
  halted: () => boolean,
  captures: () => Promise<CaptureRecord[]>,
): Promise<string[]> {
  const settings = readSettings(env);
  const quiet = async () => {
    if (halted()) throw new Halted();
    return true;
  };
  const { accepted: orders, history } = scene;
  const { ledgerUrl } = settings;
  const rested = await drain(ledgerUrl, views, { orders, timeoutMs: DRAIN_TIMEOUT_MS, quiet });
  const verdict = await verify({
    ...{ ledgerUrl, history, rules: settings, ...views, provider: captures },
  });
  return [
    ...(rested === undefined ? ["it did not come to rest"] : []),
    ...(verdict.missing > 0 ? [`${verdict.missing} accepted orders are missing`] : []),
    ...verdict.violations.map((violation) => JSON.stringify(violation)),
    ...(verdict.result === "inconclusive" ? verdict.undrained : []),
  ];
}

async function capturesOf(url: string): Promise<CaptureRecord[]> {
  const lines = (await (await fetch(`${url}/v1/records`)).text()).split("\n");
  return lines.flatMap((line) => (line === "" ? [] : [JSON.parse(line) as CaptureRecord]));
}
