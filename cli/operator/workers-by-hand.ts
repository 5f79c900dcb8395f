// Pauses and resumes workers manually, including payment workers and services: one by its id
// (`worker-1-c8c4ed02`), those that were started as `worker-1`, or `*` for all that are running. A
// worker follows at its next beat, within a second.
import type { RoleReport } from "../../core/domain/report.ts";
import { startedAs } from "../../core/domain/role-name.ts";
import { Members } from "../../core/stores/members.ts";
import type { RedisStore } from "../../core/stores/redis.ts";

export interface WorkersByHand {
  /** Returns the workers it applies to; empty if no such worker is running. */
  pause(worker: string, by: string): Promise<string[]>;
  resume(worker: string): Promise<string[]>;
}

export function workersByHand(redis: RedisStore): WorkersByHand {
  const members = new Members(redis);
  const all = async () => {
    const others = [...(await members.roles())].filter(
      ([, report]) => "governor" in (JSON.parse(report) as RoleReport),
    );
    return [...(await members.list()).workers.keys(), ...others.map(([id]) => id)];
  };
  const each = async (worker: string, act: (id: string) => Promise<boolean>): Promise<string[]> => {
    const named = (id: string) => worker === "*" || startedAs(id) === worker;
    const running = await all();
    const ids = running.includes(worker) ? [worker] : running.filter(named);
    const done = await Promise.all(ids.map(act));
    return ids.filter((_, i) => done[i]);
  };
  return {
    pause: (worker, by) => each(worker, (id) => members.pause(id, by)),
    resume: (worker) => each(worker, (id) => members.resume(id)),
  };
}
