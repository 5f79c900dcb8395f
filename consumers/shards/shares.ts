// Which worker should hold which shard. The running workers share them fairly. One that is paused,
// has no ledger, or has a wrong estimate of Redis's clock leaves its share to the others, if there
// are any.
import type { WorkerReport } from "../../core/domain/report.ts";
import { fairShares } from "../../core/stores/members.ts";
import { NEIGHBOURS } from "../governor/governor.ts";

/** The holder of each shard. `workers` are all that are alive, with their reports as JSON text. */
export function sharesOf(shards: number, workers: ReadonlyMap<string, string>): string[] {
  const running = [...workers].filter(([, report]) => decides(report)).map(([id]) => id);
  return fairShares(shards, running.length > 0 ? running : workers.keys());
}

/** The state of a worker that released its shards because its ledger does not answer. */
export const WITHOUT_LEDGER = "without ledger";
/** The state of a worker that released its shards because Redis's clock jumped. */
export const CLOCK_JUMPED = "clock jumped";
const UNFIT: ReadonlySet<string> = new Set([WITHOUT_LEDGER, CLOCK_JUMPED]);

/**
 * Whether this worker must not stop for busy neighbours, because no other one decides. If all have
 * stopped for them, the first by name continues.
 */
export function isLast(id: string, workers: ReadonlyMap<string, string>): boolean {
  const others = [...workers].filter(([other]) => other !== id);
  if (others.some(([, report]) => decides(report))) return false;
  const own = workers.get(id);
  if (own === undefined || decides(own)) return true;
  return others.every(([other, report]) => !couldGoOn(report) || id < other);
}

function couldGoOn(text: string): boolean {
  const { governor, state } = JSON.parse(text) as Partial<WorkerReport>;
  return !UNFIT.has(state ?? "") && (governor?.reasons ?? []).every((r) => NEIGHBOURS.has(r));
}

/** A worker of another version may report other states, which count as running. */
function decides(text: string): boolean {
  const report = JSON.parse(text) as Partial<WorkerReport>;
  return report.governor?.state !== "paused" && !UNFIT.has(report.state ?? "");
}
