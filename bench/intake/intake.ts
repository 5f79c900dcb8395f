// sluice bench intake: the standard workload on a complete system. First the idle system, then
// single orders over HTTP, then a WebSocket flood as a burst, and finally as fast as the ledger
// keeps up.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { realRuntime } from "../../core/runtime/runtime.ts";
import { RedisStore } from "../../core/stores/redis.ts";
import { LedgerAudit } from "../../ledger/audit.ts";
import type { Stack } from "../../proof/demo/stack.ts";
import { type BenchLedger, startOn } from "../bench-ledger.ts";
import { type Conditions, conditionsOf } from "../conditions.ts";
import { benchCharges, type ChargesResult } from "./charges.ts";
import { benchHttp, type HttpResult } from "./http.ts";
import { benchIdle, type IdleResult } from "./idle.ts";
import { benchSale } from "./orders.ts";
import { settled, type Waiting } from "./settled.ts";
import { benchFlood, type FloodResult } from "./websocket.ts";

export const PARTS = [
  "idle",
  "http",
  "burst",
  "sustained",
  "reserved",
  "charged",
  "charges",
] as const;
export type Part = (typeof PARTS)[number];

export interface IntakeOptions {
  readonly dir: string;
  readonly ledger: BenchLedger;
  readonly parts: readonly Part[];
  readonly workers: number;
  readonly shards: number;
  readonly burstSeconds: number;
  readonly sustainedSeconds: number;
  readonly say: (line: string) => void;
}

export interface IntakeResult extends Conditions {
  readonly idle?: IdleResult;
  /** `missing`: wrk is not installed. */
  readonly http?: HttpResult | "missing";
  readonly burst?: FloodResult;
  readonly sustained?: FloodResult;
  /** Sustained, with every order reserved. */
  readonly reserved?: FloodResult;
  /** Sustained, while reserved orders are charged. */
  readonly charged?: FloodResult & { readonly paidPerSecond: number };
  /** Charges of a backlog of reserved orders. */
  readonly charges?: ChargesResult;
  /** What was still unfinished long after a part. */
  readonly waiting: readonly Waiting[];
  /** The same on Postgres, if both ledgers were asked for. */
  readonly postgres?: IntakeResult;
}

export const SOCKETS = 16;
const HTTP_CONNECTIONS = 256;
const HTTP_SECONDS = 10;
/**
 * Orders in flight in the sustained run: a quarter of a second at the target rate, so that the
 * ledger always has a full batch waiting.
 */
export const SUSTAINED_WINDOW = 30_000;

/**
 * Nine in ten orders of the workload are for sold-out items; here each passes broker, Redis and
 * ledger.
 */
export const THE_WHOLE_WAY = { SLUICE_SOLD_OUT_AT_GATE: "no" };

/**
 * Admission is on, but no order is refused because of a wait. This measures capacity, and these
 * clients would resend refused orders at once and distort it. bench/load measures admission.
 */
export const ANY_WAIT = { SLUICE_TARGET_WAIT: "1m", SLUICE_STALL_ORDERS: "1000000" };

/** Seconds of all-reserved orders that build the backlog for `charges`. */
const BACKLOG_S = 2;
/** Parts that need a payment provider run on their own system, after the others. */
const CHARGING_PARTS: readonly Part[] = ["charged", "charges"];

export async function benchIntake(options: IntakeOptions): Promise<IntakeResult> {
  const taking = options.parts.filter((part) => !CHARGING_PARTS.includes(part));
  const charging = options.parts.filter((part) => CHARGING_PARTS.includes(part));
  const results: IntakeResult[] = [];
  if (taking.length > 0) results.push(await benchOn(options, taking, false));
  if (charging.length > 0)
    results.push(await benchOn({ ...options, dir: join(options.dir, "charging") }, charging, true));
  const waiting = results.flatMap((result) => result.waiting);
  return Object.assign({}, ...results, { waiting }) as IntakeResult;
}

async function benchOn(
  options: IntakeOptions,
  parts: readonly Part[],
  charges: boolean,
): Promise<IntakeResult> {
  const { dir, workers, ledger, say } = options;
  mkdirSync(dir, { recursive: true });
  const charging = charges ? { charging: { shares: "", seed: 1 } } : {};
  const stack = await startOn(ledger, {
    dir,
    workers,
    gateways: 1,
    say,
    env: { SLUICE_SHARDS: String(options.shards), ...THE_WHOLE_WAY, ...ANY_WAIT },
    ...charging,
  });
  const redis = new RedisStore({ runtime: realRuntime, url: stack.redisUrl });
  try {
    await redis.client.connect();
    await stack.createSale(benchSale(realRuntime.wallMs()));
    const url = stack.gateways[0]?.url ?? "";
    const result: { -readonly [K in keyof IntakeResult]: IntakeResult[K] } = {
      ...(await conditionsOf(stack, redis, ledger)),
      waiting: [],
    };
    const left: Waiting[] = [];
    const wanted = (part: Part) => parts.includes(part);
    const second = (part: string) => (r: { accepted: number; decided: number; seconds: number }) =>
      say(
        `  ${part}: ${r.seconds.toFixed(0)} s, accepted ${rate(r.accepted, r.seconds)}, ` +
          `decided ${rate(r.decided, r.seconds)}`,
      );
    if (wanted("idle")) result.idle = await benchIdle(url, stack.issuer);
    if (wanted("http")) {
      result.http =
        (await benchHttp({ stack, dir, connections: HTTP_CONNECTIONS, seconds: HTTP_SECONDS })) ??
        "missing";
      left.push(...(await settled(stack, redis)));
    }
    const flood = async (part: Part, seconds: number, window: number) => {
      const plan = { sockets: SOCKETS, seconds, window, allReserved: part === "reserved" };
      const flooded = await benchFlood(stack, redis, plan, second(part));
      left.push(...flooded.waiting);
      return flooded;
    };
    if (wanted("burst")) result.burst = await flood("burst", options.burstSeconds, 0);
    if (wanted("sustained"))
      result.sustained = await flood("sustained", options.sustainedSeconds, SUSTAINED_WINDOW);
    if (wanted("charged"))
      result.charged = await chargedFlood(stack, () =>
        flood("charged", options.sustainedSeconds, SUSTAINED_WINDOW),
      );
    if (wanted("charges")) {
      await benchFlood(
        stack,
        redis,
        {
          sockets: SOCKETS,
          seconds: BACKLOG_S,
          window: SUSTAINED_WINDOW,
          allReserved: true,
          drain: false,
        },
        second("backlog"),
      );
      result.charges = await benchCharges(stack, say);
    }
    if (wanted("reserved"))
      result.reserved = await flood("reserved", options.burstSeconds, SUSTAINED_WINDOW);
    return { ...result, waiting: left };
  } finally {
    await redis.close();
    await stack.stop();
  }
}

async function chargedFlood(
  stack: Stack,
  flood: () => Promise<FloodResult>,
): Promise<NonNullable<IntakeResult["charged"]>> {
  const audit = await LedgerAudit.open(realRuntime, stack.ledgerUrl);
  const startedMs = realRuntime.monotonicMs();
  const result = await flood();
  const paid = await audit.chargeCount("captured");
  const seconds = (realRuntime.monotonicMs() - startedMs) / 1_000;
  await audit.close();
  return { ...result, paidPerSecond: paid / seconds };
}

function rate(count: number, seconds: number): string {
  return `${Math.round(count / seconds).toLocaleString("en")}/s`;
}
