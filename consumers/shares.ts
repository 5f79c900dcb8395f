// Who should hold which shard: the living workers share them fairly, and those that are paused leave theirs to the others, if there are any.
import type { WorkerReport } from "../core/domain/report.ts";
import { fairShares } from "../core/members.ts";

/** The holder of each shard; `workers` are the living ones and their reports (JSON text). */
export function sharesOf(shards: number, workers: ReadonlyMap<string, string>): string[] {
  const running = [...workers].filter(([, report]) => !isPaused(report)).map(([id]) => id);
  return fairShares(shards, running.length > 0 ? running : workers.keys());
}

/** A worker of another version may report otherwise: then it is taken to run. */
function isPaused(report: string): boolean {
  return (JSON.parse(report) as Partial<WorkerReport>).governor?.state === "paused";
}
