// The signals that end a command in good order. SIGHUP is one of them: it comes when a terminal is
// closed. A command that was started to survive that (nohup) ignores it.
import { readFileSync } from "node:fs";

const SIGHUP_BIT = 1n;

export function stopSignals(): readonly NodeJS.Signals[] {
  return ignoresHangup() ? ["SIGTERM", "SIGINT"] : ["SIGTERM", "SIGINT", "SIGHUP"];
}

/** proc(5): a mask of ignored signals; SIGHUP is the first. */
function ignoresHangup(): boolean {
  try {
    const status = readFileSync("/proc/self/status", "utf8");
    const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
  } catch {
    return false; // no /proc on this system
  }
}
