// Who should hold which shard: the running workers share them fairly. Those that are paused, have
// no ledger, or whose clock is not Redis's, leave theirs to the others, if there are any.
import type { WorkerReport } from "../../core/domain/report.ts";
import { fairShares } from "../../core/stores/members.ts";

/** The holder of each shard; `workers` are the living ones and their reports (JSON text). */
export function sharesOf(shards: number, workers: ReadonlyMap<string, string>): string[] {
  const running = [...workers].filter(([, report]) => decides(report)).map(([id]) => id);
  return fairShares(shards, running.length > 0 ? running : workers.keys());
}

/** What a worker reports that has given its shards up because its ledger does not answer. */
export const WITHOUT_LEDGER = "without ledger";
/** … or because Redis's clock is not where it reckons it to be. */
export const CLOCK_JUMPED = "clock jumped";
const UNFIT: ReadonlySet<string> = new Set([WITHOUT_LEDGER, CLOCK_JUMPED]);

/** A worker of another version may report otherwise: then it is taken to run. */
function decides(text: string): boolean {
  const report = JSON.parse(text) as Partial<WorkerReport>;
  return report.governor?.state !== "paused" && !UNFIT.has(report.state ?? "");
}
