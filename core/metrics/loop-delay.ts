// How late this process's event loop runs: by how much a periodic timer fires too late.
import type { Runtime, Timer } from "../runtime/runtime.ts";

const EVERY_MS = 100;

export class LoopDelay {
  private worstMs = 0;
  private dueMs: number;
  private readonly timer: Timer;

  constructor(
    private readonly runtime: Runtime,
    private readonly everyMs = EVERY_MS,
  ) {
    this.dueMs = this.runtime.monotonicMs() + everyMs;
    this.timer = this.runtime.startInterval(() => this.tick(), everyMs);
    this.timer.unref();
  }

  /** The worst delay since the last take, ms, including one that is still under way. */
  take(): number {
    const worst = Math.max(this.worstMs, this.runtime.monotonicMs() - this.dueMs);
    this.worstMs = 0;
    return Math.max(0, Math.round(worst));
  }

  stop(): void {
    this.runtime.stopTimer(this.timer);
  }

  private tick(): void {
    const nowMs = this.runtime.monotonicMs();
    this.worstMs = Math.max(this.worstMs, nowMs - this.dueMs);
    this.dueMs = nowMs + this.everyMs;
  }
}
