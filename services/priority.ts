// Who goes first on a machine that all parts share: taking orders in before deciding them. An
// accepted order waits safely, and whoever comes to it later does more of them a call. With three
// times what two cores can do offered, the median of refusals came after 8 ms instead of 43, and
// more was decided: 61% of the best instead of 55% (a worker that steps back by 5, one run each).
import { existsSync, writeFileSync } from "node:fs";
import { getPriority, setPriority } from "node:os";

/**
 * Has a process step back for others by a niceness of 0 to 19. Before it makes threads: each thread
 * has its own.
 *
 * Where Linux groups processes by session (autogroup, sched(7)), niceness counts only within a
 * session, and each role and service has one of its own: there the group steps back.
 */
export function stepBack(nice: number, pid: number = process.pid): void {
  try {
    if (nice <= 0 || getPriority(pid) >= nice) return;
    setPriority(pid, nice);
    const group = `/proc/${pid}/autogroup`;
    if (existsSync(group)) writeFileSync(group, String(nice));
  } catch {
    // Not every system lets a process say so; it only costs speed.
  }
}
