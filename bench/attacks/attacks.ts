// What an attack on a gateway costs others: a buyer who places an order every 20 ms and a health
// check are measured without the attack and then under it. The attacker is a process of its own
// (attacker.ts). A real one would have its own machine, so here it only gets the CPU that nothing
// else wants.
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import type { BenchLedger } from "../bench-ledger.ts";
import { type Conditions, conditionsOf } from "../conditions.ts";
import { linesOf } from "../intake/lines.ts";
import { BENCH_SALE } from "../intake/orders.ts";
import { usageOf } from "../intake/usage.ts";
import { onStack } from "../load/stack.ts";
import type { AttackerOptions } from "./attacker.ts";
import { type Attack, bigSale } from "./kinds.ts";

export interface AttacksOptions {
  readonly dir: string;
  readonly ledger: BenchLedger;
  readonly attacks: readonly Attack[];
  /** Length of each measurement, without and under attack. */
  readonly seconds: number;
  readonly say: (line: string) => void;
}

/** ms; of answers that came. */
export interface Seen {
  readonly orders: number;
  /** Orders that were not accepted, by status; 0: no answer. */
  readonly refused: Readonly<Record<string, number>>;
  readonly orderP50: number;
  readonly orderP99: number;
  readonly healthP99: number;
}

export interface AttackResult {
  readonly attack: Attack;
  readonly calm: Seen;
  readonly under: Seen;
  /** Resident memory of the gateway: before, the most under attack, and after it. */
  readonly memoryMb: { readonly before: number; readonly most: number; readonly after: number };
  /** What the attacker did and got, by name. */
  readonly done: Readonly<Record<string, number>>;
}

export interface AttacksResult extends Conditions {
  readonly seconds: number;
  readonly attacks: readonly AttackResult[];
}

const ATTACKER = join(import.meta.dir, "attacker.ts");
const ORDER_EVERY_MS = 20;
const HEALTH_EVERY_MS = 50;
const ANSWER_MS = 10_000;
/** The time after an attack until everything it held is released. */
const CALM_MS = 3_000;
const WARM_S = 2;
const MB = 2 ** 20;

export async function benchAttacks(options: AttacksOptions): Promise<AttacksResult> {
  const { dir, ledger, say, seconds } = options;
  const stackOptions = { dir, ledger, say, targetWaitMs: 2_000, workerRate: 0 };
  return onStack(stackOptions, {}, async (stack, redis) => {
    await stack.createSale(bigSale(realRuntime.wallMs()));
    await watch(stack, WARM_S);
    const attacks: AttackResult[] = [];
    for (const attack of options.attacks) {
      attacks.push(await underAttack(stack, attack, seconds));
      say(`  ${attack}: done`);
    }
    return { ...(await conditionsOf(stack, redis, ledger)), seconds, attacks };
  });
}

async function underAttack(stack: Stack, attack: Attack, seconds: number): Promise<AttackResult> {
  const calm = await watch(stack, seconds);
  const before = memoryOf(stack);
  const url = stack.gateways[0]?.url ?? "";
  const argument = JSON.stringify({ url, attack, issuer: stack.issuer } satisfies AttackerOptions);
  const child = Bun.spawn(["nice", "-n", "19", process.execPath, ATTACKER, argument], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = linesOf(child.stdout);
  if ((await lines.next()).done) throw new Error(`the attacker (${attack}) did not begin`);
  let most = before;
  const look = realRuntime.startInterval(() => {
    most = Math.max(most, memoryOf(stack));
  }, 250);
  const under = await watch(stack, seconds);
  realRuntime.stopTimer(look);
  child.stdin.end();
  const { value: last = "{}" } = await lines.next();
  await child.exited;
  await realRuntime.sleep(CALM_MS);
  const memoryMb = { before, most, after: memoryOf(stack) };
  const done = JSON.parse(last) as AttackResult["done"];
  return { attack, calm, under, memoryMb, done };
}

function memoryOf({ fleet }: Stack): number {
  const gateway = fleet.roles.find(({ kind }) => kind === "gateway");
  return Math.round(gateway ? usageOf(gateway.pid()).rssBytes / MB : 0);
}

/** The buyer and the health check, each on a connection of its own, open-loop. */
async function watch(stack: Stack, seconds: number): Promise<Seen> {
  const url = stack.gateways[0]?.url ?? "";
  const authorization = `Bearer ${await mintToken(stack.issuer, "buyer")}`;
  const headers = { authorization, "content-type": "application/json" };
  const lines = [{ sku: "plenty-0", qty: 1 }];
  const order = () => {
    const body = { id: realRuntime.uuidV7(), saleId: BENCH_SALE, currency: "EUR", lines };
    return ask(`${url}/v1/orders`, { method: "POST", headers, body: JSON.stringify(body) });
  };
  const [orders, health] = await Promise.all([
    repeat(seconds, ORDER_EVERY_MS, order),
    repeat(seconds, HEALTH_EVERY_MS, () => ask(`${url}/healthz`, {})),
  ]);
  const refused: Record<string, number> = {};
  for (const { status } of orders) if (status !== 202) refused[status] = (refused[status] ?? 0) + 1;
  const times = orders.map(({ ms }) => ms);
  return {
    orders: orders.length,
    refused,
    orderP50: quantile(times, 0.5),
    orderP99: quantile(times, 0.99),
    healthP99: quantile(
      health.map(({ ms }) => ms),
      0.99,
    ),
  };
}

interface Asked {
  /** 0: no answer within ANSWER_MS, which then counts as its time. */
  readonly status: number;
  readonly ms: number;
}

async function ask(url: string, init: RequestInit): Promise<Asked> {
  const startedMs = realRuntime.monotonicMs();
  const status = await fetch(url, { ...init, signal: realRuntime.abortAfter(ANSWER_MS) })
    .then(async (response) => {
      await response.arrayBuffer();
      return response.status;
    })
    .catch(() => 0);
  const ms = status === 0 ? ANSWER_MS : realRuntime.monotonicMs() - startedMs;
  return { status, ms };
}

/** At fixed moments, however long the answers take. */
async function repeat(
  seconds: number,
  everyMs: number,
  work: () => Promise<Asked>,
): Promise<Asked[]> {
  const startedMs = realRuntime.monotonicMs();
  const begun: Promise<Asked>[] = [];
  for (let at = 0; at < seconds * 1_000; at += everyMs) {
    await realRuntime.sleep(Math.max(0, startedMs + at - realRuntime.monotonicMs()));
    begun.push(work());
  }
  return Promise.all(begun);
}

function quantile(times: readonly number[], q: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
  return Math.round(value * 10) / 10;
}
