// CPU priority among the roles of one machine: accepting orders comes before deciding them. An
// accepted order waits safely, and a busier worker decides more orders per call. At three times the
// load that two cores can handle, the median refusal took 8 ms instead of 43
// (docs/decisions/0010-admission.md).
import { existsSync, writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/**
 * Lowers a process's priority by a niceness of 0 to 19. Call it before the process creates threads,
 * since each thread has its own niceness.
 *
 * Where Linux groups processes by session (autogroup, sched(7)), niceness counts only within a
 * session. Each role and service has its own session, so the group is lowered too.
 */
export function lowerPriority(nice: number, pid: number = process.pid): void {
  try {
    if (nice <= 0 || getPriority(pid) >= nice) return;
    setPriority(pid, nice);
    const group = `/proc/${pid}/autogroup`;
    if (existsSync(group)) writeFileSync(group, String(nice));
  } catch {
    // Some systems forbid it; that costs only speed.
  }
}
