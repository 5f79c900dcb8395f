// Sluice's own rows: the standard workload into the ledger over WebSocket, and single orders over
// HTTP, as `sluice bench intake` measures them, on the same stores as the peers.
import { realRuntime } from "../../core/runtime/runtime.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import { Stack } from "../../proof/demo/stack.ts";
import { mintToken } from "../../proof/load/tokens.ts";
import { ANY_WAIT, SOCKETS, SUSTAINED_WINDOW, THE_WHOLE_WAY } from "../intake/intake.ts";
import { benchSale } from "../intake/orders.ts";
import { recorded } from "../intake/settled.ts";
import { cpuSince, type Usage, usageByPart } from "../intake/usage.ts";
import { benchFlood } from "../intake/websocket.ts";
import type { Measured, RunOptions } from "./run.ts";
import { Stores } from "./stores.ts";
import { wrkOf } from "./wrk.ts";

export type SluiceLedger = "sqlite" | "postgres";

/** Compiles the hot code; over HTTP it also verifies each token once. */
const WARM_UP_S = 4;

export function measureSluice(
  ledger: SluiceLedger,
  { dir, seconds }: RunOptions,
): Promise<Measured> {
  return onSluice(ledger, dir, async ({ stack, redis, usage }) => {
    const options = { sockets: SOCKETS, window: SUSTAINED_WINDOW, allReserved: false };
    const flood = async (length: number) => {
      const all = { ...options, seconds: length, drain: false };
      const result = await benchFlood(stack, redis, all, () => undefined);
      await recorded(stack, redis);
      return result;
    };
    const warm = await flood(WARM_UP_S);
    const before = usage();
    const run = await flood(seconds);
    const cpuMicros = cpuSince(before, usage(), run.accepted);
    const [accepted, inLedger] = [warm.accepted + run.accepted, await ordersIn(stack)];
    return {
      ordersPerSecond: run.decidedPerSecond,
      cpuMicros,
      generatorMicros: run.cpuMicros.load ?? 0,
      orders: run.accepted,
      violations: accepted === inLedger ? [] : [`${accepted} accepted, ${inLedger} in the ledger`],
    };
  });
}

export function measureSluiceHttp({ dir, seconds }: RunOptions): Promise<Measured> {
  return onSluice("sqlite", dir, async ({ stack, redis, usage }) => {
    const url = stack.gateways[0]?.url ?? "";
    const wrk = await wrkOf(dir, (user) => mintToken(stack.issuer, user));
    await wrk(url, WARM_UP_S);
    await recorded(stack, redis);
    const [before, warm] = [usage(), await ordersIn(stack)];
    const answered = await wrk(url, seconds);
    await recorded(stack, redis);
    const after = usage();
    const orders = (await ordersIn(stack)) - warm;
    const { requests, not2xx, lost } = answered;
    const violations = not2xx + lost > 0 ? [`${not2xx} refused, ${lost} lost`] : [];
    if (orders < requests - not2xx)
      violations.push(`${requests - not2xx} accepted, ${orders} in the ledger`);
    return {
      ordersPerSecond: (requests - not2xx) / answered.seconds,
      cpuMicros: cpuSince(before, after, orders),
      generatorMicros: answered.cpuMicros / orders,
      orders,
      p99Ms: answered.p99,
      violations,
    };
  });
}

interface Running {
  readonly stack: Stack;
  readonly redis: RedisStore;
  /** CPU and memory of its roles and stores. */
  usage(): Map<string, Usage>;
}

async function onSluice<T>(
  ledger: SluiceLedger,
  dir: string,
  work: (running: Running) => Promise<T>,
): Promise<T> {
  const stores = await Stores.start(dir, ledger === "postgres" ? ["postgres"] : []);
  try {
    const env: Record<string, string> = { ...THE_WHOLE_WAY, ...ANY_WAIT };
    if (ledger === "postgres") env.SLUICE_LEDGER_URL = stores.places.postgres;
    const stack = await Stack.start({ dir, workers: 1, gateways: 1, env });
    const redis = new RedisStore({ runtime: realRuntime, url: stack.redisUrl });
    try {
      await redis.client.connect();
      await stack.createSale(benchSale(realRuntime.wallMs()));
      const usage = () => new Map([...usageByPart(stack), ...stores.usage()]);
      return await work({ stack, redis, usage });
    } finally {
      await redis.close();
      await stack.stop();
    }
  } finally {
    await stores.stop();
  }
}

async function ordersIn({ ledgerUrl }: Stack): Promise<number> {
  const audit = await LedgerAudit.open(realRuntime, ledgerUrl);
  try {
    return await audit.orderCount();
  } finally {
    await audit.close();
  }
}
