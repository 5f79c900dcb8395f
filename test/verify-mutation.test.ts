// The checker must fail with any one rule disabled, and pass with none.
import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { drain } from "../proof/demo/drain.ts";
import { type Verdict, verify } from "../proof/verify/verify.ts";
import { openViews } from "../proof/verify/views.ts";
import { spawnRecorded } from "../services/processes.ts";
import { SHARDS, saleInRedis, startRushSystem, withRedis } from "./rush-system.ts";

const ORDERS = 1_500;
/** Without a rule the system may never come to rest: how often and for how long verify looks. */
const MUTANT_DRAIN_MS = 3_000;
const MUTANT_LOOKS = 6;
const TIMEOUT_MS = 90_000;

const cleanUps: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, TIMEOUT_MS);

interface Mutation {
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
async function runWith({
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

/** Recreates a table without its keys and checks. */
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
  "with gateways that refuse sold-out items it passes too, and refused orders leave no trace",
  async () => {
    const verdict = await runWith({ soldOutAtGate: "yes" });
    expect(verdict.violations).toEqual([]);
    expect(verdict.undrained).toEqual([]);
    const { orders, accepted, decided, ledgered } = verdict.counts;
    expect([orders, decided, ledgered]).toEqual([ORDERS, accepted, accepted]);
    // Every order not accepted was refused as sold out; how many depends on how fast the stock
    // went.
    expect(ORDERS - accepted).toBeLessThanOrEqual(verdict.answers.get("409 sold_out") ?? 0);
    expect(accepted).toBeGreaterThan(ORDERS / 4);
  },
  TIMEOUT_MS,
);

test(
  "without deduplication it finds orders decided twice",
  async () => {
    const lua = [
      ["if values[i] then seen[fields[i]] = values[i] end", ""],
      ["batch.seen[field] = value", ""],
      ["seen[field] = record", ""],
    ] as const;
    const finds = "I3 an order was decided twice";
    const verdict = await runWith({
      lua,
      sql: [...withoutGuards("orders"), ...withoutGuards("charges")],
      finds,
    });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "without the stock checks of Redis and the ledger it finds items oversold",
  async () => {
    const lua = [
      ["if not enough then return 'sold_out' end", ""],
      ["if item.available < 0 then error('more units than there are') end", ""],
      // Items that are sold out have all that a reservation needs.
      ["if available == '0' and limit == 0 and", "if false and"],
    ] as const;
    const finds = "I5 oversold";
    const verdict = await runWith({ lua, sql: withoutGuards("items"), finds });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "with orders refused as sold out while there is stock, it finds the wrong refusals",
  async () => {
    const lua = [
      [
        "if not enough then return 'sold_out' end",
        "if not enough or string.sub(orders.order[i], -1) == '0' then return 'sold_out' end",
      ],
    ] as const;
    const finds = "I5 an order was refused as sold out though there was stock";
    const verdict = await runWith({ lua, finds });
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "with records taken to be gone it finds orders refused as stale too early",
  async () => {
    const lua = [
      [
        "if not forced and bucket < batch.first_bucket then",
        "if not forced and string.sub(field, -2) == '00' then",
      ],
      ["local plain = not forced and one and", "local plain = false and"],
    ] as const;
    const finds = "I1 an order was refused as stale though it was recent enough";
    const verdict = await runWith({ lua, finds });
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "without the sequence check it finds numbers out of turn",
  async () => {
    const lua = [["if seq > turn.next or turn.parked[seq] then", "if false then"]] as const;
    const finds = "I4 a number was decided before its turn";
    const verdict = await runWith({ lua, finds });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain(finds);
  },
  TIMEOUT_MS,
);

test(
  "with early acknowledgement, a crash that also wipes Redis loses orders, and it finds them",
  async () => {
    const verdict = await runWith({ crashing: "slow-ledger,early-ack" });
    expect(verdict.result).toBe("violations");
    expect(found(verdict)).toContain("I1 an accepted order is not in the ledger");
  },
  TIMEOUT_MS,
);

test(
  "with acknowledgement after the commit the same crash loses nothing",
  async () => {
    const verdict = await runWith({ crashing: "slow-ledger" });
    expect(verdict.violations).toEqual([]);
    expect(verdict.result).toBe("pass");
  },
  TIMEOUT_MS,
);
