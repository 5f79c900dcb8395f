// Which changes of the governor are logged. On a busy machine it changes every few seconds, which
// would hide everything else in the log.
import type { GovernorReport, GovernorState } from "../../core/domain/report.ts";

/** A state is logged at most once in this time. The metrics count every change. */
const AGAIN_MS = 60_000;

export class LogLimit {
  /** By state: when it was logged last, monotonic ms. */
  private readonly loggedMs = new Map<GovernorState, number>();
  private byHand = false;

  /** An operator's pause, and its end, are always logged. */
  admits({ state, reasons }: GovernorReport, nowMs: number): boolean {
    const byHand = reasons.includes("operator");
    const changed = byHand !== this.byHand;
    this.byHand = byHand;
    const last = this.loggedMs.get(state) ?? Number.NEGATIVE_INFINITY;
    if (!changed && nowMs - last < AGAIN_MS) return false;
    this.loggedMs.set(state, nowMs);
    return true;
  }
}
