// Runs a real system and a rush with a rule disabled, for the tests of verify.
import { afterEach } from "bun:test";
import { join } from "node:path";
import { drain } from "../proof/demo/drain.ts";
import { type Verdict, verify } from "../proof/verify/verify.ts";
import { openViews } from "../proof/verify/views.ts";
import { spawnRecorded } from "../services/processes.ts";
import { SHARDS, saleInRedis, startRushSystem, withRedis } from "./rush-system.ts";

export const ORDERS = 1_500;
/** Without a rule the system may never come to rest, so verify's checks are bounded by these. */
const MUTANT_DRAIN_MS = 3_000;
const MUTANT_LOOKS = 6;
export const TIMEOUT_MS = 90_000;

const cleanUps: (() => Promise<unknown>)[] = [];

/** Ends the systems of a file's tests after each. */
export function endAfterEach(): void {
  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
  }, TIMEOUT_MS);
}

export interface Mutation {
  /** [from, to] in the text of the Lua library. */
  readonly lua?: readonly (readonly [string, string])[];
  /** Run on the ledger first, to remove its own guards. */
  readonly sql?: readonly string[];
  /** MUTANT of a worker that is killed half-way while Redis is wiped. */
  readonly crashing?: string;
  /** The violation to be found. */
  readonly finds?: string;
  /**
   * Whether the gateways refuse orders for sold-out items. By default they do not, so that every
   * order is decided and there is more to find.
   */
  readonly soldOutAtGate?: "yes" | "no";
}

/** Runs the real gateway and worker with a rush; returns the checker's verdict. */
export async function runWith({
  lua = [],
  sql = [],
  crashing,
  finds,
  soldOutAtGate = "no",
}: Mutation): Promise<Verdict & { readonly answers: ReadonlyMap<string, number> }> {
  const env = { SLUICE_SOLD_OUT_AT_GATE: soldOutAtGate, SLUICE_TEST_PATCH: JSON.stringify(lua) };
  let mutant: ReturnType<typeof startMutant> | undefined;
  const system = await startRushSystem({
    ...{ orders: ORDERS, env, sql, cleanUps },
    ...(crashing === undefined
      ? {}
      : {
          startWorker: (dir, common) => {
            mutant = startMutant(dir, { ...common, MUTANT: crashing });
          },
        }),
  });
  const { settings, redisUrl, plan, fleet, tally, history, historyPath } = system;
  const rush = await system.rush();
  await rush.answered;
  if (mutant) {
    await decided(redisUrl);
    await mutant.kill();
    await wipe(redisUrl);
    fleet.worker("worker");
    await saleInRedis(redisUrl, plan.sale.id);
  }
  const views = await openViews(settings);
  cleanUps.push(() => views.close());
  const rest = (timeoutMs: number) =>
    drain(settings.ledgerUrl, views, { orders: tally.accepted, timeoutMs, graceMs: 6_000 });
  await rest(lua.length > 0 ? MUTANT_DRAIN_MS : TIMEOUT_MS / 2);
  rush.close();
  await history.close();
  const looked = { ledgerUrl: settings.ledgerUrl, history: [historyPath], rules: settings };
  let verdict = await verify({ ...looked, ...views });
  for (let looks = 1; looks < MUTANT_LOOKS && !done(verdict, finds); looks++) {
    await rest(MUTANT_DRAIN_MS);
    verdict = await verify({ ...looked, ...views });
  }
  return { ...verdict, answers: tally.answers };
}

const done = (verdict: Verdict, finds: string | undefined) =>
  finds === undefined || found(verdict).includes(finds);

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

/** Every shard has a decision that is not recorded. */
async function decided(url: string): Promise<void> {
  await withRedis(url, async ({ client }) => {
    for (let shard = 0; shard < SHARDS; shard++)
      while ((await client.xlen(`{${shard}}:outbox`)) === 0) await Bun.sleep(20);
  });
}

async function wipe(url: string): Promise<void> {
  await withRedis(url, ({ client }) => client.flushall());
}

export const found = (verdict: Verdict) =>
  verdict.violations.map((v) => `${v.invariant} ${v.what}`);
