import { getPriority, setPriority } from "node:os";
import { Worker } from "../../consumers/worker.ts";
import { SharedClock } from "../../core/clock.ts";
import type { Settings } from "../../core/settings.ts";
import { openLedger, openLedgerWriter } from "../../ledger/open.ts";
import type { Log } from "../log.ts";
import { openRedis, openRegions, requireStores } from "./parts.ts";

export interface RunningRole {
  /** Quiet, then stop. */
  stop(): Promise<void>;
}

export async function startWorker(settings: Settings, id: string, log: Log): Promise<RunningRole & { worker: Worker }> {
  requireStores(settings);
  stepBack(settings.workerNice);
  const ledger = await openLedger({ url: settings.ledgerUrl, shards: settings.shards });
  const writer = await openLedgerWriter(settings.ledgerUrl);
  const redis = await openRedis(settings, log);
  const regions = await openRegions(settings, log);
  const clock = new SharedClock(redis);
  await clock.start().catch(() => undefined);
  const { leaseMs, dedupWindowMs, gapTimeoutMs, gapMaxMs, holdTtlMs, retryDelaysMs } = settings;
  const { rateMaxAgeMs, rateWaitMs } = settings;
  const waits = { leaseMs, dedupWindowMs, gapTimeoutMs, gapMaxMs, holdTtlMs, retryDelaysMs, rateMaxAgeMs, rateWaitMs };
  const worker = new Worker({ id, redis, ledger, writer, regions, ...waits, now: clock.now, log });
  worker.start();
  log("worker started", { id });
  const stop = async () => {
    await worker.stop();
    clock.stop();
    for (const { connection } of regions) await connection.close();
    await writer.close();
    await ledger.close();
    await redis.close();
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

/**
 * On a machine they share, taking orders in goes before deciding them: an accepted order waits safely, and a worker that comes later
 * decides more orders a call. Before any thread is made, so that the ledger's steps back as well.
 */
function stepBack(nice: number): void {
  try {
    if (nice > 0 && getPriority() < nice) setPriority(nice);
  } catch {
    // Not every system lets a process say so; it only costs speed.
  }
}
