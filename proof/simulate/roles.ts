// The roles of a simulated system, each wired as its cli/roles file wires it, on a simulated
// process. Their waits are shorter than by default, so that a simulated minute shows what would
// take a real hour.
import { Fulfiller } from "../../consumers/fulfilment/fulfiller.ts";
import type { GovernorSettings } from "../../consumers/governor/governing.ts";
import { PaymentWorker } from "../../consumers/payments/payment-worker.ts";
import { HttpProvider } from "../../consumers/payments/provider-client.ts";
import { makeSnapshot } from "../../consumers/rebuild/make-snapshot.ts";
import { Worker } from "../../consumers/shards/worker.ts";
import { partKey } from "../../core/domain/part.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import { SharedClock } from "../../core/stores/clock.ts";
import { RateService } from "../../stubs/rates/rate-service.ts";
import type { PackedRecord } from "../verify/checks/parts.ts";
import type { Outside } from "./outside.ts";
import type { SimulatedProcess } from "./process.ts";
import { PROVIDER_URL, type SimulatedProvider } from "./provider.ts";

export interface RunningRole {
  /** Shuts down gracefully. */
  stop(): Promise<void>;
}

/** What the roles of one simulation share. */
export interface Setting {
  readonly outside: Outside;
  readonly provider: SimulatedProvider;
  /** The home region first. */
  readonly regions: readonly string[];
  /** What the services have packed. */
  readonly packed: PackedRecord[];
}

/** Settings of the workers, ms. */
export const WAITS = {
  leaseMs: 3_000,
  dedupWindowMs: 3_600_000,
  gapTimeoutMs: 4_000,
  gapMaxMs: 40_000,
  holdTtlMs: 30_000,
  rateMaxAgeMs: 60_000,
  rateMaxStep: 10,
  rateWaitMs: 3_000,
  retryDelaysMs: [300, 900, 2_000],
} as const;
const PROVIDER_TIMEOUT_MS = 3_000;
/** Shorter than a late capture takes (provider.ts). */
const UNKNOWN_MAX_MS = 6_000;
/** Longer than any outage. A charge that never reached the provider is owed for this long. */
const SETTLE_MAX_MS = 40_000;
const RATES_EVERY_MS = 2_000;
/** One currency has two minor digits, the other none. */
const RATES: readonly (readonly [string, string])[] = [
  ["USD", "1.0837"],
  ["JPY", "163.21"],
];
const QUOTES = { base: "EUR", rates: new Map(RATES) };
/** Few, so that a rush has some and a rebuild uses them. */
const SNAPSHOT_ENTRIES = 12;

const GOVERNOR: GovernorSettings = {
  pressurePercent: 50,
  thresholds: {
    loop_delay_ms: { slow: 500, pause: 3_000 },
    redis_ms: { slow: 500, pause: 3_000 },
    ledger_ms: { slow: 1_000, pause: 5_000 },
    outbox_ms: { slow: 3_000, pause: 15_000 },
  },
  maxPerSecond: 0,
};

/** cli/roles/worker.ts */
export async function startWorker(
  { outside, regions }: Setting,
  process: SimulatedProcess,
  id: string,
  started: (worker: Worker) => void,
): Promise<RunningRole> {
  const { log } = outside;
  const { ledger, writer, db } = await outside.ledger(process);
  const redis = await outside.redis(process);
  const links = await outside.links(process, regions, { heartbeatS: 1 });
  const clock = new SharedClock(redis, { runtime: process, log });
  await ignore(clock.start(), "clock_sync");
  const worker = new Worker({
    ...{ runtime: process, id, waits: WAITS, clock, log, spans: undefined },
    stores: { redis, ledger, writer, ledgerUrl: "" },
    brokers: { regions: links, publishers: [] },
    snapshotEntries: SNAPSHOT_ENTRIES,
    makeSnapshot: (job) => makeSnapshot(db, job, { pace: { rest: () => process.sleep(1) }, log }),
    governing: { governor: GOVERNOR, cpu: undefined },
  });
  worker.start();
  started(worker);
  return {
    stop: async () => {
      await worker.stop();
      clock.stop();
    },
  };
}

/** cli/roles/payments.ts */
export async function startPayments(
  { outside, provider, regions }: Setting,
  process: SimulatedProcess,
  id: string,
): Promise<RunningRole> {
  const payments = new PaymentWorker({
    ...{ runtime: process, id, shards: outside.shards, log: outside.log },
    regions: await outside.links(process, regions),
    provider: new HttpProvider(process, PROVIDER_URL, PROVIDER_TIMEOUT_MS, provider.from(process)),
    ...{ unknownMaxMs: UNKNOWN_MAX_MS, settleMaxMs: SETTLE_MAX_MS },
  });
  await payments.start();
  return { stop: () => payments.stop() };
}

/** How long a part takes, and how likely its work fails. */
const WORK_MS = 200;
const WORK_FAILS = 0.1;

/** cli/roles/fulfil.ts */
export async function startService(
  { outside, regions, packed }: Setting,
  process: SimulatedProcess,
  service: string,
  id: string,
): Promise<RunningRole> {
  const fulfiller = new Fulfiller({
    ...{ runtime: process, service, id, shards: outside.shards, log: outside.log },
    regions: await outside.links(process, regions),
    work: async (part) => {
      await process.sleep(process.random() * WORK_MS);
      if (process.random() < WORK_FAILS) throw new Error("the shelf is empty");
      const key = partKey(part);
      if (packed.some((one) => one.service === service && one.key === key)) return;
      packed.push({ service, key, lines: JSON.stringify(part.lines) });
    },
  });
  await fulfiller.start();
  return { stop: () => fulfiller.stop() };
}

/** cli/roles/rates.ts */
export async function startRates(
  { outside, regions }: Setting,
  process: SimulatedProcess,
): Promise<RunningRole> {
  const service = new RateService({
    ...{ runtime: process, everyMs: RATES_EVERY_MS, log: outside.log },
    source: { name: "fixed", load: async () => ({ ...QUOTES, atMs: process.wallMs() }) },
    regions: await outside.links(process, regions),
  });
  await service.start();
  return { stop: () => service.stop() };
}
