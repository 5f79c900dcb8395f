import { Worker } from "../../consumers/shards/worker.ts";
import type { WorkerOptions } from "../../consumers/shards/worker-options.ts";
import { ignore } from "../../core/runtime/ignored.ts";
import type { Runtime } from "../../core/runtime/runtime.ts";
import type { Settings } from "../../core/settings/settings.ts";
import { SharedClock } from "../../core/stores/clock.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import { lowerPriority } from "../../services/priority.ts";
import type { Log } from "../log.ts";
import { cpuWatch, governorSettings } from "./governing.ts";
import { startMetricsServer } from "./metrics-server.ts";
import {
  brokersAway,
  closeRegions,
  heartbeatWithin,
  openRedis,
  openRegions,
  openSpans,
  requireStores,
  trouble,
} from "./parts.ts";

/** Redis may be busy for a second or two without a fault. */
const MIN_CALL_TIMEOUT_MS = 3_000;

export interface RunningRole {
  /** Shuts down gracefully. */
  stop(): Promise<void>;
}

export async function startWorker(
  runtime: Runtime,
  settings: Settings,
  id: string,
  log: Log,
): Promise<RunningRole & { worker: Worker }> {
  requireStores(settings);
  lowerPriority(settings.workerNice);
  const ledger = await openLedger({ runtime, url: settings.ledgerUrl, shards: settings.shards });
  const writer = await openLedgerWriter(runtime, settings.ledgerUrl);
  // A connection that was silent for a lease has already lost the leases.
  const callTimeoutMs = Math.max(MIN_CALL_TIMEOUT_MS, settings.leaseMs);
  const redis = await openRedis(runtime, settings, log, { callTimeoutMs });
  const regions = await openRegions(runtime, settings, log, {
    heartbeatS: heartbeatWithin(settings.leaseMs),
  });
  const clock = new SharedClock(redis, { runtime, stepMs: settings.clockStepMs, log });
  await ignore(clock.start(), "clock_sync");
  const spans = await openSpans(settings, "worker", id);
  const worker = new Worker({
    runtime,
    id,
    stores: { redis, ledger, writer, ledgerUrl: settings.ledgerUrl },
    brokers: { regions, publishers: settings.publishers },
    waits: waitsOf(settings),
    snapshotEntries: settings.snapshotEntries,
    governing: { governor: governorSettings(settings), cpu: cpuWatch(runtime) },
    spans,
    clock,
    log,
  });
  worker.start();
  const missing = () => [
    ...brokersAway(regions),
    ...trouble("redis", redis.state === "up" && !worker.beating ? "away" : redis.state),
    ...trouble("ledger", worker.ledgerState),
    ...(worker.report().state === "running" ? [] : [worker.report().state]),
  ];
  const metrics = startMetricsServer(
    settings,
    { runtime, report: () => worker.report(), missing },
    log,
  );
  log("worker started", { id });
  const stop = async () => {
    await worker.stop();
    await metrics.stop();
    clock.stop();
    await closeRegions(regions);
    await writer.close();
    await ledger.close();
    await redis.close();
    await spans?.close();
    log("worker stopped", { id });
  };
  let stopped: Promise<void> | undefined;
  return {
    worker,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

function waitsOf({
  leaseMs,
  dedupWindowMs,
  gapTimeoutMs,
  gapMaxMs,
  holdTtlMs,
  rateMaxAgeMs,
  rateMaxStep,
  rateWaitMs,
  retryDelaysMs,
}: Settings): WorkerOptions["waits"] {
  return {
    leaseMs,
    dedupWindowMs,
    gapTimeoutMs,
    gapMaxMs,
    holdTtlMs,
    rateMaxAgeMs,
    rateMaxStep,
    rateWaitMs,
    retryDelaysMs,
  };
}
